/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork - a child made in the middle of other threads' work goes on alone
 *
 * The child has a copy of all zones and none of the threads.  Nothing may be
 * locked for ever, the counts must add up, and what the child then does must
 * be counted exactly.
 */
#include "zone/common.h"

#define HELD 100

static uma_zone_t zone;
static uma_zone_t large;
static _Atomic int stop;
static void *kept[HELD];

static void *
load(void *arg)
{
	uint64_t seed = (uintptr_t)arg;
	void *hold[HELD] = { NULL };

	while (atomic_load(&stop) == 0) {
		uint32_t slot = dice(&seed) % HELD;
		uma_zone_t from = slot % 4 == 0 ? large : zone;

		if (hold[slot] == NULL) {
			hold[slot] = uma_zalloc(from, M_WAITOK);
			memset(hold[slot], 0x11, 64);
		} else {
			uma_zfree(from, hold[slot]);
			hold[slot] = NULL;
		}
		if (seed % 997 == 0)
			uma_reclaim();
	}
	for (int i = 0; i < HELD; i++)
		uma_zfree(i % 4 == 0 ? large : zone, hold[i]);
	return NULL;
}

/* What threads held in their hands at the fork stays used for ever. */
static void
use_copy(uma_zone_t z, size_t bytes)
{
	struct uma_zone_stats before = zone_numbers(z);
	struct uma_zone_stats after;
	void *items[300];

	CHECK_EQ(before.allocs - before.frees, before.used_items);
	CHECK(before.used_items <= 5 * HELD);
	for (int i = 0; i < 300; i++) {
		items[i] = uma_zalloc(z, M_WAITOK);
		pattern_fill(items[i], bytes, (uint64_t)i);
	}
	after = zone_numbers(z);
	CHECK_EQ(after.allocs, before.allocs + 300);
	CHECK_EQ(after.used_items, before.used_items + 300);
	for (int i = 0; i < 300; i++) {
		CHECK(pattern_holds(items[i], bytes, (uint64_t)i));
		uma_zfree(z, items[i]);
	}
	uma_reclaim();
	after = zone_numbers(z);
	CHECK_EQ(after.used_items, before.used_items);
	CHECK_EQ(after.cached_items, 0);
}

static void *
use_in_thread(void *arg)
{
	(void)arg;
	use_copy(zone, 64);
	return NULL;
}

static void
child(void)
{
	uma_zone_t own = zone_make("own", 48, 7);

	use_copy(zone, 64);
	use_copy(large, 20000);
	use_copy(own, 48);
	zone_end(own);
	for (int i = 0; i < HELD; i++) {
		CHECK(pattern_holds(kept[i], 64, (uint64_t)i));
		uma_zfree(zone, kept[i]);
	}
	/*
	 * AddressSanitizer does not hold the locks of its own malloc during a
	 * fork, and takes them when a thread starts.
	 */
	if (!ADDRESS_SANITIZED)
		thread_join(thread_start(use_in_thread, NULL));
	_exit(atomic_load(&harness.failures) != 0);
}

static void
fork_and_wait(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			child();
		REQUIRE(waitpid(pid, &status, 0) == pid);
		REQUIRE(status == 0);
	}
}

static void
set_up(void)
{
	zone = zone_make("small", 64, 7);
	large = zone_make("large", 20000, 7);
	for (int i = 0; i < HELD; i++) {
		kept[i] = uma_zalloc(zone, M_WAITOK);
		pattern_fill(kept[i], 64, (uint64_t)i);
	}
}

static void
tear_down(void)
{
	for (int i = 0; i < HELD; i++) {
		CHECK(pattern_holds(kept[i], 64, (uint64_t)i));
		uma_zfree(zone, kept[i]);
	}
	zone_end(zone);
	zone_end(large);
}

TEST(of_one_thread)
{
	set_up();
	fork_and_wait(20);
	tear_down();
}

TEST_TIME(under_load, 100)
{
	pthread_t t[4];

	set_up();
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = thread_start(load, (void *)(i + 1));
	fork_and_wait(100);
	atomic_store(&stop, 1);
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	tear_down();
}

static void *
forks_too(void *arg)
{
	(void)arg;
	fork_and_wait(30);
	return NULL;
}

TEST_TIME(from_several_threads, 100)
{
	pthread_t t[3];

	set_up();
	t[0] = thread_start(load, (void *)(uintptr_t)1);
	t[1] = thread_start(forks_too, NULL);
	t[2] = thread_start(forks_too, NULL);
	thread_join(t[1]);
	thread_join(t[2]);
	atomic_store(&stop, 1);
	thread_join(t[0]);
	tear_down();
}

/* The child of a child, down to some depth. */
TEST(child_of_a_child)
{
	int status = -1;
	pid_t pid = 0;
	int depth = 0;

	set_up();
	while (depth < 10 && (pid = fork()) == 0) {
		use_copy(zone, 64);
		depth++;
	}
	if (depth < 10) {
		REQUIRE(waitpid(pid, &status, 0) == pid);
		CHECK_EQ(status, 0);
	}
	if (depth > 0)
		_exit(atomic_load(&harness.failures) != 0);
	tear_down();
}

