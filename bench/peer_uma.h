/* SPDX-License-Identifier: BSD-2-Clause */
/* peer_uma.h - a zone; compiled with UMA_INLINED, by <uma/fast.h> */
#ifndef BENCH_PEER_UMA_H
#define BENCH_PEER_UMA_H

#include <stddef.h>

#include <uma/uma.h>
#ifdef UMA_INLINED
#include <uma/fast.h>
#endif

#include "harness.h"

#define PEER_KEEPS  1
#define PEER_SHARES 1
#define PEER_GROWS  1
#define PEER_CLOSES 1

struct peer {
	uma_zone_t zone;
};

static void (*peer_init_item)(void *item);

static inline void
peer_init(void *item, int item_bytes)
{
	(void)item_bytes;
	peer_init_item(item);
}

static inline void
peer_start(void)
{
}

static inline struct peer
peer_open(size_t item_bytes, size_t item_count, void (*init)(void *item))
{
	struct peer peer;

	(void)item_count;
	peer_init_item = init;
	peer.zone = uma_zcreate("bench", (int)item_bytes, NULL, NULL,
	    init != NULL ? peer_init : NULL, NULL, UMA_ALIGN_PTR, 0);
	bench_need(peer.zone != NULL, "no zone");
	return peer;
}

static inline struct peer
peer_join(struct peer peer)
{
	return peer;
}

static inline void
peer_close(struct peer peer)
{
	bench_need(uma_zdestroy(peer.zone, M_NOWAIT) == 0, "a zone stays");
}

static inline void
peer_reclaim(void)
{
	uma_reclaim();
}

static inline void *
peer_alloc(struct peer peer)
{
#ifdef UMA_INLINED
	return uma_fast_zalloc(peer.zone, M_WAITOK);
#else
	return uma_zalloc(peer.zone, M_WAITOK);
#endif
}

static inline void
peer_free(struct peer peer, void *item)
{
#ifdef UMA_INLINED
	uma_fast_zfree(peer.zone, item);
#else
	uma_zfree(peer.zone, item);
#endif
}

#endif /* BENCH_PEER_UMA_H */
