/* SPDX-License-Identifier: BSD-2-Clause */
/* A shared library of its own, so that each operation is a real call. */
#include "list.h"

void *
list_take_called(struct list *list)
{
	return list_take(list);
}

void
list_give_called(struct list *list, void *item)
{
	list_give(list, item);
}
