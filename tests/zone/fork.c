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

TEST_MAIN
