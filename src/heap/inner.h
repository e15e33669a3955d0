/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of heap: blocks that are runs or mappings of their own. */
#ifndef HEAP_INNER_H
#define HEAP_INNER_H

#include "heap/heap.h"
#include "watch/watch.h"

struct slab;

struct large {
	enum pagemap_kind kind; /* PAGEMAP_LARGE: first, see pagemap.h */
	bool mapped;            /* a mapping of its own, not a run */
	char *base;
	size_t bytes; /* all of it may be used */
};
_Static_assert(offsetof(struct large, base) == PAGEMAP_SECOND, "no keg");

/* Called once, inside the gate; false without memory. */
bool large_start(void);

/* All of it that may be used. */
size_t large_room(const struct large *l);
void *large_alloc(size_t bytes, size_t align, enum heap_how how, size_t *room);
void large_free(struct large *l);
/* At its place, or moved (mappings only); NULL: neither. */
void *large_resize(struct large *l, size_t bytes);
/*
 * Make a medium block of a class, whose slab this is, a run of another length
 * at its place.  False, with nothing changed, if it cannot be.
 */
UMA_NODISCARD bool large_from_slab(struct slab *s, size_t bytes);

/*
 * asked.c: while a tool watches.  `room` is all that a block has for its user;
 * it goes to him as `bytes` of it, kept or fresh, and opens wholly when he asks
 * how much there is.
 */
void asked_take(void *block, size_t bytes, size_t room, bool kept);
size_t asked_bytes(void *block, size_t room);
void asked_open(void *block, size_t room);
/* The memory of a large block comes, and goes with the block. */
void asked_make_large(struct large *l);
void asked_give_large(struct large *l);

#endif /* HEAP_INNER_H */
