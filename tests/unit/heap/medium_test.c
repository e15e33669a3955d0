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
#include <uma/uma.h>

#include "heap/heap.h"
#include "hostile.h"
#include "lock/lock.h"
#include "pagemap/pagemap.h"
#include "port/port.h"
#include "supply/supply.h"
#include "watch/watch.h"
#include "zone/zone.h"

enum { STEP = 4099, ROUNDS = 1000 };

/* With a gap behind each there are none: its granule would be a second one. */
#define SKIP_WATCHED() \
	do { \
		if (watch_on) \
			SKIP("a tool watches"); \
	} while (0)

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

static void
check_size(size_t bytes)
{
	size_t room = round_up(bytes, GRANULE);
	uint64_t before = numbers(room).allocs;
	unsigned char *block = take(bytes, HEAP_RAW);

	CHECK_EQ((uintptr_t)block % GRANULE, 0);
	CHECK_EQ(uma_heap_usable(block, "test"), room);
	CHECK_EQ(numbers(room).allocs, before + 1);
	memset(block, 1, room);
	uma_heap_free(block, "free");
}

TEST(every_size_is_an_item_of_the_granules_that_it_needs)
{
	SKIP_WATCHED();
	for (size_t n = HEAP_SMALL_MAX + 1; n <= HEAP_MEDIUM_MAX; n += STEP)
		check_size(n);
	for (size_t n = GRANULE; n <= HEAP_MEDIUM_MAX; n += GRANULE) {
		check_size(n);
		if (n < HEAP_MEDIUM_MAX)
			check_size(n + 1);
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
	SKIP_WATCHED();
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
	SKIP_WATCHED();
	if (HOSTILE)
		SKIP("records are refused at random");
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

/* Of the page map; a block of a class. */
static struct keg *
keg_of(const void *block)
{
	const struct slab *s = pagemap_find(block);

	REQUIRE(s != NULL && pagemap_is_slab(s->kind));
	return s->keg;
}

/* What moves because it grew is a run. */
TEST(what_moves_to_grow_is_a_run)
{
	uint64_t before = large_allocs();
	unsigned char *block;

	SKIP_WATCHED();
	block = take(30000, HEAP_RAW);
	memset(block, 7, 30000);
	block = uma_heap_resize(block, 40000, "realloc");
	REQUIRE(block != NULL);
	CHECK_EQ(large_allocs(), before + 1);
	CHECK(is_filled(block, 30000, 7));
	uma_heap_free(block, "free");
}

/* Its granules become a run's; so it is neither copied nor kept whole. */
static void
check_resized(size_t from, size_t to)
{
	struct uma_zone_stats was;
	struct uma_zone_stats now;
	unsigned char *block;
	uint64_t before;

	/* Room behind it, if it is to grow: a run that was larger shrinks. */
	uma_heap_free(take(64 * GRANULE, HEAP_RAW), "free");
	uma_reclaim();
	block = take(from, HEAP_RAW);
	memset(block, 5, from);
	was = numbers(from);
	before = large_allocs();
	CHECK(uma_heap_resize(block, to, "realloc") == block);
	CHECK_EQ(uma_heap_usable(block, "test"), round_up(to, GRANULE));
	CHECK(is_filled(block, min_size(from, to), 5));
	CHECK_EQ(large_allocs(), before + 1);
	now = numbers(from);
	CHECK_EQ(now.used_items, was.used_items - 1);
	CHECK_EQ(now.slab_bytes, was.slab_bytes - from);
	for (size_t at = GRANULE; at < from; at += GRANULE)
		CHECK(pagemap_find(block + at) == NULL);
	memset(block, 6, round_up(to, GRANULE));
	uma_heap_free(block, "free");
}

TEST(with_other_granules_it_becomes_a_run_at_its_place)
{
	SKIP_WATCHED();
	check_resized(GRANULE, GRANULE + 1);
	check_resized(GRANULE, 4 * GRANULE);
	check_resized(4 * GRANULE, 40 * GRANULE);
	check_resized(2 * GRANULE, GRANULE);
	check_resized(3 * GRANULE, 2 * GRANULE - 1);
	check_resized(4 * GRANULE, 3 * GRANULE);
	check_resized(4 * GRANULE, 40000);
}

TEST(with_the_same_granules_it_stays)
{
	unsigned char *block;
	uint64_t before = large_allocs();

	SKIP_WATCHED();
	block = take(GRANULE / 2 + 1, HEAP_RAW);
	CHECK(uma_heap_resize(block, GRANULE, "realloc") == block);
	CHECK(uma_heap_resize(block, GRANULE / 2 + 1, "realloc") == block);
	CHECK_EQ(large_allocs(), before);
	uma_heap_free(block, "free");
}

/* One that cannot: in a handler, or while another looks at the header. */
static void
check_refused(size_t from, size_t to, bool inside)
{
	unsigned char *block = take(from, HEAP_RAW);
	unsigned char *now;
	struct keg *keg = keg_of(block);

	memset(block, 8, from);
	if (inside)
		REQUIRE(gate_enter());
	else
		atomic_fetch_add(&keg->claimers, 1);
	now = uma_heap_resize(block, to, "realloc");
	if (inside)
		gate_leave();
	else
		atomic_fetch_sub(&keg->claimers, 1);
	REQUIRE(now != NULL);
	CHECK(now != block || to > from / 2);
	CHECK(uma_heap_usable(now, "test") >= to);
	CHECK(is_filled(now, min_size(from, to), 8));
	uma_heap_free(now, "free");
	/* What was behind it is nobody's again. */
	check_resized(from, to);
}

TEST(who_is_refused_that_moves)
{
	SKIP_WATCHED();
	for (int inside = 0; inside < 2; inside++) {
		check_refused(GRANULE, 2 * GRANULE, inside != 0);
		check_refused(4 * GRANULE, 8 * GRANULE, inside != 0);
		check_refused(4 * GRANULE, 40000, inside != 0);
		check_refused(4 * GRANULE, 3 * GRANULE, inside != 0);
	}
}

/* Free memory goes back beside who uses nothing but medium blocks. */
TEST(time_passes_for_who_has_only_these)
{
	enum { BLOCKS = 6, TURNS = 1000 };
	unsigned char *blocks[BLOCKS];
	size_t dirty;
	int turns = 0;

	SKIP_WATCHED();
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = take(1 << 20, HEAP_RAW);
		memset(blocks[i], 1, 1 << 20);
	}
	for (int i = 0; i < BLOCKS; i++)
		uma_heap_free(blocks[i], "free");
	dirty = supply_dirty_bytes();
	CHECK(dirty >= BLOCKS << 20);
	while (supply_dirty_bytes() > dirty / 4 && turns++ < TURNS) {
		for (int i = 0; i < 64; i++)
			uma_heap_free(take(100000, HEAP_RAW), "free");
		port_sleep(10000000);
	}
	CHECK(turns < TURNS);
}

/* The room of a block, and how many large ones it counts for. */
static void
check_aligned(size_t bytes, size_t align, size_t room, unsigned large)
{
	uint64_t before = large_allocs();
	void *block = uma_heap_alloc_aligned(bytes, align, HEAP_RAW);

	REQUIRE(block != NULL);
	CHECK_EQ((uintptr_t)block % align, 0);
	CHECK_EQ(uma_heap_usable(block, "test"), room);
	CHECK_EQ(large_allocs(), before + large);
	uma_heap_free(block, "free");
}

TEST(alignments_up_to_a_granule_are_a_class_s)
{
	SKIP_WATCHED();
	for (size_t align = 16; align <= GRANULE; align *= 2)
		check_aligned(100000, align, 2 * GRANULE, 0);
	check_aligned(0, GRANULE, GRANULE, 0);
	check_aligned(100, GRANULE, GRANULE, 0);
	check_aligned(20000, GRANULE, GRANULE, 0);
	check_aligned(100, 2 * GRANULE, GRANULE, 1);
	check_aligned(100000, 2 * GRANULE, 2 * GRANULE, 1);
}

static void *
supply(uma_zone_t zone, int size, uint8_t *pflag, int wait)
{
	(void)zone;
	(void)wait;
	*pflag = UMA_SLAB_PRIV;
	return uma_heap_alloc_aligned((size_t)size, 4096, HEAP_RAW);
}

static void
take_back(void *memory, int size, uint8_t pflag)
{
	(void)size;
	(void)pflag;
	uma_heap_free(memory, "free");
}

/* As uma.h promises of any block that is aligned. */
TEST(they_supply_zones_with_pages)
{
	static const int sizes[] = { 64, 1000, 40000, 70000, 120000, 180000,
		250000, 300000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		enum { ITEMS = 5 };
		char *items[ITEMS];
		uma_zone_t zone = uma_zcreate(
		    "supplied", sizes[i], NULL, NULL, NULL, NULL, 7, 0);

		REQUIRE(zone != NULL);
		uma_zone_set_allocf(zone, supply);
		uma_zone_set_freef(zone, take_back);
		for (int round = 0; round < 2; round++) {
			for (int j = 0; j < ITEMS; j++) {
				items[j] = uma_zalloc(
				    zone, HOSTILE ? M_WAITOK : M_NOWAIT);
				REQUIRE(items[j] != NULL);
				memset(items[j], j, (size_t)sizes[i]);
			}
			for (int j = 0; j < ITEMS; j++) {
				CHECK(is_filled((unsigned char *)items[j],
				    (size_t)sizes[i], (unsigned char)j));
				uma_zfree(zone, items[j]);
			}
		}
		CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	}
}

/* Other zones' items that are whole granules have a hit, too. */
TEST(the_hit_frees_items_of_whole_granules)
{
	static const int sizes[] = { 65536, 131072, 1 << 20 };

	SKIP_WATCHED();
	if (HOSTILE)
		SKIP("records are refused at random");
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct uma_zone_stats before = { .struct_bytes =
						     sizeof before };
		struct uma_zone_stats after = before;
		uma_zone_t zone = uma_zcreate(
		    "granules", sizes[i], NULL, NULL, NULL, NULL, 7, 0);
		char *item;

		REQUIRE(zone != NULL);
		item = uma_zalloc(zone, M_WAITOK);
		CHECK(zone_starts(zone, item));
		CHECK(!zone_starts(zone, item + 16));
		if (sizes[i] > 65536)
			CHECK(!zone_starts(zone, item + 65536));
		uma_zfree(zone, item);
		uma_zone_stats(zone, &before);
		for (unsigned r = 0; r < ROUNDS; r++)
			uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
		uma_zone_stats(zone, &after);
		CHECK(after.misses - before.misses < ROUNDS / 10);
		CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	}
}

TEST_MAIN
