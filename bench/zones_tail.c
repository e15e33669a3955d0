/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a single operation takes at worst. */
#include "zones.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPS      4000000u
#define WARM_OPS 500000u

/* Eight buckets to a doubling of the clock's ticks. */
#define STEP_BITS    3u
#define BUCKET_COUNT (64u << STEP_BITS)

struct tail {
	struct peer peer;
	void **items;
	size_t item_count; /* places for items */
	bool is_empty;     /* nothing is called: the machine's own noise */
	bool is_swing;     /* all filled, then all emptied; or one at random */
	size_t at;         /* of the swing */
	bool is_falling;
	uint64_t state;
	uint64_t ops;
	uint64_t counts[BUCKET_COUNT];
};

/* Ticks of the finest clock there is. */
static inline uint64_t
ticks(void)
{
#ifdef __x86_64__
	uint64_t low, high;

	/* What comes before is done, what comes after has not begun. */
	__asm__ volatile("lfence\n\trdtsc\n\tlfence"
			 : "=a"(low), "=d"(high)
			 :
			 : "memory");
	return high << 32 | low;
#else
	return bench_ns(CLOCK_MONOTONIC);
#endif
}

static unsigned
bucket_of(uint64_t t)
{
	unsigned bits;

	if (t < 1u << STEP_BITS)
		return (unsigned)t;
	bits = 63u - (unsigned)__builtin_clzll(t);
	return (bits - STEP_BITS + 1) << STEP_BITS |
	       (unsigned)(t >> (bits - STEP_BITS) & ((1u << STEP_BITS) - 1));
}

/* The least number of ticks of a bucket. */
static double
bucket_start(unsigned bucket)
{
	unsigned doubling = bucket >> STEP_BITS;
	uint64_t step = bucket & ((1u << STEP_BITS) - 1);

	if (doubling == 0)
		return (double)step;
	return (double)((step | 1u << STEP_BITS) << (doubling - 1));
}

/* The place whose item is taken or given next. */
static size_t
next_place(struct tail *tail)
{
	if (!tail->is_swing)
		return bench_random(&tail->state) % tail->item_count;
	if (tail->is_falling && tail->at == 0)
		tail->is_falling = false;
	else if (!tail->is_falling && tail->at == tail->item_count)
		tail->is_falling = true;
	return tail->is_falling ? --tail->at : tail->at++;
}

static void
run(struct tail *tail, uint64_t ops)
{
	for (uint64_t i = 0; i < ops; i++) {
		void **place = &tail->items[next_place(tail)];
		void *item = *place;
		uint64_t start = ticks();

		if (tail->is_empty)
			item = item == NULL ? tail : NULL;
		else if (item == NULL)
			item = peer_alloc(tail->peer);
		else {
			peer_free(tail->peer, item);
			item = NULL;
		}
		tail->counts[bucket_of(ticks() - start)]++;
		bench_keep(item);
		*place = item;
	}
}

/* Returns nanoseconds per tick. */
static double
measure(struct tail *tail)
{
	uint64_t ns;
	uint64_t t;

	run(tail, WARM_OPS);
	for (size_t i = 0; i < BUCKET_COUNT; i++)
		tail->counts[i] = 0;
	ns = bench_ns(CLOCK_MONOTONIC);
	t = ticks();
	run(tail, OPS);
	tail->ops = OPS;
	t = ticks() - t;
	return (double)(bench_ns(CLOCK_MONOTONIC) - ns) / (double)t;
}

/* What this part of all operations did not exceed: the end of its bucket. */
static double
quantile(const struct tail *tail, double part)
{
	uint64_t left = (uint64_t)((1.0 - part) * (double)tail->ops);
	uint64_t above = 0;
	unsigned bucket = BUCKET_COUNT;

	while (bucket > 0 && above + tail->counts[bucket - 1] <= left)
		above += tail->counts[--bucket];
	return bucket_start(bucket);
}

static void
print_quantiles(const struct tail *tail, double tick_ns, const char *prefix)
{
	static const struct {
		const char *name;
		double part;
	} quantiles[] = {
		{ "p50-ns", 0.5 },
		{ "p99-ns", 0.99 },
		{ "p99.9-ns", 0.999 },
		{ "p99.99-ns", 0.9999 },
	};

	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s%s", prefix, quantiles[i].name);
		bench_print(name, quantile(tail, quantiles[i].part) * tick_ns);
	}
}

/*
 * How long a tick is, and the count of each bucket in use, by the tick at which
 * it ends: that is the same in every run.
 */
static void
print_counts(const struct tail *tail, double tick_ns)
{
	bench_print("tick-ns", tick_ns);
	for (unsigned i = 0; i < BUCKET_COUNT; i++) {
		if (tail->counts[i] != 0)
			printf("%.0f %llu\n", bucket_start(i + 1),
			    (unsigned long long)tail->counts[i]);
	}
}

static void
tail_open(struct tail *tail, const struct row *row, bool is_empty)
{
	*tail = (struct tail){
		.items = bench_pages(row->item_count * sizeof(void *)),
		.item_count = row->item_count,
		.is_empty = is_empty,
		.is_swing = !row->is_random,
		.state = 88172645463325252u,
	};
	if (!is_empty)
		tail->peer = peer_open(row->item_bytes, row->item_count, NULL);
}

void
tail_row(const struct row *row)
{
	static struct tail tail;
	double tick_ns;

	tail_open(&tail, row, true);
	tick_ns = measure(&tail);
	print_quantiles(&tail, tick_ns, "noise-");
	tail_open(&tail, row, false);
	tick_ns = measure(&tail);
	print_quantiles(&tail, tick_ns, "");
}

void
histogram_row(const struct row *row)
{
	static struct tail tail;

	tail_open(&tail, row, false);
	print_counts(&tail, measure(&tail));
}

void
noise_row(const struct row *row)
{
	static struct tail tail;

	tail_open(&tail, row, true);
	print_counts(&tail, measure(&tail));
}
