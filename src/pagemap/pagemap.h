/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagemap - from any address to what lies there
 *
 * Why it is here.  free(p) must learn whose p is, for any value p may have,
 * without touching the memory at p.
 *
 *	address   63..48 0 | 47..30 root index | 29..16 leaf index | 15..0
 *	root      2^18 pointers to leaves, in the library's zeros
 *	leaf      2^14 entries, one for each granule of 64 KiB
 *	entry     the header of what lies there, and a word for the hit
 *
 * The hit word {keg id:32, magic:32} is set for slabs of one granule, whose
 * items end where the granule ends: an item starts at distance n from the end
 * exactly if n is a multiple of the stride, which is if
 *
 *	(n * magic mod 2^32) < magic,   magic = 2^32 / stride, rounded up
 *
 * so that one load tells whose item an address is and whether one starts there.
 *
 * A header starts with an `enum pagemap_kind`.  A granule that several slabs
 * of private suppliers share has a table of its pages for a header.
 *
 * What holds.
 *   1. An entry is zero for every granule that is not the library's.
 *   2. Entries change only for granules that nobody but the changer uses;
 *      readers need no lock.  Leaves are never given back.
 *
 * What it may touch.  base port meta.
 */
#ifndef PAGEMAP_PAGEMAP_H
#define PAGEMAP_PAGEMAP_H

#include "base/base.h"
#include "meta/meta.h"

#define GRANULE_BITS 16u
#define GRANULE      ((size_t)1 << GRANULE_BITS)

#define PAGEMAP_ROOT_BITS 18u
#define PAGEMAP_LEAF_BITS 14u

enum pagemap_kind {
	PAGEMAP_NONE,
	PAGEMAP_SLAB,
	PAGEMAP_LARGE,
	PAGEMAP_PAGES,
};

struct pagemap_entry {
	_Atomic uint64_t hit;
	_Atomic(void *) header;
};

struct pagemap_leaf {
	struct pagemap_entry entries[1u << PAGEMAP_LEAF_BITS];
};

typedef _Atomic(struct pagemap_leaf *) pagemap_slot;

extern pagemap_slot pagemap_root[1u << PAGEMAP_ROOT_BITS];

/*
 * The entry of the granule of any address; NULL if there is none.  `slots` is
 * pagemap_root, or a pointer to it where its name is not known.
 */
UMA_FAST struct pagemap_entry *
pagemap_look(pagemap_slot *slots, const void *address)
{
	uintptr_t a = (uintptr_t)address;
	uintptr_t root = a >> (GRANULE_BITS + PAGEMAP_LEAF_BITS);
	struct pagemap_leaf *leaf;

	if (unlikely(root >= (uintptr_t)1 << PAGEMAP_ROOT_BITS))
		return NULL;
	/* relaxed: who has an address of ours got it after it was set. */
	leaf = atomic_load_explicit(&slots[root], memory_order_relaxed);
	if (unlikely(leaf == NULL))
		return NULL;
	a = a >> GRANULE_BITS & ((1u << PAGEMAP_LEAF_BITS) - 1);
	return &leaf->entries[a];
}

/* The hit word of any address; 0 for none. */
UMA_FAST uint64_t
pagemap_hit(pagemap_slot *slots, const void *address)
{
	struct pagemap_entry *e = pagemap_look(slots, address);

	/* relaxed: as above. */
	return likely(e != NULL)
		   ? atomic_load_explicit(&e->hit, memory_order_relaxed)
		   : 0;
}

/* The word for a keg, 0 if the test would not be exact for its stride. */
uint64_t pagemap_hit_make(uint32_t id, size_t stride);

UMA_FAST uint32_t
pagemap_hit_id(uint64_t hit)
{
	return (uint32_t)(hit >> 32);
}

/* Whether an item starts at the address whose hit word this is. */
UMA_FAST bool
pagemap_hit_starts(uint64_t hit, const void *address)
{
	uint32_t from_end = (uint32_t)GRANULE - (uint16_t)(uintptr_t)address;

	return from_end * (uint32_t)hit < (uint32_t)hit;
}

/* The header of any address, down to the page; NULL if it is not ours. */
void *pagemap_find(const void *address);

/*
 * Set the entries of whole granules.  A NULL header prepares the leaves.
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
 * that overlaps anything in the map.
 */
UMA_NODISCARD bool pagemap_set_pages(
    const void *address, size_t bytes, void *header, enum meta_how how);
void pagemap_clear_pages(const void *address, size_t bytes);

#endif /* PAGEMAP_PAGEMAP_H */
