/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keg - all slabs of one shape
 *
 * Why it is here.  A zone's caches must be filled from somewhere and drained
 * to somewhere: to the slabs, fullest first, so that the emptiest ones become
 * empty and can leave.
 *
 *	idle <-> bin 1 <-> ... <-> bin 8 <-> full (on no list)
 *	  |      emptiest          fullest
 *	  v dispose: fini, then back to the supplier
 *
 * Growing takes header, memory and map entries in one stay inside the gate,
 * each with no other lock held, and links the slab last; the stay ends before a
 * callback runs, and another begins if the gate lets it.  Who is refused by the
 * gate does the same with emergency memory:
 *
 *	take   claims an item of the keg's emergency slab with one atomic add
 *	free   sets a late bit and lists the slab
 *	link   lists the slab
 * and the next holder of the lock adopts what is listed.  Where slabs stay for
 * good, it lends an idle one to those who claim, as else each emergency would
 * leave one more.
 *
 * A slab that leaves comes into the hand of its thread, on a list that is the
 * thread's own, until fini has run on its items.  That list, and what a thread
 * says of its work in kegs, survive a fork by a callback or a handler: the
 * child goes on with them, and forgets those of all others.
 *
 * What holds.
 *   1. items and free_items are the sums of limit and free_count over adopted
 *      slabs: items - free_items are out.
 *   2. init and fini run with no lock held and outside the gate.
 *   3. A slab is disposed of only when idle, with no claimer inside
 *      keg_take() and nobody about to write its header.
 *
 * Locks.  One for each keg.
 * What it may touch.  base port watch lock pagemap meta supply slab.
 */
#ifndef KEG_KEG_H
#define KEG_KEG_H

#include <uma/uma.h>

#include "base/base.h"
#include "lock/lock.h"
#include "slab/slab.h"
#include "supply/supply.h"

#define KEG_BINS 10u /* idle, eight by fullness, full */

struct keg {
	struct lock lock;
	uint32_t id;
	struct slab_layout layout;
	uint64_t hit;            /* what the page map says of its slabs */
	uint64_t bin_reciprocal; /* see keg_bin() */
	struct slab *bins[KEG_BINS] UMA_GUARDED_BESIDE(&lock);
	tally items;      /* of adopted slabs */
	tally making;     /* of slabs on their way in */
	tally leaving;    /* of slabs on their way out */
	tally filling;    /* threads for whom idle slabs stay */
	size_t items_max; /* that fit into the object; 0 without one */
	tally free_items;
	tally slabs;
	size_t idle UMA_GUARDED_BESIDE(&lock);
	tally populate_bytes; /* backed at a time; grows */
	bool raw;             /* slabs have raw bits: there is init or fini */
	bool back;            /* items are backed before they leave */
	bool nofree;
	_Atomic bool frozen; /* never grows again */
	_Atomic bool used;   /* something was taken or made */
	uma_init init;
	uma_fini fini;
	uma_alloc allocf;
	uma_free freef;
	struct uma_zone *zone;  /* for allocf */
	enum pagemap_kind kind; /* of its slabs */
	const char *name;       /* for crimes */
	const char *free_name;  /* the function that gives items back */
	char *object;           /* all of its memory, mapped from an object */
	size_t object_bytes;
	size_t object_at UMA_GUARDED_BESIDE(&lock); /* bytes that are slabs' */
	_Atomic(struct slab *) late;                /* listed slabs */
	_Atomic(struct slab *) emergency; /* whose items can be claimed */
	_Atomic uint32_t claimers;
	_Atomic uint64_t emergencies;
	tally refusals; /* how often the system refused memory for it */
};

/* Start a keg in zeroed memory. */
void keg_start(struct keg *keg, size_t item_bytes, size_t align);

/*
 * Choose the layout: keg_start() does, with the gap that watch.h asks for.  Not
 * once anything was taken.
 */
void keg_shape(struct keg *keg, size_t item_bytes, size_t align, size_t gap);

/*
 * Take up to `want` items, initialised and backed; grows if there are none.
 * The last one has the lowest address.
 *
 * Returns:  how many; 0 without memory or at the limit.
 * Context:  outside the gate, or nested in it; runs init.
 */
size_t keg_take(struct keg *keg, void **out, size_t want, int wait);

