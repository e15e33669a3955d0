/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit - ZONE_INTERRUPT: exactly nentries items, from any number of threads
 */
#include "zone/common.h"

#include <uma/vm_zone.h>

#define THREADS 8
#define LIMIT   800

static vm_zone_t zone;
static void *items[10000];
static _Atomic long out;
static _Atomic long most;
static _Atomic long failed;
static _Atomic int ready;

TEST(exactly_so_many)
{
	static const int limits[] = { 1, 2, 3, 5, 63, 64, 65, 512, 513, 5000 };

	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		int n = limits[i];

		zone = zinit("limit", 100, n, ZONE_INTERRUPT, 0);
		REQUIRE(zone != NULL);
		CHECK_EQ(zone->zmax, n);
		for (int round = 0; round < 4; round++) {
			for (int k = 0; k < n; k++) {
				items[k] = zalloci(zone);
				REQUIRE(items[k] != NULL);
				memset(items[k], 1, 128);
			}
			errno = EXDEV;
			CHECK(zalloci(zone) == NULL);
			CHECK(zalloc(zone) == NULL);
			CHECK_EQ(errno, EXDEV);
			zfreei(zone, items[n / 2]);
			items[n / 2] = zalloc(zone);
			CHECK(items[n / 2] != NULL);
			for (int k = 0; k < n; k++)
				zfreei(zone, items[k]);
			if (round == 2)
				uma_reclaim();
		}
		zdestroy(zone);
	}
}

/* From the first item to the last. */
static bool
comes_next(int limit)
{
	bool same = true;

	zone = zinit("order", 100, limit, ZONE_INTERRUPT, 0);
	for (int k = 0; k < limit; k++) {
		void *freed = zalloc(zone);

		REQUIRE(freed != NULL);
		zfree(zone, freed);
		items[k] = zalloc(zone);
		same = same && items[k] == freed;
	}
	for (int k = 0; k < limit; k++)
		zfree(zone, items[k]);
	zdestroy(zone);
	return same;
}

TEST(the_item_freed_last_comes_next)
{
	if (HOSTILE)
		SKIP("now and then a free finds no cache");
	REQUIRE(cpu_pin(0));
	for (int limit = 1; limit <= 100; limit++)
		CHECK(comes_next(limit));
}

TEST(large_items)
{
	zone = zinit("large", 300000, 7, ZONE_INTERRUPT, 0);
	for (int k = 0; k < 7; k++) {
		items[k] = zalloc(zone);
		REQUIRE(items[k] != NULL);
		CHECK(all_bytes(items[k], 300000, 0));
	}
	CHECK(zalloc(zone) == NULL);
	for (int k = 0; k < 7; k++)
		zfree(zone, items[k]);
	zdestroy(zone);
}

/* The room is there at once; the pages come with the items. */
TEST(pages_come_on_demand)
{
	size_t before = rss_bytes();

	zone = zinit("wide", 65536, 4096, ZONE_INTERRUPT, 0);
	REQUIRE(zone != NULL);
	for (int k = 0; k < 16; k++)
		items[k] = zalloc(zone);
	CHECK(rss_bytes() - before < (size_t)64 << 20);
	for (int k = 0; k < 16; k++)
		zfree(zone, items[k]);
	zdestroy(zone);
}

/* A parent's items are its own after fork. */
TEST(private_to_the_process)
{
	int *number;
	int status;
	pid_t child;

	zone = zinit("private", sizeof(int), 10, ZONE_INTERRUPT, 0);
	number = zalloc(zone);
	*number = 1;
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		*number = 2;
		for (int k = 1; k < 10; k++)
			if (zalloc(zone) == NULL)
				_exit(1);
		_exit(zalloc(zone) == NULL ? 0 : 2);
	}
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(*number, 1);
	zfree(zone, number);
	zdestroy(zone);
}

/* Items cached on one CPU are found on another. */
static void
fill_a_cache(void *arg)
{
	int *n = arg;

	for (*n = 0; *n < 100; ++*n) {
		items[*n] = zalloc(zone);
		if (items[*n] == NULL)
			break;
	}
	for (int k = 0; k < *n; k++)
		zfree(zone, items[k]);
}

static void
take_all(void *arg)
{
	int *n = arg;

	for (*n = 0; zalloc(zone) != NULL; ++*n)
		;
}

