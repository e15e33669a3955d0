/* SPDX-License-Identifier: BSD-2-Clause */
/* Emptying caches of any CPU: close, open, reclaim.  See zone.h. */
#include "port/port.h"
#include "zone/inner.h"

/* Records seized with one barrier. */
#define BATCH 128u

struct batch {
	struct cache *records[BATCH];
	uint64_t words[BATCH];
	struct uma_zone *zones[BATCH];
	size_t count;
};

struct slab *
zone_scatter(struct uma_zone *zone, struct bucket *list)
{
	struct slab *idle = NULL;
	struct bucket *next;

	for (struct bucket *b = list; b != NULL; b = next) {
		struct slab *more = NULL;
		struct slab **end = &more;

		next = b->next;
		if (b->count != 0)
			more = keg_give(
			    &zone->keg, b->slots, b->count, "uma_zfree");
		while (*end != NULL)
			end = &(*end)->next;
		*end = idle;
		idle = more;
		bucket_give(b, META_NORMAL);
	}
	return idle;
}

/* Everything in the depot, as a list. */
static struct bucket *
empty_depot(struct uma_zone *zone)
{
	struct bucket *list = NULL;
	struct bucket *b;

	while ((b = depot_take(&zone->depot)) != NULL) {
		b->next = list;
		list = b;
	}
	return list;
}

/*
 * Seize the records of a batch, strip them, and make them live again, or
 * closed if their zone is.  The buckets go to their kegs.
 */
static bool
strip_batch(struct batch *batch)
{
	struct slab *idle[BATCH];
	bool seized;

	if (!gate_enter())
		return false;
	lock_take(&percpu_seize_lock);
	seized = percpu_seize(batch->records, batch->words, batch->count);
	for (size_t i = 0; seized && i < batch->count; i++) {
		struct bucket *list =
		    cache_strip(batch->records[i], batch->words[i]);

		if (atomic_load_explicit(
			&batch->zones[i]->closed, memory_order_seq_cst))
			percpu_close(batch->records[i]);
		else
			percpu_release(batch->records[i], 0, 0);
		idle[i] = zone_scatter(batch->zones[i], list);
	}
	lock_drop(&percpu_seize_lock);
	gate_leave();
	for (size_t i = 0; seized && i < batch->count; i++)
		keg_dispose(&batch->zones[i]->keg, idle[i]);
	return seized;
}

/* Strip every record of a zone, in batches. */
static bool
strip_zone(struct uma_zone *zone)
{
	struct batch batch = { .count = 0 };
	unsigned slots = percpu_slots();

	if (zone->caches == 0)
		return true;
	for (unsigned cpu = percpu_next(zone->caches, 0); cpu < slots;
	     cpu = percpu_next(zone->caches, cpu + 1)) {
		batch.records[batch.count] = percpu_record(zone->caches, cpu);
		batch.zones[batch.count++] = zone;
		if (batch.count == BATCH) {
			if (!strip_batch(&batch))
				return false;
			batch.count = 0;
		}
	}
	return batch.count == 0 || strip_batch(&batch);
}

static void
drain_depot(struct uma_zone *zone)
{
	struct slab *idle;

	if (!gate_enter())
		return;
	idle = zone_scatter(zone, empty_depot(zone));
	gate_leave();
	keg_dispose(&zone->keg, idle);
}

bool
zone_close(struct uma_zone *zone)
{
	if (!gate_enter())
		return false;
	lock_take(&zone->lock);
	zone->closers++;
	/*
	 * seq_cst, pairs with zone_caching(): a thread that owns a record on
	 * a CPU we do not see in percpu_next() sees this and puts nothing in.
	 */
	atomic_store_explicit(&zone->closed, true, memory_order_seq_cst);
	lock_drop(&zone->lock);
	gate_leave();
	if (!strip_zone(zone)) {
		zone_open(zone);
		return false;
	}
	drain_depot(zone);
	return true;
}

void
zone_open(struct uma_zone *zone)
{
	unsigned slots = percpu_slots();

	while (!gate_enter())
		port_yield();
	lock_take(&percpu_seize_lock);
	lock_take(&zone->lock);
	if (--zone->closers == 0) {
		atomic_store_explicit(
		    &zone->closed, false, memory_order_seq_cst);
		for (unsigned cpu = zone->caches == 0
					? slots
					: percpu_next(zone->caches, 0);
		     cpu < slots; cpu = percpu_next(zone->caches, cpu + 1))
			percpu_reopen(percpu_record(zone->caches, cpu));
	}
	lock_drop(&zone->lock);
	lock_drop(&percpu_seize_lock);
	gate_leave();
}

/* Strip the batch and let go of its zones. */
static void
finish_batch(struct batch *batch)
{
	if (batch->count != 0)
		(void)strip_batch(batch);
	for (size_t i = 0; i < batch->count; i++)
		registry_drop(batch->zones[i]);
	batch->count = 0;
}

static void
add_to_batch(struct batch *batch, struct uma_zone *zone)
{
	unsigned slots = percpu_slots();

	if (zone->caches == 0)
		return;
	for (unsigned cpu = percpu_next(zone->caches, 0); cpu < slots;
	     cpu = percpu_next(zone->caches, cpu + 1)) {
		if (batch->count == BATCH)
			finish_batch(batch);
		registry_hold(zone);
		batch->records[batch->count] = percpu_record(zone->caches, cpu);
		batch->zones[batch->count++] = zone;
	}
}

void
zone_reclaim_all(void)
{
	struct batch batch = { .count = 0 };
	struct uma_zone *zone;

	for (uint32_t at = 0; (zone = registry_next(&at)) != NULL;) {
		add_to_batch(&batch, zone);
		registry_drop(zone);
	}
	finish_batch(&batch);
	for (uint32_t at = 0; (zone = registry_next(&at)) != NULL;) {
		unsigned items = zone_bucket_items(zone);

		drain_depot(zone);
		keg_dispose(&zone->keg, keg_trim(&zone->keg, true));
		if (items > 2)
			/* relaxed: a hint. */
			atomic_store_explicit(&zone->bucket_items, items / 2,
			    memory_order_relaxed);
		registry_drop(zone);
	}
	if (gate_enter()) {
		supply_trim();
		gate_leave();
	}
}