static pid_t made = -1; /* 0 in the child */

/* The child ends here, the parent when it has. */
static void
meet(void)
{
	int status = -1;

	if (made == 0)
		_exit(atomic_load(&harness.failures) != 0);
	REQUIRE(waitpid(made, &status, 0) == made);
	CHECK_EQ(status, 0);
}

/* ---- a lock that the program's fork handlers take, too ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
lock_it(void)
{
	pthread_mutex_lock(&lock);
}

static void
unlock_it(void)
{
	pthread_mutex_unlock(&lock);
}

static void *
work_under_it(void *arg)
{
	(void)arg;
	while (atomic_load(&stop) == 0) {
		lock_it();
		zone_end(zone_make("under a lock", 64, 7));
		unlock_it();
	}
	return NULL;
}

/*
 * The handlers are here before any call of the library.  If theirs came after
 * the library's, the forker would wait for a thread that waits for the fork.
 */
TEST_TIME(handlers_take_a_lock_that_is_held_over_calls, 60)
{
	pthread_t t;

	REQUIRE(pthread_atfork(lock_it, unlock_it, unlock_it) == 0);
	t = thread_start(work_under_it, NULL);
	for (int i = 0; i < 100; i++) {
		made = fork();
		meet();
	}
	atomic_store(&stop, 1);
	thread_join(t);
}

/* ---- a fork by a callback: what its thread has under way goes on ---- */

static int forks_to_come;

static void
fork_once(void *item, int bytes)
{
	(void)item;
	(void)bytes;
	if (forks_to_come != 0) {
		forks_to_come = 0;
		made = fork();
	}
}

/* So many and no more, and the neighbour's stay the neighbour's. */
static void
fork_in_init(int limit)
{
	enum { MOST = 32, BYTES = 4096 };
	static void *items[2][2 * MOST];
	uma_zone_t zones[2];

	for (int i = 0; i < 2; i++) {
		zones[i] = uma_zcreate("limited", BYTES, NULL, NULL,
		    i == 1 ? fork_once : NULL, NULL, 7, 0);
		REQUIRE(uma_zone_set_obj(zones[i], NULL, limit) == 1);
	}
	uma_prealloc(zones[0], limit);
	forks_to_come = 1;
	uma_prealloc(zones[1], 1);
	CHECK(made != -1);
	for (int i = 0; i < 2; i++) {
		int n = 0;

		while (n < 2 * MOST &&
		       (items[i][n] = uma_zalloc(zones[i], M_NOWAIT)) != NULL)
			memset(items[i][n++], i, BYTES);
		CHECK_EQ(n, limit);
	}
	for (int k = 0; k < limit; k++)
		CHECK_EQ(*(char *)items[0][k], 0);
	meet();
}

TEST(in_init_of_a_limited_zone)
{
	fork_in_init(16);
}

/* What is on its way in counts, or the last slab would be whole. */
TEST(in_init_of_a_limited_zone_that_ends_early)
{
	fork_in_init(20);
}

TEST(in_fini_while_other_slabs_are_in_hand)
{
	static void *items[200];
	uma_zone_t zones[2];

	for (int i = 0; i < 2; i++) {
		zones[i] = uma_zcreate(
		    "fini", 4096, NULL, NULL, NULL, fork_once, 7, 0);
		for (int n = 0; n < 200; n++)
			items[n] = uma_zalloc(zones[i], M_WAITOK);
		for (int n = 0; n < 200; n++)
			uma_zfree(zones[i], items[n]);
	}
	forks_to_come = 1;
	uma_reclaim();
	CHECK(made != -1);
	/* It would wait for slabs that nobody has. */
	for (int i = 0; i < 2; i++)
		CHECK_EQ(uma_zdestroy(zones[i], M_NOWAIT), 0);
	meet();
}

static _Atomic int waits = 1;

static void
wait_once(void *item, int bytes)
{
	(void)item;
	(void)bytes;
	if (atomic_exchange(&waits, 0) != 1)
		return;
	atomic_store(&waits, 2);
	while (atomic_load(&waits) == 2)
		sched_yield();
}

static void *
fill(void *arg)
{
	uma_prealloc(arg, 10);
	return NULL;
}

/* In the child it fills no more, and slabs may leave. */
TEST(while_another_thread_fills)
{
	static void *items[1000];
	uma_zone_t filled =
	    uma_zcreate("filled", 4096, NULL, NULL, wait_once, NULL, 7, 0);
	pthread_t t = thread_start(fill, filled);

	while (atomic_load(&waits) != 2)
		sched_yield();
	made = fork();
	if (made == 0) {
		for (int i = 0; i < 1000; i++)
			items[i] = uma_zalloc(filled, M_WAITOK);
		for (int i = 0; i < 1000; i++)
			uma_zfree(filled, items[i]);
		uma_reclaim();
		CHECK_EQ(zone_numbers(filled).slab_bytes, 0);
	}
	atomic_store(&waits, 3);
	if (made != 0)
		thread_join(t);
	meet();
}

TEST_MAIN
