/* SPDX-License-Identifier: BSD-2-Clause */
/* Items in hand: no two overlap, and each holds what was written to it. */
#include "model/reference.h"

struct play_item play_items[PLAY_ITEMS];

static uint64_t last_stamp;

/* Whether memory just handed out is aligned and nobody else's. */
void
slots_check_place(const void *at, size_t bytes, size_t mask)
{
	uintptr_t from = (uintptr_t)at;

	if ((from & mask) != 0)
		play_fail("%p is not aligned to %zu", at, mask + 1);
	for (unsigned i = 0; i < PLAY_ITEMS; i++) {
		const struct play_item *other = &play_items[i];
		uintptr_t start = (uintptr_t)other->at;

		if (start != 0 && from < start + other->bytes &&
		    start < from + bytes)
			play_fail("%p of %zu bytes overlaps item %u, %p of %zu",
			    at, bytes, i, (void *)other->at, other->bytes);
	}
}

void
slots_put(unsigned item, void *at, size_t bytes, int owner)
{
	struct play_item *slot = &play_items[item];

	slot->at = at;
	slot->bytes = bytes;
	slot->owner = owner;
	slot->stamp = ++last_stamp;
	stamp_fill(at, bytes, slot->stamp);
}

void
slots_verify(const struct play_item *item)
{
	if (!stamp_holds(item->at, item->bytes, item->stamp))
		play_fail("item %td at %p was written to while in use",
		    item - play_items, (void *)item->at);
}

void
slots_verify_all(void)
{
	for (unsigned i = 0; i < PLAY_ITEMS; i++)
		if (play_items[i].at != NULL)
			slots_verify(&play_items[i]);
}
