/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failures.c - every function that can fail, at every size that must
 *
 * Method: one table of the functions, one of impossible sizes; the product.
 */
#include "conform.h"

static void *
by_malloc(size_t n)
{
	return malloc(n);
}

static void *
by_calloc_one(size_t n)
{
	return calloc(1, n);
}

static void *
by_calloc_many(size_t n)
{
	return calloc(n, 1);
}

static void *
by_realloc(size_t n)
{
	return realloc(NULL, n);
}

static void *
by_reallocarray(size_t n)
{
	return reallocarray(NULL, 1, n);
}

static void *
by_aligned_alloc(size_t n)
{
	return aligned_alloc(16, n);
}

static void *
by_aligned_alloc_more(size_t n)
{
	return aligned_alloc(128, n);
}

static void *
by_memalign(size_t n)
{
	return memalign(64, n);
}

static void *
by_valloc(size_t n)
{
	return valloc(n);
}

static void *
by_pvalloc(size_t n)
{
	return pvalloc(n);
}

static const struct {
	const char *name;
	void *(*take)(size_t n);
} functions[] = {
	{ "malloc", by_malloc },
	{ "calloc(1, n)", by_calloc_one },
	{ "calloc(n, 1)", by_calloc_many },
	{ "realloc", by_realloc },
	{ "reallocarray", by_reallocarray },
	{ "aligned_alloc(16, n)", by_aligned_alloc },
	{ "aligned_alloc(128, n)", by_aligned_alloc_more },
	{ "memalign", by_memalign },
	{ "valloc", by_valloc },
	{ "pvalloc", by_pvalloc },
};

/* No address space of today holds any of these. */
static const size_t impossible[] = {
	SIZE_MAX,
	SIZE_MAX - 1,
	SIZE_MAX - 15,
	SIZE_MAX - 16,
	SIZE_MAX - 4095,
	SIZE_MAX - 65536,
	(size_t)PTRDIFF_MAX + 1,
	(size_t)PTRDIFF_MAX,
	(size_t)PTRDIFF_MAX - 15,
	(size_t)PTRDIFF_MAX - 65536,
	(size_t)1 << 62,
	(size_t)1 << 47,
};

TEST(every_failure_is_null_and_enomem)
{
	for (size_t f = 0; f < COUNT_OF(functions); f++) {
		for (size_t i = 0; i < COUNT_OF(impossible); i++) {
			void *p;

			errno = 0;
			p = functions[f].take(opaque(impossible[i]));
			if (!CHECK(p == NULL) || !CHECK_EQ(errno, ENOMEM))
				harness_say("# %s of %zu\n", functions[f].name,
				    impossible[i]);
		}
	}
}

TEST(success_leaves_errno_alone)
{
	static const size_t sizes[] = { 0, 1, 16, 1000, 32768, 40000, 1u << 20,
		5u << 20, 64u << 20 };

	for (size_t f = 0; f < COUNT_OF(functions); f++) {
		for (size_t i = 0; i < COUNT_OF(sizes); i++) {
			void *p;

			errno = 12345;
			p = functions[f].take(sizes[i]);
			CHECK_EQ(errno, 12345);
			REQUIRE(p != NULL);
			free(p);
			CHECK_EQ(errno, 12345);
		}
	}
	errno = 12345;
	free(NULL);
	CHECK_EQ(errno, 12345);
}

TEST(resizing_leaves_errno_alone)
{
	static const size_t sizes[] = { 1, 40, 5000, 40000, 1u << 20, 9u << 20,
		3u << 20, 70000, 100, 8 };
	void *p = malloc(24);

	errno = 12345;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		p = realloc(p, sizes[i]);
		REQUIRE(p != NULL);
		CHECK_EQ(errno, 12345);
	}
	CHECK(realloc(p, 0) == NULL);
	CHECK_EQ(errno, 12345);
}

TEST(failed_resizing_keeps_the_block)
{
	static const size_t sizes[] = { 1, 100, 5000, 32768, 40000, 1u << 20,
		6u << 20 };

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		unsigned char *p = malloc(sizes[i]);

		REQUIRE(p != NULL);
		stamp(p, sizes[i], 77);
		for (size_t j = 0; j < COUNT_OF(impossible); j++) {
			errno = 0;
			REQUIRE(realloc(p, opaque(impossible[j])) == NULL);
			REQUIRE(errno == ENOMEM);
			errno = 0;
			REQUIRE(
			    reallocarray(p, opaque(impossible[j]), 1) == NULL);
			REQUIRE(errno == ENOMEM);
			REQUIRE(stamped(p, sizes[i], 77));
		}
		free(p);
	}
}

/* Products that wrap around, many of them to something small. */
static const size_t products[][2] = {
	{ SIZE_MAX, 2 },
	{ 2, SIZE_MAX },
	{ SIZE_MAX, SIZE_MAX },
	{ SIZE_MAX / 2 + 1, 2 },
	{ SIZE_MAX / 3 + 1, 3 },
	{ SIZE_MAX / 16 + 1, 16 },
	{ 16, SIZE_MAX / 16 + 1 },
	{ SIZE_MAX / 16 + 2, 16 },
	{ (size_t)1 << 32, (size_t)1 << 32 },
	{ ((size_t)1 << 32) + 1, (size_t)1 << 32 },
	{ (size_t)1 << 63, 2 },
};

TEST(products_that_overflow_are_refused)
{
	for (size_t i = 0; i < COUNT_OF(products); i++) {
		size_t count = opaque(products[i][0]);
		size_t bytes = opaque(products[i][1]);

		errno = 0;
		CHECK(calloc(count, bytes) == NULL);
		CHECK_EQ(errno, ENOMEM);
		errno = 0;
		CHECK(reallocarray(NULL, count, bytes) == NULL);
		CHECK_EQ(errno, ENOMEM);
	}
}

TEST(reallocarray_that_overflows_keeps_the_block)
{
	unsigned char *p = malloc(333);

	REQUIRE(p != NULL);
	stamp(p, 333, 5);
	for (size_t i = 0; i < COUNT_OF(products); i++) {
		size_t count = opaque(products[i][0]);
		size_t bytes = opaque(products[i][1]);

		errno = 0;
		REQUIRE(reallocarray(p, count, bytes) == NULL);
		CHECK_EQ(errno, ENOMEM);
		CHECK(stamped(p, 333, 5));
	}
	free(p);
}

TEST(memory_is_there_after_failures)
{
	for (size_t i = 0; i < 1000; i++) {
		void *p;

		REQUIRE(malloc(opaque((size_t)1 << 47)) == NULL);
		p = malloc(1 + i * 100);
		REQUIRE(p != NULL);
		free(p);
	}
}

TEST_MAIN
