/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch - what memory checkers are told of items
 *
 * Why it is here.  A checker (valgrind's memcheck, or a sanitizer that the
 * program was built with) knows what malloc gave out, but to it a slab is one
 * piece of memory that is good all the time.  Told of each item, it finds a
 * program's errors in items as it does in blocks of malloc.
 *
 *	closed  nobody may touch it: a free item, the gap behind an item
 *	fresh   to be written before it is read
 *	kept    holds something: what init left, zeros, a supplier's memory
 *
 *	slab made     closed        init, fini   opened for the call
 *	item taken    fresh, kept   item given   closed
 *
 * What holds.
 *   1. A tool is looked for once, at the start.  With one the caches are in
 *      generic mode, where every hit misses; so the calls below stand on paths
 *      that a hit does not take, and cost a test of `watch_on` there.
 *   2. Closing is also an act of the thread that does it, and comes before any
 *      opening: to a tool that watches threads, a free comes before the next
 *      allocation of that item, and of nothing else.
 *   3. With a gap no item starts where its slab starts: the library's own
 *      pointers to slabs must not look like a program's to an item.
 *
 * What it may touch.  base port.
 * Locks.  None.
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include "base/base.h"
#include "port/port.h"

/* Whether a tool is told.  Set once, as watch_gap, before there is any item. */
extern bool watch_on;

/* Look for a tool.  `tell` is called after its reports on an address. */
void watch_start(void (*tell)(const void *address));

/* Bytes to leave unused behind each item; 0 unless a tool looks at them. */
extern size_t watch_gap;

/* An item on its way to a user, of so many bytes; `kept` or fresh. */
void watch_take(const void *pool, void *item, size_t bytes, bool kept);

/*
 * An item on its way back.  False: it is free already; the tool was told, and
 * may have said so.
 */
bool watch_give(const void *pool, void *item, size_t bytes);

/*
 * What items belong to that may lie in memory of another malloc: see port.h.
 * For all others a pool is NULL.
 */
UMA_FAST void
watch_pool_make(const void *pool)
{
	if (unlikely(watch_on))
		port_pool_make(pool, watch_gap);
}

UMA_FAST void
watch_pool_end(const void *pool)
{
	if (unlikely(watch_on))
		port_pool_end(pool);
}

/* The memory of a slab, and the items in it. */
struct watch_slab {
	char *base;
	size_t bytes;
	char *first;
	size_t stride;
	size_t items;
};

/* A slab of closed items comes in, or one of free items leaves, closed. */
void watch_slab_made(const struct watch_slab *slab);
void watch_slab_ended(const struct watch_slab *slab);

/* Around init and fini of one item, and what is done to free memory. */
UMA_FAST void
watch_open(void *memory, size_t bytes, enum port_mark mark)
{
	if (unlikely(watch_on))
		port_mark(memory, bytes, mark);
}

UMA_FAST void
watch_close(void *memory, size_t bytes)
{
	if (unlikely(watch_on))
		port_mark(memory, bytes, PORT_CLOSED);
}

/*
 * Zero memory of the library's own.  A tool that cannot see how it passed from
 * thread to thread sees the C library's memset.
 */
UMA_FAST void
watch_zero(void *memory, size_t bytes)
{
	if (unlikely(watch_on))
		port_order_after(memory);
	__builtin_memset(memory, 0, bytes);
	if (unlikely(watch_on))
		port_order_before(memory);
}

/*
 * Move pointers of the library's own downwards.  As above; but what comes after
 * may begin elsewhere, so no order can be told: the tool is to see nothing.
 */
UMA_FAST void
watch_move_down(void **to, void **from, size_t count)
{
	if (likely(!watch_on)) {
		__builtin_memmove(to, from, count * sizeof(*to));
		return;
	}
	/* relaxed: others have no part in it, and it is no call. */
	for (size_t i = 0; i < count; i++)
		__atomic_store_n(&to[i],
		    __atomic_load_n(&from[i], __ATOMIC_RELAXED),
		    __ATOMIC_RELAXED);
}

#endif /* WATCH_WATCH_H */
