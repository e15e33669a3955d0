/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd.c - a tree of forks, and a thousand threads at once
 *
 * Both are bounded: the tree has 3^0 + ... + 3^5 = 364 processes, each of which
 * allocates before, beside and after its children, and every one is reaped and
 * counted by its parent.  The threads are all alive at the same moment, each
 * frees what the one before it allocated, and what is left behind is measured
 * in slabs, which is exact, besides in resident pages.
 */
#include "conform.h"

#include <sys/mman.h>

enum { DEPTH = 5, WIDTH = 3, BLOCKS = 40 };

/* ---- forks of forks ---- */

/* One's blocks, and whether all of them are still one's own. */
struct hoard {
	unsigned char *block[BLOCKS];
	unsigned owner;
};

static size_t
hoard_bytes(unsigned i)
{
	return i % 16 == 15 ? 70000 : (size_t)(i * 37 + 1);
}

static void
gather(struct hoard *h, unsigned owner)
{
	h->owner = owner;
	for (unsigned i = 0; i < BLOCKS; i++) {
		h->block[i] = malloc(hoard_bytes(i));
		if (h->block[i] == NULL)
			_exit(255);
		stamp(h->block[i], hoard_bytes(i), owner + i);
	}
}

static void
scatter(struct hoard *h)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (!stamped(h->block[i], hoard_bytes(i), h->owner + i))
			_exit(255);
		free(h->block[i]);
	}
}

/* Written by all processes of the tree. */
static _Atomic unsigned *ended;

/* The number of its children that ended as they should. */
static unsigned
be_node(unsigned depth, struct hoard *inherited)
{
	pid_t children[WIDTH];
	struct hoard own, late;
	unsigned good = 0;

	gather(&own, depth + 100);
	for (unsigned i = 0; depth > 0 && i < WIDTH; i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit((int)be_node(depth - 1, &own));
		if (children[i] < 0)
			_exit(254);
	}
	gather(&late, depth + 200);
	scatter(inherited);
	for (unsigned i = 0; depth > 0 && i < WIDTH; i++)
		good += status_of(children[i]) == (depth > 1 ? WIDTH : 0);
	scatter(&late);
	scatter(&own);
	if (waitpid(-1, NULL, 0) != -1 || errno != ECHILD)
		_exit(253);
	atomic_fetch_add(ended, 1);
	return good;
}

TEST_TIME(a_tree_of_forks_allocates_and_is_reaped, 120)
{
	unsigned wanted = 0;
	struct hoard own;

	ended = mmap(NULL, sizeof *ended, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(ended != MAP_FAILED);
	for (unsigned depth = 0, level = 1; depth <= DEPTH; depth++) {
		wanted += level;
		level *= WIDTH;
	}
	gather(&own, 1);
	for (unsigned round = 0; round < 3; round++) {
		pid_t child = fork();

		REQUIRE(child >= 0);
		if (child == 0)
			_exit((int)be_node(DEPTH, &own));
		CHECK_EQ(status_of(child), WIDTH);
		CHECK_EQ(atomic_exchange(ended, 0), wanted);
	}
	scatter(&own);
}

/* ---- a thousand threads ---- */

enum { THREADS = 1000, ROUNDS = 3 };

static struct hoard hoards[THREADS];
static pthread_barrier_t meeting;

/* All allocate, all are there, all free their neighbour's, all end. */
static void *
meet(void *arg)
{
	unsigned self = (unsigned)(uintptr_t)arg;

	gather(&hoards[self], self);
	pthread_barrier_wait(&meeting);
	scatter(&hoards[(self + 1) % THREADS]);
	return NULL;
}

static void
hold_meeting(void)
{
	static pthread_t threads[THREADS];
	pthread_attr_t small;

	REQUIRE(pthread_attr_init(&small) == 0);
	REQUIRE(pthread_attr_setstacksize(&small, 65536) == 0);
	REQUIRE(pthread_barrier_init(&meeting, NULL, THREADS) == 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		REQUIRE(
		    pthread_create(&threads[i], &small, meet, (void *)i) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
	REQUIRE(pthread_barrier_destroy(&meeting) == 0);
	REQUIRE(pthread_attr_destroy(&small) == 0);
}

static struct uma_stats
numbers(void)
{
	void (*stats)(struct uma_stats *) = NULL;
	struct uma_stats s = { .struct_bytes = sizeof s };

	find_symbol("uma_stats", &stats);
	REQUIRE(stats != NULL);
	stats(&s);
	return s;
}

/*
 * Threads leave nothing of their own.  When what is cached was given back, a
 * class has an idle slab at most, and structures are as many as the blocks of
 * one meeting asked for, after however many.
 */
TEST_TIME(a_thousand_threads_leave_no_more_than_their_caches, 120)
{
	struct uma_stats before, first, now;
	long resident;

	if (!on_uma())
		SKIP("counts slabs");
	malloc_trim(0);
	before = numbers();
	hold_meeting();
	malloc_trim(0);
	first = numbers();
	resident = resident_kib();
	for (unsigned round = 1; round < ROUNDS; round++)
		hold_meeting();
	malloc_trim(0);
	now = numbers();
	CHECK(
	    HOSTILE || now.slab_bytes <= before.slab_bytes + now.zones * 65536);
	CHECK(now.large_bytes <= before.large_bytes);
	CHECK(HOSTILE ||
	      now.meta_bytes <= before.meta_bytes + 128 * THREADS * BLOCKS);
	CHECK(resident_kib() <= resident + 8192);
	harness_say("# slabs %llu KiB, %llu, %llu; meta %llu, %llu, %llu\n",
	    (unsigned long long)before.slab_bytes / 1024,
	    (unsigned long long)first.slab_bytes / 1024,
	    (unsigned long long)now.slab_bytes / 1024,
	    (unsigned long long)before.meta_bytes / 1024,
	    (unsigned long long)first.meta_bytes / 1024,
	    (unsigned long long)now.meta_bytes / 1024);
	harness_say("# resident %ld KiB, %ld\n", resident, resident_kib());
}

TEST_MAIN
