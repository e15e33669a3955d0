/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile_test - each constant of a hostile build takes effect, and only there
 *
 * Every test counts what is rare otherwise: so often in a hostile build, never
 * in any other.
 */
#include "harness.h"

#include <sched.h>
#include <sys/mman.h>
#include <uma/stats.h>

#include "base/base.h"
#include "heap/heap.h"
#include "hostile.h"
#include "supply/supply.h"
#include "zone/zone.h"

#define COUNT 300

static void *items[COUNT];

static uma_zone_t
plain(const char *name)
{
	uma_zone_t zone = uma_zcreate(name, 64, NULL, NULL, NULL, NULL, 7, 0);

	REQUIRE(zone != NULL);
	return zone;
}

static struct uma_zone_stats
numbers(uma_zone_t zone)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	uma_zone_stats(zone, &s);
	return s;
}

static void
stay_here(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
}

TEST(slabs_of_three_items)
{
	uma_zone_t zone = plain("slabs");

	uma_prealloc(zone, 1);
	CHECK_EQ(numbers(zone).free_items, HOSTILE ? 3 : GRANULE / 64);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* A record has one bucket beside load, and more as it learns. */
TEST(buckets_of_two_items)
{
	uma_zone_t zone = plain("buckets");
	unsigned most = 0;

	stay_here();
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < COUNT; i++)
			items[i] = uma_zalloc(zone, M_WAITOK);
		for (int i = 0; i < COUNT; i++)
			uma_zfree(zone, items[i]);
	}
	for (unsigned cpu = percpu_next(zone->caches, 0); cpu < percpu_slots();
	     cpu = percpu_next(zone->caches, cpu + 1)) {
		struct cache *c = percpu_record(zone->caches, cpu);
		unsigned capacity = WORD_CAPACITY(atomic_load(&c->word));

		most = capacity > most ? capacity : most;
	}
	CHECK(HOSTILE ? most == 2 : most > 100);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* One supply in three is refused, never two in a row; none to malloc. */
TEST(every_third_supply_is_refused)
{
	struct supply_run run;
	unsigned refused = 0;
	bool last = false;

	uma_reclaim();
	REQUIRE(gate_enter());
	for (int i = 0; i < COUNT; i++) {
		bool taken = supply_take(
		    &run, 1, GRANULE, 0, SUPPLY_NORMAL, META_NORMAL);

		if (taken)
			supply_give(run.base, 1, 0, META_NORMAL);
		CHECK(taken || !last);
		last = !taken;
		refused += !taken;
	}
	gate_leave();
	CHECK_EQ(refused, HOSTILE ? COUNT / 3 : 0);
	for (int i = 0; i < COUNT; i++) {
		items[i] =
		    uma_heap_alloc(i % 2 == 0 ? 40000 : 300000, HEAP_RAW);
		CHECK(items[i] != NULL);
	}
	for (int i = 0; i < COUNT; i++)
		uma_heap_free(items[i], "free");
}

/* Waits that a refusal alone causes. */
TEST(who_may_wait_waits_and_who_may_not_is_told)
{
	uma_zone_t zone = plain("refused");
	unsigned failed = 0;

	for (int i = 0; i < COUNT; i++) {
		items[i] = uma_zalloc(zone, M_NOWAIT);
		failed += items[i] == NULL;
		if (items[i] == NULL)
			items[i] = uma_zalloc(zone, M_WAITOK);
	}
	CHECK(HOSTILE ? failed > COUNT / 3 / 4 : failed == 0);
	CHECK_EQ(numbers(zone).fails, failed);
	for (int i = 0; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	uma_reclaim();
	for (int i = 0; i < COUNT; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	CHECK(HOSTILE ? numbers(zone).sleeps > 0 : numbers(zone).sleeps == 0);
	for (int i = 0; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* Refusals between which there is memory are no long wait. */
TEST(who_gets_on_does_not_say_that_it_waits)
{
	uma_zone_t zone = plain("much");
	int said = memfd_create("said", 0);

	REQUIRE(said >= 0 && dup2(said, STDERR_FILENO) >= 0);
	uma_prealloc(zone, 2000);
	CHECK_EQ(lseek(said, 0, SEEK_END), 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/*
 * With room in the cache and nobody else about, what goes past it went there
 * because its record was taken away.
 */
TEST(the_record_is_taken_away)
{
	uma_zone_t zone = plain("disowned");

	stay_here();
	uma_prealloc(zone, COUNT);
	for (int i = 0; i < COUNT; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	CHECK(HOSTILE ? atomic_load(&zone->slow_allocs) > 0
		      : atomic_load(&zone->slow_allocs) == 0);
	for (int i = 0; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	CHECK_EQ(numbers(zone).used_items, 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* The word's count of allocations wraps, and nothing is lost. */
TEST(counts_wrap)
{
	uma_zone_t zone = plain("wraps");
	uint64_t rounds = 100;

	CHECK(HOSTILE ? WORD_MAKE(0, 1) >> 16 == (UINT64_MAX >> 16) - 1
		      : WORD_MAKE(0, 1) >> 16 == 0);
	CHECK_EQ(WORD_ALLOCS(WORD_MAKE(1, 2)), 0);
	CHECK_EQ(WORD_ALLOCS(WORD_MAKE(1, 2) + (UINT64_C(5) << 16)), 5);
	CHECK_EQ(WORD_MAKE(0, 0), 0);
	CHECK_EQ(atomic_load(&zone->freed), HOSTILE ? UINT32_MAX - 1 : 0);
	for (uint64_t i = 0; i < rounds; i++)
		uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	CHECK_EQ(numbers(zone).allocs, rounds);
	CHECK_EQ(numbers(zone).frees, rounds);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* Every second event, or 1 of the first 511. */
TEST(counters_are_folded)
{
	uma_zone_t zone = plain("awake");
	struct percpu_sum sum;
	uintptr_t records;
	uint32_t folds = 0;

	stay_here();
	REQUIRE(gate_enter());
	records = percpu_take(1);
	REQUIRE(records != 0);
	for (int i = 0; i < COUNT; i++)
		if (!percpu_count(records, PERCPU_IN, PERCPU_STEP(1)))
			folds = percpu_fold(records, PERCPU_IN, PERCPU_STEP(1));
	CHECK_EQ(folds, HOSTILE ? COUNT / 2 : 1);
	percpu_sum(records, &sum);
	CHECK_EQ(sum.events[PERCPU_IN], COUNT);
	CHECK_EQ(sum.units[PERCPU_IN], COUNT);
	CHECK(percpu_give(records));
	gate_leave();
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST_MAIN
