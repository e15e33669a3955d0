/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.h - free items of one thread, and the same behind a call
 *
 * A list through the items, or, compiled with LIST_STACK, a stack of their
 * addresses: the least that an allocator has which writes into no item.
 */
#ifndef BENCH_LIST_H
#define BENCH_LIST_H

#include <stddef.h>

#include "harness.h"

struct list {
	void **free;  /* the first item, or the place above the last address */
	size_t count; /* of the stack */
	size_t item_bytes;
	size_t item_count;
};

__attribute__((visibility("default"))) void *list_take_called(
    struct list *list);
__attribute__((visibility("default"))) void list_give_called(
    struct list *list, void *item);

#ifndef LIST_STACK

/* The next pointer lies in the free item.  NULL when the list is empty. */
static inline void *
list_take(struct list *list)
{
	void **item = list->free;

	if (item != NULL)
		list->free = *item;
	return item;
}

static inline void
list_give(struct list *list, void *item)
{
	*(void **)item = list->free;
	list->free = item;
}

static inline void
list_open(struct list *list)
{
	list->free = NULL;
}

#else

static inline void *
list_take(struct list *list)
{
	return list->count != 0 ? list->free[--list->count] : NULL;
}

static inline void
list_give(struct list *list, void *item)
{
	list->free[list->count++] = item;
}

static inline void
list_open(struct list *list)
{
	list->free = bench_pages(list->item_count * sizeof(void *));
	list->count = 0;
}

#endif

/* The first item of `pages` comes out first. */
static inline void
list_fill(struct list *list, size_t item_bytes, size_t item_count, char *pages)
{
	list->item_bytes = item_bytes;
	list->item_count = item_count;
	list_open(list);
	for (size_t i = item_count; i > 0; i--)
		list_give(list, pages + (i - 1) * item_bytes);
}

#endif /* BENCH_LIST_H */
