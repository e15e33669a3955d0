/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads, waiting, clocks and fork, as port.h promises them. */
#include "harness.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "port/port.h"
#include "sanitized.h"

#define MS_NS   UINT64_C(1000000)
#define THREADS 8

struct seen {
	pthread_barrier_t *all_here;
	struct port_self *self;
	uintptr_t id;
	bool zero;
	bool constant;
};

static void *
look(void *arg)
{
	struct seen *seen = arg;

	seen->self = port_self();
	seen->zero = seen->self->gate == 0 && seen->self->forks == 0;
	seen->self->gate = 5;
	seen->self->forks = 6;
	seen->id = port_thread_id();
	pthread_barrier_wait(seen->all_here);
	seen->constant = port_thread_id() == seen->id &&
			 port_self() == seen->self && seen->self->gate == 5;
	pthread_barrier_wait(seen->all_here);
	return NULL;
}

static void
look_in_threads(void)
{
	pthread_barrier_t all_here;
	pthread_t threads[THREADS];
	struct seen seen[THREADS] = { 0 };

	pthread_barrier_init(&all_here, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		seen[i].all_here = &all_here;
		REQUIRE(pthread_create(&threads[i], NULL, look, &seen[i]) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		CHECK(seen[i].zero && seen[i].constant);
		CHECK(seen[i].id != 0 && seen[i].id >> 47 == 0 &&
		      seen[i].id % 2 == 0);
		CHECK(seen[i].id != port_thread_id());
		for (int j = 0; j < i; j++)
			CHECK(seen[i].id != seen[j].id &&
			      seen[i].self != seen[j].self);
	}
}

/* Twice, as stacks are used again and must start from zero again. */
TEST(each_thread_has_its_own)
{
	look_in_threads();
	look_in_threads();
}

TEST(wait_returns_if_the_word_differs)
{
	_Atomic uint32_t word = 4;

	errno = 77;
	port_wait(&word, 5, 0);
	CHECK_EQ(errno, 77);
}

TEST(wait_ends_in_time)
{
	_Atomic uint32_t word = 4;
	uint64_t before = port_now_ns();

	errno = 77;
	port_wait(&word, 4, 30 * MS_NS);
	CHECK(port_now_ns() - before >= 30 * MS_NS);
	CHECK_EQ(errno, 77);
}

struct waiters {
	_Atomic uint32_t word;
	_Atomic int awake;
	_Atomic int returns;
	uint64_t timeout_ns;
};

static void *
wait_there(void *arg)
{
	struct waiters *w = arg;

	while (atomic_load(&w->word) == 0) {
		port_wait(&w->word, 0, w->timeout_ns);
		atomic_fetch_add(&w->returns, 1);
	}
	atomic_fetch_add(&w->awake, 1);
	return NULL;
}

/* A wake that got lost would leave a thread asleep for good. */
static void
wake_them(uint64_t timeout_ns)
{
	struct waiters w = { .timeout_ns = timeout_ns };
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_create(&threads[i], NULL, wait_there, &w) == 0);
	port_sleep(10 * MS_NS);
	CHECK_EQ(atomic_load(&w.awake), 0);
	/* They slept, and did not spin through waits that end at once. */
	CHECK(atomic_load(&w.returns) < 100);
	atomic_store(&w.word, 1);
	errno = 77;
	port_wake(&w.word, 1);
	port_wake(&w.word, 3);
	CHECK_EQ(errno, 77);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(atomic_load(&w.awake), 4);
}

TEST(wake_wakes)
{
	wake_them(0);
}

/* The longest timeout is no timeout, not one in the past. */
TEST(wake_wakes_who_waits_for_ever)
{
	wake_them(UINT64_MAX);
}

static volatile sig_atomic_t rings;

static void
ring(int signo)
{
	(void)signo;
	rings++;
}

