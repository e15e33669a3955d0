/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that cross threads, and threads that come and go. */
#include "kernels.h"

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define BATCH_MAX 256

/*
 * Two threads trade batches of blocks through one place.  Nobody waits: a
 * thread that comes back before the other gets its own batch again.
 */
struct trade {
	_Atomic(void **) batch;
	atomic_bool is_over;
	const uint32_t *sizes;
	size_t batch_count;
};

struct trader {
	struct trade *trade;
	void **batch;
	uint32_t turn;
};

static void trader_open(struct trader *trader, struct trade *trade);
static void trader_close(struct trader *trader);
static void cross_work(void *arg, uint64_t rounds);
static void *cross_body(void *arg);
static void storm_work(void *arg, uint64_t rounds);
static void *storm_body(void *arg);

void
cross_row(const struct row *row)
{
	static struct trade trade;
	struct trader trader;
	double ns;

	trade.sizes = kernel_sizes(16, 1024, true);
	trade.batch_count = row->item_count;
	bench_need(trade.batch_count <= BATCH_MAX, "batch too long");
	trader_open(&trader, &trade);
	bench_spawn(cross_body, &trade);
	while (atomic_load_explicit(&trade.batch, memory_order_acquire) == NULL)
		sched_yield();
	ns = bench_measure(cross_work, &trader, BENCH_SHARED);
	atomic_store_explicit(&trade.is_over, true, memory_order_release);
	bench_join();
	trader_close(&trader);
	kernel_print(ns / (double)trade.batch_count);
}

static void *
cross_body(void *arg)
{
	struct trade *trade = arg;
	struct trader trader;

	bench_pin(1);
	trader_open(&trader, trade);
	trader.turn = KERNEL_SIZES / 2;
	atomic_store_explicit(&trade->batch,
	    bench_pages(BATCH_MAX * sizeof(void *)), memory_order_release);
	while (!atomic_load_explicit(&trade->is_over, memory_order_acquire))
		cross_work(&trader, 1);
	trader_close(&trader);
	return NULL;
}

static void
trader_open(struct trader *trader, struct trade *trade)
{
	trader->trade = trade;
	trader->batch = bench_pages(BATCH_MAX * sizeof(void *));
	trader->turn = 0;
}

static void
trader_close(struct trader *trader)
{
	for (size_t i = 0; i < BATCH_MAX; i++)
		free(trader->batch[i]);
}

static void
cross_work(void *arg, uint64_t rounds)
{
	struct trader *trader = arg;
	struct trade *trade = trader->trade;

	while (rounds-- > 0) {
		for (size_t i = 0; i < trade->batch_count; i++) {
			free(trader->batch[i]);
			trader->batch[i] = kernel_alloc(
			    trade->sizes[trader->turn++ % KERNEL_SIZES]);
		}
		/* Both ways: my blocks to the other, the other's to me. */
		trader->batch = atomic_exchange_explicit(
		    &trade->batch, trader->batch, memory_order_acq_rel);
	}
}

/* A thread's blocks: it frees half, the thread that joins it the rest. */
struct storm {
	const uint32_t *sizes;
	size_t block_count;
	void *blocks[64];
	uint32_t turn;
};

void
storm_row(const struct row *row)
{
	static struct storm storm;

	storm.sizes = kernel_sizes(16, 4096, true);
	storm.block_count = row->item_count;
	bench_need(storm.block_count <= 64, "too many blocks");
	kernel_print(bench_measure(storm_work, &storm, BENCH_SHARED));
}

static void
storm_work(void *arg, uint64_t rounds)
{
	struct storm *storm = arg;

	while (rounds-- > 0) {
		bench_spawn(storm_body, storm);
		bench_join();
		for (size_t i = 0; i < storm->block_count; i += 2)
			free(storm->blocks[i]);
	}
}

static void *
storm_body(void *arg)
{
	struct storm *storm = arg;

	for (size_t i = 0; i < storm->block_count; i++)
		storm->blocks[i] =
		    kernel_alloc(storm->sizes[storm->turn++ % KERNEL_SIZES]);
	for (size_t i = 1; i < storm->block_count; i += 2)
		free(storm->blocks[i]);
	return NULL;
}
