/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout_test - slab_layout_choose() over every size and alignment it can get
 *
 * Method: the function is pure, so state what must hold of any answer and ask
 * all the questions, rather than pin a few answers that a retune would break.
 */
#include "harness.h"

#include "slab/slab.h"

static bool
holds(size_t item_bytes, size_t align)
{
	struct slab_layout l;
	size_t used;

	slab_layout_choose(&l, item_bytes, align);
	used = l.lead + l.items * l.stride;
	return l.items >= 1 && l.stride >= item_bytes && l.stride % 8 == 0 &&
	       l.stride % align == 0 && l.lead % align == 0 &&
	       used == l.slab_bytes && l.slab_bytes % GRANULE == 0 &&
	       (UMA_HOSTILE || l.lead < l.stride) &&
	       l.words * (size_t)BITS_PER_WORD >= l.items;
}

static void
check_sizes(size_t from, size_t to, size_t step)
{
	for (size_t align = 1; align <= GRANULE; align *= 2) {
		for (size_t bytes = from; bytes <= to; bytes += step) {
			if (CHECK(holds(bytes, align)))
				continue;
			harness_say("#   %zu bytes at %zu\n", bytes, align);
			return;
		}
	}
}

TEST(every_small_size_at_every_alignment)
{
	check_sizes(1, 16384, 1);
}

TEST(large_sizes_at_every_alignment)
{
	check_sizes(16384, (size_t)4 << 20, 4093);
	check_sizes(SLAB_ITEM_MAX - 3, SLAB_ITEM_MAX, 1);
}

/* Small items at their natural alignment waste at most one part in eight. */
TEST(waste_is_bounded)
{
	struct slab_layout l;

	if (UMA_HOSTILE)
		SKIP("slabs of three items waste nearly all");
	for (size_t bytes = 8; bytes <= 8192; bytes += 8) {
		slab_layout_choose(&l, bytes, 8);
		CHECK_EQ(l.slab_bytes, GRANULE);
		CHECK(l.lead * 8 <= l.slab_bytes);
	}
}

/* By division, of every distance in the slab and before its first item. */
static bool
indexes(size_t item_bytes)
{
	struct slab_layout l;

	slab_layout_choose(&l, item_bytes, 8);
	for (size_t at = 0; at < l.slab_bytes; at++) {
		size_t distance = at - l.lead;
		uint32_t i = slab_index_at(l.reciprocal, distance);
		bool starts = at >= l.lead && distance % l.stride == 0;

		if (starts ? i != distance / l.stride : i < l.items)
			return false;
	}
	return true;
}

TEST(every_address_of_a_slab_has_its_index_or_none)
{
	for (size_t bytes = 8; bytes <= 8192; bytes += 8)
		CHECK(indexes(bytes));
	for (size_t bytes = 8192; bytes <= (size_t)1 << 21; bytes += 14984)
		CHECK(indexes(bytes));
	CHECK(indexes((size_t)1 << 25));
}

static union {
	struct slab s;
	uint64_t room[1024];
} header;
static _Alignas(65536) char memory[GRANULE];

/* Taken items lie at the end, the lowest last. */
static void *items[200];
static bool plain;

static size_t
take(struct slab *s, const struct slab_layout *l, size_t want)
{
	plain = true;
	return slab_take(s, l, true, false, items + 200, want, &plain);
}

static char *
taken(size_t i)
{
	return items[199 - i];
}

TEST(free_bits_are_taken_lowest_first_and_given_back_once)
{
	struct slab_layout l;
	void *twice;

	slab_layout_choose(&l, 512, 512);
	if (l.items < 128)
		SKIP("hostile slabs are smaller");
	slab_format(&header.s, &l, NULL, memory, l.items, true);
	CHECK_EQ(take(&header.s, &l, 100), 100);
	CHECK(!plain);
	for (size_t i = 0; i < 100; i++)
		CHECK(taken(i) == memory + 512 * i + SLAB_MARK_RAW);
	CHECK_EQ(take(&header.s, &l, 100), 28);
	CHECK_EQ(take(&header.s, &l, 100), 0);
	CHECK(slab_give(&header.s, 70));
	CHECK(!slab_give(&header.s, 70));
	CHECK(!slab_set_free(&header.s, 70));
	CHECK_EQ(take(&header.s, &l, 100), 1);
	CHECK(taken(0) == memory + 512 * 70); /* raw no more */
	atomic_fetch_or(slab_late_bits(&header.s, &l), UINT64_C(6));
	slab_merge(&header.s, &l, &twice);
	CHECK(twice == NULL);
	CHECK_EQ(header.s.free_count, 2);
	atomic_fetch_or(slab_late_bits(&header.s, &l), UINT64_C(2));
	slab_merge(&header.s, &l, &twice);
	CHECK(twice == memory + 512);
	/* The search begins at what came late. */
	CHECK_EQ(take(&header.s, &l, 100), 2);
	CHECK(taken(0) == memory + 512 && taken(1) == memory + 1024);
	CHECK_EQ(slab_index(&header.s, &l, memory + 512), 1);
	CHECK(slab_index(&header.s, &l, memory + 513) >= l.items);
	CHECK(slab_index(&header.s, &l, memory + GRANULE) >= l.items);
}

/* Whole words at once, and what is left of one bit by bit. */
TEST(words_are_taken_whole_and_in_part)
{
	struct slab_layout l;
	size_t at = 0;

	slab_layout_choose(&l, 512, 512);
	if (l.items < 128)
		SKIP("hostile slabs are smaller");
	slab_format(&header.s, &l, NULL, memory, l.items, false);
	for (size_t want = 63; want <= 65; at += want, want += 2) {
		plain = true;
		CHECK_EQ(slab_take(&header.s, &l, false, false, items + 200,
			     want, &plain),
		    want);
		CHECK(plain);
		for (size_t i = 0; i < want; i++)
			CHECK(taken(i) == memory + 512 * (at + i));
	}
	CHECK_EQ(header.s.free_count, 0);
	/* Beyond what is backed they are marked. */
	for (uint32_t i = 0; i < 128; i++)
		CHECK(slab_give(&header.s, i));
	tally_set(&header.s.ready, 512 * 100);
	CHECK_EQ(
	    slab_take(&header.s, &l, false, true, items + 200, 200, &plain),
	    128);
	CHECK(!plain);
	for (size_t i = 0; i < 128; i++) {
		CHECK(taken(i) ==
		      memory + 512 * i + (i < 100 ? 0 : SLAB_MARK_UNBACKED));
		CHECK(slab_is_backed(&header.s, &l, memory + 512 * i) ==
		      (i < 100));
	}
}

TEST_MAIN
