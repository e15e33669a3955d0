/* SPDX-License-Identifier: BSD-2-Clause */
/* peer_dpdk.h - DPDK's object pool, on ordinary pages */
#ifndef BENCH_PEER_DPDK_H
#define BENCH_PEER_DPDK_H

#include <stdbool.h>
#include <stddef.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "harness.h"

#define PEER_KEEPS  1
#define PEER_SHARES 1
#define PEER_GROWS  1
#define PEER_CLOSES 0

/* Two threads' caches may each hold half as much again while none is out. */
#define DPDK_CACHE 512
#define DPDK_SPARE (4 * DPDK_CACHE)

struct peer {
	struct rte_mempool *pool;
};

static void (*peer_init_item)(void *item);

static inline void
peer_init(struct rte_mempool *pool, void *arg, void *item, unsigned i)
{
	(void)pool;
	(void)arg;
	(void)i;
	peer_init_item(item);
}

static inline void
peer_start(void)
{
	static bool is_started;
	static char words[][20] = { "bench", "--no-huge", "--no-shconf",
		"--no-pci", "--no-telemetry", "--log-level=3", "-l0",
		"-m3000" };
	char *args[sizeof(words) / sizeof(words[0])];

	if (is_started)
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		args[i] = words[i];
	bench_need(rte_eal_init(sizeof(words) / sizeof(words[0]), args) >= 0,
	    "DPDK does not start");
	is_started = true;
}

static inline struct peer
peer_open(size_t item_bytes, size_t item_count, void (*init)(void *item))
{
	struct peer peer;

	peer_start();
	peer_init_item = init;
	peer.pool =
	    rte_mempool_create("bench", (unsigned)(item_count + DPDK_SPARE),
		(unsigned)item_bytes, DPDK_CACHE, 0, NULL, NULL,
		init != NULL ? peer_init : NULL, NULL, SOCKET_ID_ANY, 0);
	bench_need(peer.pool != NULL, "no DPDK pool");
	return peer;
}

static inline struct peer
peer_join(struct peer peer)
{
	bench_need(rte_thread_register() == 0, "no DPDK thread");
	return peer;
}

static inline void *
peer_alloc(struct peer peer)
{
	void *item = NULL;

	/* An empty pool leaves item NULL, which the rows notice. */
	(void)rte_mempool_get(peer.pool, &item);
	return item;
}

static inline void
peer_free(struct peer peer, void *item)
{
	rte_mempool_put(peer.pool, item);
}

#endif /* BENCH_PEER_DPDK_H */
