/* SPDX-License-Identifier: BSD-2-Clause */
#include "depot/depot.h"

static size_t
bytes_for(unsigned items)
{
	return sizeof(struct bucket) + items * sizeof(void *);
}

struct bucket *
bucket_take(unsigned want)
{
	size_t room = meta_room(bytes_for(want));
	struct bucket *b = meta_take(room, META_NORMAL);
	size_t fits = (room - sizeof(*b)) / sizeof(void *);

	if (b == NULL)
		return NULL;
	b->capacity = (uint32_t)min_size(fits, UMA_BUCKET_MAX);
	return b;
}

void
bucket_give(struct bucket *b, enum meta_how how)
{
	meta_give(b, bytes_for(b->capacity), how);
}

/* relaxed throughout: written under the lock, read as statistics and hints. */
static void
count(struct depot *d, size_t buckets, size_t items)
{
	atomic_store_explicit(&d->buckets,
	    atomic_load_explicit(&d->buckets, memory_order_relaxed) + buckets,
	    memory_order_relaxed);
	atomic_store_explicit(&d->items,
	    atomic_load_explicit(&d->items, memory_order_relaxed) + items,
	    memory_order_relaxed);
}

struct bucket *
depot_take(struct depot *d)
{
	struct bucket *b;

	if (atomic_load_explicit(&d->buckets, memory_order_relaxed) == 0 ||
	    !lock_take(&d->lock))
		return NULL;
	b = d->full;
	if (b != NULL) {
		d->full = b->next;
		count(d, (size_t)-1, -(size_t)b->count);
	}
	lock_drop(&d->lock);
	return b;
}

bool
depot_give(struct depot *d, struct bucket *b, size_t max)
{
	bool stored;

	if (!lock_take(&d->lock))
		return false;
	stored =
	    !d->closed &&
	    atomic_load_explicit(&d->items, memory_order_relaxed) + b->count <=
		max;
	if (stored) {
		b->next = d->full;
		d->full = b;
		count(d, 1, b->count);
	}
	lock_drop(&d->lock);
	return stored;
}

bool
depot_close(struct depot *d, bool closed)
{
	if (!lock_take(&d->lock))
		return false;
	d->closed = closed;
	lock_drop(&d->lock);
	return true;
}
