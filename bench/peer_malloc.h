/* SPDX-License-Identifier: BSD-2-Clause */
/* peer_malloc.h - whatever malloc is preloaded, under the rows of zones.c */
#ifndef BENCH_PEER_MALLOC_H
#define BENCH_PEER_MALLOC_H

#include <stddef.h>
#include <stdlib.h>

#include "harness.h"

#define PEER_KEEPS  0
#define PEER_SHARES 1
#define PEER_GROWS  1
#define PEER_CLOSES 0

struct peer {
	size_t item_bytes;
};

static inline void
peer_start(void)
{
}

static inline struct peer
peer_open(size_t item_bytes, size_t item_count, void (*init)(void *item))
{
	(void)item_count;
	(void)init;
	return (struct peer){ item_bytes };
}

static inline struct peer
peer_join(struct peer peer)
{
	return peer;
}

static inline void *
peer_alloc(struct peer peer)
{
	return malloc(peer.item_bytes);
}

static inline void
peer_free(struct peer peer, void *item)
{
	(void)peer;
	free(item);
}

#endif /* BENCH_PEER_MALLOC_H */
