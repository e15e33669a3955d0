/* SPDX-License-Identifier: BSD-2-Clause */
/* The malloc family: whichever is under the program's feet. */
#include "model/reference.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

enum { MALLOC_MASK = 15 };

static long live;

long
blocks_live(void)
{
	return live;
}

static void
put(unsigned item, void *at, size_t bytes, size_t mask)
{
	if (at == NULL)
		play_fail("no memory for %zu bytes", bytes);
	if (malloc_usable_size(at) < bytes)
		play_fail(
		    "%zu of %zu bytes usable", malloc_usable_size(at), bytes);
	slots_check_place(at, bytes == 0 ? 1 : bytes, mask);
	slots_put(item, at, bytes, BLOCK);
	live++;
}

static void
take_zeroed(unsigned item, size_t bytes, size_t count)
{
	void *at = calloc(count, bytes);

	if (at != NULL && !stamp_zeros(at, count * bytes))
		play_fail("calloc: %p is not zero", at);
	put(item, at, count * bytes, MALLOC_MASK);
}

static void
take_aligned(const struct step *s)
{
	size_t align = (size_t)s->align + 1;
	size_t bytes = (size_t)s->size;
	void *at = NULL;

	if (s->kind == 0)
		at = aligned_alloc(align, bytes);
	else if (s->kind == 1)
		at = memalign(align, bytes);
	else if (posix_memalign(&at, align, bytes) != 0)
		at = NULL;
	put(s->item, at, bytes, align > MALLOC_MASK ? align - 1 : MALLOC_MASK);
}

static void
resize(unsigned item, size_t bytes)
{
	struct play_item *slot = &play_items[item];
	size_t kept = slot->bytes < bytes ? slot->bytes : bytes;
	uint64_t stamp = slot->stamp;
	void *at;

	slots_verify(slot);
	at = realloc(slot->at, bytes);
	slot->at = NULL;
	live--;
	if (at != NULL && !stamp_holds(at, kept, stamp))
		play_fail("realloc: %p lost its contents", at);
	put(item, at, bytes, MALLOC_MASK);
}

void
blocks_free(unsigned item)
{
	struct play_item *slot = &play_items[item];

	slots_verify(slot);
	free(slot->at);
	slot->at = NULL;
	live--;
}

void
blocks_step(const struct step *s)
{
	struct play_item *slot = &play_items[s->item];
	int saved = errno = 12345;

	if (play_booting)
		return;
	if (s->act == BLOCK_FREE || s->act == REALLOC) {
		if (slot->at == NULL || slot->owner != BLOCK)
			return;
		if (s->act == REALLOC)
			resize(s->item, (size_t)s->size);
		else
			blocks_free(s->item);
	} else if (slot->at != NULL)
		return;
	else if (s->act == MALLOC)
		put(s->item, malloc((size_t)s->size), (size_t)s->size,
		    MALLOC_MASK);
	else if (s->act == CALLOC)
		take_zeroed(s->item, (size_t)s->size, (size_t)s->count);
	else
		take_aligned(s);
	if (errno != saved)
		play_fail("errno changed to %d", errno);
}
