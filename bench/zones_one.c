/* SPDX-License-Identifier: BSD-2-Clause */
/* One thread. */
#include "zones.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LIST_COUNT 4

/* What a constructor is for: state that every user finds and leaves so. */
struct constructed {
	pthread_mutex_t lock;
	struct list_head {
		struct list_head *next;
		struct list_head *prev;
	} lists[LIST_COUNT];
	char rest[256 - sizeof(pthread_mutex_t) -
		  LIST_COUNT * sizeof(struct list_head)];
};

_Static_assert(sizeof(struct constructed) == 256, "the row says 256 bytes");

static void pair_work(void *arg, uint64_t rounds);
static void constructed_work(void *arg, uint64_t rounds);
static void construct(void *item);
static void destroy(void *item);

void
pair_row(const struct row *row)
{
	struct peer peer = peer_open(row->item_bytes, row->item_count, NULL);

	bench_print("ns", bench_measure(pair_work, &peer, BENCH_ALONE));
}

static void
pair_work(void *arg, uint64_t rounds)
{
	const struct peer peer = *(struct peer *)arg;

	while (rounds-- > 0) {
		void *item = peer_alloc(peer);

		bench_keep(item);
		peer_free(peer, item);
		/* Or the compiler joins one round's free to the next. */
		bench_keep(NULL);
	}
}

void
burst_row(const struct row *row)
{
	struct burst burst;
	double ns;

	burst.peer = peer_open(row->item_bytes, row->item_count, NULL);
	burst_open(&burst, row);
	ns = bench_measure(burst_work, &burst, BENCH_ALONE);
	bench_print("ns", ns / (double)row->item_count);
}

void
burst_open(struct burst *burst, const struct row *row)
{
	burst->item_count = row->item_count;
	burst->items = bench_pages(row->item_count * sizeof(void *));
	burst->order = row->is_random ? bench_shuffled(row->item_count) : NULL;
}

void
burst_work(void *arg, uint64_t rounds)
{
	const struct burst burst = *(struct burst *)arg;

	while (rounds-- > 0) {
		for (size_t i = 0; i < burst.item_count; i++) {
			burst.items[i] = peer_alloc(burst.peer);
			bench_keep(burst.items[i]);
		}
		if (burst.order == NULL) {
			for (size_t i = burst.item_count; i > 0; i--)
				peer_free(burst.peer, burst.items[i - 1]);
			continue;
		}
		for (size_t i = 0; i < burst.item_count; i++)
			peer_free(burst.peer, burst.items[burst.order[i]]);
	}
}

void
constructed_row(const struct row *row)
{
	struct burst burst;
	double ns;

	burst.peer = peer_open(row->item_bytes, row->item_count, construct);
	burst_open(&burst, row);
	ns = bench_measure(constructed_work, &burst, BENCH_ALONE);
	bench_print("ns", ns / (double)row->item_count);
}

static void
constructed_work(void *arg, uint64_t rounds)
{
	const struct burst burst = *(struct burst *)arg;

	while (rounds-- > 0) {
		for (size_t i = 0; i < burst.item_count; i++) {
			void *item = peer_alloc(burst.peer);

			if (!PEER_KEEPS)
				construct(item);
			bench_keep(item);
			burst.items[i] = item;
		}
		for (size_t i = burst.item_count; i > 0; i--) {
			void *item = burst.items[i - 1];

			if (!PEER_KEEPS)
				destroy(item);
			peer_free(burst.peer, item);
		}
	}
}

static void
construct(void *item)
{
	struct constructed *object = item;

	memset(object, 0, sizeof(*object));
	bench_need(pthread_mutex_init(&object->lock, NULL) == 0, "no mutex");
	for (size_t i = 0; i < LIST_COUNT; i++) {
		object->lists[i].next = &object->lists[i];
		object->lists[i].prev = &object->lists[i];
	}
}

static void
destroy(void *item)
{
	struct constructed *object = item;

	bench_need(pthread_mutex_destroy(&object->lock) == 0, "mutex is held");
}
