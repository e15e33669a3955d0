/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone's numbers: see zone.h. */
#include "zone/inner.h"

typedef bool (*reader)(struct cache *c, struct percpu_reading *out);

static bool
read_caches(uintptr_t caches, reader read, struct zone_reading *out)
{
	bool exact = true;

	for (unsigned cpu = percpu_next(caches, 0); cpu < percpu_slots();
	     cpu = percpu_next(caches, cpu + 1)) {
		struct percpu_reading one;

		exact &= read(percpu_record(caches, cpu), &one);
		out->records++;
		out->allocs += one.allocs;
		out->frees += one.frees;
		out->cached += one.cached;
		out->misses += one.misses;
	}
	return exact;
}

static bool
read_all(struct uma_zone *zone, reader read, struct zone_reading *out)
{
	/* Once: who only looks does not hold the zone, which may end. */
	uintptr_t caches = __atomic_load_n(&zone->caches, __ATOMIC_RELAXED);
	uint64_t slow_allocs;
	uint64_t slow_frees;
	bool exact;

	*out = (struct zone_reading){ 0 };
	exact = caches == 0 || read_caches(caches, read, out);
	/*
	 * acquire fence, pairs with vm_zone's find_one(): the slow counters do
	 * not lack what it takes off for a pop that was read above.
	 */
	atomic_thread_fence(memory_order_acquire);
	/* relaxed: statistics. */
	slow_allocs =
	    atomic_load_explicit(&zone->slow_allocs, memory_order_relaxed);
	slow_frees =
	    atomic_load_explicit(&zone->slow_frees, memory_order_relaxed);
	out->allocs += slow_allocs;
	out->frees += slow_frees;
	out->misses += slow_allocs + slow_frees;
	out->cached +=
	    atomic_load_explicit(&zone->depot.items, memory_order_relaxed);
	return exact;
}

bool
zone_read(struct uma_zone *zone, struct zone_reading *out)
{
	return read_all(zone, percpu_read, out);
}

void
zone_glance(struct uma_zone *zone, struct zone_reading *out)
{
	(void)read_all(zone, percpu_glance, out);
}