/*
 * Give items back.  Every one belongs to this keg; one that is free already
 * is a crime named after `function`.
 *
 * KEG_SHED: idle slabs beyond those that stay come into the thread's hand.
 *
 * Context:  inside the gate; with KEG_SHED keg_dispose() after leaving it.
 */
enum keg_idle { KEG_KEEP, KEG_SHED };
void keg_give(struct keg *keg, void **items, size_t count, enum keg_idle idle,
    const char *function);

/* Give one back without a lock, from anywhere. */
void keg_give_late(struct keg *keg, void *item);

/* keg_give() and all that goes with it, from anywhere. */
void keg_return(
    struct keg *keg, void **items, size_t count, const char *function);

/* The last slab that came into this thread's hand and is there; or NULL. */
struct slab *keg_in_hand(void);

/*
 * Run fini on what is in this thread's hand since keg_in_hand() said `before`,
 * and give its memory back.  Outside the gate.
 */
void keg_dispose(const struct slab *before);

/* One more slab, all its items ready.  False without memory or at the limit. */
UMA_NODISCARD bool keg_prealloc(struct keg *keg, int wait);

/* Whether the keg can never have more items than it has. */
bool keg_is_complete(struct keg *keg);

/*
 * From here on it never grows, and its slabs stay; those that are idle, too, if
 * the caller fills it.  Outside the gate, and not in a handler.
 */
void keg_freeze(struct keg *keg);

/* relaxed: who sees it late tries in vain. */
UMA_FAST bool
keg_is_frozen(const struct keg *keg)
{
	return atomic_load_explicit(&keg->frozen, memory_order_relaxed);
}

/* Whether its slabs stay, idle or not, until its end. */
UMA_FAST bool
keg_keeps_slabs(const struct keg *keg)
{
	return keg->nofree || keg_is_frozen(keg) ||
	       (keg->allocf != NULL && keg->freef == NULL);
}

/*
 * Whether something was taken or made.  Who sees it sees what was set before,
 * too: its supplier, its functions.
 */
UMA_FAST bool
keg_is_used(const struct keg *keg)
{
	/* acquire, pairs with the two stores. */
	return atomic_load_explicit(&keg->used, memory_order_acquire);
}

/* Take all idle slabs into the thread's hand.  Inside the gate. */
void keg_trim(struct keg *keg);

/*
 * The same with every slab of a keg with nothing out, for its end: NOFREE and
 * boot memory too.  Outside the gate.
 */
void keg_stop(struct keg *keg);

/*
 * What a thread has under way in a keg, on its stack: its part of the keg's
 * counters of the same names.
 */
struct keg_work {
	struct keg_work *outer;
	struct keg *keg;
	size_t making;
	size_t filling;
	uint32_t claimers;
};

/* Until keg_filled() no idle slab of a keg leaves. */
void keg_fill(struct keg *keg, struct keg_work *work);
void keg_filled(struct keg_work *work);

/* After fork: forget what threads had under way that are no more. */
void keg_fork_child(struct keg *keg);

/*
 * Part with a slab of one item, which is out, and that came from the supply:
 * its memory is the caller's from now on, and its first granule `header`'s in
 * the page map.
 *
 * Returns:  false, with nothing changed, if the lock is refused or somebody
 *           still has to do with the slab's header.
 * Context:  inside the gate.
 */
UMA_NODISCARD bool keg_part(struct keg *keg, struct slab *s, void *header);

/* Items that are out; SIZE_MAX when the gate refuses. */
size_t keg_out(struct keg *keg);

/* Free items in slabs, and bytes of slabs, for statistics. */
void keg_read(struct keg *keg, size_t *free_items, size_t *bytes);

/*
 * Items that lie in no slab, but in memory of a caller's own: so that a crime
 * with one can say what it is.  Ranges are added, and never taken away.
 */
struct keg_range {
	struct keg_range *next;
	const char *from;
	size_t bytes;
	const char *name;
};

void keg_range_add(struct keg_range *r);

/* The name of the range that an address lies in; NULL for none. */
const char *keg_range_name(const void *address);

/*
 * Die unless an item of `keg` starts at `item`.  The crime is `function`'s,
 * against the zone `name`.  A NULL `keg` has no items.
 */
void keg_check_item(const struct keg *keg, const char *name, const void *item,
    const char *function);

#endif /* KEG_KEG_H */
