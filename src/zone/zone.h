/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone - the public object: every choice of an allocation is made here
 *
 * Why it is here.  The rooms below each do one thing and report; the zone
 * decides what comes next when a hit misses, cheapest memory first.
 *
 *	uma_zalloc                        uma_zfree
 *	  hit: pop of this CPU's load       hit: push on this CPU's load
 *	  a full bucket of the record       an empty bucket of the record
 *	  a full bucket from the depot      an empty one from meta; a full one
 *	  a bucket filled from the keg        to the depot or to the keg
 *	  one item from the keg             the item to the keg
 *	  wait, or NULL                     hand it to who waits
 *
 * Zones with callbacks point `fast` at records that always miss, so the hit
 * of plain zones makes no test for them; their own hit is one call further.
 *
 * A zone that nobody used for a while gives its items back as the process goes
 * on: one item in a cache keeps a slab.
 *
 * A zone is closed while somebody waits for its items or destroys it: its
 * records are closed, so every free comes to the keg, where it is counted or
 * handed to the longest waiter.
 *
 * What holds.
 *   1. Zones are numbered from 1; the structure of a number stays for ever, so
 *      a dead handle is recognised.
 *   2. allocs - frees = items in users' hands; the rest of what is out of the
 *      keg is in records, the depot, or a hand on its way.
 *   3. Callbacks run with nothing held.
 *
 * Locks.  zone->lock for waiters and closers; the depot's; the keg's; the
 * registry's.
 * What it may touch.  base port watch lock percpu pagemap meta supply
 * slab keg depot.
 */
#ifndef ZONE_ZONE_H
#define ZONE_ZONE_H

#include <uma/uma.h>

#include "base/base.h"
#include "depot/depot.h"
#include "keg/keg.h"
#include "lock/lock.h"
#include "percpu/percpu.h"
#include "watch/watch.h"

#define ZONE_LIVE UINT32_C(0x554d417a)
#define ZONE_DEAD UINT32_C(0x64656164)

struct closer;
struct waiter;

/* What looks for idle zones found: see zone_reclaim_idle(). */
enum zone_look { LOOK_USED, LOOK_IDLE, LOOK_EMPTY };

struct uma_zone {
	/* What outlives the zone, as `walkers` does: see wipe() in create.c. */
	alignas(CACHE_LINE) _Atomic uint32_t state;
	uint32_t id;

	/* Also the line of the hit, which misses and looks do not write. */
	alignas(16) uintptr_t fast; /* records, or ones that miss */
	uint64_t hit;               /* what the page map says of its items */
	struct arch_rseq rseq;
	uintptr_t caches; /* the real records; 0 if there are none */
	uint16_t flags;
	_Atomic bool closed;
	uint32_t magic; /* tells where its items start; 0: the hit cannot */

	/* Set at creation. */
	uint32_t owner; /* of malloc's blocks; 0: items of this zone */
	uma_ctor ctor;
	uma_dtor dtor;
	char name[64];

	/* Changes on misses. */
	alignas(CACHE_LINE) struct depot depot;
	_Atomic unsigned bucket_items; /* what a new bucket should hold */
	_Atomic bool ahead;            /* filled ahead of use: never idle */
	unsigned bucket_items_max;
	unsigned kept_max; /* items: the largest allowance of a record */
	size_t depot_max;  /* items */
	_Atomic uint64_t slow_allocs;
	_Atomic uint64_t slow_frees;
	_Atomic uint64_t fails;
	_Atomic uint64_t sleeps;

	/* Waiting and destruction. */
	struct lock lock;
	/* Who wants it closed, and who waits in line. */
	struct closer *closers UMA_GUARDED_BESIDE(&lock);
	struct waiter *first UMA_GUARDED_BESIDE(&lock);
	struct waiter **last UMA_GUARDED_BESIDE(&lock);
	_Atomic uint32_t freed; /* counts frees while closed */
	struct uma_zone *next_dead;
	struct vm_object *object; /* or NULL; owned */
	/*
	 * Its last slab, which the hit cannot see.  Not said of a vm_zone: to
	 * it an address behind the limit is an item (CAVEATS).
	 */
	bool ends_early;

	alignas(CACHE_LINE) struct keg keg;

	/* Of who looks for idle zones: one thread at a time. */
	uint64_t seen; /* uses */
	enum zone_look look;

	_Atomic uint32_t walkers; /* who looks at it from the registry */
};

/* The hit: an item of this CPU's cache, NULL for a miss; and back into it. */
UMA_FAST void *
zone_pop(const struct uma_zone *zone)
{
	return arch_pop(zone->fast, &zone->rseq);
}

UMA_FAST bool
zone_push(const struct uma_zone *zone, void *item)
{
	return arch_push(zone->fast, &zone->rseq, item);
}

/*
 * Whether the page map says that an item of this zone starts here.  False
 * also for zones whose slabs ask for more than one look.
 */
UMA_FAST bool
zone_starts_in(const struct pagemap_window *window, const struct uma_zone *zone,
    const void *item)
{
	return likely(pagemap_hit(window, item) == zone->hit) &&
	       likely(pagemap_starts(zone->magic, item));
}

UMA_FAST bool
zone_starts(const struct uma_zone *zone, const void *item)
{
	return zone_starts_in(&pagemap_window, zone, item);
}

