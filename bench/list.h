/* SPDX-License-Identifier: BSD-2-Clause */
/* list.h - the free list of peer_list.h, and its form behind a call */
#ifndef BENCH_LIST_H
#define BENCH_LIST_H

#include <stddef.h>

struct list {
	void *head;
	size_t item_bytes;
	size_t item_count;
};

__attribute__((visibility("default"))) void *list_take_called(
    struct list *list);
__attribute__((visibility("default"))) void list_give_called(
    struct list *list, void *item);

/* The next pointer lies in the free item.  NULL when the list is empty. */
static inline void *
list_take(struct list *list)
{
	void *item = list->head;

	if (item != NULL)
		list->head = *(void **)item;
	return item;
}

static inline void
list_give(struct list *list, void *item)
{
	*(void **)item = list->head;
	list->head = item;
}

/* The first item of `pages` comes out first. */
static inline void
list_fill(struct list *list, size_t item_bytes, size_t item_count, char *pages)
{
	list->item_bytes = item_bytes;
	list->item_count = item_count;
	for (size_t i = item_count; i > 0; i--)
		list_give(list, pages + (i - 1) * item_bytes);
}

#endif /* BENCH_LIST_H */
