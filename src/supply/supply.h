/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supply - runs of granules, taken from the system in big steps
 *
 * Why it is here.  One mapping for each slab would cost a system call each and
 * run into the limit on mappings.  Address space is reserved in regions that
 * double in size, made accessible as their front is reached, and handed out
 * in runs of 64 KiB granules: of the oldest region that has one, the lowest.
 *
 *	region  [used|used|free|used|free dirty|...| not committed yet ]
 *
 * What holds.
 *   1. A granule is used, or free and clean (reads as zeros, no memory
 *      behind it), or free and dirty (some memory behind it, any contents).
 *      Where all of a dirty one is known to have memory behind it, it is
 *      backed: its next user need not ask the system.
 *   2. Free dirty memory is bounded: above the bound, and with time, it is
 *      forgotten; the bound is raised by what is soon taken again.  Before
 *      used and dirty memory come to more than ever before, dirty memory that
 *      did not fit is forgotten.  Addresses are not given back (but for whole
 *      regions where address space is limited), so forgetting splits no
 *      mapping.
 *   3. The system brings no huge pages by itself: what is resident is what was
 *      used.  Once much is used, the first run in 2 MiB that nobody used before
 *      brings a huge page behind all of them, if its taker has half of all
 *      that is used and fills it; the rest is dirty, and backed, from then on.
 *   4. NOFREE runs have regions of their own: they pin nobody else's.
 *   5. META_EMERGENCY takes no lock: a mapping of its own, which supply_give()
 *      knows by its lying in no region.
 *
 * Locks.  One.  System calls that may be long are made without it.
 * What it may touch.  base port watch lock meta pagemap (its
 * granule).
 */
#ifndef SUPPLY_SUPPLY_H
#define SUPPLY_SUPPLY_H

#include "base/base.h"
#include "meta/meta.h"
#include "pagemap/pagemap.h"

/* Who has huge pages: who has most of much; nobody; all who fill theirs. */
enum supply_thp { SUPPLY_THP_DEFAULT, SUPPLY_THP_NEVER, SUPPLY_THP_ALWAYS };

enum supply_kind { SUPPLY_NORMAL, SUPPLY_NOFREE, SUPPLY_KINDS };

struct supply_run {
	void *base;
	size_t
	    dirty; /* bytes at its start that may hold anything; then zeros */
	size_t backed; /* bytes at its start that surely have memory behind */
	bool boot;     /* boot memory: never forgotten */
};

/*
 * Take `count` granules at an alignment (a power of two, GRANULE or more).
 * `filled`: how many granules the taker has that are in use throughout, with
 * these; 0 if these may stay untouched.
 *
 * Returns:  false without memory.
 * Context:  META_NORMAL inside the gate; META_EMERGENCY anywhere.
 */
UMA_NODISCARD bool supply_take(struct supply_run *run, size_t count,
    size_t align, size_t filled, enum supply_kind kind, enum meta_how how);

/*
 * A hostile build refuses some requests that could be met, but none of a
 * thread between the begin and the end of its trust: so does who has promised
 * to get what there is.  From anywhere.
 */
void supply_trust(bool begin);

/*
 * Give back what supply_take() gave.  Its contents may be anything; `backed`
 * bytes at its start have memory behind them, as far as the giver knows.
 */
void supply_give(void *base, size_t count, size_t backed, enum meta_how how);

/* Take the `more` granules behind a run of `count` too, if they are free. */
UMA_NODISCARD bool supply_extend(void *base, size_t count, size_t more);

/* Forget all free dirty memory. */
void supply_trim(void);

/*
 * Forget what is free and should be by now, though nobody gives anything back.
 * From anywhere.
 */
void supply_tick(void);

/*
 * Whether who keeps something should look for what is idle.  Since this was
 * last true, used and free dirty memory came to more than ever before, by an
 * eighth and 1 MiB, or a tenth of a second passed and something was given back.
 * From anywhere; costs a load.
 */
UMA_NODISCARD bool supply_look_due(void);

/* As the user wants it: once, when the library wakes. */
void supply_thp(enum supply_thp thp);

/* Boot memory as the first region; only it until supply_open(). */
void supply_boot(void *memory, size_t bytes);
void supply_open(void);

/* Address space reserved; and free dirty memory. */
size_t supply_mapped_bytes(void);
size_t supply_dirty_bytes(void);

#endif /* SUPPLY_SUPPLY_H */
