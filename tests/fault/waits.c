/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waits - sleeps that end before they should, threads that do not start, a
 * kernel that gives no barrier, and a fork beside the thread that wakes the
 * library
 *
 * Method: the linker puts a wrapper in front of the function through which the
 * port calls the kernel, so that a sleep ends at once with an answer that the
 * kernel may give: interrupted, the word is not as expected, woken for no
 * reason, too late.  Each kind is given to every sleep, to every second and to
 * every third one of a thread, but not for ever: a signal is not either.
 */
#include "harness.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <uma/stats.h>
#include <uma/uma.h>

#include "heap/heap.h"
#include "percpu/percpu.h"
#include "port/port.h"
#include "sanitized.h"
#include "zone/zone.h"

enum {
	THREADS = 6,
	HAVE = 2, /* items of a zone that the threads wait for */
	ROUNDS = 400,
	ZONES = 20,
	STARTS = 10,
	IN_A_ROW = 3,
	KINDS = 4,
	EVERY = 3,
	YIELDS = 10,
	STOPS = 3000,
	MEETINGS = 100
};

/* What is answered instead of a sleep, and to one in how many. */
static struct {
	int error;      /* 0: woken */
	unsigned every; /* 0: none */
} plan;

static struct sleeps {
	_Atomic unsigned all;
	_Atomic unsigned refused;
} of_this_process, *sleeps = &of_this_process;

static _Atomic unsigned starts;
static unsigned start_refused; /* the number of it; 0: none */

/* No barrier: neither the promise of it nor the thing itself. */
static _Atomic bool no_barrier;
static _Atomic unsigned promises_refused;
static _Atomic unsigned barriers_refused;

/* Whoever wakes the library stops there, at a question to the system. */
static struct {
	bool asked;
	_Atomic bool there;
	_Atomic unsigned yields; /* of others, meanwhile */
} stop;

/* What the linker makes of the names. */
long __real_syscall(
    long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(
    long number, long a, long b, long c, long d, long e, long f);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*start)(void *), void *arg);

static bool
refuse_sleep(void)
{
	static _Thread_local unsigned count, in_a_row;

	atomic_fetch_add(&sleeps->all, 1);
	if (plan.every == 0 || ++count % plan.every != 0 ||
	    in_a_row == IN_A_ROW) {
		in_a_row = 0;
		return false;
	}
	in_a_row++;
	atomic_fetch_add(&sleeps->refused, 1);
	return true;
}

/* Until somebody waits for this thread, or it seems that nobody will. */
static void
stop_here(void)
{
	stop.asked = false;
	atomic_store(&stop.there, true);
	for (int i = 0; i < STOPS && atomic_load(&stop.yields) < YIELDS; i++)
		usleep(1000);
	atomic_store(&stop.there, false);
}

static bool
refuse_barrier(long command)
{
	if (!atomic_load(&no_barrier))
		return false;
	if (command == MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ)
		atomic_fetch_add(&promises_refused, 1);
	else
		atomic_fetch_add(&barriers_refused, 1);
	errno = EPERM;
	return true;
}

long
__wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_membarrier && refuse_barrier(a))
		return -1;
	if (number == SYS_prlimit64 && stop.asked)
		stop_here();
	if (number == SYS_sched_yield && atomic_load(&stop.there))
		atomic_fetch_add(&stop.yields, 1);
	if (number == SYS_futex && b == FUTEX_WAIT_BITSET_PRIVATE &&
	    refuse_sleep()) {
		if (plan.error == 0)
			return 0;
		errno = plan.error;
		return -1;
	}
	return __real_syscall(number, a, b, c, d, e, f);
}

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*start)(void *), void *arg)
{
	if (atomic_fetch_add(&starts, 1) + 1 == start_refused)
		return EAGAIN;
	return __real_pthread_create(thread, attr, start, arg);
}

/* ---- sleeps ---- */

static pthread_t threads[THREADS];

static void
run_threads(void *(*work)(void *), void *arg)
{
	for (int i = 0; i < THREADS; i++)
		REQUIRE(
		    __real_pthread_create(&threads[i], NULL, work, arg) == 0);
}

static void
join_threads(void)
{
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

/* `what` with each kind of answer, at each rate. */
static void
with_each_answer(void (*what)(void))
{
	static const int errors[KINDS] = { EINTR, EAGAIN, ETIMEDOUT, 0 };

	for (int kind = 0; kind < KINDS; kind++) {
		for (unsigned every = 1; every <= EVERY; every++) {
			plan.error = errors[kind];
			plan.every = every;
			what();
			plan.every = 0;
		}
	}
	harness_say("# %u of %u sleeps refused\n",
	    atomic_load(&sleeps->refused), atomic_load(&sleeps->all));
	CHECK(atomic_load(&sleeps->refused) != 0);
}

/* One owner at a time: the item says whose it is. */
static void *
take_turns(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *item = uma_zalloc(arg, M_WAITOK);
		_Atomic uintptr_t *owner = item;

		REQUIRE(item != NULL);
		CHECK_EQ(atomic_exchange(owner, port_thread_id()), 0);
		if (i % 8 == 0)
			port_yield();
		CHECK(atomic_exchange(owner, 0) == port_thread_id());
		uma_zfree(arg, item);
	}
	return NULL;
}

