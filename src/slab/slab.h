/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab - one run of memory cut into items
 *
 * Why it is here.  How a slab is cut is arithmetic, and which of its items are
 * free is a bitset: both can be checked by hand, so they live apart from lists,
 * locks and callbacks.
 *
 *	base                                                     end
 *	| lead | item 0 | item 1 | ...              | item n - 1 |
 *
 * Items end where the slab ends, so that the page map can tell by one
 * multiplication whether one starts at an address: see pagemap.h.
 *
 * What holds.
 *   1. The header is dense metadata elsewhere; nothing is written into a slab.
 *   2. free bit set: the item is in the slab.  Clear: it is out, in a bucket
 *      or a user's hand, or it is beyond `limit`.
 *   3. raw bit set (kegs with init or fini only): the item has not seen init.
 *   4. late bits are frees by those whom the gate refuses: atomic, merged into
 *      the free bits by the next holder of the keg's lock.
 *   5. Pages below base + ready are backed, unless the zone is PAGEABLE.
 *   6. As items come back one by one, the slab belongs to another of the keg's
 *      lists when moves_at of them are free, and not before.
 *
 * Locks.  The keg's, for all but late, pins, listed and claim.
 * What it may touch.  base, pagemap for the granule and the kinds.
 */
#ifndef SLAB_SLAB_H
#define SLAB_SLAB_H

#include "base/base.h"
#include "pagemap/pagemap.h"

struct keg;

/* How the slabs of a keg are cut.  Decided once, then never changes. */
struct slab_layout {
	size_t item_bytes; /* as asked */
	size_t stride;     /* from one item to the next, a multiple of 8 */
	size_t align;
	size_t slab_bytes;   /* whole granules */
	size_t lead;         /* unused bytes at the start */
	uint32_t items;      /* 1 or more */
	uint32_t words;      /* of 64 items each */
	uint64_t reciprocal; /* 2^40 / stride, rounded up */
};

#define SLAB_ITEM_MAX ((size_t)1 << 30)

/*
 * Choose how to cut slabs.  Pure: same answer for the same question.
 *
 * Needs:    item_bytes from 1 to SLAB_ITEM_MAX; align a power of two, at most
 *           GRANULE.
 * Returns:  the first number of granules up to eight that wastes at most one
 *           part in eight, else the one that wastes least; an item that is
 *           larger than eight has a slab of its own.
 */
void slab_layout_choose(
    struct slab_layout *layout, size_t item_bytes, size_t align);

struct slab {
	enum pagemap_kind kind; /* first, see pagemap.h */
	uint8_t pflag;          /* UMA_SLAB_*, for the supplier */
	uint8_t bin;
	_Atomic uint16_t listed; /* is or will be on the keg's late list */
	struct keg *keg;
	char *base;
	struct slab *next;
	struct slab *prev;
	tally ready; /* bytes from the base on that are backed */
	uint32_t free_count;
	uint32_t moves_at;      /* free items with which it leaves its list */
	uint32_t limit;         /* items that exist; less than layout's in the
				last slab of a limited zone */
	uint32_t hint;          /* no word below it has a free bit */
	_Atomic uint32_t pins;  /* threads inside keg_give_late() */
	_Atomic uint32_t claim; /* next item of an emergency slab */
	struct slab *late_next;
	uint64_t bits[]; /* free, late, raw: layout.words each */
};
_Static_assert(sizeof(struct slab) == 80, "one more may double small ones");
_Static_assert(offsetof(struct slab, keg) == PAGEMAP_SECOND, "tells kinds");

#define SLAB_CLAIM_CLOSED UINT32_C(0x80000000)

/* Bytes of a header, with or without raw bits. */
size_t slab_header_bytes(const struct slab_layout *l, bool raw);

/*
 * Fill in a zeroed header, but for its kind: all `limit` items free, and raw if
 * there are.
 */
void slab_format(struct slab *s, const struct slab_layout *l, struct keg *keg,
    void *base, uint32_t limit, bool raw);

