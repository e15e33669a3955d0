/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks by size class, and what every block has in common: see heap.h. */
#include "heap/heap.h"

#include "heap/inner.h"
#include "port/port.h"
#include "supply/supply.h"
#include "zone/zone.h"

#define UNITS(units) units,
#define ONE(units)   +1
_Static_assert(HEAP_CLASS_LIST(ONE) == HEAP_CLASSES, "as many as there are");

/* Items above this are backed by the user's touch, not ahead of it. */
#define BACKED_MAX 4096u

/* free() may come before the first malloc() has woken the library. */
struct heap_hit uma_heap = {
	.window = PAGEMAP_NO_WINDOW,
	.units = { HEAP_CLASS_LIST(UNITS) },
};

static struct uma_zone *zones[HEAP_CLASSES];

static void
make_tables(void)
{
	unsigned index = 0;

	for (size_t i = 0; i <= HEAP_SMALL_MAX / HEAP_UNIT_BYTES; i++) {
		while (uma_heap.units[index] < i)
			index++;
		uma_heap.class_of[i] = (uint8_t)index;
	}
	for (size_t bytes = 0; bytes <= HEAP_DIRECT_MAX; bytes++)
		uma_heap.direct[bytes] =
		    heap_hit_records(heap_hit_index(bytes));
}

static bool
make_zone(unsigned index, uintptr_t caches)
{
	char name[32];
	struct text t = { name, name + sizeof(name) - 1 };
	size_t bytes = heap_class_bytes(index);
	struct zone_plan plan = {
		.name = name,
		.item_bytes = bytes,
		.align = min_size(bytes & -bytes, GRANULE),
		.flags = UMA_ZONE_MALLOC,
		.caches = caches + index * sizeof(struct cache),
		.owner = HEAP_OWNER(index),
	};

	if (bytes > BACKED_MAX)
		plan.flags |= UMA_ZONE_PAGEABLE;
	text_put(&t, "malloc-");
	text_num(&t, bytes, 0);
	*t.at = '\0';
	zones[index] = zone_make(&plan);
	return zones[index] != NULL;
}

static void
make_hit(uintptr_t caches)
{
	if (percpu_mode != PERCPU_RSEQ)
		caches = percpu_nothing();
	uma_heap.rseq = percpu_rseq;
	/* A tool is to hear of what the hits answer. */
	if (likely(!watch_on))
		uma_heap.window = pagemap_window;
	uma_heap.by_owner = caches - HEAP_OWNER(0);
	make_tables();
	/* From here on the hits may be taken: see arch_is_below(). */
	__atomic_store_n(
	    &uma_heap.direct_limit, HEAP_DIRECT_MAX + 1, __ATOMIC_RELEASE);
	__atomic_store_n(
	    &uma_heap.small_limit, HEAP_SMALL_MAX + 1, __ATOMIC_RELEASE);
}

bool
heap_start(void)
{
	uintptr_t caches = 0;
	bool ok;

	while (!gate_enter())
		port_yield();
	caches = percpu_take(HEAP_CLASSES);
	ok = caches != 0 && large_start();
	gate_leave();
	if (!ok)
		return false;
	for (unsigned index = 0; index < HEAP_CLASSES; index++) {
		if (!make_zone(index, caches))
			return false;
	}
	make_hit(caches);
	return true;
}

/* Whether the library runs; starts it if nothing has. */
static bool
awake(void)
{
	return likely(heap_hit_has(0)) || heap_wake();
}

static void *
class_alloc(size_t index, size_t bytes, enum heap_how how)
{
	void *block = zone_alloc_miss(zones[index]);
	bool zero = block != NULL && how == HEAP_ZERO;

	if (unlikely(watch_on) && block != NULL)
		asked_take(block, bytes, heap_class_bytes(index), zero);
	if (zero)
		__builtin_memset(block, 0, bytes);
	return block;
}

/* The smallest class that fits and is aligned; HEAP_CLASSES if none is. */
static size_t
class_for(size_t bytes, size_t align, enum heap_how how)
{
	size_t least = max_size(bytes, align);
	/* With a gap behind it a medium one would have a granule for that. */
	bool medium = how == HEAP_RAW && watch_gap == 0;
	size_t most = medium ? HEAP_MEDIUM_MAX : HEAP_SMALL_MAX;
	size_t index;

	if (how == HEAP_ALONE || least > most || align > GRANULE)
		return HEAP_CLASSES;
	index = heap_class(least);
	while (heap_class_bytes(index) % align != 0)
		index++;
	return index;
}

/*
 * Who takes and frees medium blocks may never come by the supply, which large
 * ones gave an occasion to look at the clock.
 */
#define TICK_EVERY 64u

static void
pass_time(void)
{
	if (++port_self()->mediums % TICK_EVERY == 0) {
		supply_tick();
		zone_reclaim_idle();
	}
}

/* See heap.h. */
void *
heap_alloc_once(size_t bytes, size_t align, enum heap_how how, size_t *room)
{
	size_t index = class_for(bytes, align, how);

	if (index == HEAP_CLASSES)
		return large_alloc(max_size(bytes, 1), align, how, room);
	*room = heap_class_bytes(index);
	if (bytes > HEAP_SMALL_MAX)
		pass_time();
	return class_alloc(index, bytes, how);
}

