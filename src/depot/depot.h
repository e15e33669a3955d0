/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * depot - buckets, and a zone's store of full ones
 *
 * Why it is here.  Taking the keg's lock for each item would serialise every
 * CPU.  A CPU takes and gives items in a bucket that only it touches, and
 * trades whole buckets with the zone's depot: one lock for a bucket.
 *
 *	CPU 0 [load, B B] <->  depot: B B B B  <->  keg: slab slab slab
 *	CPU 1 [load, B]   <->
 *
 * What holds.
 *   1. slots[0..count) are free items of one zone; the rest is garbage.
 *   2. A bucket is in one place: a record's load (then its count is in the
 *      record's word, and `count` here is stale), its other buckets, a depot, a
 *      hand.
 *   3. An item in a bucket is out of its slab and free to its user.
 *   4. The depot is small: what it does not take goes to the slabs, which hand
 *      items out again in the order of their addresses.  Where only buckets
 *      come, it empties: each of its items may be the last of a slab.
 *
 * Locks.  One for each depot.
 * What it may touch.  base lock meta.
 */
#ifndef DEPOT_DEPOT_H
#define DEPOT_DEPOT_H

#include "base/base.h"
#include "lock/lock.h"
#include "meta/meta.h"

struct bucket {
	struct bucket *next;
	uint32_t count;
	uint32_t capacity; /* at most UMA_BUCKET_MAX */
	void *slots[];
};

struct depot {
	struct lock lock;
	struct bucket *full UMA_GUARDED_BESIDE(&lock);
	bool closed UMA_GUARDED_BESIDE(&lock); /* takes nothing */
	_Atomic size_t buckets;                /* changed under the lock */
	_Atomic size_t items;
	_Atomic size_t unasked; /* items that came since the last take */
};

/* The bucket whose slots these are. */
UMA_FAST struct bucket *
bucket_of(void **slots)
{
	return (struct bucket *)(void *)((char *)slots -
					 offsetof(struct bucket, slots));
}

/*
 * An empty bucket for `want` items or more: as many as its memory holds.
 * NULL without memory.  Inside the gate.
 */
struct bucket *bucket_take(unsigned want);

/* From anywhere: `how` as for meta_give(). */
void bucket_give(struct bucket *b, enum meta_how how);

/* A full bucket (the warmest), or NULL.  Inside the gate. */
struct bucket *depot_take(struct depot *d);

/*
 * Store a bucket, which has no next.  Returns a list of those that have to
 * leave: this one, if that made more than `max` items; and another one with
 * it, if closed, or once twice as many came with no take in between.
 */
UMA_NODISCARD struct bucket *depot_give(
    struct depot *d, struct bucket *b, size_t max);

/* Make it refuse buckets, or take them again.  False: try again later. */
UMA_NODISCARD bool depot_close(struct depot *d, bool closed);

#endif /* DEPOT_DEPOT_H */