UMA_FAST uint64_t *
slab_free_bits(struct slab *s)
{
	return s->bits;
}

UMA_FAST _Atomic uint64_t *
slab_late_bits(struct slab *s, const struct slab_layout *l)
{
	return (_Atomic uint64_t *)(s->bits + l->words);
}

UMA_FAST uint64_t *
slab_raw_bits(struct slab *s, const struct slab_layout *l)
{
	return s->bits + 2 * (size_t)l->words;
}

UMA_FAST void *
slab_item(const struct slab *s, const struct slab_layout *l, uint32_t index)
{
	return s->base + l->lead + index * l->stride;
}

/*
 * The index of the item that starts at this distance from the first one; if
 * none does, a number that is not below layout.items.
 *
 * The fraction of the product, its low 40 bits, is the index times less than
 * the stride where an item starts, and from the reciprocal on elsewhere, as a
 * slab of several items has at most 2^19 bytes, and the reciprocal is above
 * that.  In a slab of one item all distances but 0 have such a fraction or an
 * index above 0.  Those below 0, down to where the slab starts, have an index
 * near 2^24.
 */
UMA_FAST uint32_t
slab_index_at(uint64_t reciprocal, size_t distance)
{
	uint64_t product = distance * reciprocal;

	return product << 24 < reciprocal << 24 ? (uint32_t)(product >> 40)
						: UINT32_MAX;
}

/* The same for an address; of one outside nothing starts. */
UMA_FAST uint32_t
slab_index(
    const struct slab *s, const struct slab_layout *l, const void *address)
{
	size_t distance = (uintptr_t)address - (uintptr_t)s->base - l->lead;

	/* An address below the first item wraps to a large distance. */
	return distance < l->slab_bytes - l->lead
		   ? slab_index_at(l->reciprocal, distance)
		   : UINT32_MAX;
}

/*
 * Take up to `want` of the lowest free items, downwards from `end`: the lowest
 * is end[-1], so that a stack of them is popped in the order of addresses.  Low
 * bits of an item's address are set when its taker has work to do: it is raw
 * (its raw bit is cleared), or it is not backed (asked only if `back`).
 * `plain` is cleared if any has such bits.
 */
#define SLAB_MARK_RAW      ((uintptr_t)1)
#define SLAB_MARK_UNBACKED ((uintptr_t)2)
#define SLAB_MARKS         (SLAB_MARK_RAW | SLAB_MARK_UNBACKED)

size_t slab_take(struct slab *s, const struct slab_layout *l, bool raw,
    bool back, void **end, size_t want, bool *plain);

/*
 * Set the free bit of an item; the caller adds it to free_count.  False, with
 * nothing changed, if it is free already.
 */
UMA_NODISCARD UMA_FAST bool
slab_set_free(struct slab *s, uint32_t index)
{
	uint64_t *at = &slab_free_bits(s)[index / BITS_PER_WORD];
	uint64_t word = *at;
	uint64_t with = word | UINT64_C(1) << (index % BITS_PER_WORD);

	if (with == word)
		return false;
	*at = with;
	if (index / BITS_PER_WORD < s->hint)
		s->hint = index / BITS_PER_WORD;
	return true;
}

/* Give one back.  False, with nothing changed, if it is free already. */
UMA_NODISCARD bool slab_give(struct slab *s, uint32_t index);

/* Whether an item's pages are backed; may say no of one just backed. */
UMA_FAST bool
slab_is_backed(
    const struct slab *s, const struct slab_layout *l, const void *item)
{
	return (uintptr_t)item - (uintptr_t)s->base + l->stride <=
	       tally_get(&s->ready);
}

/* Merge late frees.  `twice` gets an item that was free already, or NULL. */
void slab_merge(struct slab *s, const struct slab_layout *l, void **twice);

/* Close an emergency slab: what was claimed is out and not raw. */
void slab_close_claims(struct slab *s, const struct slab_layout *l, bool raw);

/* Whether nothing is out and nobody is about to write the header. */
bool slab_is_idle(const struct slab *s);

#endif /* SLAB_SLAB_H */
