/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists_test.c - which slab is taken from, and which ones stay
 *
 * Method: the keg without caches before it, so that each item that is taken or
 * comes back moves its slab where one can see it.
 */
#include "harness.h"

#include <uma/uma.h>

#include "hostile.h"
#include "keg/inner.h"
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

/* As a division says it; and moves_at tells of each move, and nothing else. */
static size_t
empty_a_slab(struct keg *keg, struct slab *s, size_t limit) UMA_UNCHECKED_LOCKS
{
	size_t n = keg->layout.items;
	size_t wrong = 0;

	s->limit = (uint32_t)limit;
	s->free_count = 0;
	wrong += keg_bin(keg, s) != BIN_FULL;
	keg_move(keg, s, BIN_FULL);
	for (size_t used = limit; used-- > 0;) {
		size_t bin = used == 0 ? BIN_IDLE : 1 + used * 8 / n;

		s->free_count++;
		wrong += keg_bin(keg, s) != bin;
		wrong += (s->free_count >= s->moves_at) != (s->bin != bin);
		keg_rebin(keg, s);
	}
	return wrong;
}

/* Of any number of items; and the last slab of a limited zone. */
TEST(bins_are_eighths_of_a_slab)
{
	static struct keg keg;
	static struct slab s = { .bin = BIN_IDLE };

	keg.bins[BIN_IDLE] = &s;
	keg.idle = 1;
	for (size_t bytes = 8; bytes <= 3 * GRANULE; bytes += 8) {
		size_t n;

		keg_shape(&keg, bytes, 8, 0);
		n = keg.layout.items;
		CHECK_EQ(empty_a_slab(&keg, &s, n), 0);
		CHECK_EQ(empty_a_slab(&keg, &s, (n + 1) / 2), 0);
		CHECK_EQ(empty_a_slab(&keg, &s, n - (n > 1)), 0);
		CHECK_EQ(empty_a_slab(&keg, &s, 1), 0);
	}
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

/* Beyond what was taken: two pages, or an eighth of all. */
TEST(little_is_backed_for_nothing)
{
	uma_zone_t zone = make();
	size_t bytes = zone->keg.layout.slab_bytes;
	size_t few = max_size(8192, port_page_bytes());

	for (size_t n = 1; n <= 20 * zone->keg.layout.items; n++) {
		size_t slabs;
		size_t used;
		struct slab *s;

		REQUIRE(keg_take(&zone->keg, &items[n], 1, M_NOWAIT) == 1);
		s = pagemap_find(items[n]);
		slabs = tally_get(&zone->keg.slabs);
		used = s->limit - s->free_count;
		if (!HOSTILE)
			CHECK(tally_get(&s->ready) <=
			      used * ITEM + max_size(few, slabs * bytes / 8));
	}
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
