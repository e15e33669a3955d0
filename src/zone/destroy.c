/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a zone: see uma.h. */
#include "port/port.h"
#include "zone/inner.h"

/* EWOULDBLOCK, by its value: the core knows no errno.h. */
enum { WOULD_BLOCK = 11 };

/* Late frees wake nobody: look again this often. */
#define LOOK_NS UINT64_C(10000000)

/*
 * Wait until nothing is out.  False: it is, and waiting is not wanted.  What a
 * reclaimer has in its hands is on its way to the keg, not out: it holds the
 * zone while it has, so who sees no holder first and items out then is right.
 */
static bool
await_items(uma_zone_t zone, int wait)
{
	for (;;) {
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
			port_yield();
			continue;
		}
		if (wait == M_NOWAIT)
			return false;
		port_wait(&zone->freed, freed, LOOK_NS);
	}
}

/* Everything a zone had goes back; its structure rests. */
static void
take_apart(uma_zone_t zone)
{
	struct keg *keg = &zone->keg;

	keg_dispose(keg, keg_stop(keg));
	if (keg->object != NULL)
		port_unmap(keg->object, keg->object_bytes);
	uma_object_destroy(zone->object);
	while (!gate_enter())
		port_yield();
	if (zone->caches != 0)
		percpu_give(zone->caches);
	registry_give(zone);
	gate_leave();
}

/* See uma.h. */
int
uma_zdestroy(uma_zone_t zone, int wait)
{
	zone_check(zone, __func__);
	if (wait == 0)
		wait = M_WAITOK;
	if (wait != M_NOWAIT && wait != M_WAITOK)
		uma_crime(__func__, "wait is neither M_NOWAIT nor M_WAITOK",
		    NULL, zone->name);
	while (!zone_close(zone))
		port_yield();
	if (!await_items(zone, wait)) {
		zone_open(zone);
		return WOULD_BLOCK;
	}
	zone->fast = percpu_nothing();
	zone->hit_id = ZONE_NO_ID;
	registry_retire(zone);
	take_apart(zone);
	return 0;
}
