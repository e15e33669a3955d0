/* SPDX-License-Identifier: BSD-2-Clause */
/* The lock, as lock.h promises it. */
#include "harness.h"

#include <pthread.h>

#include "lock/lock.h"
#include "port/port.h"
#include "sanitized.h"
#include "trapped.h"

#define THREADS 3
#define TURNS   20000
#define WANTED  40
#define FEW     50
#define HOLD_NS UINT64_C(200000)

static struct lock lock;
static unsigned long turns; /* under the lock */
static _Atomic unsigned holds, served;

static void *
count(void *arg) UMA_UNCHECKED_LOCKS
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		REQUIRE(lock_take(&lock));
		turns++;
		lock_drop(&lock);
	}
	return NULL;
}

/* Never twice while the other has it once. */
static void *
want(void *arg) UMA_UNCHECKED_LOCKS
{
	(void)arg;
	for (int i = 0; i < WANTED; i++) {
		unsigned now = atomic_load(&holds);

		REQUIRE(lock_take(&lock));
		lock_drop(&lock);
		while (atomic_load(&holds) == now)
			port_yield();
	}
	atomic_fetch_add(&served, 1);
	return NULL;
}

static void
start(pthread_t *threads, void *(*what)(void *))
{
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&threads[i], NULL, what, NULL) == 0);
}

static void
end(pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

TEST(one_at_a_time)
{
	pthread_t threads[THREADS];

	start(threads, count);
	end(threads);
	CHECK_EQ(turns, (unsigned long)THREADS * TURNS);
	CHECK_EQ(atomic_load(&lock.word), 0);
}

/*
 * Awake, it has the lock again long before a sleeper looks: some hundred times
 * while one waits, where nothing is passed on.
 */
TEST_TIME(nobody_keeps_it_for_himself, 60) UMA_UNCHECKED_LOCKS
{
	pthread_t threads[THREADS];

	start(threads, want);
	while (atomic_load(&served) < THREADS) {
		uint64_t until;

		REQUIRE(lock_take(&lock));
		atomic_fetch_add(&holds, 1);
		until = port_now_ns() + HOLD_NS;
		while (port_now_ns() < until)
			arch_relax();
		lock_drop(&lock);
	}
	end(threads);
	CHECK(atomic_load(&holds) < THREADS * WANTED * FEW);
	CHECK_EQ(atomic_load(&lock.word), 0);
}

/* STARVED and PASSED of lock.c. */
enum { WORD_STARVED = 3, WORD_PASSED = 4 };

/* The same without a race: on a busy machine the others get their turns. */
TEST(what_is_waited_for_long_is_passed_on) UMA_UNCHECKED_LOCKS
{
	REQUIRE(lock_take(&lock));
	atomic_store(&lock.word, WORD_STARVED);
	lock_drop(&lock);
	CHECK_EQ(atomic_load(&lock.word), WORD_PASSED);
}

/* It was passed on, and the sleeper went: a fork's child has only one thread */
TEST_TIME(what_nobody_fetches_is_free, 60) UMA_UNCHECKED_LOCKS
{
	atomic_store(&lock.word, WORD_PASSED);
	REQUIRE(lock_take(&lock));
	lock_drop(&lock);
	CHECK_EQ(atomic_load(&lock.word), 0);
}

/* ---- handlers that come at any instruction of a fork ---- */

bool __real_port_wait(
    _Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);
bool __wrap_port_wait(
    _Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);

static _Atomic unsigned waits;

bool
__wrap_port_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
	atomic_fetch_add(&waits, 1);
	return __real_port_wait(word, expected, timeout_ns);
}

static pthread_barrier_t both;

static void *
fork_beside(void *arg)
{
	gate_fork_prepare();
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	gate_fork_parent();
	return arg;
}

/* Each would wait for the other's fork, which goes on when it is done. */
TEST(who_forks_does_not_wait_for_another_s_fork)
{
	pthread_t other;

	REQUIRE(pthread_barrier_init(&both, NULL, 2) == 0);
	REQUIRE(pthread_create(&other, NULL, fork_beside, NULL) == 0);
	pthread_barrier_wait(&both);
	gate_fork_prepare();
	atomic_store(&waits, 0);
	CHECK(!gate_enter());
	CHECK_EQ(atomic_load(&waits), 0);
	gate_fork_parent();
	/* Who does not fork does. */
	CHECK(!gate_enter());
	CHECK(atomic_load(&waits) != 0);
	pthread_barrier_wait(&both);
	REQUIRE(pthread_join(other, NULL) == 0);
	CHECK(gate_enter());
	gate_leave();
	REQUIRE(pthread_barrier_destroy(&both) == 0);
}

#if TRAPPED
static unsigned entered;

static void
pass(int sig)
{
	(void)sig;
	trap_steps++;
	if (gate_enter()) {
		entered++;
		gate_leave();
	}
}

/* Its own thread goes on when it is done: to wait for that is to no end. */
TEST(a_handler_does_not_wait_for_its_own_thread_s_fork)
{
	void (*const parts[])(void) = { gate_fork_prepare, gate_fork_parent,
		gate_fork_prepare, gate_fork_child };

	if (SLOWLY_SANITIZED)
		SKIP("its handlers come when the sanitizer lets them");
	REQUIRE(signal(SIGTRAP, pass) != SIG_ERR);
	atomic_store(&waits, 0);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		entered = 0;
		trap_each(true);
		parts[i]();
		trap_each(false);
		CHECK(trap_steps > 20);
		/* Before and after the few at the edge. */
		CHECK(entered > 4 && entered < (unsigned)trap_steps);
	}
	CHECK_EQ(atomic_load(&waits), 0);
	CHECK(gate_enter());
	gate_leave();
}
#endif

TEST_MAIN
