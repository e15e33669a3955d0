/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exit.c - memory before main, after main, and after a thread's end
 *
 * Method: each case is a child that leaves in its own way; what runs late
 * reports through a pipe, so that not running at all is a failure too.
 */
#include "conform.h"

#include <sys/mman.h>

/* Lies in memory shared with the children: how many late functions ran. */
static _Atomic int *late_count;

static unsigned char *before_main;

__attribute__((constructor)) static void
allocate_before_main(void)
{
	before_main = malloc(1000);
	if (before_main != NULL)
		stamp(before_main, 1000, 4);
	late_count = mmap(NULL, sizeof *late_count, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* Use of every kind; a child that fails here ends at once with status 9. */
static void
use_memory(void)
{
	for (size_t n = 1; n < 200000; n += n / 2 + 1) {
		unsigned char *p = malloc(n);
		unsigned char *z = calloc(1, n);

		if (p == NULL || z == NULL || !all_zero(z, n))
			_exit(9);
		stamp(p, n, 6);
		p = realloc(p, n * 2);
		if (p == NULL || !stamped(p, n, 6))
			_exit(9);
		free(z);
		free(p);
	}
}

static void
late(void)
{
	use_memory();
	atomic_fetch_add(late_count, 1);
}

static bool destructor_counts;

__attribute__((destructor)) static void
allocate_after_main(void)
{
	use_memory();
	if (destructor_counts)
		atomic_fetch_add(late_count, 1);
}

/* Run `body` in a child; it must end with status 0 and `wanted` late calls. */
static void
check_child(void (*body)(void), int wanted)
{
	pid_t child;

	atomic_store(late_count, 0);
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		body();
		_exit(8);
	}
	CHECK_EQ(status_of(child), 0);
	CHECK_EQ(atomic_load(late_count), wanted);
}

TEST(a_block_from_before_main_is_a_block)
{
	REQUIRE(before_main != NULL);
	REQUIRE(stamped(before_main, 1000, 4));
	before_main = realloc(before_main, 5000);
	REQUIRE(before_main != NULL);
	CHECK(stamped(before_main, 1000, 4));
	free(before_main);
}

static void
leave_by_exit(void)
{
	if (atexit(late) != 0 || atexit(late) != 0)
		_exit(7);
	exit(0);
}

TEST(atexit_functions_allocate)
{
	check_child(leave_by_exit, 2);
}

static void
leave_by_quick_exit(void)
{
	if (at_quick_exit(late) != 0)
		_exit(7);
	quick_exit(0);
}

TEST(at_quick_exit_functions_allocate)
{
	check_child(leave_by_quick_exit, 1);
}

static void
leave_for_destructor(void)
{
	destructor_counts = true;
	exit(0);
}

TEST(destructors_allocate)
{
	check_child(leave_for_destructor, 1);
}

static void *
work_on(void *arg)
{
	(void)arg;
	for (;;)
		use_memory();
	return NULL;
}

static void
leave_busy_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread, NULL, work_on, NULL) != 0)
			_exit(7);
	use_memory();
	leave_by_exit();
}

TEST(threads_that_allocate_do_not_disturb_exit)
{
	for (int i = 0; i < 20; i++)
		check_child(leave_busy_threads, 2);
}

static pthread_t main_thread;

static void *
outlive_main(void *arg)
{
	(void)arg;
	pthread_join(main_thread, NULL);
	use_memory();
	leave_by_exit();
	return NULL;
}

static void
leave_main_first(void)
{
	pthread_t thread;

	main_thread = pthread_self();
	if (pthread_create(&thread, NULL, outlive_main, NULL) != 0)
		_exit(7);
	pthread_exit(NULL);
}

TEST(threads_that_outlive_main_allocate)
{
	check_child(leave_main_first, 2);
}

static pthread_key_t key;

/* Sets its key again, as long as the system is ready to call it again. */
static void
key_destructor(void *value)
{
	unsigned char *mark = value;

	if (!stamped(mark, 100, 2))
		_exit(9);
	free(mark);
	use_memory();
	atomic_fetch_add(late_count, 1);
	mark = malloc(100);
	if (mark == NULL)
		_exit(9);
	stamp(mark, 100, 2);
	if (atomic_load(late_count) % 3 != 0)
		pthread_setspecific(key, mark);
	else
		free(mark);
}

static void *
set_key(void *arg)
{
	unsigned char *mark = malloc(100);

	(void)arg;
	if (mark == NULL)
		_exit(9);
	stamp(mark, 100, 2);
	pthread_setspecific(key, mark);
	return NULL;
}

static void
end_threads_with_keys(void)
{
	pthread_t thread;

	if (pthread_key_create(&key, key_destructor) != 0)
		_exit(7);
	for (int i = 0; i < 100; i++)
		if (pthread_create(&thread, NULL, set_key, NULL) != 0 ||
		    pthread_join(thread, NULL) != 0)
			_exit(7);
	exit(0);
}

TEST(thread_key_destructors_allocate_round_after_round)
{
	check_child(end_threads_with_keys, 300);
}

/* What C++ compilers call for a thread_local object with a destructor. */
typedef int (*at_thread_exit)(void (*run)(void *), void *arg, void *dso);

static void
thread_destructor(void *block)
{
	if (!stamped(block, 500, 11))
		_exit(9);
	free(block);
	late();
}

static void *
make_thread_local(void *add)
{
	at_thread_exit *at_exit = add;
	unsigned char *block = malloc(500);

	if (block == NULL)
		_exit(9);
	stamp(block, 500, 11);
	if ((*at_exit)(thread_destructor, block, &key) != 0)
		_exit(7);
	return NULL;
}

static void
end_threads_with_objects(void)
{
	at_thread_exit add = NULL;
	pthread_t thread;

	find_symbol("__cxa_thread_atexit_impl", &add);
	if (add == NULL)
		_exit(6);
	for (int i = 0; i < 100; i++)
		if (pthread_create(&thread, NULL, make_thread_local, &add) !=
			0 ||
		    pthread_join(thread, NULL) != 0)
			_exit(7);
	exit(0);
}

TEST(thread_local_destructors_allocate)
{
	check_child(end_threads_with_objects, 100);
}

TEST_MAIN
