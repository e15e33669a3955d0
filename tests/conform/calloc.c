/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calloc.c - zeros, whoever had the memory before
 *
 * Method: dirty blocks to the last usable byte, free them, and ask for zeros
 * of the same size, so that most of what comes back was dirty.
 */
#include "conform.h"

enum { CROWD = 100 };

static void
dirty(size_t bytes, size_t count)
{
	void *p[CROWD];

	for (size_t i = 0; i < count; i++) {
		p[i] = malloc(bytes);
		REQUIRE(p[i] != NULL);
		memset(p[i], 0xa5, malloc_usable_size(p[i]));
	}
	for (size_t i = 0; i < count; i++)
		free(p[i]);
}

/* Ask for `count` blocks of items x item_bytes and leave them dirty. */
static void
check_zeros(size_t items, size_t item_bytes, size_t count)
{
	void *p[CROWD];

	for (size_t i = 0; i < count; i++) {
		p[i] = calloc(items, item_bytes);
		REQUIRE(p[i] != NULL);
		REQUIRE(aligned_to(p[i], 16));
		REQUIRE(all_zero(p[i], items * item_bytes));
		memset(p[i], 0x5a, malloc_usable_size(p[i]));
	}
	for (size_t i = 0; i < count; i++)
		free(p[i]);
}

TEST(small_blocks_are_zero_after_dirty_use)
{
	for (size_t n = 1; n <= 2048; n++) {
		dirty(n, CROWD);
		check_zeros(1, n, CROWD);
	}
}

TEST(middle_blocks_are_zero_after_dirty_use)
{
	for (size_t n = 2048; n <= 70000; n += 337) {
		dirty(n, 20);
		check_zeros(n, 1, 20);
	}
}

TEST(large_blocks_are_zero_after_dirty_use)
{
	static const size_t sizes[] = { 32768, 32769, 65536, 65537, 131072,
		1000000, 1u << 20, (4u << 20) - 1, 4u << 20, (4u << 20) + 1,
		9u << 20 };

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		dirty(sizes[i], 6);
		check_zeros(1, sizes[i], 6);
	}
}

TEST(large_blocks_are_zero_after_dirty_use_by_other_sizes)
{
	for (size_t i = 0; i < 60; i++) {
		dirty(100000 + i * 30000, 3);
		check_zeros(1, 50000 + i * 13000, 4);
	}
}

TEST(every_split_of_a_product_is_zero)
{
	for (size_t items = 1; items <= 64; items++) {
		for (size_t bytes = 1; bytes <= 64; bytes += 7) {
			dirty(items * bytes, 4);
			check_zeros(items, bytes, 4);
		}
	}
}

TEST(zeros_among_random_dirt)
{
	enum { SLOTS = 256, STEPS = 150000 };
	static unsigned char *slot[SLOTS];
	uint64_t random = 2463534242u;

	for (size_t step = 0; step < STEPS; step++) {
		uint64_t r = next_random(&random);
		size_t i = r % SLOTS;
		size_t n = (r >> 20) % ((r >> 8) % 32 == 0 ? 90000 : 1500) + 1;

		free(slot[i]);
		if ((r >> 60) < 8) {
			slot[i] = calloc(1, n);
			REQUIRE(slot[i] != NULL);
			REQUIRE(all_zero(slot[i], n));
		} else {
			slot[i] = malloc(n);
			REQUIRE(slot[i] != NULL);
		}
		memset(slot[i], 0xc3, malloc_usable_size(slot[i]));
	}
	for (size_t i = 0; i < SLOTS; i++)
		free(slot[i]);
}

TEST_MAIN
