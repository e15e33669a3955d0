/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scale.c - how cost grows: one operation among ever more items, zones, threads
 *
 * Compiled once for each peer, as zones.c.  What only the caches of the machine
 * cost is measured beside it, by the same walk over the same memory without
 * the peer: touch-ns.
 */
#include "zones.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 64

struct items {
	struct peer peer;
	uint64_t **items;
	size_t item_count;
	uint64_t state;
};

static size_t
random_of(uint64_t *state, size_t count)
{
	return (size_t)(bench_random(state) >> 11) % count;
}

static void
pair_work(void *arg, uint64_t rounds)
{
	const struct items *all = arg;

	while (rounds-- > 0) {
		void *item = peer_alloc(all->peer);

		bench_keep(item);
		peer_free(all->peer, item);
	}
}

static void
churn_work(void *arg, uint64_t rounds)
{
	struct items *all = arg;

	while (rounds-- > 0) {
		size_t i = random_of(&all->state, all->item_count);

		*all->items[i] = rounds;
		peer_free(all->peer, all->items[i]);
		all->items[i] = peer_alloc(all->peer);
		*all->items[i] = rounds;
	}
}

static void
touch_work(void *arg, uint64_t rounds)
{
	struct items *all = arg;

	while (rounds-- > 0) {
		size_t i = random_of(&all->state, all->item_count);

		*all->items[i] = rounds;
		bench_keep(all->items[i]);
	}
}

/* The same, each step after the one before: no two misses at a time. */
static void
serial_work(void *arg, uint64_t rounds)
{
	struct items *all = arg;
	uint64_t zero = 0;

	while (rounds-- > 0) {
		size_t i = random_of(&all->state, all->item_count) + zero;

		/* What is written is small: nothing is left of it. */
		zero = *all->items[i] >> 63;
		bench_keep(all->items[i]);
	}
}

/* item_count items live: filled, a pair on top, one at random, emptied. */
static void
items_row(const struct row *row)
{
	double count = (double)row->item_count;
	struct items all = {
		.items = bench_pages(row->item_count * sizeof(void *)),
		.item_count = row->item_count,
		.state = 88172645463325252u,
	};
	uint64_t start;

	all.peer = peer_open(row->item_bytes, row->item_count + 1, NULL);
	start = bench_ns(BENCH_ALONE);
	for (size_t i = 0; i < row->item_count; i++) {
		all.items[i] = peer_alloc(all.peer);
		bench_need(all.items[i] != NULL, "no memory for the items");
		*all.items[i] = i;
	}
	bench_print("fill-ns", (double)(bench_ns(BENCH_ALONE) - start) / count);
	bench_print("pair-ns", bench_measure(pair_work, &all, BENCH_ALONE));
	bench_print("touch-ns", bench_measure(touch_work, &all, BENCH_ALONE));
	bench_print("serial-ns", bench_measure(serial_work, &all, BENCH_ALONE));
	bench_print("churn-ns", bench_measure(churn_work, &all, BENCH_ALONE));
	start = bench_ns(BENCH_ALONE);
	for (size_t i = 0; i < row->item_count; i++)
		peer_free(all.peer, all.items[i]);
	bench_print(
	    "empty-ns", (double)(bench_ns(BENCH_ALONE) - start) / count);
}

#if PEER_CLOSES

/*
 * The memory that a pair in a zone reads or writes lies about so far apart from
 * zone to zone: the zone, its bucket, its record, its entry in the page map.
 */
static const size_t strides[] = { 832, 512, 64, 16 };
#define STRIDES (sizeof(strides) / sizeof(strides[0]))

struct zones {
	struct peer *peers;
	char *cells[STRIDES];
	size_t zone_count;
	uint64_t state;
};

static void
zones_work(void *arg, uint64_t rounds)
{
	struct zones *all = arg;

	while (rounds-- > 0) {
		size_t i = random_of(&all->state, all->zone_count);
		void *item = peer_alloc(all->peers[i]);

		bench_keep(item);
		peer_free(all->peers[i], item);
	}
}

static void
cells_work(void *arg, uint64_t rounds)
{
	struct zones *all = arg;

	while (rounds-- > 0) {
		size_t i = random_of(&all->state, all->zone_count);

		size_t zero = 0;

		/* One leads to the next, as they do in a zone. */
		for (size_t k = 0; k < STRIDES; k++) {
			size_t *cell =
			    (size_t *)(void *)(all->cells[k] + i * strides[k] +
					       zero);

			zero = *cell;
			bench_keep(cell);
		}
	}
}

static void
open_close_work(void *arg, uint64_t rounds)
{
	(void)arg;
	while (rounds-- > 0)
		peer_close(peer_open(64, 1, NULL));
}

