/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that are no items: see heap.h. */
#include "heap/inner.h"
#include "lock/lock.h"
#include "meta/meta.h"
#include "port/port.h"
#include "supply/supply.h"
#include "zone/zone.h"

/* Alignments above this get a mapping: a run would skip too much. */
#define RUN_ALIGN_MAX ((size_t)2 << 20)

/*
 * A block of its own costs a lock for its run; a locked instruction more for
 * each number would double that.  So they are counted as malloc(9)'s blocks
 * are, by CPU.  What a block grew or shrank by, and what cannot be counted so,
 * is in `rest`.
 */
static uintptr_t counters;
static struct {
	_Atomic uint64_t bytes;
	_Atomic uint64_t events[2];
} rest;

/* Headers that wait for the next block, so that it need not ask meta. */
#define SPARES 8
static _Atomic(struct large *) spares[SPARES];

bool
large_start(void)
{
	counters = percpu_take(1);
	return counters != 0;
}

/* relaxed, as all of `rest`: statistics. */
static void
add_bytes(size_t more)
{
	atomic_fetch_add_explicit(&rest.bytes, more, memory_order_relaxed);
}

/* Not inside the gate: a fork need not wait for a thread that only counts. */
static void
count(enum percpu_way way, size_t bytes)
{
	uint64_t step = PERCPU_STEP(bytes);
	bool folded = false;

	if (bytes <= PERCPU_UNITS_MAX && percpu_count(counters, way, step))
		return;
	if (bytes <= PERCPU_UNITS_MAX && gate_enter()) {
		folded = percpu_fold(counters, way, step) != 0;
		gate_leave();
	}
	if (folded)
		return;
	add_bytes(way == PERCPU_IN ? bytes : -bytes);
	atomic_fetch_add_explicit(&rest.events[way], 1, memory_order_relaxed);
}

static uint64_t
events(const struct percpu_sum *sum, enum percpu_way way)
{
	return sum->events[way] +
	       atomic_load_explicit(&rest.events[way], memory_order_relaxed);
}

/* What comes and goes while this reads may seem to have gone only. */
void
heap_read(struct heap_reading *out)
{
	struct percpu_sum sum = { 0 };
	int64_t bytes;

	if (counters != 0)
		percpu_sum(counters, &sum);
	out->large_allocs = events(&sum, PERCPU_IN);
	out->large_frees =
	    min_size(events(&sum, PERCPU_OUT), out->large_allocs);
	bytes =
	    (int64_t)(sum.units[PERCPU_IN] - sum.units[PERCPU_OUT] +
		      atomic_load_explicit(&rest.bytes, memory_order_relaxed));
	out->large_bytes = bytes < 0 ? 0 : (uint64_t)bytes;
}

static struct large *
header_take(enum meta_how how)
{
	for (unsigned i = 0; i < SPARES; i++) {
		struct large *l;

		/* relaxed: a look before the exchange, which is locked. */
		if (atomic_load_explicit(&spares[i], memory_order_relaxed) ==
		    NULL)
			continue;
		/* acquire, pairs with header_give(). */
		l = atomic_exchange_explicit(
		    &spares[i], NULL, memory_order_acquire);
		if (l != NULL)
			return l;
	}
	return meta_take(sizeof(struct large), how);
}

static void
header_give(struct large *l, enum meta_how how)
{
	for (unsigned i = 0; i < SPARES; i++) {
		struct large *none = NULL;

		/* relaxed: as above. */
		if (atomic_load_explicit(&spares[i], memory_order_relaxed) !=
		    NULL)
			continue;
		/* release: what was read of it. */
		if (atomic_compare_exchange_strong_explicit(&spares[i], &none,
			l, memory_order_release, memory_order_relaxed))
			return;
	}
	meta_give(l, sizeof(*l), how);
}

/* `dirty`: so many bytes of it may hold anything. */
static bool
take_memory(struct large *l, size_t bytes, size_t align, size_t *dirty,
    enum meta_how how)
{
	struct supply_run run;

	if (l->mapped) {
		/* Its first granule is in the page map: nobody else's. */
		l->bytes =
		    round_up(max_size(bytes, GRANULE), port_page_bytes());
		l->base = port_map(l->bytes, align);
		*dirty = 0;
		return l->base != NULL;
	}
	l->bytes = round_up(bytes, GRANULE);
	if (!supply_take(
		&run, l->bytes / GRANULE, align, 0, SUPPLY_NORMAL, how))
		return false;
	l->base = run.base;
	*dirty = run.dirty;
	return true;
}

/* Give what `l` said away; it may be another's by now. */
static void
give_memory(const struct large *l, enum meta_how how)
{
	if (l->mapped)
		port_unmap(l->base, l->bytes);
	else
		supply_give(l->base, l->bytes / GRANULE, 0, how);
}

size_t
large_room(const struct large *l)
{
	return l->bytes - watch_gap;
}

