/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit.c - a process of some MiB, from its first instruction
 *
 * Of address space; of data where limit_data.c includes this.
 *
 * Method: before main, set the limit and start the same program again, so
 * that the allocator meets the limit as it boots and not only later.  Then
 * use all memory up, see each function fail as it should, free, and go on.
 */
#include "conform.h"

#ifndef RESOURCE
#define RESOURCE RLIMIT_AS
#endif

#ifndef LIMIT_MIB
#define LIMIT_MIB 64
#endif

enum { LIMIT = LIMIT_MIB << 20, MOST_BLOCKS = 1 << 20 };

__attribute__((constructor)) static void
start_again_under_the_limit(int argc, char **argv)
{
	struct rlimit limit = { LIMIT, LIMIT };
	struct rlimit now;

	(void)argc;
	if (getrlimit(RESOURCE, &now) == 0 && now.rlim_cur == LIMIT)
		return;
	if (setrlimit(RESOURCE, &limit) == 0)
		execv("/proc/self/exe", argv);
	harness_say("Bail out! cannot start under a limit\n");
	_exit(2);
}

/* Blocks strung together by their first word. */
struct link {
	struct link *next;
};

/* Take blocks until there are none; leaves errno as the failure set it. */
static size_t
take_all(struct link **list, size_t bytes)
{
	size_t count = 0;

	*list = NULL;
	errno = 0;
	while (count < MOST_BLOCKS * 8u) {
		struct link *l = malloc(bytes);

		if (l == NULL)
			break;
		l->next = *list;
		*list = l;
		count++;
	}
	return count;
}

static void
free_all(struct link *list)
{
	while (list != NULL) {
		struct link *next = list->next;

		free(list);
		list = next;
	}
}

static const size_t sizes[] = { 16, 100, 1000, 8192, 32768, 40000, 1u << 20,
	5u << 20 };

TEST(the_limit_holds_here)
{
	struct rlimit now;

	REQUIRE(getrlimit(RESOURCE, &now) == 0);
	CHECK_EQ(now.rlim_cur, LIMIT);
}

TEST(every_size_runs_out_with_enomem_and_comes_back)
{
	struct link *list;

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t first = take_all(&list, sizes[i]);
		size_t again;

		CHECK_EQ(errno, ENOMEM);
		/* An eighth of the limit is little to ask for. */
		CHECK(HOSTILE || first * sizes[i] >= LIMIT / 8);
		free_all(list);
		again = take_all(&list, sizes[i]);
		CHECK_EQ(errno, ENOMEM);
		CHECK(again >= first - first / 8);
		free_all(list);
	}
}

TEST(memory_freed_in_one_size_serves_another)
{
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		for (size_t j = 0; j < COUNT_OF(sizes); j++) {
			struct link *list;
			size_t count;

			CHECK(take_all(&list, sizes[i]) > 0);
			free_all(list);
			count = take_all(&list, sizes[j]);
			if (!CHECK(HOSTILE || count * sizes[j] >= LIMIT / 8))
				harness_say(
				    "# %zu times %zu after all of %zu\n", count,
				    sizes[j], sizes[i]);
			free_all(list);
		}
	}
}

/* Every function at its limit, with sizes that can no longer be had. */
static void
check_failures(void)
{
	size_t bytes = 4u << 20;
	void *p = &p;

	errno = 0;
	CHECK(calloc(1, bytes) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(realloc(NULL, bytes) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(reallocarray(NULL, bytes, 1) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(aligned_alloc(64, bytes) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(memalign(65536, bytes) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(valloc(bytes) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(pvalloc(bytes) == NULL);
	CHECK_EQ(errno, ENOMEM);
	CHECK_EQ(posix_memalign(&p, 64, bytes), ENOMEM);
	CHECK(p == &p);
}

TEST(every_function_fails_cleanly_when_memory_is_gone)
{
	struct link *large;
	struct link *small;
	unsigned char *kept = malloc(5000);

	REQUIRE(kept != NULL);
	stamp(kept, 5000, 3);
	take_all(&large, 1u << 20);
	take_all(&small, 4096);
	check_failures();
	errno = 0;
	REQUIRE(realloc(kept, 3u << 20) == NULL);
	CHECK_EQ(errno, ENOMEM);
	CHECK(stamped(kept, 5000, 3));
	free_all(small);
	free_all(large);
	kept = realloc(kept, 3u << 20);
	REQUIRE(kept != NULL);
	CHECK(stamped(kept, 5000, 3));
	free(kept);
}

TEST(alignments_beyond_memory_fail_and_those_within_do_not)
{
	for (size_t align = 16; align <= (size_t)1 << 40; align *= 2) {
		void *p;

		errno = 0;
		p = memalign(align, 100);
		CHECK(p != NULL || errno == ENOMEM);
		CHECK(p != NULL || align > 4u << 20);
		CHECK(p == NULL || aligned_to(p, align));
		free(p);
	}
}

TEST(zeros_are_zeros_at_the_limit)
{
	struct link *list;

	for (int round = 0; round < 3; round++) {
		unsigned char *p = malloc(8u << 20);

		REQUIRE(p != NULL);
		memset(p, 0xa5, 8u << 20);
		free(p);
		take_all(&list, 50000);
		free_all(list);
		p = calloc(1, 8u << 20);
		REQUIRE(p != NULL);
		CHECK(all_zero(p, 8u << 20));
		free(p);
	}
}

static void *
take_and_free(void *arg)
{
	enum { SLOTS = 3000 };
	unsigned self = (unsigned)(uintptr_t)arg;
	static unsigned char *slots[3][SLOTS];
	unsigned char **slot = slots[self];
	size_t bytes = 4000 + self * 6000;

	for (int round = 0; round < 6; round++) {
		size_t had = 0;

		while (had < SLOTS && (slot[had] = malloc(bytes)) != NULL) {
			stamp(slot[had], bytes, self + (unsigned)had);
			had++;
		}
		if (had < SLOTS)
			CHECK_EQ(errno, ENOMEM);
		for (size_t i = 0; i < had; i++) {
			REQUIRE(stamped(slot[i], bytes, self + (unsigned)i));
			free(slot[i]);
		}
	}
	return NULL;
}

TEST(threads_fight_for_the_last_bytes)
{
	pthread_attr_t small_stack;
	pthread_t threads[3];
	void *p;

	REQUIRE(pthread_attr_init(&small_stack) == 0);
	REQUIRE(pthread_attr_setstacksize(&small_stack, 256 << 10) == 0);
	for (uintptr_t i = 0; i < COUNT_OF(threads); i++)
		REQUIRE(pthread_create(&threads[i], &small_stack, take_and_free,
			    (void *)i) == 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
	p = malloc(1 << 20);
	CHECK(p != NULL);
	free(p);
}

TEST(children_start_and_allocate_under_the_limit)
{
	for (int i = 0; i < 5; i++) {
		pid_t child = fork();

		REQUIRE(child >= 0);
		if (child == 0) {
			struct link *list;
			bool ok = take_all(&list, 1000) > 0;

			free_all(list);
			_exit(ok ? 0 : 9);
		}
		CHECK_EQ(status_of(child), 0);
		CHECK_EQ(system("exit 4"), 4 << 8);
	}
}

TEST_MAIN
