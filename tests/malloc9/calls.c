/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.c - what each function of malloc(9) promises, one by one */
#include "common.h"

#include <sched.h>
#include <sys/resource.h>

static UMA_MALLOC_DEFINE(M_CALLS, "calls", "");
UMA_MALLOC_DECLARE(M_CALLS);

/* On one CPU a block that was freed is among the next that are taken. */
static void
stay_on_this_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
}

/*
 * A hostile library that refuses a run forgets what free blocks hold: then all
 * again, out of step with what it refuses.
 */
#define TRIES (HOSTILE ? 50 : 1)

static bool
try_again(int tried, bool done)
{
	if (tried != 0 && !done)
		uma_mfree(uma_malloc(300000, M_CALLS, M_WAITOK), M_CALLS);
	return tried < TRIES && !done;
}

/* Take blocks until the one that lay there comes again; the others go back. */
static char *
take_again(const void *place, size_t size, int flags)
{
	void *others[1000];
	size_t count = 0;
	char *block;

	while ((block = uma_malloc(size, M_CALLS, flags)) != place) {
		REQUIRE(count < sizeof others / sizeof *others);
		others[count++] = block;
	}
	while (count > 0)
		uma_mfree(others[--count], M_CALLS);
	return block;
}

TEST(sizes_and_alignment)
{
	for (size_t size = 0; size <= 300000; size += size < 1100 ? 1 : 997) {
		char *block = uma_malloc(size, M_CALLS, M_WAITOK);

		REQUIRE(block != NULL);
		CHECK_EQ((uintptr_t)block % 16, 0);
		CHECK(uma_malloc_usable_size(block) >= size);
		if (uma_malloc_size(size) != 0)
			CHECK_EQ(uma_malloc_usable_size(block),
			    uma_malloc_size(size));
		memset(block, 1, size);
		uma_mfree(block, M_CALLS);
	}
	CHECK_EQ(uma_malloc_size(32769), is_debug() ? 65528 : 65536);
	CHECK_EQ(uma_malloc_size(262145), 0);
	CHECK_EQ(uma_malloc_size(SIZE_MAX), 0);
	CHECK_EQ(numbers(M_CALLS).in_use, 0);
}

TEST(a_size_of_zero_is_a_block_of_its_own)
{
	void *a = uma_malloc(0, M_CALLS, M_WAITOK);
	void *b = uma_malloc(0, M_CALLS, M_NOWAIT);

	CHECK(a != NULL && b != NULL && a != b);
	CHECK_EQ(numbers(M_CALLS).in_use, 2);
	uma_mfree(a, M_CALLS);
	uma_mfree(b, M_CALLS);
}

TEST(alignments)
{
	static const size_t sizes[] = { 0, 1, 24, 100, 5000, 40000, 3000000 };

	for (size_t align = 1; align <= (size_t)1 << 26; align *= 2) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			char *block = uma_malloc_aligned(
			    sizes[i], align, M_CALLS, M_WAITOK | M_ZERO);

			REQUIRE(block != NULL);
			CHECK_EQ((uintptr_t)block % align, 0);
			CHECK(all_bytes(block, sizes[i], 0));
			uma_mfree(block, M_CALLS);
		}
	}
	CHECK_EQ(numbers(M_CALLS).in_use_bytes, 0);
}

TEST(zero_after_dirt)
{
	static const size_t sizes[] = { 1, 48, 700, 32768, 33000, 200000 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size = sizes[i];
		char *block = uma_malloc(size, M_CALLS, M_WAITOK);

		memset(block, 0xff, uma_malloc_usable_size(block));
		uma_mfree(block, M_CALLS);
		block = uma_malloc(size, M_CALLS, M_NOWAIT | M_ZERO);
		CHECK(all_bytes(block, size, 0));
		uma_mfree(block, M_CALLS);
	}
}

/* Only what was asked for is zeroed: more would be work for nothing. */
TEST(zero_is_of_the_size_asked_for)
{
	bool kept = false;

	stay_on_this_cpu();
	for (int i = 0; try_again(i, kept); i++) {
		char *block = uma_malloc(1000, M_CALLS, M_WAITOK);

		memset(block, 0xff, uma_malloc_usable_size(block));
		uma_mfree(block, M_CALLS);
		block = take_again(block, 900, M_WAITOK | M_ZERO);
		CHECK(all_bytes(block, 900, 0));
		kept = all_bytes(block + 900, 100, 0xff);
		uma_mfree(block, M_CALLS);
	}
	CHECK(kept);
}