TEST(found_in_caches_of_other_cpus)
{
	int filled = 0;
	int taken = 0;

	if (!cpu_pin(1))
		SKIP("one CPU");
	zone = zinit("elsewhere", 64, 100, ZONE_INTERRUPT, 0);
	run_on_cpu(0, fill_a_cache, &filled);
	CHECK_EQ(filled, 100);
	run_on_cpu(1, take_all, &taken);
	CHECK_EQ(taken, 100);
}

/* A grab for more than there is: never one too many, in the end all. */
static void *
grab(void *arg)
{
	void *held[LIMIT / 4];
	uint64_t seed = (uintptr_t)arg;
	int count = 0;

	for (int i = 0; i < 100000; i++) {
		if (dice(&seed) % 4 != 0 && count < LIMIT / 4) {
			long now;
			long was;

			held[count] = zalloc(zone);
			if (held[count] == NULL)
				continue;
			now = atomic_fetch_add(&out, 1) + 1;
			was = atomic_load(&most);
			while (now > was &&
			       !atomic_compare_exchange_weak(&most, &was, now))
				;
			memset(held[count++], 0xaa, 64);
		} else if (count != 0) {
			atomic_fetch_sub(&out, 1);
			zfree(zone, held[--count]);
		}
	}
	while (count != 0) {
		atomic_fetch_sub(&out, 1);
		zfree(zone, held[--count]);
	}
	return NULL;
}

static void
run(void *(*body)(void *))
{
	pthread_t t[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		t[i] = thread_start(body, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		thread_join(t[i]);
}

static void
check_all_there(int limit)
{
	struct uma_vm_zone_stats s;

	uma_vm_zone_stats(zone, &s);
	CHECK_EQ(s.used, 0);
	/* One slab has them all, but in a hostile build. */
	CHECK(HOSTILE ? s.free <= (uint64_t)limit : s.free == (uint64_t)limit);
	for (int k = 0; k < limit; k++) {
		items[k] = zalloc(zone);
		REQUIRE(items[k] != NULL);
	}
	CHECK(zalloc(zone) == NULL);
	for (int k = 0; k < limit; k++)
		zfree(zone, items[k]);
	zdestroy(zone);
}

TEST_TIME(threads_never_get_more, 100)
{
	zone = zinit("grab", 64, LIMIT, ZONE_INTERRUPT, 0);
	run(grab);
	CHECK(atomic_load(&most) <= LIMIT);
	check_all_there(LIMIT);
}

/* As many as each may have at once: then nobody is refused. */
static void *
share(void *arg)
{
	void *held[LIMIT / THREADS];
	uint64_t seed = (uintptr_t)arg;

	atomic_fetch_add(&ready, 1);
	while (atomic_load(&ready) < THREADS)
		sched_yield();
	for (int i = 0; i < 1000; i++) {
		int count = LIMIT / THREADS - (int)(dice(&seed) % 2);

		for (int k = 0; k < count; k++) {
			held[k] = zalloc(zone);
			if (held[k] == NULL) {
				atomic_fetch_add(&failed, 1);
				count = k;
			}
		}
		for (int k = 0; k < count; k++)
			zfree(zone, held[k]);
	}
	return NULL;
}

TEST_TIME(threads_get_their_share, 100)
{
	zone = zinit("share", 64, LIMIT, ZONE_INTERRUPT, 0);
	run(share);
	CHECK_EQ(atomic_load(&failed), 0);
	check_all_there(LIMIT);
}

/* The same while the process forks all the time. */
static void *
fork_on(void *arg)
{
	(void)arg;
	while (atomic_load(&ready) >= 0) {
		pid_t child = fork();

		if (child == 0) {
			void *item = zalloc(zone);

			if (item != NULL)
				zfree(zone, item);
			_exit(0);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
	}
	return NULL;
}

TEST_TIME(threads_beside_fork, 100)
{
	pthread_t forker;

	zone = zinit("forked", 64, LIMIT, ZONE_INTERRUPT, 0);
	forker = thread_start(fork_on, NULL);
	run(grab);
	atomic_store(&ready, -1);
	thread_join(forker);
	CHECK(atomic_load(&most) <= LIMIT);
	CHECK_EQ(atomic_load(&out), 0);
	check_all_there(LIMIT);
}

TEST_MAIN