static uma_zone_t
small_zone(void)
{
	uma_zone_t zone = uma_zcreate("small", 40000, NULL, NULL, NULL, NULL, 7,
	    UMA_ZONE_STATIC | UMA_ZONE_ZINIT);

	REQUIRE(zone != NULL);
	uma_prealloc(zone, HAVE);
	return zone;
}

static void
wait_in_line(void)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };
	uma_zone_t zone = small_zone();

	run_threads(take_turns, zone);
	join_threads();
	uma_zone_stats(zone, &s);
	CHECK_EQ(s.used_items, 0);
	CHECK_EQ(s.allocs, THREADS * ROUNDS);
	CHECK_EQ(s.frees, THREADS * ROUNDS);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST_TIME(in_line_for_an_item, 120)
{
	with_each_answer(wait_in_line);
}

static struct {
	uma_zone_t zone;
	void *item;
	_Atomic bool freed;
} last;

static void *
free_late(void *arg)
{
	(void)arg;
	port_sleep(1000000);
	atomic_store(&last.freed, true);
	uma_zfree(last.zone, last.item);
	return NULL;
}

/* Destroy waits for the last item, and not less. */
static void
wait_for_the_last(void)
{
	for (int i = 0; i < ZONES; i++) {
		pthread_t thread;

		last.zone =
		    uma_zcreate("last", 100, NULL, NULL, NULL, NULL, 7, 0);
		REQUIRE(last.zone != NULL);
		last.item = uma_zalloc(last.zone, M_WAITOK);
		atomic_store(&last.freed, false);
		REQUIRE(
		    __real_pthread_create(&thread, NULL, free_late, NULL) == 0);
		CHECK_EQ(uma_zdestroy(last.zone, M_WAITOK), 0);
		CHECK(atomic_load(&last.freed));
		REQUIRE(pthread_join(thread, NULL) == 0);
	}
}

TEST_TIME(destroy_for_the_last_item, 120)
{
	with_each_answer(wait_for_the_last);
}

static _Atomic int ready;

/* All at once, so that all but one wait for the library to wake. */
static void *
first_block(void *arg)
{
	unsigned char *block;

	(void)arg;
	atomic_fetch_add(&ready, 1);
	while (atomic_load(&ready) < THREADS)
		port_yield();
	block = uma_heap_alloc(100, HEAP_RAW);
	if (block == NULL)
		_exit(1);
	block[99] = 1;
	uma_heap_free(block, "free");
	return NULL;
}

/* Each in a process where nothing has been allocated yet. */
static void
wake_often(void)
{
	for (int i = 0; i < STARTS; i++) {
		int status = -1;
		pid_t child = fork();

		REQUIRE(child >= 0);
		if (child == 0) {
			alarm(30);
			run_threads(first_block, NULL);
			join_threads();
			_exit(0);
		}
		REQUIRE(waitpid(child, &status, 0) == child);
		CHECK_EQ(status, 0);
	}
}

TEST_TIME(the_library_to_wake, 200)
{
	sleeps = mmap(NULL, sizeof *sleeps, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(sleeps != MAP_FAILED);
	with_each_answer(wake_often);
}

/* ---- forks ---- */

static void *
wake_slowly(void *arg)
{
	stop.asked = true;
	uma_heap_free(uma_heap_alloc(100, HEAP_RAW), "free");
	return arg;
}

/* It waits, as its child would have nobody to wake the library. */
TEST_TIME(a_fork_for_the_library_to_wake, 60)
{
	int status = -1;
	pthread_t thread;
	pid_t child;

	REQUIRE(__real_pthread_create(&thread, NULL, wake_slowly, NULL) == 0);
	while (!atomic_load(&stop.there))
		usleep(1000);
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		alarm(20);
		_exit(uma_heap_alloc(100, HEAP_RAW) == NULL);
	}
	CHECK(atomic_load(&stop.yields) >= YIELDS);
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	REQUIRE(pthread_join(thread, NULL) == 0);
}

/* ---- the barrier ---- */

static int
percpu_mode_now(void)
{
	struct uma_stats all = { .struct_bytes = sizeof all };

	uma_stats(&all);
	return all.percpu_mode;
}

