/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hit_test - the one multiplication that tells where an item starts
 *
 * Method: the test is pure, so ask it every address of a granule for every
 * stride there can be, and compare with division.
 */
#include "harness.h"

#include "pagemap/pagemap.h"

/* The first address at which the magic is wrong, or GRANULE. */
static size_t
first_wrong(uint32_t magic, size_t stride)
{
	static char granule[2 * GRANULE];
	char *base = (char *)round_up((uintptr_t)granule, GRANULE);

	for (size_t at = 0; at < GRANULE; at++) {
		bool starts = (GRANULE - at) % stride == 0;

		if (pagemap_starts(magic, base + at) != starts)
			return at;
	}
	return GRANULE;
}

TEST(every_address_for_every_stride)
{
	for (size_t stride = 8; stride <= GRANULE; stride += 8) {
		uint32_t magic = pagemap_magic(stride);

		/* Only large items may have to go the long way. */
		if (magic == 0 && CHECK(stride > 8192))
			continue;
		if (!CHECK_EQ(first_wrong(magic, stride), GRANULE))
			harness_say("#   stride %zu\n", stride);
	}
}

TEST(strides_above_a_granule_have_no_magic)
{
	CHECK_EQ(pagemap_magic(GRANULE + 8), 0);
	CHECK_EQ(pagemap_magic((size_t)1 << 30), 0);
}

TEST(no_item_starts_anywhere_by_no_magic)
{
	for (uintptr_t at = 0; at < GRANULE; at++)
		if (!CHECK(!pagemap_starts(0, (void *)at)))
			break;
}

TEST(a_word_has_its_owner)
{
	uint64_t hit = pagemap_hit_make(7, pagemap_magic(64));

	CHECK_EQ(pagemap_hit_owner(hit), 7);
	CHECK(pagemap_starts((uint32_t)hit, (void *)(GRANULE - 64)));
	CHECK_EQ(pagemap_hit_make(7, 0), UINT64_C(7) << 32);
}

static void
ask_wild_addresses(void)
{
	static const uintptr_t wild[] = { 0, 1, 4095, 0x400000, 0x7fffffffffff,
		0x800000000000, 0x8000000000000000, 0xffff800000000000,
		UINTPTR_MAX };

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		CHECK(pagemap_find((void *)wild[i]) == NULL);
		CHECK_EQ(pagemap_hit(&pagemap_window, (void *)wild[i]), 0);
	}
}

TEST(any_address_whatsoever_can_be_asked)
{
	ask_wild_addresses();
	pagemap_open(NULL);
	ask_wild_addresses();
	CHECK(pagemap_window.granules != 0);
}

/* The first and the last granule of the window, and those beyond. */
TEST(what_lies_outside_the_window_has_no_word)
{
	enum pagemap_kind header = PAGEMAP_SLAB;
	char *first;
	char *last;

	pagemap_open(NULL);
	first = (char *)pagemap_window.base;
	last = first + (pagemap_window.granules - 1) * GRANULE;
	for (int i = -1; i <= 1; i++) {
		char *a = first + i * (ptrdiff_t)GRANULE;
		char *z = last + i * (ptrdiff_t)GRANULE;

		REQUIRE(pagemap_set(a, GRANULE, &header, 9, META_NORMAL));
		REQUIRE(pagemap_set(z, GRANULE, &header, 9, META_NORMAL));
		CHECK(pagemap_find(a) == &header);
		CHECK(pagemap_find(z) == &header);
		CHECK_EQ(pagemap_hit(&pagemap_window, a), i < 0 ? 0 : 9);
		CHECK_EQ(pagemap_hit(&pagemap_window, z), i > 0 ? 0 : 9);
		pagemap_clear(a, GRANULE);
		pagemap_clear(z, GRANULE);
		CHECK_EQ(pagemap_hit(&pagemap_window, a), 0);
		CHECK_EQ(pagemap_hit(&pagemap_window, z), 0);
		CHECK(pagemap_find(a) == NULL && pagemap_find(z) == NULL);
	}
}

/* Of an item that is several granules, the others are inside. */
TEST(the_first_granule_alone_has_a_word)
{
	enum pagemap_kind header = PAGEMAP_SLAB;
	char *first;

	pagemap_open(NULL);
	first = (char *)pagemap_window.base;
	REQUIRE(pagemap_set(first, 3 * GRANULE, &header, 9, META_NORMAL));
	for (size_t i = 0; i < 3; i++) {
		char *at = first + i * GRANULE;

		CHECK_EQ(pagemap_hit(&pagemap_window, at), i == 0 ? 9 : 0);
		CHECK(pagemap_find(at) == &header);
	}
	pagemap_clear(first, 3 * GRANULE);
	CHECK_EQ(pagemap_hit(&pagemap_window, first), 0);
}

/* Boot memory may be all that there is. */
TEST(a_window_is_opened_around_boot_memory)
{
	static char boot[GRANULE];

	pagemap_open(boot);
	CHECK((uintptr_t)boot - pagemap_window.base <
	      pagemap_window.granules * GRANULE);
	ask_wild_addresses();
}

TEST_MAIN
