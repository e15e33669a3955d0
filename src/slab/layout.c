/* SPDX-License-Identifier: BSD-2-Clause */
#include "slab/slab.h"

#define ITEM_ALIGN   ((size_t)8) /* the low bits of an item are ours */
#define GRANULES_MAX 8u
#define WASTE_PART   8u /* at most one part in so many */

/* Items in `granules`, and whether the waste is small enough to stop. */
static size_t
items_in(size_t granules, size_t stride, bool *good)
{
	size_t bytes = granules * GRANULE;
	size_t items = bytes / stride;

	*good = (bytes - items * stride) * WASTE_PART <= bytes;
	return items;
}

static size_t
choose_granules(size_t stride)
{
	size_t best = 0;
	size_t best_items = 0;
	bool good;

	for (size_t g = 1; g <= GRANULES_MAX; g++) {
		size_t items = items_in(g, stride, &good);

		if (items == 0)
			continue;
		if (good)
			return g;
		/* More of the slab used: items / g > best_items / best. */
		if (best == 0 || items * best > best_items * g) {
			best = g;
			best_items = items;
		}
	}
	return best != 0 ? best : div_up(stride, GRANULE);
}

void
slab_layout_choose(struct slab_layout *l, size_t item_bytes, size_t align)
{
	size_t granules;

	align = max_size(align, ITEM_ALIGN);
	l->item_bytes = item_bytes;
	l->align = align;
	l->stride = round_up(item_bytes, align);
	granules = choose_granules(l->stride);
	l->slab_bytes = granules * GRANULE;
	l->items = (uint32_t)(l->slab_bytes / l->stride);
	if (l->items > UMA_SLAB_ITEMS_MAX)
		l->items = UMA_SLAB_ITEMS_MAX;
	l->words = (uint32_t)div_up(l->items, BITS_PER_WORD);
	l->lead = l->slab_bytes - l->items * l->stride;
	l->reciprocal = ((UINT64_C(1) << 40) + l->stride - 1) / l->stride;
}