/* Without the promise no sequence is used, nor is a barrier asked for. */
TEST(no_barrier_from_the_start)
{
	intptr_t area, index;

	if (port_rseq(&area, &index) == PORT_RSEQ_NONE)
		SKIP("no restartable sequences here");
	atomic_store(&no_barrier, true);
	wait_in_line();
	wait_for_the_last();
	uma_reclaim();
	CHECK_EQ(percpu_mode_now(), 0);
	CHECK_EQ(atomic_load(&promises_refused), 1);
	CHECK_EQ(atomic_load(&barriers_refused), 0);
}

static _Atomic int at_work;

static void *
use_items(void *zone)
{
	void *items[ROUNDS];

	atomic_fetch_add(&at_work, 1);
	while (atomic_load(&at_work) < THREADS)
		port_yield();
	for (int i = 0; i < ROUNDS; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	for (int i = 0; i < ROUNDS; i++)
		uma_zfree(zone, items[i]);
	return NULL;
}

/* Whether more than one record was used: ours alone needs no barrier. */
static bool
is_spread(uma_zone_t zone)
{
	unsigned first = percpu_next(zone->caches, 0);

	return percpu_next(zone->caches, first + 1) < percpu_slots();
}

/* By threads at once, until two of them have met. */
static void
use_everywhere(uma_zone_t zone)
{
	for (int i = 0; i < MEETINGS && (i == 0 || !is_spread(zone)); i++) {
		atomic_store(&at_work, 0);
		run_threads(use_items, zone);
		join_threads();
	}
}

/*
 * A child has no barrier: items come and go, what other CPUs have stays where
 * it is, and a zone that they have used goes once there is a barrier again.
 */
static void
live_without_barrier(uma_zone_t zone)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };
	int answer;

	use_everywhere(zone);
	uma_reclaim();
	uma_zone_stats(zone, &s);
	CHECK_EQ(s.used_items, 0);
	CHECK_EQ(s.allocs, s.frees);
	answer = uma_zdestroy(zone, M_NOWAIT);
	harness_say("# %u promises and %u barriers refused\n",
	    atomic_load(&promises_refused), atomic_load(&barriers_refused));
	CHECK_EQ(answer, atomic_load(&barriers_refused) != 0 ? EWOULDBLOCK : 0);
	if (answer != 0) {
		use_everywhere(zone);
		atomic_store(&no_barrier, false);
		percpu_fork_child();
		CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	}
}

TEST(no_barrier_in_a_child)
{
	uma_zone_t zone =
	    uma_zcreate("child", 100, NULL, NULL, NULL, NULL, 7, 0);
	int status = -1;
	pid_t child;

	REQUIRE(zone != NULL);
	use_everywhere(zone);
	atomic_store(&no_barrier, true);
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		alarm(20);
		CHECK(percpu_mode_now() == 0 ||
		      atomic_load(&promises_refused) == 1);
		live_without_barrier(zone);
		_exit(atomic_load(&harness.failures) != 0);
	}
	atomic_store(&no_barrier, false);
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* ---- threads ---- */

/* Of this process. */
static int
thread_count(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];
	int count = 0;

	REQUIRE(f != NULL);
	while (fgets(line, sizeof line, f) != NULL)
		sscanf(line, "Threads: %d", &count);
	fclose(f);
	return count;
}

/* Of this thread, a bit for each. */
static uint64_t
blocked_signals(void)
{
	uint64_t mask = 0;
	sigset_t now;

	REQUIRE(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	for (int signo = 1; signo <= 64; signo++)
		mask |= (uint64_t)(sigismember(&now, signo) == 1)
			<< (signo - 1);
	return mask;
}

/* The only threads that the library starts are those of its self-test. */
TEST_TIME(threads_of_the_self_test, 120)
{
	intptr_t area, index;
	uint64_t mask;
	unsigned needed;
	int count;

	if (port_rseq(&area, &index) == PORT_RSEQ_NONE)
		SKIP("no restartable sequences here");
	mask = blocked_signals();
	REQUIRE(port_rseq_selftest());
	count = thread_count(); /* a sanitizer may have one of its own */
	CHECK(SANITIZED || count == 1);
	needed = atomic_load(&starts);
	REQUIRE(needed >= 2);
	for (unsigned n = 1; n <= needed; n++) {
		atomic_store(&starts, 0);
		start_refused = n;
		CHECK(!port_rseq_selftest());
		start_refused = 0;
		CHECK_EQ(atomic_load(&starts), n);
		/* Who has ended is listed for a moment more. */
		for (int i = 0; i < 1000 && thread_count() != count; i++)
			usleep(1000);
		CHECK_EQ(thread_count(), count);
		CHECK(blocked_signals() == mask);
		CHECK(port_rseq_selftest());
	}
	harness_say("# %u thread starts, each refused\n", needed);
}

TEST_MAIN