/* What caches and empty slabs hold may be just what is missing. */
UMA_SLOW static void *
alloc_again(size_t bytes, size_t align, enum heap_how how)
{
	size_t index = class_for(bytes, align, how);
	size_t room;
	void *block;

	zone_reclaim_all(ZONE_RECLAIM_QUIET);
	supply_trust(true);
	block = heap_alloc_once(bytes, align, how, &room);
	supply_trust(false);
	if (block == NULL && index < HEAP_CLASSES)
		zone_failed(zones[index]);
	return block;
}

void *
uma_heap_alloc_aligned(size_t bytes, size_t align, enum heap_how how)
{
	size_t room;
	void *block;

	if (unlikely(!awake()) || bytes > HEAP_MAX)
		return NULL;
	block = heap_alloc_once(bytes, align, how, &room);
	return likely(block != NULL) ? block : alloc_again(bytes, align, how);
}

void *
uma_heap_alloc(size_t bytes, enum heap_how how)
{
	return uma_heap_alloc_aligned(bytes, HEAP_UNIT_BYTES, how);
}

/* What a block is: exactly one of the two is set on return. */
struct block {
	struct uma_zone *zone;
	struct large *large;
};

static struct block
identify(const void *address, const char *function)
{
	void *header = pagemap_find(address);
	const enum pagemap_kind *kind = header;
	struct block b = { NULL, NULL };
	const char *rule = NULL;

	if (header == NULL) {
		const char *name = keg_range_name(address);

		uma_crime(function,
		    name != NULL ? "item of a boot zone" : "foreign pointer",
		    address, name);
	}
	if (*kind == PAGEMAP_LARGE) {
		b.large = header;
		if (b.large->base != address)
			rule = "pointer into a block";
	} else {
		const struct slab *s = header;

		b.zone = s->keg->zone;
		if ((b.zone->flags & UMA_ZONE_MALLOC) == 0)
			rule = "item of a zone";
		else if (slab_index(s, &s->keg->layout, address) >= s->limit)
			rule = "pointer into a block";
	}
	if (rule != NULL)
		uma_crime(function, rule, address,
		    b.zone != NULL ? b.zone->name : NULL);
	return b;
}

static size_t
room_of(struct block b)
{
	return b.large != NULL ? large_room(b.large)
			       : b.zone->keg.layout.item_bytes;
}

size_t
uma_heap_free(void *block, const char *function)
{
	struct block b;
	size_t bytes;

	if (block == NULL)
		return 0;
	b = identify(block, function);
	bytes = room_of(b);
	if (b.large != NULL)
		large_free(b.large);
	else if (percpu_mode != PERCPU_RSEQ || !zone_push(b.zone, block))
		zone_free_miss(b.zone, block, function);
	return bytes;
}

size_t
heap_room(const void *block, const char *function)
{
	size_t room = heap_hit_room(block);

	return likely(room != 0) ? room : room_of(identify(block, function));
}

size_t
uma_heap_usable(const void *block, const char *function)
{
	size_t room;

	if (block == NULL)
		return 0;
	room = heap_room(block, function);
	if (unlikely(watch_on))
		asked_open((void *)(uintptr_t)block, room);
	return room;
}

/* A tool is to see each use of the old block, so it always moves. */
static void *
resize_watched(void *block, size_t bytes, size_t was, const char *function)
{
	void *moved = uma_heap_alloc(bytes, HEAP_RAW);

	if (moved == NULL)
		return bytes <= was ? block : NULL;
	was = asked_bytes(block, was);
	__builtin_memcpy(moved, block, min_size(bytes, was));
	uma_heap_free(block, function);
	return moved;
}

/* The same for one up to 32 KiB, and for items of other zones. */
static bool
stays(size_t was, size_t bytes)
{
	return bytes <= was && (bytes > was / 2 || was == HEAP_UNIT_BYTES);
}

/* A medium block stays with its granules, or becomes a run with others. */
static bool
medium_stays(const void *block, size_t was, size_t bytes)
{
	struct slab *s = pagemap_find(block);

	if (round_up(bytes, GRANULE) == was)
		return true;
	/* Items of a user's zone are its own. */
	if (s->keg->zone->owner != 0 && large_from_slab(s, bytes))
		return true;
	return stays(was, bytes);
}

/* A block stays when it fits and is not more than half wasted. */
void *
uma_heap_resize(void *block, size_t bytes, const char *function)
{
	size_t was = heap_hit_room(block);
	struct block b = { NULL, NULL };
	void *moved = NULL;

	if (unlikely(was == 0)) {
		b = identify(block, function);
		was = room_of(b);
	}
	if (unlikely(watch_on))
		return resize_watched(block, bytes, was, function);
	if (b.large != NULL) {
		moved = large_resize(b.large, bytes);
		if (moved != NULL)
			return moved;
	} else if (was > HEAP_SMALL_MAX && bytes > HEAP_SMALL_MAX
		       ? medium_stays(block, was, bytes)
		       : stays(was, bytes))
		return block;
	moved = heap_hit_alloc(bytes);
	if (moved == NULL)
		moved =
		    uma_heap_alloc(bytes, bytes > was ? HEAP_GROWN : HEAP_RAW);
	if (moved == NULL)
		return bytes <= was ? block : NULL;
	__builtin_memcpy(moved, block, min_size(bytes, was));
	if (!heap_hit_free(block))
		uma_heap_free(block, function);
	return moved;
}
