/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer_list.h - a thread's private free items: the limit
 *
 * Compiled with LIST_CALLED they stand behind a shared library's calls, which
 * is the limit of everything that is not inlined; with LIST_STACK their
 * addresses are on a stack.
 */
#ifndef BENCH_PEER_LIST_H
#define BENCH_PEER_LIST_H

#include <stddef.h>

#include "harness.h"
#include "list.h"

#define PEER_KEEPS  0
#define PEER_SHARES 0
#define PEER_GROWS  0
#define PEER_CLOSES 0

struct peer {
	struct list *list;
};

static inline void
peer_start(void)
{
}

static inline struct peer
peer_open(size_t item_bytes, size_t item_count, void (*init)(void *item))
{
	/* A page of its own, so that two threads share no cache line. */
	struct list *list = bench_pages(4096);

	(void)init;
	list_fill(list, item_bytes, item_count,
	    bench_pages((item_bytes * item_count + 4095) / 4096 * 4096));
	return (struct peer){ list };
}

static inline struct peer
peer_join(struct peer peer)
{
	return peer_open(peer.list->item_bytes, peer.list->item_count, NULL);
}

static inline void *
peer_alloc(struct peer peer)
{
#ifdef LIST_CALLED
	return list_take_called(peer.list);
#else
	return list_take(peer.list);
#endif
}

static inline void
peer_free(struct peer peer, void *item)
{
#ifdef LIST_CALLED
	list_give_called(peer.list, item);
#else
	list_give(peer.list, item);
#endif
}

#endif /* BENCH_PEER_LIST_H */
