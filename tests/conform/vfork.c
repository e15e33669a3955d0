/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfork.c - children that are made to exec at once
 *
 * Method: the child of vfork does what it may not but often does, allocate,
 * while threads of the parent use the same memory; then all is verified.
 */
#include "conform.h"

#include <sched.h>
#include <spawn.h>

extern char **environ;

static _Atomic bool stop;

static void *
keep_verifying(void *arg)
{
	enum { SLOTS = 64 };
	unsigned char *slot[SLOTS] = { 0 };
	size_t bytes[SLOTS] = { 0 };
	uint64_t random = 7 + (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		uint64_t r = next_random(&random);
		unsigned i = (unsigned)(r % SLOTS);

		REQUIRE(stamped(slot[i], bytes[i], i));
		free(slot[i]);
		bytes[i] = (r >> 16) % 700;
		slot[i] = malloc(bytes[i]);
		REQUIRE(slot[i] != NULL);
		stamp(slot[i], bytes[i], i);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		free(slot[i]);
	return NULL;
}

static void
start_two(pthread_t *threads)
{
	for (uintptr_t i = 0; i < 2; i++)
		REQUIRE(pthread_create(
			    &threads[i], NULL, keep_verifying, (void *)i) == 0);
}

static void
join_two(const pthread_t *threads)
{
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

/* What a vfork child does here, on another CPU than its parent's. */
__attribute__((noinline)) static int
allocate_elsewhere(unsigned seed)
{
	unsigned char *p[100];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(seed % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &one);
	sched_setaffinity(0, sizeof one, &one);
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		p[i] = malloc(i * 7);
		if (p[i] == NULL)
			return 9;
		stamp(p[i], i * 7, i + seed);
	}
	for (unsigned i = 0; i < COUNT_OF(p); i++) {
		if (!stamped(p[i], i * 7, i + seed))
			return 9;
		free(p[i]);
	}
	return 0;
}

__attribute__((noinline)) static pid_t
vfork_and_exit(unsigned seed)
{
	pid_t child = vfork();

	if (child == 0)
		_exit(allocate_elsewhere(seed) == 0 ? 7 : 9);
	return child;
}

__attribute__((noinline)) static pid_t
vfork_and_exec(unsigned seed)
{
	pid_t child = vfork();

	if (child == 0) {
		if (allocate_elsewhere(seed) != 0)
			_exit(9);
		execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
		_exit(127);
	}
	return child;
}

TEST_TIME(the_child_of_vfork_allocates_and_exits, 60)
{
	pthread_t threads[2];

	start_two(threads);
	for (unsigned i = 0; i < 200; i++)
		REQUIRE(status_of(vfork_and_exit(i)) == 7);
	join_two(threads);
}

TEST_TIME(the_child_of_vfork_allocates_and_execs, 60)
{
	pthread_t threads[2];

	start_two(threads);
	for (unsigned i = 0; i < 60; i++)
		REQUIRE(status_of(vfork_and_exec(i)) == 5);
	join_two(threads);
}

static volatile int written_by_child;

__attribute__((noinline)) static pid_t
vfork_and_write(void)
{
	pid_t child = vfork();

	if (child == 0) {
		written_by_child = 1;
		_exit(0);
	}
	return child;
}

TEST(the_child_of_vfork_has_its_own_memory)
{
	if (!on_uma())
		SKIP("glibc's vfork shares the parent's memory");
	CHECK_EQ(status_of(vfork_and_write()), 0);
	CHECK_EQ(written_by_child, 0);
}

TEST(posix_spawn_works_while_threads_allocate)
{
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" },
		(char[]){ "exit 6" }, NULL };
	pthread_t threads[2];

	start_two(threads);
	for (unsigned i = 0; i < 60; i++) {
		pid_t child = -1;

		REQUIRE(posix_spawn(
			    &child, "/bin/sh", NULL, NULL, argv, environ) == 0);
		REQUIRE(status_of(child) == 6);
		REQUIRE(
		    posix_spawnp(&child, "sh", NULL, NULL, argv, environ) == 0);
		REQUIRE(status_of(child) == 6);
	}
	join_two(threads);
}

TEST(posix_spawn_reports_that_there_is_no_program)
{
	char *argv[] = { (char[]){ "nothing" }, NULL };
	pid_t child = -1;

	CHECK_EQ(
	    posix_spawn(&child, "/nowhere/nothing", NULL, NULL, argv, environ),
	    ENOENT);
	free(malloc(100));
}

TEST(system_and_popen_work_while_threads_allocate)
{
	pthread_t threads[2];
	char text[32];

	start_two(threads);
	for (unsigned i = 0; i < 20; i++) {
		FILE *in;
		int status = system("exit 3");

		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
		in = popen("echo spoken", "r");
		REQUIRE(in != NULL);
		REQUIRE(fgets(text, sizeof text, in) != NULL);
		REQUIRE(strcmp(text, "spoken\n") == 0);
		REQUIRE(pclose(in) == 0);
	}
	join_two(threads);
}

TEST_MAIN
