/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_zone - the zone allocator of 1997, over the zones of today
 *
 * Why it is here.  Kernel code of that age, and who ported it, wants zinit()
 * and zalloc() with their own rules: a limit whose room is reserved ahead,
 * items of the caller's for the time before there is an allocator, memory
 * that never leaves.  A vm_zone is one zone with those rules around it:
 *
 *	zalloc:  a free boot item                  (boot zones only)
 *	         the zone: hit, then miss, all caches at the limit
 *	         the hand                          (ZONE_INTERRUPT only)
 *	         once more, while someone carries items about; or NULL
 *
 *	zfree:   a boot item to the boot list, any other to the zone
 *
 * The hand is four items of a ZONE_INTERRUPT zone: who is refused by the gate
 * (a handler that interrupted a miss) cannot get an item from a limited keg,
 * and finds it there.  For the keg they are out, for users free; at the limit
 * everybody may take them.  A zone whose hand is not full is SHORT: then no
 * operation is a hit, each free goes to the hand, and each allocation looks
 * for more items for it, in the slabs and in this CPU's cache; in the generic
 * mode, which has no hit, wherever a miss looks.
 *
 * States of a structure, in zstate:
 *
 *	0 ----zinitna---> PLAIN ------zdestroy----> DEAD --zinitna--> PLAIN
 *	                  PLAIN <-----the hand----> SHORT
 *	0 --zbootinit---> BOOT  --zinitna--> MIXED
 *
 * PLAIN alone is what the hit serves: the other states take the longer way.
 *
 * Each zone has a row, which holds all that the table tells.  It is the
 * library's: a structure in a shared object goes without a word when the
 * object is closed, and then nothing must lead there.
 *
 * What holds.
 *   1. zbootlinks[i] is OUT while boot item i is in a user's hand; else it is
 *      the index of the next free one plus 1, or 0.  The head is {tag:32,
 *      index + 1:32}; the tag counts pops and pushes.
 *   2. zhand slots hold items of zzone that are in nobody's hands, or NULL.
 *   3. Nothing is written into a free item.
 *   4. zname, zsize, zmax, zflags, zalloc do not change while the zone is
 *      PLAIN or MIXED.
 *
 * Locks.  One, for the list of all and the dead; nothing is called while it is
 * held but what takes no lock.  The lists of boot items and the hand are
 * lock-free.
 * What it may touch.  base port watch lock percpu meta pagemap slab keg
 * zone.
 */
#ifndef VM_ZONE_VM_ZONE_H
#define VM_ZONE_VM_ZONE_H

#define UMA_VM_ZONE_PREFIXED
#include <uma/vm_zone.h>

#include "base/base.h"
#include "keg/keg.h"

#define VM_ZONE_PLAIN UINT32_C(0x764d7a50)
#define VM_ZONE_SHORT UINT32_C(0x764d7a53)
#define VM_ZONE_BOOT  UINT32_C(0x764d7a42)
#define VM_ZONE_MIXED UINT32_C(0x764d7a4d)
#define VM_ZONE_DEAD  UINT32_C(0x764d7a44)

#define VM_ZONE_HAND 4u /* slots of zhand */
_Static_assert(
    sizeof(((struct vm_zone *)0)->zhand) == VM_ZONE_HAND * sizeof(void *),
    "as in uma/vm_zone.h");

/* In the table of all zones. */
struct vm_zone_row {
	struct vm_zone_row *next; /* the one before it in time */
	struct vm_zone_row *prev;
	uint32_t number; /* counts up: later zones have higher ones */
	bool own;        /* zinit() made the structure */
	int size;
	_Atomic int max;
	_Atomic(struct uma_zone *) zone; /* NULL: boot items alone */
	uint32_t boot_count;
	_Atomic uint64_t boot_allocs;
	_Atomic uint64_t boot_frees;
	struct keg_range boot; /* so that a crime with such an item names it */
	char name[64];
};

/* acquire, pairs with vm_zone_set_state(): what zinitna() filled in. */
UMA_FAST uint32_t
vm_zone_state(const struct vm_zone *z)
{
	return __atomic_load_n(&z->zstate, __ATOMIC_ACQUIRE);
}

/* release, pairs with vm_zone_state(). */
UMA_FAST void
vm_zone_set_state(struct vm_zone *z, uint32_t state)
{
	__atomic_store_n(&z->zstate, state, __ATOMIC_RELEASE);
}

/* Whether it is a zone in use. */
UMA_FAST bool
vm_zone_in_use(const struct vm_zone *z)
{
	uint32_t state = vm_zone_state(z);

	return state == VM_ZONE_PLAIN || state == VM_ZONE_SHORT ||
	       state == VM_ZONE_BOOT || state == VM_ZONE_MIXED;
}

/* Die unless it is a zone in use. */
void vm_zone_check(const struct vm_zone *z, const char *function);

/* alloc.c: put what is in the hand back into the slabs. */
void vm_zone_empty_hand(struct vm_zone *z);
/* Items in it. */
unsigned vm_zone_hand_items(const struct vm_zone *z);
/*
 * Whether users have all items of a ZONE_INTERRUPT zone.  While other threads
 * take and give it may say no where they have, but never yes where not.
 */
bool vm_zone_all_out(const struct vm_zone *z);

/* bootitem.c: the caller's items. */

/*
 * Give the zone a row and links, and make all items free.  False without
 * memory for that.
 */
UMA_NODISCARD bool vm_zone_boot_start(
    struct vm_zone *z, void *items, uint32_t count);
/* One of them, or NULL. */
void *vm_zone_boot_take(struct vm_zone *z);
/* Give it back.  False: it is no boot item of this zone; dies of a crime. */
UMA_NODISCARD bool vm_zone_boot_give(struct vm_zone *z, void *item);

/* listing.c: the table of all, and the dead. */

/* Fill in what is known from the start. */
void vm_zone_row_start(
    struct vm_zone_row *row, const char *name, int size, int max);
void vm_zone_list(struct vm_zone_row *row);
void vm_zone_unlist(struct vm_zone_row *row);
/*
 * Dead structures of zinit() rest until so many more have died, so that stale
 * handles are seen.  Returns the one that need not any more, or NULL.
 */
struct vm_zone *vm_zone_rest(struct vm_zone *z);

#endif /* VM_ZONE_VM_ZONE_H */
