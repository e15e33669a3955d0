/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hit_test - the one multiplication that tells where an item starts
 *
 * Method: the test is pure, so ask it every address of a granule for every
 * stride there can be, and compare with division.
 */
#include "harness.h"

#include "pagemap/pagemap.h"

/* The first address at which the word is wrong, or GRANULE. */
static size_t
first_wrong(uint64_t hit, size_t stride)
{
	static char granule[2 * GRANULE];
	char *base = (char *)round_up((uintptr_t)granule, GRANULE);

	for (size_t at = 0; at < GRANULE; at++) {
		bool starts = (GRANULE - at) % stride == 0;

		if (pagemap_hit_starts(hit, base + at) != starts)
			return at;
	}
	return GRANULE;
}

TEST(every_address_for_every_stride)
{
	for (size_t stride = 8; stride <= GRANULE; stride += 8) {
		uint64_t hit = pagemap_hit_make(7, stride);

		/* Only large items may have to go the long way. */
		if (hit == 0 && CHECK(stride > 8192))
			continue;
		CHECK_EQ(pagemap_hit_owner(hit), 7);
		if (!CHECK_EQ(first_wrong(hit, stride), GRANULE))
			harness_say("#   stride %zu\n", stride);
	}
}

TEST(strides_above_a_granule_have_no_word)
{
	CHECK_EQ(pagemap_hit_make(1, GRANULE + 8), 0);
	CHECK_EQ(pagemap_hit_make(1, (size_t)1 << 30), 0);
}

TEST(any_address_whatsoever_can_be_asked)
{
	static const uintptr_t wild[] = { 0, 1, 4095, 0x7fffffffffff,
		0x800000000000, 0xffff800000000000, UINTPTR_MAX };

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		CHECK(pagemap_find((void *)wild[i]) == NULL);
		CHECK_EQ(pagemap_hit(&pagemap_root, (void *)wild[i]), 0);
	}
}

TEST_MAIN
