/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks above the size classes: see heap.h. */
#include "heap/inner.h"
#include "lock/lock.h"
#include "meta/meta.h"
#include "port/port.h"
#include "supply/supply.h"

/* Alignments above this get a mapping: a run would skip too much. */
#define RUN_ALIGN_MAX ((size_t)2 << 20)

/* relaxed: statistics. */
static _Atomic uint64_t large_bytes;
static _Atomic uint64_t large_allocs;
static _Atomic uint64_t large_frees;

static void
add(_Atomic uint64_t *n, uint64_t more)
{
	atomic_fetch_add_explicit(n, more, memory_order_relaxed);
}

void
heap_read(struct heap_reading *out)
{
	out->large_bytes =
	    atomic_load_explicit(&large_bytes, memory_order_relaxed);
	out->large_allocs =
	    atomic_load_explicit(&large_allocs, memory_order_relaxed);
	out->large_frees =
	    atomic_load_explicit(&large_frees, memory_order_relaxed);
}

static bool
take_memory(
    struct large *l, size_t bytes, size_t align, bool *zeros, enum meta_how how)
{
	struct supply_run run;

	if (l->mapped) {
		l->bytes = round_up(bytes, port_page_bytes());
		l->base = port_map(l->bytes, align);
		*zeros = true;
		return l->base != NULL;
	}
	l->bytes = heap_run_bytes(bytes);
	if (!supply_take(&run, l->bytes / GRANULE, align, SUPPLY_NORMAL, how))
		return false;
	l->base = run.base;
	*zeros = !run.dirty;
	return true;
}

static void
give_memory(char *base, size_t bytes, bool mapped, enum meta_how how)
{
	if (mapped)
		port_unmap(base, bytes);
	else
		supply_give(base, bytes / GRANULE, how);
}

size_t
large_room(const struct large *l)
{
	return l->bytes - watch_gap();
}

void *
large_alloc(size_t bytes, size_t align, enum heap_how zero)
{
	bool inside;
	bool zeros;
	enum meta_how how;
	struct large *l;
	void *block = NULL;
	size_t room;

	if (bytes > HEAP_MAX - GRANULE)
		return NULL;
	room = bytes + watch_gap();
	align = max_size(align, GRANULE);
	inside = gate_enter();
	how = inside ? META_NORMAL : META_EMERGENCY;
	l = meta_take(sizeof(*l), how);
	if (l != NULL)
		l->mapped = zero == HEAP_ALONE || bytes > HEAP_LARGE_MAX ||
			    align > RUN_ALIGN_MAX;
	if (l != NULL && !take_memory(l, room, align, &zeros, how)) {
		meta_give(l, sizeof(*l), how);
		l = NULL;
	}
	if (l != NULL) {
		l->kind = PAGEMAP_LARGE;
		/* Only its first granule is in the page map: see heap.h. */
		if (pagemap_set(l->base, GRANULE, l, 0, how)) {
			block = l->base;
			add(&large_bytes, l->bytes);
			add(&large_allocs, 1);
		} else {
			give_memory(l->base, l->bytes, l->mapped, how);
			meta_give(l, sizeof(*l), how);
		}
	}
	if (inside)
		gate_leave();
	if (unlikely(watch_on) && block != NULL) {
		asked_make_large(l);
		asked_take(block, bytes, large_room(l), zero != HEAP_RAW);
	}
	if (block != NULL && zero == HEAP_ZERO && !zeros)
		__builtin_memset(block, 0, bytes);
	return block;
}

void
large_free(struct large *l)
{
	bool inside;
	enum meta_how how;
	char *base = l->base;
	size_t bytes = l->bytes;
	bool mapped = l->mapped;

	if (unlikely(watch_on))
		asked_give_large(l);
	inside = gate_enter();
	how = inside ? META_NORMAL : META_EMERGENCY;
	add(&large_bytes, -(uint64_t)bytes);
	add(&large_frees, 1);
	pagemap_clear(base, GRANULE);
	meta_give(l, sizeof(*l), how);
	give_memory(base, bytes, mapped, how);
	if (inside)
		gate_leave();
}

/*
 * A mapping that moves must be found at its new place, whatever happens: room
 * in the page map is held before.
 */
static void *
resize_mapping(struct large *l, size_t bytes)
{
	size_t want = round_up(bytes, port_page_bytes());
	bool inside;
	void *leaf;
	char *base;

	if (want == l->bytes)
		return l->base;
	inside = gate_enter();
	leaf = pagemap_hold_leaf(inside ? META_NORMAL : META_EMERGENCY);
	if (inside)
		gate_leave();
	if (leaf == NULL)
		return NULL;
	/* The entry goes first: a mapping that moves leaves its address. */
	pagemap_clear(l->base, GRANULE);
	base = port_remap(l->base, l->bytes, want, GRANULE);
	if (base != NULL) {
		add(&large_bytes, want - l->bytes);
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
	size_t want = heap_run_bytes(bytes);
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
		    l->base + want, (was - want) / GRANULE, META_NORMAL);
	if (ok) {
		l->bytes = want;
		add(&large_bytes, want - was);
	}
	gate_leave();
	return ok ? l->base : NULL;
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
