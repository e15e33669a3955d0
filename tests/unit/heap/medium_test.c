/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * medium_test.c - blocks of one to four granules: items of zones, or runs
 *
 * Method: every size between the small classes and the large blocks, and who
 * had it by the numbers of the zones and of the large blocks.
 */
#include "harness.h"

#include <string.h>
#include <uma/stats.h>

#include "heap/heap.h"
#include "hostile.h"
#include "watch/watch.h"

enum { STEP = 4099, ROUNDS = 1000 };

static void
keep(const struct uma_zone_stats *zone, void *arg)
{
	struct uma_zone_stats *wanted = arg;

	if (strcmp(zone->name, wanted->name) == 0)
		*wanted = *zone;
}

/* Of the zone that has blocks of so many bytes. */
static struct uma_zone_stats
numbers(size_t bytes)
{
	struct uma_zone_stats wanted = { 0 };

	REQUIRE(heap_wake());
	snprintf(wanted.name, sizeof wanted.name, "malloc-%zu", bytes);
	uma_stats_walk(keep, &wanted);
	CHECK_EQ(wanted.item_bytes, bytes);
	return wanted;
}

static uint64_t
large_allocs(void)
{
	struct heap_reading now;

	heap_read(&now);
	return now.large_allocs;
}

static unsigned char *
take(size_t bytes, enum heap_how how)
{
	unsigned char *block = uma_heap_alloc(bytes, how);

	REQUIRE(block != NULL);
	return block;
}

static bool
is_filled(const unsigned char *block, size_t bytes, unsigned char with)
{
	return block[0] == with && memcmp(block, block + 1, bytes - 1) == 0;
}

TEST(every_size_is_an_item_of_the_granules_that_it_needs)
{
	for (size_t n = HEAP_SMALL_MAX + 1; n <= HEAP_MEDIUM_MAX; n += STEP) {
		size_t room = round_up(n, GRANULE);
		uint64_t before = numbers(room).allocs;
		unsigned char *block = take(n, HEAP_RAW);

		CHECK_EQ((uintptr_t)block % GRANULE, 0);
		CHECK_EQ(uma_heap_usable(block, "test"), room);
		CHECK_EQ(numbers(room).allocs, before + 1);
		memset(block, 1, room);
		uma_heap_free(block, "free");
	}
}

TEST(what_is_larger_is_none)
{
	uint64_t before = large_allocs();
	unsigned char *block = take(HEAP_MEDIUM_MAX + 1, HEAP_RAW);

	CHECK_EQ(large_allocs(), before + 1);
	uma_heap_free(block, "free");
}

/* malloc's free has its class by the first granule; inside there is none. */
TEST(the_hit_knows_where_a_block_starts)
{
	if (watch_on)
		SKIP("hits are off");
	for (size_t n = GRANULE; n <= HEAP_MEDIUM_MAX; n += GRANULE) {
		unsigned char *block = take(n, HEAP_RAW);

		CHECK_EQ(heap_hit_class(block), heap_class(n));
		CHECK_EQ(heap_hit_room(block), n);
		for (size_t at = 16; at < n; at += GRANULE / 4 - 16)
			CHECK_EQ(heap_hit_class(block + at), HEAP_CLASSES);
		for (size_t at = GRANULE; at < n; at += GRANULE)
			CHECK_EQ(heap_hit_class(block + at), HEAP_CLASSES);
		uma_heap_free(block, "free");
	}
}

TEST(taken_and_freed_it_misses_no_more)
{
	if (HOSTILE || watch_on)
		SKIP("records are refused at random, or hits are off");
	for (size_t n = GRANULE; n <= HEAP_MEDIUM_MAX; n += GRANULE) {
		uint64_t before;

		uma_heap_free(take(n, HEAP_RAW), "free");
		before = numbers(n).misses;
		for (unsigned i = 0; i < ROUNDS; i++)
			uma_heap_free(take(n, HEAP_RAW), "free");
		/* Each CPU that this runs on begins with some. */
		CHECK(numbers(n).misses - before < ROUNDS / 10);
	}
}

TEST(what_has_to_be_zero_is_a_run)
{
	for (size_t n = HEAP_SMALL_MAX + 1; n <= HEAP_MEDIUM_MAX; n += STEP) {
		uint64_t before;
		unsigned char *block = take(n, HEAP_RAW);

		memset(block, 0xa5, n);
		uma_heap_free(block, "free");
		before = large_allocs();
		block = take(n, HEAP_ZERO);
		CHECK_EQ(large_allocs(), before + 1);
		CHECK(is_filled(block, n, 0));
		memset(block, 0x5a, n);
		uma_heap_free(block, "free");
	}
}

TEST(what_grows_is_a_run_and_grows_at_its_place)
{
	uint64_t before = large_allocs();
	unsigned char *block = take(GRANULE / 2 + 1, HEAP_RAW);
	unsigned char *grown;

	if (watch_on)
		SKIP("a tool sees it move each time");
	memset(block, 7, GRANULE / 2 + 1);
	/* There is room in its granule. */
	grown = uma_heap_resize(block, GRANULE, "realloc");
	CHECK(grown == block);
	CHECK_EQ(large_allocs(), before);
	grown = uma_heap_resize(grown, GRANULE + 1, "realloc");
	REQUIRE(grown != NULL);
	CHECK_EQ(large_allocs(), before + 1);
	CHECK(is_filled(grown, GRANULE / 2 + 1, 7));
	/* Nothing lies behind the last run of all. */
	block = grown;
	for (size_t n = 3 * GRANULE; n <= 64 * GRANULE; n += GRANULE) {
		grown = uma_heap_resize(grown, n, "realloc");
		REQUIRE(grown != NULL);
	}
	CHECK(grown == block);
	CHECK_EQ(large_allocs(), before + 1);
	uma_heap_free(grown, "free");
}

TEST(what_shrinks_stays_while_more_than_half_is_used)
{
	const size_t most = HEAP_MEDIUM_MAX;
	unsigned char *block = take(most, HEAP_RAW);
	unsigned char *now;

	if (watch_on)
		SKIP("a tool sees it move each time");
	memset(block, 9, most);
	now = uma_heap_resize(block, most / 2 + 1, "realloc");
	CHECK(now == block);
	now = uma_heap_resize(block, most / 2, "realloc");
	REQUIRE(now != NULL);
	CHECK_EQ(uma_heap_usable(now, "test"), most / 2);
	CHECK(is_filled(now, most / 2, 9));
	uma_heap_free(now, "free");
}

TEST(alignments_up_to_a_granule)
{
	for (size_t align = 16; align <= GRANULE; align *= 2) {
		unsigned char *block =
		    uma_heap_alloc_aligned(100000, align, HEAP_RAW);

		REQUIRE(block != NULL);
		CHECK_EQ((uintptr_t)block % align, 0);
		CHECK_EQ(uma_heap_usable(block, "test"), 2 * GRANULE);
		uma_heap_free(block, "free");
	}
}

TEST_MAIN
