/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists_test.c - which slab is taken from, and which ones stay
 *
 * Method: the keg without caches before it, so that each item that is taken or
 * comes back moves its slab where one can see it.
 */
#include "harness.h"

#include <uma/uma.h>

#include "keg/keg.h"
#include "supply/supply.h"
#include "zone/zone.h"

enum { ITEM = 512, SLABS = 40, MANY = 10000 };

static void *items[MANY];

/* A hostile build gives what there is, too: its lists are the same. */
static uma_zone_t
make(void)
{
	uma_zone_t zone =
	    uma_zcreate("lists", ITEM, NULL, NULL, NULL, NULL, 63, 0);

	REQUIRE(zone != NULL && SLABS * zone->keg.layout.items <= MANY);
	supply_trust(true);
	return zone;
}

static void
take(uma_zone_t zone, size_t count)
{
	for (size_t got = 0; got < count;) {
		size_t n =
		    keg_take(&zone->keg, items + got, count - got, M_NOWAIT);

		REQUIRE(n != 0);
		got += n;
	}
}

static void
give(uma_zone_t zone, size_t from, size_t count)
{
	keg_return(&zone->keg, items + from, count, "lists");
}

TEST(the_fullest_slab_comes_first)
{
	uma_zone_t zone = make();
	size_t n = zone->keg.layout.items;
	void *item;

	take(zone, 2 * n);
	give(zone, 0, n / 2);
	give(zone, n, 1);
	CHECK_EQ(keg_take(&zone->keg, &item, 1, M_NOWAIT), 1);
	CHECK(item == items[n]);
}

TEST(idle_slabs_are_counted)
{
	uma_zone_t zone = make();

	for (int round = 0; round < 3; round++) {
		take(zone, 1);
		CHECK_EQ(zone->keg.idle, 0);
		give(zone, 0, 1);
		CHECK_EQ(zone->keg.idle, 1);
	}
	uma_reclaim();
	CHECK_EQ(zone->keg.idle, 0);
	CHECK_EQ(tally_get(&zone->keg.slabs), 0);
}

/* One, and an eighth of all. */
TEST(few_idle_slabs_stay)
{
	uma_zone_t zone = make();
	size_t count = SLABS * zone->keg.layout.items;

	take(zone, count);
	CHECK_EQ(tally_get(&zone->keg.slabs), SLABS);
	give(zone, 0, count);
	CHECK_EQ(tally_get(&zone->keg.slabs), 1 + SLABS / 8);
	CHECK_EQ(zone->keg.idle, 1 + SLABS / 8);
}

/* As another thread would count that preallocates. */
TEST(what_is_being_filled_stays)
{
	uma_zone_t zone = make();

	tally_add(&zone->keg.filling, 1);
	REQUIRE(keg_prealloc(&zone->keg, M_NOWAIT));
	uma_reclaim();
	CHECK_EQ(tally_get(&zone->keg.slabs), 1);
	tally_add(&zone->keg.filling, (size_t)-1);
	uma_reclaim();
	CHECK_EQ(tally_get(&zone->keg.slabs), 0);
}

TEST_MAIN