TEST(accepted_flags)
{
	void *block = uma_malloc(
	    10, M_CALLS, M_WAITOK | M_ZERO | M_USE_RESERVE | M_NODUMP);

	CHECK(block != NULL);
	uma_mfree(block, M_CALLS);
	block = uma_malloc_domainset(10, M_CALLS, NULL, M_NOWAIT);
	CHECK(block != NULL);
	uma_mfree(block, M_CALLS);
	block = uma_malloc_domainset_aligned(10, 4096, M_CALLS, NULL, M_NOWAIT);
	CHECK((uintptr_t)block % 4096 == 0 && block != NULL);
	uma_mfree(block, M_CALLS);
}

TEST(arrays)
{
	char *a = uma_mallocarray(100, 30, M_CALLS, M_WAITOK | M_ZERO);

	CHECK(all_bytes(a, 3000, 0));
	uma_mfree(a, M_CALLS);
	a = uma_mallocarray_domainset(0, 30, M_CALLS, NULL, M_WAITOK);
	CHECK(a != NULL);
	uma_mfree(a, M_CALLS);
	CHECK(uma_would_overflow(SIZE_MAX, 2));
	CHECK(uma_would_overflow(SIZE_MAX / 2 + 1, 2));
	CHECK(!uma_would_overflow(SIZE_MAX / 2, 2));
	CHECK(!uma_would_overflow(SIZE_MAX, 1));
	CHECK(!uma_would_overflow(SIZE_MAX, 0));
	CHECK(!uma_would_overflow(0, SIZE_MAX));
}

/* A size that cannot be had is NULL with M_NOWAIT, and nothing is counted. */
TEST(too_large)
{
	char *block = uma_malloc(100, M_CALLS, M_WAITOK);

	strcpy(block, "kept");
	errno = EXDEV;
	CHECK(uma_malloc(SIZE_MAX, M_CALLS, M_NOWAIT) == NULL);
	CHECK(uma_malloc((size_t)PTRDIFF_MAX + 1, M_CALLS, M_NOWAIT) == NULL);
	CHECK(uma_malloc(PTRDIFF_MAX, M_CALLS, M_NOWAIT) == NULL);
	CHECK(
	    uma_malloc_aligned(1, (size_t)1 << 63, M_CALLS, M_NOWAIT) == NULL);
	CHECK(uma_malloc_aligned(PTRDIFF_MAX - 10, 4096, M_CALLS, M_NOWAIT) ==
	      NULL);
	CHECK(uma_realloc(block, SIZE_MAX, M_CALLS, M_NOWAIT) == NULL);
	CHECK(strcmp(block, "kept") == 0);
	CHECK_EQ(numbers(M_CALLS).allocs, 1);
	CHECK(uma_reallocf(block, SIZE_MAX, M_CALLS, M_NOWAIT) == NULL);
	CHECK_EQ(errno, EXDEV);
	CHECK_EQ(numbers(M_CALLS).in_use, 0);
}

TEST(realloc_keeps_contents)
{
	static const size_t sizes[] = { 10, 16, 17, 300, 200, 20, 40000, 33000,
		9000000, 6000000, 100000, 50, 1 };
	unsigned char *block = NULL;
	size_t had = 0;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size = sizes[i];

		block = uma_realloc(block, size, M_CALLS, M_WAITOK);
		REQUIRE(block != NULL);
		CHECK(all_bytes(block, had < size ? had : size, 0x42));
		CHECK(uma_malloc_usable_size(block) >= size);
		memset(block, 0x42, size);
		had = size;
		CHECK_EQ(numbers(M_CALLS).in_use, 1);
		if (!is_debug())
			CHECK_EQ(numbers(M_CALLS).in_use_bytes,
			    uma_malloc_usable_size(block));
	}
	uma_mfree(block, M_CALLS);
	CHECK_EQ(numbers(M_CALLS).in_use_bytes, 0);
}

/* It stays when it fits and is more than half used, or is the smallest. */
TEST(realloc_stays)
{
	void *block = uma_malloc(1000, M_CALLS, M_WAITOK);
	size_t usable = uma_malloc_usable_size(block);

	CHECK(uma_realloc(block, usable, M_CALLS, M_WAITOK) == block);
	CHECK(uma_realloc(block, usable / 2 + 1, M_CALLS, M_WAITOK) == block);
	CHECK_EQ(numbers(M_CALLS).allocs, 1);
	block = uma_realloc(block, usable / 2, M_CALLS, M_WAITOK);
	CHECK_EQ(numbers(M_CALLS).allocs, 2);
	uma_mfree(block, M_CALLS);
	block = uma_malloc(1, M_CALLS, M_WAITOK);
	CHECK(uma_realloc(block, 0, M_CALLS, M_WAITOK) == block);
	uma_mfree(block, M_CALLS);
}

TEST(realloc_zeroes_what_grew)
{
	char *block = uma_malloc(16, M_CALLS, M_WAITOK);
	size_t had = uma_malloc_usable_size(block);

	memset(block, 1, had);
	block = uma_realloc(block, 5000, M_CALLS, M_WAITOK | M_ZERO);
	CHECK(all_bytes(block, had, 1));
	CHECK(all_bytes(block + had, 5000 - had, 0));
	uma_mfree(block, M_CALLS);
}

