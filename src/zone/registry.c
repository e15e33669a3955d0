/* SPDX-License-Identifier: BSD-2-Clause */
/* All zones by number: see zone.h. */
#include "port/port.h"
#include "zone/inner.h"

#define CHUNK      1024u
#define CHUNKS_MAX 4096u

/*
 * Structures lie side by side, an odd number of lines apart: what the hit reads
 * of many zones spreads over all sets of the CPU's caches.
 */
#define ZONE_STRIDE ((sizeof(struct uma_zone) / CACHE_LINE | 1) * CACHE_LINE)
#define ZONE_BATCH  64u

_Static_assert(sizeof(struct uma_zone) % CACHE_LINE == 0, "whole lines");

/* Dead structures rest until so many lie, so that stale handles are seen. */
#define DEAD_REST 64u

typedef _Atomic(struct uma_zone *) zone_slot;

#define GUARDED UMA_GUARDED(&registry_lock)
static struct lock registry_lock;

static struct {
	_Atomic uint32_t count; /* numbers given out; 0 is nobody's */
	char *at GUARDED;       /* structures that never had a number */
	char *end GUARDED;
	struct uma_zone *dead_first GUARDED;
	struct uma_zone **dead_last GUARDED;
	unsigned dead_count GUARDED;
	_Atomic(zone_slot *) chunks[CHUNKS_MAX]; /* few are touched: last */
} registry;

static zone_slot *
slot_of(uint32_t id)
{
	/* acquire, pairs with new_number(). */
	zone_slot *chunk = atomic_load_explicit(
	    &registry.chunks[id / CHUNK], memory_order_acquire);

	return chunk == NULL ? NULL : &chunk[id % CHUNK];
}

/* Zeroed memory of a structure, never given back. */
static struct uma_zone *
new_structure(void) UMA_REQUIRES(&registry_lock)
{
	char *at = registry.at;

	if (at == registry.end) {
		at = meta_take(ZONE_BATCH * ZONE_STRIDE, META_NORMAL);
		if (at == NULL)
			return NULL;
		registry.end = at + ZONE_BATCH * ZONE_STRIDE;
	}
	registry.at = at + ZONE_STRIDE;
	return (struct uma_zone *)(void *)at;
}

/* A new structure and its number. */
static struct uma_zone *
new_number(void) UMA_REQUIRES(&registry_lock)
{
	uint32_t id =
	    atomic_load_explicit(&registry.count, memory_order_relaxed) + 1;
	struct uma_zone *zone;
	zone_slot *chunk;

	if (id >= CHUNK * CHUNKS_MAX)
		return NULL;
	if (slot_of(id) == NULL) {
		chunk = meta_take(CHUNK * sizeof(*chunk), META_NORMAL);
		if (chunk == NULL)
			return NULL;
		/* release: publishes the zeros. */
		atomic_store_explicit(
		    &registry.chunks[id / CHUNK], chunk, memory_order_release);
	}
	zone = new_structure();
	if (zone == NULL)
		return NULL;
	zone->id = id;
	atomic_store_explicit(&zone->state, ZONE_DEAD, memory_order_relaxed);
	/* release, pairs with registry_next(). */
	atomic_store_explicit(slot_of(id), zone, memory_order_release);
	atomic_store_explicit(&registry.count, id, memory_order_release);
	return zone;
}

bool
registry_take(struct uma_zone **zone)
{
	*zone = NULL;
	if (!lock_take(&registry_lock))
		return false;
	if (registry.dead_count > DEAD_REST) {
		*zone = registry.dead_first;
		registry.dead_first = (*zone)->next_dead;
		registry.dead_count--;
	}
	if (*zone == NULL)
		*zone = new_number();
	lock_drop(&registry_lock);
	return true;
}

void
registry_publish(struct uma_zone *zone)
{
	/* release, pairs with registry_next() and zone_check(). */
	atomic_store_explicit(&zone->state, ZONE_LIVE, memory_order_release);
}

/* relaxed: zone->walkers is ordered by the state. */
void
registry_hold(struct uma_zone *zone)
{
	atomic_fetch_add_explicit(&zone->walkers, 1, memory_order_seq_cst);
}

void
registry_drop(struct uma_zone *zone)
{
	/* release, pairs with the load in registry_retire(). */
	atomic_fetch_sub_explicit(&zone->walkers, 1, memory_order_release);
}

void
registry_retire(struct uma_zone *zone)
{
	unsigned turns = 0;

	/* seq_cst, pairs with registry_next(): it sees this, or we see it. */
	atomic_store_explicit(&zone->state, ZONE_DEAD, memory_order_seq_cst);
	while (atomic_load_explicit(&zone->walkers, memory_order_seq_cst) != 0)
		port_give_way(&turns);
}

bool
registry_give(struct uma_zone *zone)
{
	if (!lock_take(&registry_lock))
		return false;
	zone->next_dead = NULL;
	if (registry.dead_first == NULL)
		registry.dead_last = &registry.dead_first;
	*registry.dead_last = zone;
	registry.dead_last = &zone->next_dead;
	registry.dead_count++;
	lock_drop(&registry_lock);
	return true;
}

struct uma_zone *
registry_look(uint32_t *at)
{
	/* acquire, pairs with new_number(). */
	uint32_t count =
	    atomic_load_explicit(&registry.count, memory_order_acquire);

	while (*at < count) {
		struct uma_zone *zone =
		    atomic_load_explicit(slot_of(++*at), memory_order_acquire);

		/* acquire, pairs with registry_publish(). */
		if (atomic_load_explicit(&zone->state, memory_order_acquire) ==
		    ZONE_LIVE)
			return zone;
	}
	return NULL;
}

struct uma_zone *
registry_next(uint32_t *at, uint32_t end)
{
	/* acquire, pairs with new_number(). */
	uint32_t count =
	    atomic_load_explicit(&registry.count, memory_order_acquire);

	while (*at < min_size(count, end)) {
		struct uma_zone *zone =
		    atomic_load_explicit(slot_of(++*at), memory_order_acquire);

		registry_hold(zone);
		/* seq_cst, pairs with registry_retire(). */
		if (atomic_load_explicit(&zone->state, memory_order_seq_cst) ==
		    ZONE_LIVE)
			return zone;
		registry_drop(zone);
	}
	return NULL;
}

void
zone_check(uma_zone_t zone, const char *function)
{
	uint32_t state;

	if (zone == NULL || (uintptr_t)zone % CACHE_LINE != 0)
		uma_crime(function, "not a zone", zone, NULL);
	/* relaxed: a live handle was published before its user had it. */
	state = atomic_load_explicit(&zone->state, memory_order_relaxed);
	if (state == ZONE_DEAD)
		uma_crime(function, "zone was destroyed", zone, NULL);
	if (state != ZONE_LIVE)
		uma_crime(function, "not a zone", zone, NULL);
}
