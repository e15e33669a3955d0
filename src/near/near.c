/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * near - the hits of a plain zone, linked into whoever calls them
 *
 * Why it is here.  A call of a shared library goes from a program to a place
 * far away: processors predict a call at once only where its target shares
 * the upper bits of the address, on a Zen 4 all from bit 37, and programs and
 * libraries do not.  Two such calls are six cycles, as much as the rest of
 * the hits.  So -luma stands for two files: an archive with these hits, and
 * the library behind it for all else.
 *
 *	program                          libuma.so.1
 *	  uma_zalloc   hit
 *	               miss ------------->  uma_missed_zalloc
 *	  uma_zfree    hit
 *	               miss ------------->  uma_missed_zfree
 *	  all others --------------------> the library's own
 *
 * The same hits are in the library too, for who finds them by name at run
 * time or links libuma.so.1 itself.
 *
 * What holds.
 *   1. A program keeps what it was linked with: UMA_FAST_ABI is the number of
 *      all of the layout that is known here and in fast.h, and the library's
 *      soname changes with it.  Who has another number stops at load.
 *   2. What is linked with these may be unloaded: a hit leaves no address of
 *      a descriptor behind.
 *
 * Compiled with UMA_EXPORT empty: its names are the caller's own, hidden.
 *
 * What it may touch.  base port pagemap zone; of those that the library
 * defines only what it exports.
 */
#include "pagemap/pagemap.h"
#include "port/port.h"
#include "zone/zone.h"

#if defined(UMA_HAS_SEQUENCES)

_Static_assert(offsetof(struct uma_zone, fast) == 16 &&
		   offsetof(struct uma_zone, hit) == 24 &&
		   offsetof(struct uma_zone, rseq) == 32 &&
		   offsetof(struct uma_zone, magic) == 60 &&
		   sizeof(struct pagemap_window) == 24 && UMA_FAST_ABI == 2,
    "programs know this layout: see UMA_FAST_ABI");

__attribute__((constructor)) static void
near_start(void)
{
	uma_fast_check(UMA_FAST_ABI);
}

/* See uma.h. */
UMA_HIT void *
uma_zalloc(uma_zone_t zone, int wait)
{
	if (likely((unsigned)wait <= M_WAITOK && zone != NULL)) {
		intptr_t area = zone->rseq.area;
		void *item = uma_fast_pop(zone->fast, area, zone->rseq.index);

		uma_fast_leave(area);
		if (likely(item != NULL))
			return item;
	}
	return uma_missed_zalloc(zone, wait);
}

/* See uma.h. */
UMA_HIT void
uma_zfree(uma_zone_t zone, void *item)
{
	if (likely(zone != NULL) &&
	    likely(pagemap_hit(&uma_window, item) == zone->hit) &&
	    likely(pagemap_starts(zone->magic, item))) {
		intptr_t area = zone->rseq.area;
		int pushed =
		    uma_fast_push(zone->fast, area, zone->rseq.index, item);

		uma_fast_leave(area);
		if (likely(pushed))
			return;
	}
	uma_missed_zfree(zone, item);
}

#endif