/* Whether the hit may be tried: no flag but one of the two, or none. */
UMA_FAST bool
zone_may_hit(const struct uma_zone *zone, int wait)
{
	return likely((unsigned)wait <= M_WAITOK && zone != NULL);
}

/*
 * What uma_zalloc() and uma_zfree() do beyond the hit, for the hits of near.
 * Programs that are linked call them until the soname changes, so what they
 * are given and do stays until then.
 */
UMA_EXPORT void *uma_missed_zalloc(uma_zone_t zone, int wait);
UMA_EXPORT void uma_missed_zfree(uma_zone_t zone, void *item);

/* registry.c */

/*
 * A zone structure with a number, not live yet; NULL without memory.  False:
 * try again later.
 */
UMA_NODISCARD bool registry_take(struct uma_zone **zone);
void registry_publish(struct uma_zone *zone);
/* Take it out: after this no walker holds it. */
void registry_retire(struct uma_zone *zone);
/* False: try again later. */
UMA_NODISCARD bool registry_give(struct uma_zone *zone);
/*
 * The next live zone behind number *at; NULL at the end.  registry_next(),
 * which looks no further than number `end`, holds it until registry_drop(),
 * inside the gate; registry_look() does not: its zone may die, and its numbers
 * then mean nothing, but can be read.
 */
struct uma_zone *registry_look(uint32_t *at);
struct uma_zone *registry_next(uint32_t *at, uint32_t end);
void registry_hold(struct uma_zone *zone);
void registry_drop(struct uma_zone *zone);

/* Die unless it is a live zone. */
void zone_check(uma_zone_t zone, const char *function);

/* create.c */

/* The canonical creation record; every API level is an adapter over it. */
struct zone_plan {
	const char *name;
	size_t item_bytes;
	size_t align;
	uint16_t flags; /* UMA_ZONE_* */
	uma_ctor ctor;
	uma_dtor dtor;
	uma_init init;
	uma_fini fini;
	uintptr_t caches; /* records taken by the caller, or 0 */
	uint32_t owner;   /* of malloc's blocks, for the page map; or 0 */
};

/* NULL without memory. */
struct uma_zone *zone_make(const struct zone_plan *plan);

/* The arguments of uma_zcreate() as a plan; dies of a crime in them. */
void zone_plan_2002(struct zone_plan *plan, int size, int align);

/*
 * reserve.c: set aside the address space of `items` items, which become the
 * zone's limit, of a vm_zone or without an object; private to the process,
 * backed on demand, never given back.
 * Needs:    a zone that nobody has used, without object or supplier.
 * Returns:  false, with the zone unchanged, without address space.
 */
UMA_NODISCARD bool zone_reserve(struct uma_zone *zone, size_t items);

/*
 * alloc.c: what heap needs: the miss of a plain zone, which never waits; and
 * that NULL was the answer in the end.
 */
void *zone_alloc_miss(struct uma_zone *zone);
void zone_failed(struct uma_zone *zone);

/* free.c: keg_part() with an item that a user has; it counts as freed. */
UMA_NODISCARD bool zone_part(
    struct uma_zone *zone, struct slab *s, void *header);

/*
 * alloc.c: an item from the nearest place that has one, in every mode: this
 * CPU's cache, the depot, the keg.  It counts as taken, but no tool is told,
 * and nothing as failed.  NULL: none there, or no memory.
 */
void *zone_refill(struct uma_zone *zone, int wait);

/* alloc.c: tell a tool of an item for a user; `zero`: it is to be zeroed. */
void zone_hand_out(struct uma_zone *zone, void *item, bool zero);

/* free.c: tell a tool that a user gave it back; dies if the tool knew. */
void zone_hand_in(struct uma_zone *zone, void *item, const char *function);

/* free.c: an item known to be this zone's, not hit. */
void zone_free_miss(struct uma_zone *zone, void *item, const char *function);

/*
 * Give cached items of all zones back to the slabs, and idle slabs away; or
 * only of zones where that runs no function of the user, for callers who may
 * hold the user's locks.
 */
enum zone_reclaim {
	ZONE_RECLAIM_QUIET,
	ZONE_RECLAIM_ALL,
	ZONE_RECLAIM_IDLE /* zone_reclaim_idle() alone */
};
void zone_reclaim_all(enum zone_reclaim how);

/*
 * The same of zones that nobody used between two looks, but for small ones,
 * some at a time, when supply_look_due(): for who just took memory.
 * Context:  any thread, any handler; nothing of the library's held.
 * Cost:     two loads if there is nothing to do.
 */
void zone_reclaim_idle(void);

/* After fork in the child: forget what threads had that are no more. */
void zone_fork_child(void);

/* tell.c: print whose item an address lies in or behind, if it is one's. */
void zone_tell(const void *address);

/* Numbers of one zone, as far as they are not the keg's. */
struct zone_reading {
	uint64_t allocs;
	uint64_t frees;
	uint64_t cached;
	uint64_t misses;
	unsigned records; /* that were read */
};

/* False: a cache had an owner all the time, so not all of it is counted. */
bool zone_read(struct uma_zone *zone, struct zone_reading *out);

/* boot: give zones made before the caches opened their records. */
void zone_open_caches(void);

#endif /* ZONE_ZONE_H */