TEST(null_is_nothing)
{
	uma_mfree(NULL, M_CALLS);
	uma_mzfree(NULL, M_CALLS);
	CHECK_EQ(uma_malloc_usable_size(NULL), 0);
	CHECK_EQ(numbers(M_CALLS).frees, 0);
}

/* Whether the block was really the one that it had been: dirt stays in it. */
static bool
leaves_zeros(size_t size)
{
	char *block;
	size_t usable;
	bool kept;

	/* What caches give back meanwhile may be joined with a run. */
	uma_reclaim();
	block = uma_malloc(size, M_CALLS, M_WAITOK);
	usable = uma_malloc_usable_size(block);
	memset(block, 0xaa, usable);
	uma_mzfree(block, M_CALLS);
	block = take_again(block, size, M_WAITOK);
	CHECK_EQ(uma_malloc_usable_size(block), usable);
	CHECK(all_bytes(block, usable, 0));
	memset(block, 0xaa, usable);
	uma_mfree(block, M_CALLS);
	block = take_again(block, size, M_WAITOK);
	kept = all_bytes(block, usable, 0xaa);
	uma_mfree(block, M_CALLS);
	return kept;
}

/*
 * What zfree left behind is seen through the next block at that place: of a
 * class, and of a run, which stays dirty for the next.
 */
/* Of any size, with caches and without. */
TEST(items_of_a_zone_with_the_flag_are_blocks)
{
	static const int sizes[] = { 64, 2 << 20 };

	if (is_debug())
		SKIP("a block without its mark is a crime");
	for (int i = 0; i < 2; i++) {
		uma_zone_t zone = uma_zcreate("flagged", sizes[i], NULL, NULL,
		    NULL, NULL, 7, UMA_ZONE_MALLOC);
		void *item;

		REQUIRE(zone != NULL);
		item = uma_zalloc(zone, M_WAITOK);
		CHECK(uma_malloc_usable_size(item) >= (size_t)sizes[i]);
		uma_mfree(item, uma_m_temp);
		CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	}
}

TEST(zfree_leaves_zeros)
{
	static const size_t sizes[] = { 1, 3000, 32768, 50000, 1000000 };

	stay_on_this_cpu();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		bool kept = false;

		for (int k = 0; try_again(k, kept); k++)
			kept = leaves_zeros(sizes[i]);
		CHECK(kept);
	}
	CHECK_EQ(numbers(M_CALLS).in_use, 0);
}

/*
 * Without memory M_NOWAIT gives NULL, and M_WAITOK comes through after all.
 * Neither touches errno, whatever the system says.
 */
static void *
let_go(void *arg)
{
	usleep(300000);
	for (void ***at = arg; *at != NULL;) {
		void **next = **at;

		uma_mfree(*at, M_CALLS);
		*at = next;
	}
	return NULL;
}

TEST_TIME(waiting_for_memory, 60)
{
	const struct rlimit tight = { (size_t)512 << 20, (size_t)512 << 20 };
	void **list = NULL;
	void **nothing = NULL;
	pthread_t helper;
	void **block;

	if (SANITIZED)
		SKIP("a sanitizer needs more addresses");
	uma_mfree(uma_malloc(1, M_CALLS, M_WAITOK), M_CALLS);
	REQUIRE(pthread_create(&helper, NULL, let_go, &nothing) == 0);
	REQUIRE(pthread_join(helper, NULL) == 0);
	if (setrlimit(RLIMIT_AS, &tight) != 0)
		SKIP("no limit can be set");
	errno = EXDEV;
	while ((block = uma_malloc(5 << 20, M_CALLS, M_NOWAIT)) != NULL) {
		*block = list;
		list = block;
	}
	REQUIRE(list != NULL);
	CHECK(uma_realloc(list, 60 << 20, M_CALLS, M_NOWAIT) == NULL);
	CHECK_EQ(errno, EXDEV);
	/* The first freed makes room for the helper's stack, if need be. */
	block = *list;
	uma_mfree(list, M_CALLS);
	list = block;
	block = *list;
	uma_mfree(list, M_CALLS);
	list = block;
	REQUIRE(pthread_create(&helper, NULL, let_go, &list) == 0);
	errno = EXDEV;
	block = uma_malloc((size_t)60 << 20, M_CALLS, M_WAITOK);
	CHECK(block != NULL);
	CHECK_EQ(errno, EXDEV);
	REQUIRE(pthread_join(helper, NULL) == 0);
	uma_mfree(block, M_CALLS);
	CHECK_EQ(numbers(M_CALLS).in_use, 0);
}

TEST_MAIN
