/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork.c - a child has a working malloc, whatever the parent was doing
 *
 * Method: fork many times while threads, stdio locks or a signal handler hold
 * what a careless malloc would wait for.  A deadlock is met by the watchdog.
 */
#include "conform.h"

#include <sys/time.h>

static _Atomic bool stop;

/*
 * Verified use of all kinds of blocks; status 9 ends a process that fails.  A
 * hostile library makes so many misses of it that a quarter does.
 */
static void
use_memory(unsigned seed, unsigned steps)
{
	enum { SLOTS = 32 };
	unsigned char *slot[SLOTS] = { 0 };
	size_t bytes[SLOTS] = { 0 };
	uint64_t random = 1000003 + seed;

	for (unsigned step = 0; step < steps / (HOSTILE ? 4 : 1); step++) {
		uint64_t r = next_random(&random);
		unsigned i = (unsigned)(r % SLOTS);

		if (!stamped(slot[i], bytes[i], i + seed))
			_exit(9);
		free(slot[i]);
		bytes[i] = (r >> 16) % ((r >> 8) % 64 == 0 ? 90000 : 900);
		slot[i] = malloc(bytes[i]);
		if (slot[i] == NULL)
			_exit(9);
		stamp(slot[i], bytes[i], i + seed);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		free(slot[i]);
}

static void *
keep_using_memory(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (!atomic_load(&stop))
		use_memory(seed, 2000);
	return NULL;
}

static void
start(pthread_t *thread, void *(*body)(void *), uintptr_t arg)
{
	REQUIRE(pthread_create(thread, NULL, body, (void *)arg) == 0);
}

static void
join_all(const pthread_t *threads, size_t count)
{
	atomic_store(&stop, true);
	for (size_t i = 0; i < count; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static int
fork_and(void (*body)(unsigned), unsigned arg)
{
	pid_t child = fork();

	REQUIRE(child >= 0);
	if (child == 0) {
		body(arg);
		_exit(0);
	}
	return status_of(child);
}

static void
allocate(unsigned seed)
{
	use_memory(seed, 1500);
}

TEST_TIME(the_child_allocates_while_threads_were_in_malloc, 60)
{
	pthread_t threads[4];

	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		start(&threads[i], keep_using_memory, i);
	for (unsigned i = 0; i < 150; i++)
		REQUIRE(fork_and(allocate, i) == 0);
	join_all(threads, COUNT_OF(threads));
}

static unsigned char *inherited[500];

static void
free_inherited(unsigned arg)
{
	(void)arg;
	for (unsigned i = 0; i < COUNT_OF(inherited); i++) {
		if (!stamped(inherited[i], i * 41, i))
			_exit(9);
		inherited[i] = realloc(inherited[i], i * 41 + 500);
		if (inherited[i] == NULL || !stamped(inherited[i], i * 41, i))
			_exit(9);
		free(inherited[i]);
	}
	use_memory(1, 3000);
}

TEST(the_child_owns_copies_of_the_blocks_of_its_parent)
{
	for (unsigned i = 0; i < COUNT_OF(inherited); i++) {
		inherited[i] = malloc(i * 41);
		REQUIRE(inherited[i] != NULL);
		stamp(inherited[i], i * 41, i);
	}
	for (unsigned i = 0; i < 20; i++)
		REQUIRE(fork_and(free_inherited, i) == 0);
	free_inherited(0);
}

static void
allocate_in_threads(unsigned seed)
{
	pthread_t threads[4];

	atomic_store(&stop, false);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		start(&threads[i], keep_using_memory, seed + i);
	use_memory(seed, 3000);
	join_all(threads, COUNT_OF(threads));
	exit(0);
}

TEST_TIME(the_child_may_start_threads, 60)
{
	pthread_t threads[2];

	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		start(&threads[i], keep_using_memory, i);
	for (unsigned i = 0; i < 30; i++)
		REQUIRE(fork_and(allocate_in_threads, i) == 0);
	join_all(threads, COUNT_OF(threads));
}

static void
fork_again(unsigned depth)
{
	use_memory(depth, 300);
	if (depth > 0 && fork_and(fork_again, depth - 1) != 0)
		_exit(10);
	use_memory(depth, 300);
}

TEST(children_of_children_allocate)
{
	pthread_t threads[2];

	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		start(&threads[i], keep_using_memory, i);
	for (unsigned i = 0; i < 10; i++)
		REQUIRE(fork_and(fork_again, 8) == 0);
	join_all(threads, COUNT_OF(threads));
}

static void *
keep_forking(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 60; i++)
		REQUIRE(fork_and(allocate, seed + i) == 0);
	return NULL;
}

TEST_TIME(several_threads_fork_at_once, 60)
{
	pthread_t busy[2];
	pthread_t forking[3];

	for (unsigned i = 0; i < COUNT_OF(busy); i++)
		start(&busy[i], keep_using_memory, i);
	for (unsigned i = 0; i < COUNT_OF(forking); i++)
		start(&forking[i], keep_forking, i * 1000);
	for (unsigned i = 0; i < COUNT_OF(forking); i++)
		REQUIRE(pthread_join(forking[i], NULL) == 0);
	join_all(busy, COUNT_OF(busy));
}

/*
 * The classic circle: fork waits for stdio's locks, fflush(NULL) holds the
 * list and waits for a file, getline holds the file and waits for malloc.  A
 * malloc that stops allocation before fork takes stdio's locks closes it.
 */
static void *
keep_reading_lines(void *arg)
{
	static const char text[] = "a line of text that has to be stored\n\n";

	(void)arg;
	while (!atomic_load(&stop)) {
		FILE *in = fmemopen(NULL, sizeof text, "w+");
		char *line = NULL;
		size_t bytes = 0;

		REQUIRE(in != NULL);
		REQUIRE(fputs(text, in) >= 0);
		rewind(in);
		for (int i = 0; i < 20 && !atomic_load(&stop); i++) {
			rewind(in);
			REQUIRE(getline(&line, &bytes, in) > 0);
			free(line);
			line = NULL;
			bytes = 0;
		}
		REQUIRE(fclose(in) == 0);
	}
	return NULL;
}

static void *
keep_flushing(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		fflush(NULL);
		/* Its list lock is not fair: without a pause fork starves. */
		usleep(1);
	}
	return NULL;
}

TEST_TIME(stdio_and_fork_and_malloc_do_not_wait_in_a_circle, 60)
{
	pthread_t threads[6];

	for (unsigned i = 0; i < 2; i++) {
		start(&threads[i], keep_reading_lines, i);
		start(&threads[2 + i], keep_flushing, i);
		start(&threads[4 + i], keep_using_memory, i);
	}
	for (unsigned i = 0; i < 100; i++)
		REQUIRE(fork_and(allocate, i) == 0);
	join_all(threads, COUNT_OF(threads));
}

static void *handler_block;

static void
allocate_at_fork(void)
{
	free(handler_block);
	handler_block = malloc(3000);
	if (handler_block == NULL)
		_exit(9);
	use_memory(3, 50);
}

TEST(fork_handlers_allocate)
{
	pthread_t threads[2];

	REQUIRE(pthread_atfork(
		    allocate_at_fork, allocate_at_fork, allocate_at_fork) == 0);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		start(&threads[i], keep_using_memory, i);
	for (unsigned i = 0; i < 100; i++)
		REQUIRE(fork_and(allocate, i) == 0);
	join_all(threads, COUNT_OF(threads));
}

static volatile sig_atomic_t forks_done;
static volatile sig_atomic_t forks_bad;
static bool child_allocates;

static void
fork_in_handler(int signo)
{
	int saved = errno;
	pid_t child;

	(void)signo;
	child = fork();
	if (child == 0) {
		if (child_allocates)
			use_memory(17, 200);
		_exit(0);
	}
	if (child < 0 || status_of(child) != 0)
		forks_bad = forks_bad + 1;
	forks_done = forks_done + 1;
	errno = saved;
}

/* One signal at a time: the next is set off when a fork is done. */
static void
interrupt_with_forks(int wanted)
{
	struct sigaction action = { .sa_handler = fork_in_handler,
		.sa_flags = SA_RESTART };
	int seen = 0;

	REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
	while (forks_done < wanted) {
		struct itimerval once = { .it_value.tv_usec =
					      50 + seen * 37 % 900 };

		seen = forks_done;
		REQUIRE(setitimer(ITIMER_REAL, &once, NULL) == 0);
		while (forks_done == seen)
			use_memory(5, 20);
	}
	CHECK_EQ(forks_bad, 0);
}

TEST_TIME(fork_in_a_handler_that_interrupts_malloc, 60)
{
	/* glibc's malloc is locked there; ours works in the child as well. */
	child_allocates = on_uma();
	interrupt_with_forks(400);
}

TEST_TIME(the_same_while_other_threads_allocate, 60)
{
	pthread_t threads[2];
	sigset_t alarm_only;

	child_allocates = on_uma();
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	REQUIRE(pthread_sigmask(SIG_BLOCK, &alarm_only, NULL) == 0);
	for (unsigned i = 0; i < COUNT_OF(threads); i++)
		start(&threads[i], keep_using_memory, i);
	REQUIRE(pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL) == 0);
	interrupt_with_forks(100);
	join_all(threads, COUNT_OF(threads));
}

TEST_MAIN
