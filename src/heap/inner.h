/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of heap: blocks that are runs or mappings of their own. */
#ifndef HEAP_INNER_H
#define HEAP_INNER_H

#include "heap/heap.h"

struct large {
	enum pagemap_kind kind; /* PAGEMAP_LARGE: first, see pagemap.h */
	bool mapped;            /* a mapping of its own, not a run */
	char *base;
	size_t bytes; /* all of it may be used */
};

void *large_alloc(size_t bytes, size_t align, enum heap_how how);
void large_free(struct large *l);
/* At its place, or moved (mappings only); NULL: neither. */
void *large_resize(struct large *l, size_t bytes);

#endif /* HEAP_INNER_H */