static void
fork_work(void *arg, uint64_t rounds)
{
	(void)arg;
	while (rounds-- > 0) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		bench_need(
		    child > 0 && waitpid(child, NULL, 0) == child, "no child");
	}
}

/* item_count zones live, each used: a pair in any, one more made and ended. */
static void
zones_row(const struct row *row)
{
	struct zones all = {
		.peers = bench_pages(row->item_count * sizeof(struct peer)),
		.zone_count = row->item_count,
		.state = 88172645463325252u,
	};
	uint64_t start;

	for (size_t k = 0; k < STRIDES; k++)
		all.cells[k] = bench_pages(row->item_count * strides[k]);
	for (size_t i = 0; i < row->item_count; i++) {
		all.peers[i] = peer_open(row->item_bytes, 1, NULL);
		peer_free(all.peers[i], peer_alloc(all.peers[i]));
	}
	bench_print("pair-ns", bench_measure(zones_work, &all, BENCH_ALONE));
	bench_print("touch-ns", bench_measure(cells_work, &all, BENCH_ALONE));
	bench_print(
	    "life-ns", bench_measure(open_close_work, &all, BENCH_ALONE));
	bench_print("fork-ns", bench_measure(fork_work, &all, BENCH_ALONE));
	start = bench_ns(BENCH_ALONE);
	peer_reclaim();
	bench_print("reclaim-ns", (double)(bench_ns(BENCH_ALONE) - start));
}

#endif /* PEER_CLOSES */

#if PEER_SHARES

/* Pairs of all threads together. */
#define PAIRS 12800000u

struct worker {
	pthread_t thread;
	const struct row *row;
	struct peer peer;
	uint64_t rounds;
};

static void *
worker_body(void *arg)
{
	struct worker *me = arg;
	struct row row = *me->row;
	struct burst burst = { .peer = peer_join(me->peer) };

	row.item_count = 100;
	burst_open(&burst, &row);
	burst_work(&burst, me->rounds);
	return NULL;
}

/* item_count threads, bursts of 100: processor time of a pair. */
static void
threads_scale_row(const struct row *row)
{
	static struct worker workers[THREADS_MAX];
	struct peer peer = peer_open(row->item_bytes, 100, NULL);
	uint64_t start = bench_ns(CLOCK_PROCESS_CPUTIME_ID);

	bench_unpin();
	for (size_t i = 0; i < row->item_count; i++) {
		workers[i].row = row;
		workers[i].peer = peer;
		workers[i].rounds = PAIRS / 100 / row->item_count;
		bench_need(pthread_create(&workers[i].thread, NULL, worker_body,
			       &workers[i]) == 0,
		    "no thread");
	}
	for (size_t i = 0; i < row->item_count; i++)
		bench_need(
		    pthread_join(workers[i].thread, NULL) == 0, "thread lost");
	bench_print("pair-ns",
	    (double)(bench_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / PAIRS);
}

#endif /* PEER_SHARES */

#define ITEMS(count) \
	{ \
		"items/" #count, items_row, 16, count, false \
	}
#define ZONES(count) \
	{ \
		"zones/" #count, zones_row, 64, count, false \
	}
#define THREADS(count) \
	{ \
		"threads/" #count, threads_scale_row, 64, count, false \
	}
#define TAIL(name, bytes, count, is_random) \
	{ "histogram/" name, histogram_row, bytes, count, is_random }, \
	{ \
		"noise/" name, noise_row, bytes, count, is_random \
	}

static const struct row rows[] = {
	ITEMS(100),
	ITEMS(1000),
	ITEMS(10000),
	ITEMS(100000),
	ITEMS(1000000),
	ITEMS(10000000),
	ITEMS(100000000),
#if PEER_CLOSES
	ZONES(1),
	ZONES(10),
	ZONES(100),
	ZONES(1000),
	ZONES(10000),
	ZONES(100000),
#endif
#if PEER_SHARES
	THREADS(1),
	THREADS(2),
	THREADS(4),
	THREADS(8),
	THREADS(16),
	THREADS(32),
	THREADS(64),
#endif
	TAIL("pair/64", 64, 1, false),
	TAIL("churn/64", 64, 10000, true),
	TAIL("swing/64", 64, 20000, false),
	TAIL("churn/1024", 1024, 10000, true),
	TAIL("swing/1024", 1024, 20000, false),
	TAIL("swing/4096", 4096, 5000, false),
	{ NULL, NULL, 0, 0, false },
};

int
main(int argc, char **argv)
{
	return bench_main(argc, argv, rows);
}
