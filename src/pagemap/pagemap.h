/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagemap - from any address to what lies there
 *
 * Why it is here.  free(p) must learn whose p is, for any value p may have,
 * without touching the memory at p.
 *
 *	address   63..48 0 | 47..32 root index | 31..16 leaf index | 15..0
 *	root      2^16 leaves, in the library's zeros
 *	leaf      for each granule of 64 KiB the header of what lies there
 *
 * The hits look elsewhere, as two loads in a row are most of what a free waits
 * for: at a window, one flat table of words for a range of addresses that is
 * chosen at the start, around where the system maps memory.  What lies outside
 * has no word and takes one call more.
 *
 *	block of malloc   {owner:32, magic:32}
 *	item of a zone    {owner:32, 0}, the magic is in the zone
 *	all else          0
 *
 * A word is set for slabs of one granule, whose items end where the granule
 * ends: an item starts at distance n from the end exactly if n is a multiple of
 * the stride.  A slab of one item, which starts where the slab does, has one
 * for its first granule, with a granule for a stride.  It is a multiple if
 *
 *	0 < (n * magic mod 2^32) < magic,   magic = 2^32 / stride, rounded down,
 *	                                            and one more
 *
 * so that one load tells whose item an address is and whether one starts there.
 * With a magic of 0 none does: no word needs a test for what it is.  All words
 * of a zone are the same: who knows it compares it whole.
 *
 * A header starts with an `enum pagemap_kind`, and its second word tells kinds
 * apart as well: a slab has its keg's address there, a large block that of its
 * memory, a table that of another header or NULL.  A granule that several slabs
 * of private suppliers share has a table of its pages for a header, and so has
 * one of a block of malloc, large or alone in its slab, that is their memory.
 *
 * What holds.
 *   1. An entry is zero for every granule that is not the library's.
 *   2. Entries change only for granules that nobody but the changer uses;
 *      readers need no lock.  Leaves are never given back.
 *   3. The window is opened once, before anything is entered.
 *
 * What it may touch.  base port meta.
 */
#ifndef PAGEMAP_PAGEMAP_H
#define PAGEMAP_PAGEMAP_H

#include "base/base.h"
#include "meta/meta.h"
#include "port/port.h"

#define GRANULE_BITS 16u
#define GRANULE      ((size_t)1 << GRANULE_BITS)

#define PAGEMAP_ROOT_BITS 16u
#define PAGEMAP_LEAF_BITS 16u

enum pagemap_kind {
	PAGEMAP_NONE,
	PAGEMAP_SLAB,
	PAGEMAP_BLOCK, /* a slab that is one block of malloc */
	PAGEMAP_LARGE,
	PAGEMAP_PAGES,
};

UMA_FAST bool
pagemap_is_slab(enum pagemap_kind kind)
{
	return kind == PAGEMAP_SLAB || kind == PAGEMAP_BLOCK;
}

#define PAGEMAP_SECOND sizeof(void *) /* where a header's second word is */

/*
 * Before it is opened no address is in it, whatever mixture of old and new a
 * reader finds: the base then is no user's address.
 */
struct pagemap_window {
	uintptr_t base;
	size_t granules;
	uint64_t *words;
};

#define PAGEMAP_NO_WINDOW \
	{ \
		(uintptr_t)1 << 63, 0, NULL \
	}

extern struct pagemap_window pagemap_window;

/*
 * The same under another name, exported: the hits of near in programs that are
 * linked read it until the soname changes, its fields and GRANULE_BITS and all.
 */
UMA_EXPORT extern struct pagemap_window uma_window;

/*
 * Open the window: around `memory` if that is all there is, without asking the
 * system, else around where the system maps.  Called once, by boot, before any
 * other thread can have an address of the library's.  Without memory for it
 * everything is outside.
 */
void pagemap_open(const void *memory);

/* The hit word of any address; 0 for none. */
UMA_FAST uint64_t
pagemap_hit(const struct pagemap_window *window, const void *address)
{
	uintptr_t i =
	    ((uintptr_t)address - load_settled(&window->base)) >> GRANULE_BITS;

	if (unlikely(!arch_is_below(i, &window->granules)))
		return 0;
	/* Who has an address of ours got it after it was set. */
	return load_settled(&load_settled(&window->words)[i]);
}

/*
 * What multiplies a distance from the end of a granule; 0 if the test would
 * not be exact for the stride.
 */
uint32_t pagemap_magic(size_t stride);

UMA_FAST uint64_t
pagemap_hit_make(uint32_t owner, uint32_t magic)
{
	return (uint64_t)owner << 32 | magic;
}

