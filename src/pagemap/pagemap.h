/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagemap - from any address to what lies there
 *
 * Why it is here.  free(p) must learn whose p is, for any value p may have,
 * without touching the memory at p.
 *
 *	address   63..48 0 | 47..32 root index | 31..16 leaf index | 15..0
 *	root      2^16 leaves, in the library's zeros
 *	leaf      for each granule of 64 KiB a word for the hit, and the header
 *	          of what lies there
 *
 * Both indices are halves of the address, cut without a mask.  The root says
 * how far behind a table of zeros the leaf's words are, so that a leaf which
 * is not there needs no test: its words are those zeros.
 *
 * The hit word {owner:32, -magic:32} is set for slabs of one granule, whose
 * items end where the granule ends: an item starts at distance n from the end
 * exactly if n is a multiple of the stride, which is if
 *
 *	(n * magic mod 2^32) < magic,   magic = 2^32 / stride, rounded up
 *
 * so that one load tells whose item an address is and whether one starts there.
 * All granules of a zone have the same word: who knows it compares it whole.
 * It is never 0, which is the word of what is not ours.
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
#include "port/port.h"

#define GRANULE_BITS 16u
#define GRANULE      ((size_t)1 << GRANULE_BITS)

#define PAGEMAP_ROOT_BITS 16u
#define PAGEMAP_LEAF_BITS 16u

enum pagemap_kind {
	PAGEMAP_NONE,
	PAGEMAP_SLAB,
	PAGEMAP_LARGE,
	PAGEMAP_PAGES,
};

struct pagemap_leaf {
	uint64_t hits[1u << PAGEMAP_LEAF_BITS];
	_Atomic(void *) headers[1u << PAGEMAP_LEAF_BITS];
};

struct pagemap {
	uint64_t zeros[1u << PAGEMAP_LEAF_BITS];
	/* Bytes from the zeros to the leaf; 0: there is none. */
	uintptr_t leaves[1u << PAGEMAP_ROOT_BITS];
};

extern struct pagemap pagemap_root;

/*
 * The hit word of any address; 0 for none.  `map` is the map, or a pointer to
 * it where its name is not known.
 */
UMA_FAST uint64_t
pagemap_hit(const struct pagemap *map, const void *address)
{
	uintptr_t a = (uintptr_t)address;
	uintptr_t root = a >> (GRANULE_BITS + PAGEMAP_LEAF_BITS);
	const uint64_t *hits;

	if (unlikely(root >= (uintptr_t)1 << PAGEMAP_ROOT_BITS))
		return 0;
	/* Who has an address of ours got it after it was set. */
	hits = (const uint64_t *)arch_opaque(
	    (uintptr_t)map + load_settled(&map->leaves[root]));
	return load_settled(&hits[(uint32_t)a >> GRANULE_BITS]);
}

/* The word for an owner, 0 if the test would not be exact for the stride. */
uint64_t pagemap_hit_make(uint32_t owner, size_t stride);

UMA_FAST uint32_t
pagemap_hit_owner(uint64_t hit)
{
	return (uint32_t)(hit >> 32);
}

/*
 * Whether an item starts at the address whose hit word this is, not 0.  With
 * all bits above a granule's set the address is -n, so the product is that of
 * n and magic, which is below magic exactly if adding -magic does not carry.
 */
UMA_FAST bool
pagemap_hit_starts(uint64_t hit, const void *address)
{
	uint32_t minus_n = (uint32_t)(uintptr_t)address | -(uint32_t)GRANULE;
	uint32_t sum;

	return !__builtin_add_overflow(
	    minus_n * (uint32_t)hit, (uint32_t)hit, &sum);
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