void *
large_alloc(size_t bytes, size_t align, enum heap_how how, size_t *room)
{
	size_t dirty;
	enum meta_how source;
	struct large *l;
	void *block = NULL;

	if (bytes > HEAP_MAX - GRANULE)
		return NULL;
	align = max_size(align, GRANULE);
	source = meta_enter();
	l = header_take(source);
	if (l != NULL)
		l->mapped = how == HEAP_ALONE || bytes > HEAP_LARGE_MAX ||
			    align > RUN_ALIGN_MAX;
	if (l != NULL &&
	    !take_memory(l, bytes + watch_gap, align, &dirty, source)) {
		header_give(l, source);
		l = NULL;
	}
	if (l != NULL) {
		l->kind = PAGEMAP_LARGE;
		/* Only its first granule is in the page map: see heap.h. */
		if (pagemap_set(l->base, GRANULE, l, 0, source))
			block = l->base;
		else {
			give_memory(l, source);
			header_give(l, source);
		}
	}
	meta_leave(source);
	if (block == NULL)
		return NULL;
	count(PERCPU_IN, l->bytes);
	zone_reclaim_idle();
	*room = large_room(l);
	if (unlikely(watch_on)) {
		asked_make_large(l);
		asked_take(
		    block, bytes, *room, how == HEAP_ZERO || how == HEAP_ALONE);
	}
	if (how == HEAP_ZERO && dirty != 0)
		__builtin_memset(block, 0, min_size(bytes, dirty));
	return block;
}

void
large_free(struct large *l)
{
	struct large was = *l;
	enum meta_how how;

	if (unlikely(watch_on))
		asked_give_large(l);
	count(PERCPU_OUT, was.bytes);
	how = meta_enter();
	pagemap_clear(was.base, GRANULE);
	header_give(l, how);
	give_memory(&was, how);
	meta_leave(how);
}

/*
 * A mapping that moves must be found at its new place, whatever happens: room
 * in the page map is held before.
 */
static void *
resize_mapping(struct large *l, size_t bytes)
{
	size_t want = round_up(bytes, port_page_bytes());
	enum meta_how how;
	void *leaf;
	char *base;

	if (want == l->bytes)
		return l->base;
	how = meta_enter();
	leaf = pagemap_hold_leaf(how);
	meta_leave(how);
	if (leaf == NULL)
		return NULL;
	/* The entry goes first: a mapping that moves leaves its address. */
	pagemap_clear(l->base, GRANULE);
	base = port_remap(l->base, l->bytes, want, GRANULE);
	if (base != NULL) {
		add_bytes(want - l->bytes);
		l->base = base;
		l->bytes = want;
	}
	pagemap_set_held(l->base, l, &leaf);
	pagemap_drop_leaf(leaf);
	return base;
}

/* A run that shrinks gives its tail back, one that grows may find room. */
static void *
resize_run(struct large *l, size_t bytes)
{
	size_t want = round_up(bytes, GRANULE);
	size_t was = l->bytes;
	bool ok = want == was;

	if (ok)
		return l->base;
	if (!gate_enter())
		return NULL;
	ok = want < was ||
	     supply_extend(l->base, was / GRANULE, (want - was) / GRANULE);
	if (want < was)
		supply_give(
		    l->base + want, (was - want) / GRANULE, 0, META_NORMAL);
	if (ok) {
		l->bytes = want;
		add_bytes(want - was);
	}
	gate_leave();
	return ok ? l->base : NULL;
}

/* Its granules become `want` bytes of them; inside the gate. */
static bool
take_over(struct large *l, struct slab *s, size_t want)
{
	struct uma_zone *zone = s->keg->zone;
	size_t was = s->keg->layout.slab_bytes;

	*l = (struct large){ PAGEMAP_LARGE, false, s->base, want };
	if (want > was &&
	    !supply_extend(l->base, was / GRANULE, (want - was) / GRANULE))
		return false;
	if (zone_part(zone, s, l)) {
		if (want < was)
			supply_give(l->base + want, (was - want) / GRANULE, 0,
			    META_NORMAL);
		return true;
	}
	if (want > was)
		supply_give(
		    l->base + was, (want - was) / GRANULE, 0, META_NORMAL);
	return false;
}

bool
large_from_slab(struct slab *s, size_t bytes)
{
	size_t want = round_up(bytes, GRANULE);
	struct large *l;
	bool ok;

	if (bytes > HEAP_LARGE_MAX || !gate_enter())
		return false;
	l = header_take(META_NORMAL);
	ok = l != NULL && take_over(l, s, want);
	if (l != NULL && !ok)
		header_give(l, META_NORMAL);
	gate_leave();
	if (ok)
		count(PERCPU_IN, want);
	return ok;
}

void *
large_resize(struct large *l, size_t bytes)
{
	if (bytes <= HEAP_SMALL_MAX || bytes > HEAP_MAX - GRANULE)
		return NULL;
	if (l->mapped)
		return bytes > HEAP_LARGE_MAX / 2 ? resize_mapping(l, bytes)
						  : NULL;
	return bytes <= HEAP_LARGE_MAX ? resize_run(l, bytes) : NULL;
}
