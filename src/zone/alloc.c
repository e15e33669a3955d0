/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking an item: the hit and the miss.  See zone.h. */
#include <uma/sequence.h>

#include "port/port.h"
#include "zone/inner.h"

#define WAIT_FLAGS  (M_NOWAIT | M_WAITOK)
#define KNOWN_FLAGS (WAIT_FLAGS | M_ZERO)

#define SAME_PLACE(ours, theirs) \
	_Static_assert(offsetof(struct uma_zone, ours) == \
			   offsetof(struct uma_fast_zone, theirs), \
	    "fast.h knows the start of a zone")
SAME_PLACE(fast, caches);
SAME_PLACE(rseq.area, area);
SAME_PLACE(rseq.index, index);

UMA_SLOW static void *alloc_slow(
    uma_zone_t zone, void *arg, int wait, const char *function);
static void *miss(uma_zone_t zone, int wait, const char *function);
static void *find(uma_zone_t zone, int wait, const char *function);

/* See uma.h.  The hit; its instruction budget is in tests/budget. */
UMA_HIT void *
uma_zalloc(uma_zone_t zone, int wait)
{
	if (zone_may_hit(zone, wait)) {
		void *item = zone_pop(zone);

		if (likely(item != NULL))
			return item;
	}
	return uma_missed_zalloc(zone, wait);
}

/* See zone.h. */
void *
uma_missed_zalloc(uma_zone_t zone, int wait)
{
	return alloc_slow(zone, NULL, wait, "uma_zalloc");
}

/* See uma.h. */
void *
uma_zalloc_arg(uma_zone_t zone, void *arg, int wait)
{
	if (zone_may_hit(zone, wait)) {
		void *item = zone_pop(zone);

		if (likely(item != NULL))
			return item;
	}
	return alloc_slow(zone, arg, wait, __func__);
}

/* 0 means M_WAITOK at level 2002. */
static int
check_wait(uma_zone_t zone, int wait, const char *function)
{
	const char *rule = NULL;

	if (wait == 0)
		return M_WAITOK;
	if ((wait & ~KNOWN_FLAGS) != 0)
		rule = "unknown wait flags";
	else if ((wait & WAIT_FLAGS) == WAIT_FLAGS)
		rule = "both M_NOWAIT and M_WAITOK";
	else if ((wait & WAIT_FLAGS) == 0)
		rule = "neither M_NOWAIT nor M_WAITOK";
	if (rule != NULL)
		uma_crime(function, rule, NULL, zone->name);
	return wait;
}

/*
 * Everything but the hit of a plain zone.  A zone with callbacks hits here.
 */
static void *
alloc_slow(uma_zone_t zone, void *arg, int wait, const char *function)
{
	void *item = NULL;

	zone_check(zone, function);
	wait = check_wait(zone, wait, function);
	if (percpu_mode == PERCPU_RSEQ && zone->caches != 0)
		item = percpu_pop(zone->caches);
	if (item == NULL)
		item = miss(zone, wait, function);
	if (item == NULL)
		return NULL;
	if ((wait & M_ZERO) != 0)
		__builtin_memset(item, 0, zone->keg.layout.item_bytes);
	if (zone->ctor != NULL)
		zone->ctor(item, (int)zone->keg.layout.item_bytes, arg);
	return item;
}

/* To a user, by any way but a hit. */
static void *
miss(uma_zone_t zone, int wait, const char *function)
{
	void *item = find(zone, wait & WAIT_FLAGS, function);

	if (unlikely(watch_on) && item != NULL)
		zone_hand_out(zone, item, (wait & M_ZERO) != 0);
	return item;
}

void
zone_hand_out(struct uma_zone *zone, void *item, bool zero)
{
	struct keg *keg = &zone->keg;

	watch_take(zone_pool(zone), item, keg->layout.item_bytes,
	    zero || keg->raw || keg->nofree);
}

static void *
find(uma_zone_t zone, int wait, const char *function)
{
	for (unsigned round = 0;; round++) {
		void *item = zone_refill(zone, wait);

		if (item == NULL)
			item = zone_take_cached(zone);
		if (item != NULL)
			return item;
		if ((wait & M_NOWAIT) != 0) {
			zone_count(&zone->fails, 1);
			return NULL;
		}
		item = zone_wait(zone, round, function);
		if (item != NULL)
			return item;
	}
}

/* One item from the keg, past the caches. */
static void *
take_one(uma_zone_t zone, int wait)
{
	void *item;

	if (keg_take(&zone->keg, &item, 1, wait) == 0)
		return NULL;
	zone_count(&zone->slow_allocs, 1);
	zone_reclaim_idle();
	return item;
}

/* Put the rest of a bucket where it fits; an item of it went to a user. */
static void
put_away(uma_zone_t zone, struct bucket *b)
{
	struct bucket *out;

	if (!gate_enter()) {
		keg_return(&zone->keg, b->slots, b->count, "uma_zalloc");
		bucket_give(b, META_EMERGENCY);
		zone_count(&zone->slow_allocs, 1);
		return;
	}
	if (!cache_install(zone, b, &out))
		zone_count(&zone->slow_allocs, 1);
	zone_leave(zone, out);
}

/*
 * A bucket to fill.  The keg makes no more than a slab for it, so there is none
 * for one item; and of a crowd that waits for the keg each would have one.
 */
static struct bucket *
empty_bucket(uma_zone_t zone)
{
	struct bucket *b;

	if ((zone->keg.layout.items == 1 &&
		tally_get(&zone->keg.free_items) <= 1) ||
	    gate_crowded())
		return NULL;
	b = bucket_take(zone_bucket_items(zone));
	zone_bucket_more(zone);
	return b;
}

/* See zone.h.  A bucket of more is for the CPU this runs on by then. */
void *
zone_refill(uma_zone_t zone, int wait)
{
	struct bucket *b = NULL;
	void *item = NULL;
	enum meta_how how;

	if (!zone_caching(zone) || !gate_enter())
		return take_one(zone, wait);
	item = cache_pop(zone);
	if (item == NULL) {
		b = depot_take(&zone->depot);
		if (b == NULL)
			b = empty_bucket(zone);
	}
	gate_leave();
	if (item != NULL)
		return item;
	if (b == NULL)
		return take_one(zone, wait);
	if (b->count == 0)
		b->count =
		    (uint32_t)keg_take(&zone->keg, b->slots, b->capacity, wait);
	if (b->count != 0) {
		item = b->slots[--b->count];
		b->slots[b->count] = NULL; /* a leak is to be seen */
		put_away(zone, b);
		zone_reclaim_idle();
		return item;
	}
	how = meta_enter();
	bucket_give(b, how);
	meta_leave(how);
	return NULL;
}

void *
zone_alloc_miss(struct uma_zone *zone)
{
	void *item = NULL;

	if (percpu_mode == PERCPU_RSEQ)
		item = percpu_pop(zone->caches);
	if (item == NULL)
		item = zone_refill(zone, M_NOWAIT);
	return item;
}

void
zone_failed(struct uma_zone *zone)
{
	zone_count(&zone->fails, 1);
}
