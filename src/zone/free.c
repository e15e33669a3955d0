/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving an item back: the hit and the miss.  See zone.h. */
#include "port/port.h"
#include "zone/inner.h"

UMA_SLOW static void free_slow(
    uma_zone_t zone, void *item, void *arg, const char *function);

/* See uma.h.  The hit; its instruction budget is in tests/budget. */
UMA_HIT void
uma_zfree(uma_zone_t zone, void *item)
{
	if (likely(zone != NULL) && likely(zone_starts(zone, item)) &&
	    likely(zone_push(zone, item)))
		return;
	uma_missed_zfree(zone, item);
}

/* See zone.h. */
void
uma_missed_zfree(uma_zone_t zone, void *item)
{
	free_slow(zone, item, NULL, "uma_zfree");
}

/* See uma.h. */
void
uma_zfree_arg(uma_zone_t zone, void *item, void *arg)
{
	if (likely(zone != NULL) && likely(zone_starts(zone, item)) &&
	    likely(zone_push(zone, item)))
		return;
	free_slow(zone, item, arg, __func__);
}

static void
free_slow(uma_zone_t zone, void *item, void *arg, const char *function)
{
	zone_check(zone, function);
	if (item == NULL)
		return;
	keg_check_item(&zone->keg, zone->name, item, function);
	if (zone->dtor != NULL)
		zone->dtor(item, (int)zone->keg.layout.item_bytes, arg);
	if (percpu_mode == PERCPU_RSEQ && zone->caches != 0 &&
	    percpu_push(zone->caches, item))
		return;
	zone_free_miss(zone, item, function);
}

/* Past the caches: to a waiter, or to the keg. */
static void
give_one(uma_zone_t zone, void *item, const char *function)
{
	zone_count(&zone->slow_frees, 1);
	if (atomic_load_explicit(&zone->closed, memory_order_seq_cst) &&
	    zone_hand_over(zone, item))
		return;
	keg_return(&zone->keg, &item, 1, function);
	if (atomic_load_explicit(&zone->closed, memory_order_seq_cst)) {
		/* release, pairs with the acquire in uma_zdestroy(). */
		atomic_fetch_add_explicit(
		    &zone->freed, 1, memory_order_release);
		port_wake(&zone->freed, INT32_MAX);
	}
}

bool
zone_part(struct uma_zone *zone, struct slab *s, void *header)
{
	if (!keg_part(&zone->keg, s, header))
		return false;
	zone_count(&zone->slow_frees, 1);
	return true;
}

void
zone_hand_in(struct uma_zone *zone, void *item, const char *function)
{
	if (!watch_give(zone_pool(zone), item, zone->keg.layout.item_bytes))
		uma_crime(function, "double free", item, zone->name);
}

void
zone_free_miss(struct uma_zone *zone, void *item, const char *function)
{
	enum cache_pushed pushed;
	struct bucket *fresh;
	struct bucket *out;

	if (unlikely(watch_on))
		zone_hand_in(zone, item, function);
	if (!zone_caching(zone) || !gate_enter()) {
		give_one(zone, item, function);
		return;
	}
	pushed = cache_push(zone, item, NULL, &out, function);
	if (pushed == CACHE_FULL) {
		fresh = bucket_take(zone_bucket_items(zone));
		zone_bucket_more(zone);
		if (fresh != NULL) {
			fresh->next = out;
			pushed = cache_push(zone, item, fresh, &out, function);
		}
	}
	zone_leave(zone, out);
	if (pushed != CACHE_PUSHED)
		give_one(zone, item, function);
}
