/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of zone. */
#ifndef ZONE_INNER_H
#define ZONE_INNER_H

#include "zone/zone.h"

/* What the page map never says. */
#define ZONE_NO_HIT UINT64_MAX

/* Whether the caches may be used now. */
UMA_FAST bool
zone_caching(struct uma_zone *zone)
{
	/* seq_cst, pairs with zone_close(): see percpu_next(). */
	return zone->caches != 0 &&
	       !atomic_load_explicit(&zone->closed, memory_order_seq_cst);
}

/* What a tool is told that items belong to. */
UMA_FAST const void *
zone_pool(const struct uma_zone *zone)
{
	return zone->keg.allocf != NULL ? zone : NULL;
}

/*
 * A path that is slow already.  release, pairs with vm_zone_all_out(): an item
 * that is counted as taken was counted as free before.
 */
UMA_FAST void
zone_count(_Atomic uint64_t *n, uint64_t more)
{
	atomic_fetch_add_explicit(n, more, memory_order_release);
}

/*
 * cache.c: a record's buckets.  All inside the gate, all with no record
 * owned on return.
 */
void *cache_pop(struct uma_zone *zone);

enum cache_pushed { CACHE_PUSHED, CACHE_FULL, CACHE_OFF };
/*
 * Push an item; with `fresh`, an empty bucket, make room by it.  `out` gets a
 * list of what has to leave, of any count, with what followed `fresh`.
 */
enum cache_pushed cache_push(struct uma_zone *zone, void *item,
    struct bucket *fresh, struct bucket **out, const char *function);
/*
 * Put a bucket of items in; one more item of it went to a user.  `out` gets a
 * list of what has to leave.  False: the caches cannot be used, that is `b`.
 */
bool cache_install(
    struct uma_zone *zone, struct bucket *b, struct bucket **out);
/* Take all buckets out of an owned record. */
struct bucket *cache_strip(
    struct uma_zone *zone, struct cache *c, uint64_t word);

/* How many items a new bucket should hold; and that misses ask for more. */
unsigned zone_bucket_items(struct uma_zone *zone);
void zone_bucket_more(struct uma_zone *zone);

/* create.c */

/* Where the hit looks: at the caches, or at nothing. */
void zone_aim_hit(struct uma_zone *zone);

/* drain.c */

/* After fork in the child: nobody looks at idle zones. */
void zone_forget_look(void);

/* Leave the gate; buckets that left a record, or NULL, to where they fit. */
void zone_leave(struct uma_zone *zone, struct bucket *out);

/* Who wants a zone closed; on the stack of the thread that does. */
struct closer {
	struct closer *next;
	uintptr_t thread;
};

/*
 * Close a zone: no item stays in a cache, every free goes to the keg.
 *
 * Returns:  ZONE_CLOSED, to be undone by zone_open(); or, with nothing done,
 *           ZONE_BUSY (the gate refuses or a fork is under way: try again) or
 *           ZONE_REFUSED (the kernel denies the barrier).
 */
enum zone_closing { ZONE_CLOSED, ZONE_BUSY, ZONE_REFUSED };

UMA_NODISCARD enum zone_closing zone_close(
    struct uma_zone *zone, struct closer *me);
void zone_open(struct uma_zone *zone, struct closer *me);

/*
 * reserve.c: memory that holds all items that the zone will ever have.  False,
 * with the memory unmapped, without room in the page map.
 */
UMA_NODISCARD bool zone_settle(
    struct uma_zone *zone, void *memory, size_t bytes, size_t items);

/* read.c: zone_read(), without waiting for owners of records to be done. */
void zone_glance(struct uma_zone *zone, struct zone_reading *out);

/* wait.c */

/* Give an item to the longest waiter.  False: nobody waits. */
bool zone_hand_over(struct uma_zone *zone, void *item);
/* Wait for memory, longer from round to round; say so now and then. */
void zone_pause(struct uma_zone *zone, unsigned round, const char *function);
/* Wait for an item or for memory.  NULL: try again. */
void *zone_wait(struct uma_zone *zone, unsigned round, const char *function);
/* The last resort: look into all caches.  NULL: none has any. */
void *zone_take_cached(struct uma_zone *zone);

#endif /* ZONE_INNER_H */
