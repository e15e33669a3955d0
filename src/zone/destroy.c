/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a zone: see uma.h. */
#include "port/port.h"
#include "zone/inner.h"

/* EWOULDBLOCK, by its value: the core knows no errno.h. */
enum { WOULD_BLOCK = 11 };

/* Late frees wake nobody: look again this often. */
#define LOOK_NS  UINT64_C(10000000)
#define LEAVE_NS UINT64_C(100000)

/*
 * Wait until nothing is out.  False: it is, and waiting is not wanted.  What a
 * reclaimer has in its hands is on its way to the keg, not out: it holds the
 * zone while it has, so who sees no holder first and items out then is right.
 */
static bool
await_items(uma_zone_t zone, int wait)
{
	for (unsigned turns = 0;;) {
		/* acquire, pairs with the add in give_one(). */
		uint32_t freed =
		    atomic_load_explicit(&zone->freed, memory_order_acquire);

		/* seq_cst, pairs with registry_hold(). */
		uint32_t walkers =
		    atomic_load_explicit(&zone->walkers, memory_order_seq_cst);
		size_t out = keg_out(&zone->keg);

		if (out == 0)
			return true;
		if (walkers != 0 || out == SIZE_MAX) {
			port_give_way(&turns);
			continue;
		}
		if (wait == M_NOWAIT)
			return false;
		port_wait(&zone->freed, freed, LOOK_NS);
	}
}

/* The last words: the records and the structure go back. */
static bool
retire(uma_zone_t zone)
{
	bool done = false;

	if (!gate_enter())
		return false;
	if (zone->caches == 0 || percpu_give(zone->caches)) {
		__atomic_store_n(&zone->caches, 0, __ATOMIC_RELAXED);
		if (zone_pool(zone) != NULL)
			watch_pool_end(zone);
		done = registry_give(zone);
	}
	gate_leave();
	return done;
}

/*
 * Everything a zone had goes back; its structure rests.  Slabs that another
 * thread has in hand, on their way out, are waited for.
 */
static void
take_apart(uma_zone_t zone)
{
	const struct slab *before = keg_in_hand();
	struct keg *keg = &zone->keg;

	keg_stop(keg);
	keg_dispose(before);
	/* acquire, pairs with keg_dispose(). */
	while (atomic_load_explicit(&keg->leaving, memory_order_acquire) != 0)
		port_sleep(LEAVE_NS);
	if (keg->object != NULL)
		port_unmap(keg->object, keg->object_bytes);
	uma_object_destroy(zone->object);
	while (!retire(zone))
		port_yield();
}

/* Close it for good.  False: the kernel denies the barrier. */
static bool
close_zone(uma_zone_t zone, struct closer *me)
{
	enum zone_closing closing;

	while ((closing = zone_close(zone, me)) == ZONE_BUSY)
		port_yield();
	return closing == ZONE_CLOSED;
}

/* See uma.h. */
int
uma_zdestroy(uma_zone_t zone, int wait)
{
	struct closer me;

	zone_check(zone, __func__);
	if (wait == 0)
		wait = M_WAITOK;
	if (wait != M_NOWAIT && wait != M_WAITOK)
		uma_crime(__func__, "wait is neither M_NOWAIT nor M_WAITOK",
		    NULL, zone->name);
	while (!close_zone(zone, &me)) {
		if (wait == M_NOWAIT)
			return WOULD_BLOCK;
		port_sleep(LOOK_NS);
	}
	if (!await_items(zone, wait)) {
		zone_open(zone, &me);
		return WOULD_BLOCK;
	}
	zone->fast = percpu_nothing();
	zone->hit = ZONE_NO_HIT;
	registry_retire(zone);
	take_apart(zone);
	return 0;
}