static void
ring_every_ms(void)
{
	struct sigaction action = { .sa_handler = ring };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

TEST(sleep_is_not_cut_short_by_signals)
{
	uint64_t before = port_now_ns();

	ring_every_ms();
	errno = 77;
	port_sleep(50 * MS_NS);
	CHECK(port_now_ns() - before >= 50 * MS_NS);
	CHECK(rings > 0);
	CHECK_EQ(errno, 77);
}

TEST(wait_is_not_cut_short_by_signals)
{
	_Atomic uint32_t word = 0;
	uint64_t before = port_now_ns();

	ring_every_ms();
	port_wait(&word, 0, 50 * MS_NS);
	CHECK(port_now_ns() - before >= 50 * MS_NS);
	CHECK(rings > 0);
}

static void *
be_cancelled(void *arg)
{
	_Atomic uint32_t word = 0;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_cancel(pthread_self());
	port_sleep(MS_NS);
	port_wait(&word, 0, MS_NS);
	port_yield();
	port_print("", 0);
	atomic_store((_Atomic bool *)arg, true);
	pthread_testcancel();
	return NULL;
}

/* A thread that is cancelled inside malloc would take its locks with it. */
TEST(nothing_is_a_cancellation_point)
{
	_Atomic bool came_through = false;
	void *result = NULL;
	pthread_t thread;

	REQUIRE(
	    pthread_create(&thread, NULL, be_cancelled, &came_through) == 0);
	pthread_join(thread, &result);
	CHECK(atomic_load(&came_through));
	CHECK(result == PTHREAD_CANCELED);
}

TEST(clock_never_goes_back)
{
	uint64_t before = port_now_ns();

	CHECK(before > 0);
	for (int i = 0; i < 100000; i++) {
		uint64_t now = port_now_ns();

		if (!CHECK(now >= before))
			break;
		before = now;
	}
}

TEST(ticks_follow_the_clock)
{
	uint64_t first = port_tick_ns();
	uint64_t before = first;

	CHECK(first > 0);
	/* However slow it is: they end, and are never ahead. */
	while (before == first) {
		uint64_t tick = port_tick_ns();

		if (!CHECK(tick >= before) || !CHECK(tick <= port_now_ns()))
			break;
		before = tick;
	}
}

static char order[8];

static void
prepare(void)
{
	strcat(order, "p");
}

static void
parent(void)
{
	strcat(order, "m");
}

static void
child(void)
{
	strcat(order, "c");
}

TEST(fork_calls_the_three)
{
	int status = 0;
	pid_t pid;

	port_at_fork(prepare, parent, child);
	pid = fork();
	if (pid == 0)
		_exit(strcmp(order, "pc") == 0 ? 0 : 1);
	CHECK(strcmp(order, "pm") == 0);
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
}

/* The C library has room for some, and asks malloc for more. */
static void
add_handlers(void)
{
	const struct rlimit none = { 0, 0 };

	REQUIRE(setrlimit(RLIMIT_AS, &none) == 0);
	for (int i = 0; i < 1 << 20; i++)
		port_at_fork(prepare, parent, child);
}

/* Emulators take a limit and do not keep it. */
static bool
limits_hold(void)
{
	const struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_AS, &none);
		_exit(mmap(NULL, 1 << 20, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	}
	waitpid(pid, &status, 0);
	return status != 0;
}

TEST(no_fork_without_handlers)
{
	if (SANITIZED)
		SKIP("a sanitizer needs more addresses");
	if (!limits_hold())
		SKIP("no limit on addresses is kept here");
	DIES(add_handlers(),
	    "uma: port_at_fork: port: no room for fork handlers");
}

/* Writes to a page and unmaps it, and says so in a way that orders nothing. */
static _Atomic uintptr_t left_at;

static void *
map_and_leave(void *arg)
{
	char *p = port_map(65536, 65536);

	REQUIRE(p != NULL);
	p[0] = 1;
	port_unmap(p, 65536);
	atomic_store_explicit(&left_at, (uintptr_t)p, memory_order_relaxed);
	return arg;
}

/* To the thread sanitizer, too, which is not told of calls of the kernel. */
TEST(what_was_unmapped_can_be_mapped_by_others)
{
	unsigned again = 0;

	for (int round = 0; round < 200; round++) {
		pthread_t t;
		uintptr_t was;
		char *p;

		atomic_store(&left_at, 0);
		REQUIRE(pthread_create(&t, NULL, map_and_leave, NULL) == 0);
		while ((was = atomic_load_explicit(
			    &left_at, memory_order_relaxed)) == 0)
			port_yield();
		p = port_map(65536, 65536);
		REQUIRE(p != NULL);
		again += (uintptr_t)p == was;
		p[0] = 2;
		pthread_join(t, NULL);
		port_unmap(p, 65536);
	}
	if (again == 0)
		SKIP("the system maps elsewhere each time");
}

TEST_MAIN
