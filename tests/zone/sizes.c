/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sizes - every item is as large and as aligned as asked, and nobody else's
 *
 * All bytes of all items are written with the item's own pattern while all
 * are out, and read afterwards: two items that share a byte cannot both hold.
 */
#include "zone/common.h"

#define MANY 1000

static void *items[MANY];

/* Take `count` items, check place and alignment, write, read, give back. */
static void
try_zone(uma_zone_t zone, int size, int align, int count)
{
	size_t bytes = (size_t)size;
	bool good = true;

	for (int i = 0; i < count; i++) {
		items[i] = sure_zalloc(zone, i % 2 == 0 ? M_NOWAIT : M_WAITOK);
		if (items[i] == NULL ||
		    ((uintptr_t)items[i] & (uintptr_t)align) != 0)
			good = false;
		else
			pattern_fill(items[i], bytes, (uint64_t)(i + size));
	}
	for (int i = 0; i < count; i++)
		if (items[i] != NULL &&
		    !pattern_holds(items[i], bytes, (uint64_t)(i + size)))
			good = false;
	if (!CHECK(good))
		harness_say("#   size %d align %d\n", size, align);
	CHECK_EQ(zone_numbers(zone).used_items, count);
	for (int i = 0; i < count; i++)
		uma_zfree(zone, items[i]);
	CHECK_EQ(zone_numbers(zone).used_items, 0);
}

static void
try_size(int size, int align, int count)
{
	uma_zone_t zone = zone_make("size", size, align);

	CHECK_EQ(zone_numbers(zone).item_bytes, size);
	try_zone(zone, size, align, count);
	/* Again, as the items now come out of a cache. */
	try_zone(zone, size, align, count);
	zone_end(zone);
}

TEST_TIME(every_size_to_4096, 100)
{
	for (int size = 1; size <= 4096; size++)
		try_size(size, 0, 40);
}

TEST(more_than_a_slab)
{
	static const int sizes[] = { 100, 500, 1000, 1024, 2048, 3000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		try_size(sizes[i], UMA_ALIGN_PTR, MANY);
}

TEST(tiny_items_in_number)
{
	for (int size = 1; size <= 16; size++)
		try_size(size, 0, MANY);
}

TEST(around_every_power_to_16_mib)
{
	for (int power = 4096; power <= 16 << 20; power *= 2) {
		try_size(power - 1, 0, 3);
		try_size(power, 0, 3);
		try_size(power + 1, 0, 3);
		try_size(power / 2 * 3, 0, 3);
	}
}

TEST(steps_between_4096_and_100000)
{
	for (int size = 4096; size <= 100000; size += 1777)
		try_size(size, UMA_ALIGN_PTR, 20);
}

TEST(every_alignment)
{
	static const int sizes[] = { 1, 7, 8, 24, 100, 1000, 4000, 65535, 65536,
		100000, 1 << 20 };

	for (int align = 0; align <= 65535; align = align * 2 + 1)
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
			try_size(sizes[i], align, 20);
}

TEST(named_alignments)
{
	static const int aligns[] = { UMA_ALIGN_PTR, UMA_ALIGN_LONG,
		UMA_ALIGN_INT, UMA_ALIGN_SHORT, UMA_ALIGN_CHAR,
		UMA_ALIGN_CACHE };

	for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++)
		try_size(13, aligns[i], MANY);
	CHECK_EQ(UMA_ALIGN_PTR, sizeof(void *) - 1);
	CHECK((UMA_ALIGN_CACHE & (UMA_ALIGN_CACHE + 1)) == 0);
}

/* MALLOC, OFFPAGE and the rest change where things are kept, not items. */
TEST(every_flag)
{
	for (unsigned flags = 0; flags < 0x40; flags++) {
		uma_zone_t zone = uma_zcreate(
		    "flags", 200, NULL, NULL, NULL, NULL, 15, (uint16_t)flags);

		REQUIRE(zone != NULL);
		if ((flags & UMA_ZONE_STATIC) != 0)
			uma_prealloc(zone, 300);
		CHECK_EQ(zone_numbers(zone).flags, flags);
		try_zone(zone, 200, 15, 300);
		zone_end(zone);
	}
}

TEST(one_gib)
{
	size_t bytes = 1u << 30;
	uma_zone_t zone;
	char *item;

	zone = uma_zcreate(
	    "giant", 1 << 30, NULL, NULL, NULL, NULL, 4095, UMA_ZONE_PAGEABLE);
	REQUIRE(zone != NULL);
	item = uma_zalloc(zone, M_NOWAIT);
	if (item == NULL)
		SKIP("no room for an item of 1 GiB");
	item[0] = 1;
	item[bytes - 1] = 2;
	CHECK(item[0] == 1 && item[bytes - 1] == 2);
	uma_zfree(zone, item);
	zone_end(zone);
}

/* The name is copied: the caller's may change or go. */
TEST(name)
{
	char name[100];
	uma_zone_t zone;

	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = '\0';
	zone = zone_make(name, 64, 7);
	memset(name, 'x', sizeof name - 1);
	CHECK(all_bytes(zone_numbers(zone).name, 63, 'n'));
	CHECK_EQ(zone_numbers(zone).name[63], 0);
	zone_end(zone);
	zone = zone_make("", 64, 7);
	CHECK_EQ(zone_numbers(zone).name[0], 0);
	zone_end(zone);
}

TEST(errno_is_left_alone)
{
	uma_zone_t zone;
	void *item;

	errno = 1234;
	zone = zone_make("errno", 64, 7);
	item = uma_zalloc(zone, M_WAITOK);
	uma_zfree(zone, item);
	uma_reclaim();
	zone_end(zone);
	CHECK_EQ(errno, 1234);
}

TEST_MAIN
