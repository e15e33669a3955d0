/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads - items change hands between threads and stay one owner's
 *
 * Every item carries its owner's stamp in all its bytes.  Threads put items
 * into a shared table and take what others put there, so that most items are
 * freed by another thread, on another CPU, than the one that took them.
 */
#include "zone/common.h"

#define SLOTS   4096
#define ZONES   4
#define THREADS 8
#define OPS     130000

struct stamped {
	uint64_t seed;
	uint32_t zone;
	unsigned char bytes[];
};

static uma_zone_t zones[ZONES];
static const int sizes[ZONES] = { 24, 72, 400, 3000 };
static _Atomic(struct stamped *) table[SLOTS];
static _Atomic uint64_t next_seed;
static _Atomic long taken[ZONES];
static _Atomic long broken;
static _Atomic int stop;

static size_t
body_bytes(uint32_t zone)
{
	return (size_t)sizes[zone] - offsetof(struct stamped, bytes);
}

static struct stamped *
take(uint32_t zone)
{
	struct stamped *item = uma_zalloc(zones[zone], M_WAITOK);

	REQUIRE(item != NULL);
	item->seed = atomic_fetch_add(&next_seed, 1);
	item->zone = zone;
	pattern_fill(item->bytes, body_bytes(zone), item->seed);
	atomic_fetch_add(&taken[zone], 1);
	return item;
}

static void
give(struct stamped *item)
{
	uint32_t zone;

	if (item == NULL)
		return;
	zone = item->zone;
	if (zone >= ZONES ||
	    !pattern_holds(item->bytes, body_bytes(zone), item->seed)) {
		atomic_fetch_add(&broken, 1);
		return;
	}
	/* A stamp may not be met twice. */
	memset(item, 0xdd, (size_t)sizes[zone]);
	uma_zfree(zones[zone], item);
}

static void *
trade(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (int i = 0; i < OPS; i++) {
		uint32_t slot = dice(&seed) % SLOTS;
		struct stamped *mine = NULL;

		if (dice(&seed) % 8 != 0)
			mine = take(dice(&seed) % ZONES);
		give(atomic_exchange(&table[slot], mine));
	}
	return NULL;
}

static void
set_up(void)
{
	for (int i = 0; i < ZONES; i++)
		zones[i] = zone_make("trade", sizes[i], 7);
}

static void
settle(void)
{
	for (int i = 0; i < SLOTS; i++)
		give(atomic_exchange(&table[i], NULL));
	CHECK_EQ(atomic_load(&broken), 0);
	for (int i = 0; i < ZONES; i++) {
		struct uma_zone_stats s = zone_numbers(zones[i]);

		CHECK_EQ(s.allocs, atomic_load(&taken[i]));
		CHECK_EQ(s.frees, atomic_load(&taken[i]));
		CHECK_EQ(s.used_items, 0);
		zone_end(zones[i]);
	}
}

TEST_TIME(owner_stamps, 100)
{
	pthread_t t[THREADS];

	set_up();
	for (uintptr_t i = 0; i < THREADS; i++)
		t[i] = thread_start(trade, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		thread_join(t[i]);
	settle();
}

static void *
reclaim_again_and_again(void *arg)
{
	(void)arg;
	while (atomic_load(&stop) == 0) {
		uma_reclaim();
		nap_us(200);
	}
	return NULL;
}

TEST_TIME(owner_stamps_with_reclaim, 100)
{
	pthread_t t[4];
	pthread_t reclaimer;

	set_up();
	reclaimer = thread_start(reclaim_again_and_again, NULL);
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = thread_start(trade, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	atomic_store(&stop, 1);
	thread_join(reclaimer);
	settle();
}

/* Threads that jump between CPUs while they trade. */
static void *
trade_and_jump(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (int i = 0; i < OPS / 2; i++) {
		uint32_t slot = dice(&seed) % SLOTS;

		if (i % 16 == 0)
			cpu_pin((int)(dice(&seed) % 2));
		give(atomic_exchange(&table[slot], take(dice(&seed) % ZONES)));
	}
	return NULL;
}

TEST_TIME(owner_stamps_across_cpus, 100)
{
	pthread_t t[4];

	if (!cpu_pin(1))
		SKIP("one CPU");
	set_up();
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = thread_start(trade_and_jump, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	settle();
}

/* Each thread lives for a few items: nothing of it may stay behind. */
static void *
short_life(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (int i = 0; i < 50; i++)
		give(atomic_exchange(
		    &table[dice(&seed) % SLOTS], take(dice(&seed) % ZONES)));
	return NULL;
}

TEST(threads_that_come_and_go)
{
	set_up();
	for (uintptr_t round = 0; round < 250; round++) {
		pthread_t t[4];

		for (uintptr_t i = 0; i < 4; i++)
			t[i] = thread_start(
			    short_life, (void *)(round * 4 + i + 1));
		for (int i = 0; i < 4; i++)
			thread_join(t[i]);
	}
	settle();
}

/* One takes, the other gives: the caches must not fill up on one side. */
static void *
only_give(void *arg)
{
	long given = 0;

	(void)arg;
	while (given < 200000) {
		long before = given;

		for (int i = 0; i < 64; i++) {
			struct stamped *item = atomic_exchange(&table[i], NULL);

			given += item != NULL;
			give(item);
		}
		/* With one CPU it is the other's. */
		if (given == before)
			sched_yield();
	}
	return NULL;
}

TEST_TIME(one_way, 100)
{
	pthread_t t;
	long put = 0;

	set_up();
	t = thread_start(only_give, NULL);
	while (put < 200000) {
		for (int i = 0; i < 64; i++) {
			struct stamped *none = NULL;
			struct stamped *item;

			if (atomic_load(&table[i]) != NULL || put == 200000)
				continue;
			item = take(0);
			if (atomic_compare_exchange_strong(
				&table[i], &none, item))
				put++;
			else
				give(item);
		}
		sched_yield();
	}
	thread_join(t);
	/* 64 in the table and some in caches: far below what passed through. */
	CHECK(zone_numbers(zones[0]).free_items < 20000);
	settle();
}

TEST_MAIN
