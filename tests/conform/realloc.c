/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * realloc.c - contents survive every change of size
 *
 * Method: every pair of sizes on both sides of every border that an allocator
 * is likely to have: classes, pages, slabs, mappings.
 */
#include "conform.h"

static const size_t sizes[] = { 1, 15, 16, 17, 64, 100, 128, 129, 1000, 1024,
	4095, 4096, 4097, 20000, 32767, 32768, 32769, 65535, 65536, 65537,
	131072, 131073, 200000, 262144, 262145, 1u << 20, (1u << 20) + 1,
	(4u << 20) - 1, 4u << 20, (4u << 20) + 1, 9u << 20 };

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void
check_pair(size_t from, size_t to, bool array)
{
	unsigned char *p = malloc(from);

	REQUIRE(p != NULL);
	stamp(p, from, 3);
	p = array ? reallocarray(p, to, 1) : realloc(p, to);
	REQUIRE(p != NULL);
	REQUIRE(aligned_to(p, 16));
	REQUIRE(malloc_usable_size(p) >= to);
	REQUIRE(stamped(p, smaller(from, to), 3));
	p[0] = 1;
	p[to - 1] = 2;
	free(p);
}

TEST(contents_survive_between_all_pairs_of_sizes)
{
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		for (size_t j = 0; j < COUNT_OF(sizes); j++)
			check_pair(sizes[i], sizes[j], false);
}

TEST(reallocarray_is_realloc_of_the_product)
{
	for (size_t i = 0; i < COUNT_OF(sizes) - 5; i++)
		for (size_t j = 0; j < COUNT_OF(sizes) - 5; j++)
			check_pair(sizes[i], sizes[j], true);
}

TEST(growing_and_shrinking_step_by_step)
{
	unsigned char *p = malloc(1);
	size_t bytes = 1;

	REQUIRE(p != NULL);
	stamp(p, bytes, 8);
	for (size_t n = 1; n < 300000; n += n / 64 + 1) {
		p = realloc(p, n);
		REQUIRE(p != NULL);
		REQUIRE(stamped(p, bytes, 8));
		bytes = n;
		stamp(p, bytes, 8);
	}
	for (size_t n = bytes; n > 0; n -= n / 64 + 1) {
		p = realloc(p, n);
		REQUIRE(p != NULL);
		REQUIRE(stamped(p, n, 8));
	}
	free(p);
}

TEST(growing_a_huge_block_keeps_it)
{
	unsigned char *p = NULL;
	size_t old = 0;

	for (size_t n = 8u << 20; n <= 256u << 20; n *= 2) {
		p = realloc(p, n);
		REQUIRE(p != NULL);
		for (size_t i = 0; i < old; i += 4096)
			REQUIRE(p[i] == (unsigned char)(i >> 12));
		for (size_t i = old; i < n; i += 4096)
			p[i] = (unsigned char)(i >> 12);
		old = n;
	}
	for (size_t n = old; n >= 1u << 20; n /= 2) {
		p = realloc(p, n);
		REQUIRE(p != NULL);
		for (size_t i = 0; i < n; i += 4096)
			REQUIRE(p[i] == (unsigned char)(i >> 12));
	}
	free(p);
}

TEST(null_is_a_block_of_no_bytes)
{
	unsigned char *p = realloc(NULL, 100);

	REQUIRE(p != NULL);
	stamp(p, 100, 1);
	CHECK(stamped(p, 100, 1));
	free(p);
}

/* A gigabyte passes through: what is not freed stays resident. */
TEST(size_zero_frees_and_returns_null)
{
	long before = resident_kib();

	for (size_t i = 0; i < 125000; i++) {
		char *p = malloc(4000);
		char *q = malloc(4000);

		REQUIRE(p != NULL && q != NULL);
		memset(p, 1, 4000);
		memset(q, 1, 4000);
		REQUIRE(realloc(p, opaque(0)) == NULL);
		REQUIRE(reallocarray(q, opaque(0), 8) == NULL);
	}
	CHECK(resident_kib() - before < 64 << 10);
}

TEST(the_same_size_changes_nothing)
{
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		check_pair(sizes[i], sizes[i], false);
}

TEST(a_crowd_resized_at_random_keeps_its_contents)
{
	enum { SLOTS = 200, STEPS = 30000 };
	static unsigned char *slot[SLOTS];
	static size_t bytes[SLOTS];
	uint64_t random = 362436069u;

	for (size_t step = 0; step < STEPS; step++) {
		uint64_t r = next_random(&random);
		unsigned i = (unsigned)(r % SLOTS);
		size_t n = (r >> 20) % ((r >> 8) % 16 == 0 ? 200000 : 3000) + 1;
		unsigned char *p = realloc(slot[i], n);

		REQUIRE(p != NULL);
		REQUIRE(stamped(p, smaller(bytes[i], n), i));
		slot[i] = p;
		bytes[i] = n;
		stamp(p, n, i);
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		REQUIRE(stamped(slot[i], bytes[i], i));
		free(slot[i]);
	}
}

TEST_MAIN
