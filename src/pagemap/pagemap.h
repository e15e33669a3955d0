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
 *
 *	entry     63..42 keg id (0: see below) | 41..0 header address / 64
 *
 * With id 0 and a header, the header starts with an `enum pagemap_kind`: a
 * large block, or a granule that several slabs of private suppliers share;
 * then the header is a table of its pages.
 *
 * What holds.
 *   1. An entry is 0 for every granule that is not the library's.
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
#define PAGEMAP_ID_SHIFT  42u
#define PAGEMAP_ID_MAX    ((UINT32_C(1) << (64 - PAGEMAP_ID_SHIFT)) - 1)
#define PAGEMAP_ALIGN     64u /* of headers */

enum pagemap_kind {
	PAGEMAP_NONE,
	PAGEMAP_SLAB,
	PAGEMAP_LARGE,
	PAGEMAP_PAGES,
};

typedef uint64_t pagemap_entry;

struct pagemap_leaf {
	_Atomic pagemap_entry entries[1u << PAGEMAP_LEAF_BITS];
};

typedef _Atomic(struct pagemap_leaf *) pagemap_slot;

extern pagemap_slot pagemap_root[1u << PAGEMAP_ROOT_BITS];

/*
 * The entry of the granule of any address; 0 if it is not ours.  `slots` is
 * pagemap_root, or a pointer to it where its name is not known.
 */
UMA_FAST pagemap_entry
pagemap_look(pagemap_slot *slots, const void *address)
{
	uintptr_t a = (uintptr_t)address;
	uintptr_t root = a >> (GRANULE_BITS + PAGEMAP_LEAF_BITS);
	struct pagemap_leaf *leaf;

	if (unlikely(root >> PAGEMAP_ROOT_BITS != 0))
		return 0;
	/* relaxed: who has an address of ours got it after it was set. */
	leaf = atomic_load_explicit(&slots[root], memory_order_relaxed);
	if (unlikely(leaf == NULL))
		return 0;
	a = a >> GRANULE_BITS & ((1u << PAGEMAP_LEAF_BITS) - 1);
	return atomic_load_explicit(&leaf->entries[a], memory_order_relaxed);
}

UMA_FAST pagemap_entry
pagemap_granule(const void *address)
{
	return pagemap_look(pagemap_root, address);
}

UMA_FAST uint32_t
pagemap_id(pagemap_entry entry)
{
	return (uint32_t)(entry >> PAGEMAP_ID_SHIFT);
}

UMA_FAST void *
pagemap_header(pagemap_entry entry)
{
	return (void *)(uintptr_t)((entry & ((UINT64_C(1) << PAGEMAP_ID_SHIFT) -
						1)) *
				   PAGEMAP_ALIGN);
}

UMA_FAST pagemap_entry
pagemap_make(uint32_t id, const void *header)
{
	return (uint64_t)id << PAGEMAP_ID_SHIFT |
	       (uintptr_t)header / PAGEMAP_ALIGN;
}

/* As pagemap_granule(), down to the page where suppliers share a granule. */
pagemap_entry pagemap_find(const void *address);

/*
 * Set the entry of every granule of the range (whole granules), or of its
 * first granule only.
 *
 * Returns:  false, with all entries 0, without memory for a leaf.
 * Context:  `how` as for meta_take().
 */
UMA_NODISCARD bool pagemap_set(
    const void *address, size_t bytes, pagemap_entry entry, enum meta_how how);
void pagemap_clear(const void *address, size_t bytes);

/*
 * The same for a page range of a private supplier.  Refuses (false) a range
 * that overlaps anything in the map.
 */
UMA_NODISCARD bool pagemap_set_pages(
    const void *address, size_t bytes, pagemap_entry entry, enum meta_how how);
void pagemap_clear_pages(const void *address, size_t bytes);

#endif /* PAGEMAP_PAGEMAP_H */
