/* SPDX-License-Identifier: BSD-2-Clause */
/* One thread. */
#include "zones.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * What a constructor is for: state that every user finds and leaves so.  As
 * much of it as has room in the item, the rest zero; a list head at least.
 */
struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

#define LIST_MAX 4

static void pair_work(void *arg, uint64_t rounds);
static void constructed_work(void *arg, uint64_t rounds);
static void construct(void *item);
static void destroy(void *item);

static size_t constructed_bytes;

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

	constructed_bytes = row->item_bytes;
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

static bool
has_mutex(void)
{
	return constructed_bytes >=
	       sizeof(pthread_mutex_t) + sizeof(struct list_head);
}

static void
construct(void *item)
{
	struct list_head *list = item;
	struct list_head *end = list + LIST_MAX;

	memset(item, 0, constructed_bytes);
	if (has_mutex()) {
		pthread_mutex_t *lock = item;

		bench_need(pthread_mutex_init(lock, NULL) == 0, "no mutex");
		list = (struct list_head *)(void *)(lock + 1);
		end = list + LIST_MAX;
	}
	for (; list < end &&
	       (char *)(list + 1) <= (char *)item + constructed_bytes;
	     list++) {
		list->next = list;
		list->prev = list;
	}
}

static void
destroy(void *item)
{
	if (has_mutex())
		bench_need(pthread_mutex_destroy(item) == 0, "mutex is held");
}
