/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zones.h - the rows of one object size, compiled once for each peer
 *
 * PEER names the peer's header, which provides
 *
 *	struct peer  what a thread allocates from, passed by value so that it
 *	             stays in registers
 *	peer_start   what a process does once before its first source, where
 *	             a row does not time it; peer_open() sees to it otherwise
 *	peer_open    a source of items of one size; `item_count` is the most
 *	             that are ever out; `init`, when not NULL, runs on items
 *	             as their memory enters a peer with PEER_KEEPS
 *	peer_join    the same source for a second thread
 *	peer_alloc, peer_free
 *	PEER_KEEPS   a free item keeps its state
 *	PEER_SHARES  a thread may free what another allocated
 *	PEER_GROWS   memory comes from the system as items are needed
 *	PEER_CLOSES  peer_close() ends a source, so there can be many, and
 *	             peer_reclaim() looks through all of them
 *
 * Items are not touched unless a row says so: a pool that does not touch
 * them either shows that here.
 */
#ifndef BENCH_ZONES_H
#define BENCH_ZONES_H

#include "harness.h"
#include PEER

/* One object allocated and freed. */
void pair_row(const struct row *row);
/* item_count objects allocated, then all freed. */
void burst_row(const struct row *row);
/* As burst, of objects with a mutex and list heads, as far as they fit. */
void constructed_row(const struct row *row);
/* As burst, in two threads at once; time is each thread's. */
void threads_row(const struct row *row);
/* One thread allocates, another frees. */
void handoff_row(const struct row *row);
/* item_count objects from a process that has none; the first word written. */
void fresh_row(const struct row *row);
/* As fresh, then all freed, then a second without work, then some work. */
void giveback_row(const struct row *row);
/* A source opened and closed; with item_count, of one item used in between. */
void life_row(const struct row *row);
/* item_count sources live at once, and an item of each. */
void many_row(const struct row *row);
/*
 * Operations timed one by one, over item_count places: filled and emptied in
 * turn, or, is_random, one of them at random.  tail prints how long the slowest
 * parts of all operations took, and how long the slowest did in which nothing
 * was called; histogram and noise print how many took how many ticks.
 */
void tail_row(const struct row *row);
void histogram_row(const struct row *row);
void noise_row(const struct row *row);

/* A burst's places for items, and the order in which it frees them. */
struct burst {
	struct peer peer;
	size_t item_count;
	void **items;
	const uint32_t *order; /* NULL for last in, first out */
};

void burst_open(struct burst *burst, const struct row *row);
void burst_work(void *burst, uint64_t rounds);

#endif /* BENCH_ZONES_H */
