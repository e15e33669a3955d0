/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * create - crimes of creation, of setting up a zone and of starting by hand
 */
#include "zone/common.h"

#include <limits.h>

#include "supplier.h"

#define SIZE_RULE  "size not from 1 to 1073741824"
#define ALIGN_RULE "align is not a power of two less one, at most 65535"

static void
create(int size, int align, unsigned flags)
{
	uma_zcreate(
	    "bad", size, NULL, NULL, NULL, NULL, align, (uint16_t)flags);
}

TEST(size_out_of_range)
{
	static const int sizes[] = { 0, -1, -8, INT_MIN, 1073741825, INT_MAX };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		DIES(create(sizes[i], 7, 0),
		    "uma: uma_zcreate: " SIZE_RULE ": zone \"bad\"");
}

TEST(align_not_a_mask)
{
	static const int aligns[] = { 2, 4, 5, 6, 8, 16, 62, 64, 4096, 65534,
		65536, 131071, 0x7fffffff, -1, -8, INT_MIN };

	for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++)
		DIES(create(64, aligns[i], 0),
		    "uma: uma_zcreate: " ALIGN_RULE ": zone \"bad\"");
}

TEST(unknown_flags)
{
	for (unsigned bit = 0x40; bit <= 0x8000; bit <<= 1) {
		DIES(create(64, 7, bit),
		    "uma: uma_zcreate: unknown flags: zone \"bad\"");
		DIES(create(64, 7, bit | UMA_ZONE_NOFREE),
		    "uma: uma_zcreate: unknown flags: zone \"bad\"");
	}
}

TEST(limits_themselves_are_fine)
{
	for (unsigned flags = 0; flags < 0x40; flags++) {
		uma_zone_t zone = uma_zcreate(
		    "good", 64, NULL, NULL, NULL, NULL, 7, (uint16_t)flags);

		REQUIRE(zone != NULL);
		zone_end(zone);
	}
	zone_end(zone_make("one byte", 1, 0));
	zone_end(zone_make("one GiB", 1 << 30, 65535));
}

TEST(prealloc_negative)
{
	uma_zone_t zone = zone_make("fill", 64, 7);

	DIES(uma_prealloc(zone, -1),
	    "uma: uma_prealloc: negative item count: zone \"fill\"");
	DIES(uma_prealloc(zone, INT_MIN),
	    "uma: uma_prealloc: negative item count: zone \"fill\"");
	zone_end(zone);
}

static void
freef(void *item, int size, uint8_t pflag)
{
	(void)item;
	(void)size;
	(void)pflag;
}

/* All setters must come first: each of them after each way to be late. */
static void
setters_die(uma_zone_t zone)
{
	DIES(uma_zone_set_allocf(zone, supply_nothing),
	    "uma: uma_zone_set_allocf: zone already in use: zone \"late\"");
	DIES(uma_zone_set_freef(zone, freef),
	    "uma: uma_zone_set_freef: zone already in use: zone \"late\"");
	DIES(uma_zone_set_obj(zone, NULL, 10),
	    "uma: uma_zone_set_obj: zone already in use: zone \"late\"");
}

TEST(setters_after_allocation)
{
	uma_zone_t zone = zone_make("late", 64, 7);
	void *item = uma_zalloc(zone, M_WAITOK);

	setters_die(zone);
	uma_zfree(zone, item);
	setters_die(zone);
	zone_end(zone);
}

TEST(setters_after_prealloc)
{
	uma_zone_t zone = zone_make("late", 64, 7);

	uma_prealloc(zone, 1);
	setters_die(zone);
	zone_end(zone);
}

TEST(object_of_no_items)
{
	uma_zone_t zone = zone_make("none", 64, 7);

	DIES(uma_zone_set_obj(zone, NULL, 0),
	    "uma: uma_zone_set_obj: item count below 1: zone \"none\"");
	DIES(uma_zone_set_obj(zone, NULL, -1),
	    "uma: uma_zone_set_obj: item count below 1: zone \"none\"");
	zone_end(zone);
}

/* ---- starting by hand: each statement runs in a process of its own ---- */

static _Alignas(65536) char boot[UMA_SLAB_SIZE * UMA_BOOT_PAGES];
static void *hash[16];

static void
startup_twice(void)
{
	uma_startup(boot);
	uma_startup(boot);
}

static void
startup_after_use(void)
{
	uma_zcreate("first", 64, NULL, NULL, NULL, NULL, 7, 0);
	uma_startup(boot);
}

static void
startup2_after_use(void)
{
	uma_zcreate("first", 64, NULL, NULL, NULL, NULL, 7, 0);
	uma_startup2(hash, 16);
}

static void
startup2_twice(void)
{
	uma_startup(boot);
	uma_startup2(hash, 16);
	uma_startup2(hash, 16);
}

static void
startup2_of(unsigned long elems)
{
	uma_startup(boot);
	uma_startup2(hash, elems);
}

TEST(startup)
{
	DIES(uma_startup(NULL), "uma: uma_startup: bootmem is NULL");
	DIES(startup_twice(), "uma: uma_startup: library already started");
	DIES(startup_after_use(), "uma: uma_startup: library already started");
}

TEST(startup2)
{
	static const unsigned long elems[] = { 0, 3, 12, 1000, ULONG_MAX };

	DIES(uma_startup2(hash, 16),
	    "uma: uma_startup2: uma_startup was not called");
	DIES(startup2_after_use(),
	    "uma: uma_startup2: uma_startup was not called");
	DIES(startup2_twice(), "uma: uma_startup2: called twice");
	for (size_t i = 0; i < sizeof elems / sizeof elems[0]; i++)
		DIES(startup2_of(elems[i]),
		    "uma: uma_startup2: elems is not a power of two");
}

TEST_MAIN
