/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone's numbers: see zone.h. */
#include "zone/inner.h"

void
zone_read(struct uma_zone *zone, struct zone_reading *out)
{
	unsigned slots = percpu_slots();

	/* relaxed: statistics. */
	out->allocs =
	    atomic_load_explicit(&zone->slow_allocs, memory_order_relaxed);
	out->frees =
	    atomic_load_explicit(&zone->slow_frees, memory_order_relaxed);
	out->misses = out->allocs + out->frees;
	out->cached =
	    atomic_load_explicit(&zone->depot.items, memory_order_relaxed);
	if (zone->caches == 0)
		return;
	for (unsigned cpu = percpu_next(zone->caches, 0); cpu < slots;
	     cpu = percpu_next(zone->caches, cpu + 1)) {
		struct percpu_reading one;

		percpu_read(percpu_record(zone->caches, cpu), &one);
		out->allocs += one.allocs;
		out->frees += one.frees;
		out->cached += one.cached;
		out->misses += one.misses;
	}
}
