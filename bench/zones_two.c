/* SPDX-License-Identifier: BSD-2-Clause */
/* Two threads. */
#include "zones.h"

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SPIN_MAX 200

/* The other thread does the same as the one measured, until told to stop. */
struct twin {
	const struct row *row;
	struct peer peer;
	atomic_bool is_ready;
	atomic_bool is_over;
};

static void *twin_body(void *arg);

void
threads_row(const struct row *row)
{
	static struct twin twin;
	struct burst burst;
	double ns;

	burst.peer = peer_open(row->item_bytes, row->item_count, NULL);
	burst_open(&burst, row);
	twin.row = row;
	twin.peer = burst.peer;
	bench_spawn(twin_body, &twin);
	while (!atomic_load_explicit(&twin.is_ready, memory_order_acquire))
		sched_yield();
	ns = bench_measure(burst_work, &burst, BENCH_SHARED);
	atomic_store_explicit(&twin.is_over, true, memory_order_release);
	bench_join();
	bench_print("ns", ns / (double)row->item_count);
}

static void *
twin_body(void *arg)
{
	struct twin *twin = arg;
	struct burst burst;

	bench_pin(1);
	burst.peer = peer_join(twin->peer);
	burst_open(&burst, twin->row);
	burst_work(&burst, 1);
	atomic_store_explicit(&twin->is_ready, true, memory_order_release);
	while (!atomic_load_explicit(&twin->is_over, memory_order_acquire))
		burst_work(&burst, 16);
	return NULL;
}

#if PEER_SHARES

#define RING_COUNT    1024
/* Indices are published this often: the ring must not be what is measured. */
#define PUBLISH_COUNT 32

/*
 * One writer, one reader.  The indices only grow; each side keeps its own
 * private copy and publishes it now and then.  NULL tells the reader to end.
 */
struct ring {
	struct peer peer;
	_Alignas(128) _Atomic uint64_t written;
	_Alignas(128) _Atomic uint64_t consumed;
	_Alignas(128) uint64_t next; /* the writer's */
	void *items[RING_COUNT];
};

static void *handoff_body(void *arg);
static void handoff_work(void *arg, uint64_t rounds);
static uint64_t await_change(const _Atomic uint64_t *index, uint64_t old);

void
handoff_row(const struct row *row)
{
	static struct ring ring;
	double ns;

	ring.peer = peer_open(row->item_bytes, RING_COUNT + 2, NULL);
	bench_spawn(handoff_body, &ring);
	ns = bench_measure(handoff_work, &ring, BENCH_SHARED);
	while (ring.next -
		   atomic_load_explicit(&ring.consumed, memory_order_acquire) >=
	       RING_COUNT)
		sched_yield();
	ring.items[ring.next % RING_COUNT] = NULL;
	atomic_store_explicit(
	    &ring.written, ring.next + 1, memory_order_release);
	bench_join();
	bench_print("ns", ns);
}

static void
handoff_work(void *arg, uint64_t rounds)
{
	struct ring *ring = arg;
	const struct peer peer = ring->peer;
	/* Acquire: the reader is done with the slots before `consumed`. */
	uint64_t consumed =
	    atomic_load_explicit(&ring->consumed, memory_order_acquire);
	uint64_t next = ring->next;

	while (rounds-- > 0) {
		void *item = peer_alloc(peer);

		bench_need(item != NULL, "the producer ran out of items");
		*(uint64_t *)item = next;
		if (next - consumed == RING_COUNT) {
			atomic_store_explicit(
			    &ring->written, next, memory_order_release);
			consumed = await_change(&ring->consumed, consumed);
		}
		ring->items[next++ % RING_COUNT] = item;
		/* Release: the reader sees the slots before `written`. */
		if (next % PUBLISH_COUNT == 0)
			atomic_store_explicit(
			    &ring->written, next, memory_order_release);
	}
	ring->next = next;
}

static void *
handoff_body(void *arg)
{
	struct ring *ring = arg;
	struct peer peer;
	uint64_t next = 0;
	uint64_t written = 0;

	bench_pin(1);
	peer = peer_join(ring->peer);
	for (;;) {
		void *item;

		if (next == written) {
			atomic_store_explicit(
			    &ring->consumed, next, memory_order_release);
			written = await_change(&ring->written, written);
		}
		item = ring->items[next % RING_COUNT];
		if (item == NULL)
			return NULL;
		bench_need(*(uint64_t *)item == next, "an item was corrupted");
		peer_free(peer, item);
		if (++next % PUBLISH_COUNT == 0)
			atomic_store_explicit(
			    &ring->consumed, next, memory_order_release);
	}
}

static uint64_t
await_change(const _Atomic uint64_t *index, uint64_t old)
{
	for (unsigned spin = 0;; spin++) {
		uint64_t now =
		    atomic_load_explicit(index, memory_order_acquire);

		if (now != old)
			return now;
		/* On a busy machine the other side may not be running. */
		if (spin > SPIN_MAX)
			sched_yield();
	}
}

#endif /* PEER_SHARES */
