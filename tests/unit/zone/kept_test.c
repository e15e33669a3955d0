/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kept_test.c - what a record keeps, and what it sends away
 */
#include "harness.h"

#include <uma/stats.h>
#include <uma/uma.h>

#include "cpus.h"
#include "hostile.h"
#include "zone/zone.h"

enum { ITEM = 64, BURST = 1000, MANY = 20000, ROUNDS = 12 };

static void *items[MANY];

/* ---- trips to the depot, and buckets that come and go ---- */

static unsigned trips;

struct bucket *__real_depot_take(struct depot *d);
struct bucket *__wrap_depot_take(struct depot *d);
bool __real_depot_give(struct depot *d, struct bucket *b, size_t max);
bool __wrap_depot_give(struct depot *d, struct bucket *b, size_t max);
struct bucket *__real_bucket_take(unsigned want);
struct bucket *__wrap_bucket_take(unsigned want);

struct bucket *
__wrap_depot_take(struct depot *d)
{
	trips++;
	return __real_depot_take(d);
}

bool
__wrap_depot_give(struct depot *d, struct bucket *b, size_t max)
{
	trips++;
	return __real_depot_give(d, b, max);
}

struct bucket *
__wrap_bucket_take(unsigned want)
{
	trips++;
	return __real_bucket_take(want);
}

static uma_zone_t
make(void)
{
	uma_zone_t zone =
	    uma_zcreate("kept", ITEM, NULL, NULL, NULL, NULL, 0, 0);

	REQUIRE(zone != NULL);
	(void)cpu_pin(0);
	return zone;
}

static void
take(uma_zone_t zone, int count)
{
	for (int i = 0; i < count; i++)
		REQUIRE((items[i] = uma_zalloc(zone, M_WAITOK)) != NULL);
}

static void
give(uma_zone_t zone, int count)
{
	for (int i = 0; i < count; i++)
		uma_zfree(zone, items[i]);
}

/* The one record that this thread uses. */
static struct cache *
record(uma_zone_t zone)
{
	unsigned cpu = percpu_next(zone->caches, 0);
	struct cache *c = percpu_record(zone->caches, cpu);

	REQUIRE(cpu < percpu_slots());
	CHECK_EQ(percpu_next(zone->caches, cpu + 1), percpu_slots());
	return c;
}

static size_t
items_in(const struct bucket *list)
{
	size_t sum = 0;

	for (; list != NULL; list = list->next)
		sum += list->count;
	return sum;
}

TEST(who_takes_again_what_it_freed_meets_no_other)
{
	uma_zone_t zone = make();

	if (HOSTILE)
		SKIP("records are refused at random");
	for (int round = 0; round < ROUNDS; round++) {
		take(zone, BURST);
		give(zone, BURST);
	}
	trips = 0;
	take(zone, BURST);
	give(zone, BURST);
	CHECK_EQ(trips, 0);
}

TEST(who_only_takes_or_only_frees_keeps_one_bucket)
{
	uma_zone_t zone = make();
	struct cache *c;

	if (HOSTILE)
		SKIP("records are refused at random");
	take(zone, MANY);
	c = record(zone);
	CHECK(c->full == NULL);
	give(zone, MANY);
	CHECK_EQ(c->allowance, 0);
	CHECK(c->sent);
	REQUIRE(c->full != NULL);
	CHECK(c->full->next == NULL);
	CHECK_EQ(atomic_load(&c->kept), c->full->count);
}

TEST(what_is_kept_has_an_end)
{
	uma_zone_t zone = make();
	struct cache *c;

	if (HOSTILE)
		SKIP("records are refused at random");
	for (int round = 0; round < ROUNDS; round++) {
		take(zone, MANY);
		give(zone, MANY);
	}
	c = record(zone);
	CHECK_EQ(c->allowance, zone->kept_max);
	CHECK(zone->kept_max < MANY / 2);
	CHECK(atomic_load(&c->kept) <= zone->kept_max);
	CHECK_EQ(items_in(c->full), atomic_load(&c->kept));
}

TEST(a_drained_record_keeps_nothing)
{
	uma_zone_t zone = make();
	struct zone_reading now;
	struct cache *c;

	for (int round = 0; round < ROUNDS; round++) {
		take(zone, BURST);
		give(zone, BURST);
	}
	take(zone, BURST / 2);
	zone_read(zone, &now);
	CHECK_EQ(now.allocs - now.frees, BURST / 2);
	c = record(zone);
	CHECK(HOSTILE || (c->allowance != 0 && c->empty != NULL));
	give(zone, BURST / 2);
	uma_reclaim();
	CHECK(c->full == NULL);
	CHECK(c->empty == NULL);
	CHECK_EQ(c->allowance, 0);
	CHECK_EQ(atomic_load(&c->kept), 0);
	zone_read(zone, &now);
	CHECK_EQ(now.cached, 0);
	CHECK_EQ(now.allocs, now.frees);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST_MAIN
