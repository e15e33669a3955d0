/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sizes.c - what a block of any size must be: aligned, large enough, its own
 *
 * Method: every size to 70,000 one by one, then crowds of blocks that are
 * stamped to the last usable byte and read back when all are there.
 */
#include "conform.h"

enum { EVERY_SIZE_TO = 70000, CROWD = 64, LIVE = 6000 };

TEST(every_size_is_aligned_and_usable_to_its_end)
{
	for (size_t n = 0; n <= EVERY_SIZE_TO; n++) {
		unsigned char *p = malloc(n);
		size_t usable;

		REQUIRE(p != NULL);
		REQUIRE(aligned_to(p, 16));
		usable = malloc_usable_size(p);
		REQUIRE(usable >= n);
		memset(p, 0x5a, usable);
		free(p);
	}
}

static void
crowd(size_t n)
{
	unsigned char *p[CROWD];
	size_t usable[CROWD];

	for (unsigned i = 0; i < CROWD; i++) {
		p[i] = malloc(n);
		REQUIRE(p[i] != NULL);
		usable[i] = malloc_usable_size(p[i]);
		stamp(p[i], usable[i], i * 37);
	}
	for (unsigned i = 0; i < CROWD; i++)
		REQUIRE(stamped(p[i], usable[i], i * 37));
	for (unsigned i = 0; i < CROWD; i += 2)
		free(p[i]);
	for (unsigned i = 1; i < CROWD; i += 2) {
		REQUIRE(stamped(p[i], usable[i], i * 37));
		free(p[i]);
	}
}

TEST(writing_all_usable_bytes_harms_no_neighbour)
{
	for (size_t n = 0; n <= 1100; n++)
		crowd(n);
	for (size_t n = 1100; n <= EVERY_SIZE_TO; n += 997)
		crowd(n);
	crowd(32767);
	crowd(32768);
	crowd(32769);
	crowd(65536);
	crowd(65537);
	crowd(131072);
	crowd(200000);
	crowd(262144);
	crowd(262145);
	crowd(1 << 20);
	crowd((4 << 20) - 1);
	crowd((4 << 20) + 1);
}

struct range {
	char *at;
	size_t bytes;
};

static int
by_address(const void *a, const void *b)
{
	const struct range *left = a;
	const struct range *right = b;

	return (left->at > right->at) - (left->at < right->at);
}

TEST(blocks_alive_together_never_overlap)
{
	static struct range live[LIVE];
	uint64_t random = 88172645463325252u;

	for (size_t i = 0; i < LIVE; i++) {
		uint64_t r = next_random(&random);
		size_t n = r % (i % 16 == 0 ? 100000 : 700);

		live[i].at = malloc(n);
		REQUIRE(live[i].at != NULL);
		live[i].bytes = malloc_usable_size(live[i].at);
	}
	qsort(live, LIVE, sizeof live[0], by_address);
	for (size_t i = 1; i < LIVE; i++)
		REQUIRE(live[i - 1].at + live[i - 1].bytes <= live[i].at);
	for (size_t i = 0; i < LIVE; i++)
		free(live[i].at);
}

static void *
posix_memalign_zero(void)
{
	void *p = NULL;

	return posix_memalign(&p, 64, 0) == 0 ? p : NULL;
}

TEST(zero_bytes_are_a_block_of_their_own_in_every_function)
{
	size_t zero = opaque(0);
	void *p[] = { malloc(zero), malloc(zero), calloc(zero, 8),
		calloc(8, zero), calloc(zero, zero), realloc(NULL, zero),
		reallocarray(NULL, zero, 8), reallocarray(NULL, 8, zero),
		aligned_alloc(64, zero), memalign(64, zero), valloc(zero),
		pvalloc(zero), posix_memalign_zero() };

	for (size_t i = 0; i < COUNT_OF(p); i++) {
		CHECK(p[i] != NULL);
		CHECK(aligned_to(p[i], 16));
		for (size_t j = 0; j < i; j++)
			CHECK(p[i] != p[j]);
	}
	for (size_t i = 0; i < COUNT_OF(p); i++)
		free(p[i]);
}

TEST(null_is_freed_and_measured_in_peace)
{
	free(NULL);
	CHECK_EQ(malloc_usable_size(NULL), 0);
}

TEST(freed_memory_is_used_again)
{
	static const size_t sizes[] = { 100000, 300000 };

	/* 20 GiB and 60 pass through: a malloc that keeps none cannot. */
	for (size_t i = 0; i < 400000; i++) {
		size_t n = sizes[i / 200000];
		char *p = malloc(opaque(n));

		REQUIRE(p != NULL);
		p[i % n] = 1;
		free(p);
	}
}

TEST_MAIN