UMA_FAST uint32_t
pagemap_hit_owner(uint64_t hit)
{
	return (uint32_t)(hit >> 32);
}

/*
 * Whether an item starts at the address, by the magic of its granule.  By 1 - n
 * one comparison asks whether n * magic is above 0 and not above magic; of all
 * distances only 1, at which nothing starts, gives magic itself.
 */
UMA_FAST bool
pagemap_starts(uint32_t magic, const void *address)
{
	uint32_t past_n =
	    (uint16_t)(uintptr_t)address - (uint32_t)(GRANULE - 1);

	return likely(past_n != 0) && past_n * magic < magic;
}

struct pagemap_leaf {
	_Atomic(void *) headers[1u << PAGEMAP_LEAF_BITS];
};

extern _Atomic(struct pagemap_leaf *) pagemap_root[1u << PAGEMAP_ROOT_BITS];

UMA_FAST size_t
pagemap_root_index(const void *address)
{
	return (uintptr_t)address >> (GRANULE_BITS + PAGEMAP_LEAF_BITS);
}

UMA_FAST size_t
pagemap_leaf_index(const void *address)
{
	return (uintptr_t)address / GRANULE % (1u << PAGEMAP_LEAF_BITS);
}

/* The leaf of an address; NULL if there is none. */
UMA_FAST struct pagemap_leaf *
pagemap_leaf(const void *address)
{
	size_t i = pagemap_root_index(address);

	if (unlikely(i >> PAGEMAP_ROOT_BITS != 0))
		return NULL;
	/* acquire, pairs with leaf_enter(): its zeros. */
	return atomic_load_explicit(&pagemap_root[i], memory_order_acquire);
}

/* Where the header of a granule is; NULL if it has no leaf. */
UMA_FAST _Atomic(void *) *
pagemap_slot(const void *address)
{
	struct pagemap_leaf *leaf = pagemap_leaf(address);

	return unlikely(leaf == NULL)
		   ? NULL
		   : &leaf->headers[pagemap_leaf_index(address)];
}

/*
 * The header of a granule; NULL if it is not ours.  Of one that slabs share it
 * is the table of its pages.
 */
UMA_FAST void *
pagemap_granule(const void *address)
{
	_Atomic(void *) *slot = pagemap_slot(address);

	/* relaxed: as pagemap_hit(). */
	return unlikely(slot == NULL)
		   ? NULL
		   : atomic_load_explicit(slot, memory_order_relaxed);
}

/* pagemap_granule() of address after address, most of them on one leaf. */
struct pagemap_walk {
	size_t root_index; /* of `leaf`; SIZE_MAX at first */
	struct pagemap_leaf *leaf;
};

UMA_FAST void *
pagemap_walk(struct pagemap_walk *walk, const void *address)
{
	size_t i = pagemap_root_index(address);

	if (unlikely(i != walk->root_index)) {
		struct pagemap_leaf *leaf = pagemap_leaf(address);

		if (leaf == NULL)
			return NULL;
		walk->root_index = i;
		walk->leaf = leaf;
	}
	/* relaxed: as pagemap_hit(). */
	return atomic_load_explicit(
	    &walk->leaf->headers[pagemap_leaf_index(address)],
	    memory_order_relaxed);
}

/* The header of any address, down to the page; NULL if it is not ours. */
void *pagemap_find(const void *address);

/*
 * Set the entries of whole granules, and the hit word of the first one.  A NULL
 * header prepares the leaves.
 *
 * Returns:  false, with all entries zero, without memory for a leaf.
 * Context:  `how` as for meta_take().
 */
UMA_NODISCARD bool pagemap_set(const void *address, size_t bytes, void *header,
    uint64_t hit, enum meta_how how);
void pagemap_clear(const void *address, size_t bytes);

/*
 * Set the header of one granule without failing: with a leaf held for it,
 * which is used or not, and dropped afterwards.  NULL: no memory to hold one.
 */
void *pagemap_hold_leaf(enum meta_how how);
void pagemap_set_held(const void *address, void *header, void **leaf);
void pagemap_drop_leaf(void *leaf);

/*
 * The same for a page range of a private supplier.  Refuses (false) a range
 * that overlaps anything in the map but a block of malloc, which has no hit
 * word from then on.
 */
UMA_NODISCARD bool pagemap_set_pages(
    const void *address, size_t bytes, void *header, enum meta_how how);
void pagemap_clear_pages(const void *address, size_t bytes);

#endif /* PAGEMAP_PAGEMAP_H */
