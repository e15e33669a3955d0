/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * near - the hits of a plain zone, linked into whoever calls them
 *
 * Why it is here.  A call of a shared library goes from a program to a place
 * far away, and there a processor predicts it late: on a Zen 4 three cycles
 * later than where all bits of the address from 37 on are the caller's.  So
 * -luma stands for two files: an archive with these hits, and the library
 * behind it for all else (docs/adr/0013).
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
 *   1. A program keeps what it was linked with.  UMA_FAST_ABI is the number of
 *      all that is known here and in fast.h: what is asserted below, the words
 *      of a record (port/arch/arch.h), where an item starts (pagemap.h).  The
 *      soname changes with it, and who has another number stops at load.
 *   2. What is linked with these may be unloaded: a hit leaves no address of
 *      a descriptor behind.
 *
 * Compiled with UMA_EXPORT empty: its names are the caller's own, hidden, and
 * weak, so that they give way to a program's own function of that name and to
 * those of a static library.
 *
 * What it may touch.  base port pagemap zone; of those that the library
 * defines only what it exports.
 */
#include "pagemap/pagemap.h"
#include "port/port.h"
#include "zone/zone.h"

#if defined(UMA_HAS_SEQUENCES)

#define WEAK __attribute__((weak))

_Static_assert(offsetof(struct uma_zone, fast) == 16 &&
		   offsetof(struct uma_zone, hit) == 24 &&
		   offsetof(struct uma_zone, rseq) == 32 &&
		   offsetof(struct uma_zone, magic) == 60 &&
		   offsetof(struct arch_rseq, area) == 0 &&
		   offsetof(struct arch_rseq, index) == 8 &&
		   offsetof(struct pagemap_window, base) == 0 &&
		   offsetof(struct pagemap_window, granules) == 8 &&
		   offsetof(struct pagemap_window, words) == 16 &&
		   GRANULE_BITS == 16 && UMA_CPU_SHIFT == 14 &&
		   UMA_FAST_ABI == 3,
    "programs know this layout: see UMA_FAST_ABI");

__attribute__((constructor)) static void
near_start(void)
{
	uma_fast_check(UMA_FAST_ABI);
}

/* See uma.h. */
UMA_HIT WEAK void *
uma_zalloc(uma_zone_t zone, int wait)
{
	if (zone_may_hit(zone, wait)) {
		void *item = uma_fast_take(
		    zone->fast, zone->rseq.area, zone->rseq.index);

		if (likely(item != NULL))
			return item;
	}
	return uma_missed_zalloc(zone, wait);
}

/* See uma.h. */
UMA_HIT WEAK void
uma_zfree(uma_zone_t zone, void *item)
{
	if (likely(zone != NULL) &&
	    likely(zone_starts_in(&uma_window, zone, item)) &&
	    likely(uma_fast_put(
		zone->fast, zone->rseq.area, zone->rseq.index, item)))
		return;
	uma_missed_zfree(zone, item);
}

#endif
