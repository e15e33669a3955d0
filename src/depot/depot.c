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

static struct bucket *
pop(struct depot *d) UMA_REQUIRES(&d->lock)
{
	struct bucket *b = d->full;

	if (b == NULL)
		return NULL;
	d->full = b->next;
	b->next = NULL;
	count(d, (size_t)-1, -(size_t)b->count);
	return b;
}

struct bucket *
depot_take(struct depot *d)
{
	struct bucket *b;

	/* relaxed: a hint, which a giver may overwrite with a sum. */
	if (atomic_load_explicit(&d->unasked, memory_order_relaxed) != 0)
		atomic_store_explicit(&d->unasked, 0, memory_order_relaxed);
	if (atomic_load_explicit(&d->buckets, memory_order_relaxed) == 0 ||
	    !lock_take(&d->lock))
		return NULL;
	b = pop(d);
	lock_drop(&d->lock);
	return b;
}

struct bucket *
depot_give(struct depot *d, struct bucket *b, size_t max)
{
	struct bucket *leaves = NULL;
	size_t unasked;

	if (!lock_take(&d->lock))
		return b;
	unasked =
	    b->count + atomic_load_explicit(&d->unasked, memory_order_relaxed);
	atomic_store_explicit(&d->unasked, unasked, memory_order_relaxed);
	if (d->closed || unasked > 2 * max) {
		leaves = b;
		b->next = pop(d);
	} else if (atomic_load_explicit(&d->items, memory_order_relaxed) +
		       b->count <=
		   max) {
		b->next = d->full;
		d->full = b;
		count(d, 1, b->count);
	} else
		leaves = b;
	lock_drop(&d->lock);
	return leaves;
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
