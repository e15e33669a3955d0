/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * destroy - uma_zdestroy() refuses, waits, and gives everything back
 */
#include "zone/ledger.h"

#define COUNT 500

static void *items[COUNT];

TEST(empty_zone)
{
	zone_end(zone_make("never used", 64, 7));
	CHECK_EQ(uma_zdestroy(zone_make("wait", 64, 7), M_WAITOK), 0);
}

TEST(refused_while_one_is_out)
{
	uma_zone_t zone = ledger_zone("busy", 64, 0);

	for (int i = 0; i < COUNT; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	for (int i = 1; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	pattern_fill(items[0], 64, 1);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), EWOULDBLOCK);
	/* As it was, and usable. */
	CHECK(pattern_holds(items[0], 64, 1));
	CHECK_EQ(zone_numbers(zone).used_items, 1);
	for (int i = 1; i < COUNT; i++)
		REQUIRE((items[i] = sure_zalloc(zone, M_NOWAIT)) != NULL);
	CHECK_EQ(zone_numbers(zone).used_items, COUNT);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), EWOULDBLOCK);
	for (int i = 0; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	ledger_check();
	zone_end(zone);
	ledger_check_gone();
}

struct share {
	uma_zone_t zone;
	int first;
	int kept; /* items from `first` that stay out */
};

static void
take_and_give(void *arg)
{
	const struct share *s = arg;

	for (int i = s->first; i < s->first + 100; i++)
		items[i] = uma_zalloc(s->zone, M_WAITOK);
	for (int i = s->first + s->kept; i < s->first + 100; i++)
		uma_zfree(s->zone, items[i]);
}

TEST(items_cached_on_other_cpus)
{
	uma_zone_t zone = ledger_zone("spread", 64, 0);
	struct share a = { zone, 0, 1 };
	struct share b = { zone, 100, 0 };

	if (!cpu_pin(1))
		SKIP("one CPU");
	run_on_cpu(0, take_and_give, &a);
	run_on_cpu(1, take_and_give, &b);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), EWOULDBLOCK);
	CHECK_EQ(zone_numbers(zone).used_items, 1);
	run_on_cpu(0, take_and_give, &b);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), EWOULDBLOCK);
	uma_zfree(zone, items[0]);
	zone_end(zone);
	ledger_check_gone();
}

/* The same, with the last item out on each CPU in turn, many times. */
TEST(refusal_then_destruction_in_turn)
{
	for (int round = 0; round < 100; round++) {
		uma_zone_t zone = ledger_zone("turn", 64, 0);
		struct share a = { zone, 0, round % 3 };
		struct share b = { zone, 100, (round + 1) % 3 };

		run_on_cpu(0, take_and_give, &a);
		if (cpu_pin(1))
			run_on_cpu(1, take_and_give, &b);
		else
			take_and_give(&b);
		CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), EWOULDBLOCK);
		for (int i = 0; i < a.kept; i++)
			uma_zfree(zone, items[i]);
		for (int i = 0; i < b.kept; i++)
			uma_zfree(zone, items[100 + i]);
		zone_end(zone);
		ledger_check_gone();
	}
}

/* ---- what others' callbacks are in the middle of ---- */

static uma_zone_t
    around[2]; /* made before the one whose fini runs, and after */
static _Atomic int in_fini;
static _Atomic bool may_end;

static void
fini_that_destroys(void *item, int size)
{
	(void)item;
	(void)size;
	if (atomic_fetch_add(&in_fini, 1) == 0)
		for (int i = 0; i < 2; i++)
			CHECK_EQ(uma_zdestroy(around[i], M_NOWAIT), 0);
}

static void
fini_that_waits(void *item, int size)
{
	(void)item;
	(void)size;
	atomic_fetch_add(&in_fini, 1);
	while (!atomic_load(&may_end))
		usleep(1000);
}

/* A zone with a fini, between two: all have items in their caches only. */
static uma_zone_t
three_zones(uma_fini fini)
{
	enum { BYTES = 16384, EACH = 24 };
	uma_zone_t zones[3];

	zones[0] = around[0] = zone_make("before", BYTES, 7);
	zones[1] = uma_zcreate("between", BYTES, NULL, NULL, NULL, fini, 7, 0);
	zones[2] = around[1] = zone_make("after", BYTES, 7);
	REQUIRE(zones[1] != NULL);
	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < EACH; i++)
			items[i] = uma_zalloc(zones[k], M_WAITOK);
		for (int i = 0; i < EACH; i++)
			uma_zfree(zones[k], items[i]);
	}
	atomic_store(&in_fini, 0);
	atomic_store(&may_end, false);
	return zones[1];
}

TEST(by_a_callback_of_another_in_a_reclaim)
{
	uma_zone_t zone = three_zones(fini_that_destroys);

	uma_reclaim();
	CHECK(atomic_load(&in_fini) > 0);
	zone_end(zone);
}

static void *
reclaim(void *arg)
{
	uma_reclaim();
	return arg;
}

TEST(while_a_callback_of_another_waits)
{
	uma_zone_t zone = three_zones(fini_that_waits);
	pthread_t thread;

	REQUIRE(pthread_create(&thread, NULL, reclaim, NULL) == 0);
	while (atomic_load(&in_fini) == 0)
		usleep(1000);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(uma_zdestroy(around[i], M_NOWAIT), 0);
	atomic_store(&may_end, true);
	pthread_join(thread, NULL);
	zone_end(zone);
}

static _Atomic int freed;

struct late_free {
	uma_zone_t zone;
	int count;
	long nap;
};

static void *
free_late(void *arg)
{
	const struct late_free *l = arg;

	for (int i = 0; i < l->count; i++) {
		nap_us(l->nap);
		atomic_fetch_add(&freed, 1);
		uma_zfree(l->zone, items[i]);
	}
	return NULL;
}

/* As M_WAITOK: so the interface of 2002 was called. */
TEST(no_flag_at_all)
{
	uma_zone_t zone = zone_make("gone", 64, 7);

	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	CHECK_EQ(uma_zdestroy(zone, 0), 0);
	DIES(uma_zfree(zone, zone),
	    "uma: uma_zfree: zone was destroyed: ptr %p", (void *)zone);
}

TEST(waits_for_the_last_free)
{
	for (int round = 0; round < 60; round++) {
		uma_zone_t zone = ledger_zone("wait", 64, 0);
		struct late_free l = { zone, 1 + round % 10, round * 50 };
		pthread_t t;

		for (int i = 0; i < l.count; i++)
			items[i] = uma_zalloc(zone, M_WAITOK);
		atomic_store(&freed, 0);
		t = thread_start(free_late, &l);
		CHECK_EQ(uma_zdestroy(zone, M_WAITOK), 0);
		CHECK_EQ(atomic_load(&freed), l.count);
		ledger_check_gone();
		thread_join(t);
	}
}

TEST(waits_for_several_threads)
{
	uma_zone_t zone = zone_make("wait", 64, 7);
	struct late_free l = { zone, 1, 3000 };
	pthread_t t;

	for (int i = 0; i < COUNT; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	l.count = COUNT / 4;
	l.nap = 20;
	t = thread_start(free_late, &l);
	for (int i = COUNT / 4; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	CHECK_EQ(uma_zdestroy(zone, M_WAITOK), 0);
	CHECK_EQ(atomic_load(&freed), COUNT / 4);
	thread_join(t);
}

/* ---- nothing is left behind ---- */

static void
cycle(int round)
{
	int size = 16 << round % 12;
	int count = size > 4096 ? 5 : 100;
	unsigned flags = round % 2 == 0 ? UMA_ZONE_NOFREE : 0;
	uma_zone_t zone = uma_zcreate(
	    "cycle", size, NULL, NULL, NULL, NULL, 7, (uint16_t)flags);

	REQUIRE(zone != NULL);
	if (round % 5 == 0)
		uma_prealloc(zone, count);
	for (int i = 0; i < count; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	for (int i = 0; i < count; i++)
		uma_zfree(zone, items[i]);
	zone_end(zone);
}

TEST(a_thousand_cycles)
{
	struct uma_stats base;
	struct uma_stats warm;
	struct uma_stats end;

	REQUIRE(cpu_pin(0));
	zone_end(zone_make("first", 64, 7));
	base = library_numbers();
	for (int i = 0; i < 240; i++)
		cycle(i);
	uma_reclaim();
	warm = library_numbers();
	for (int i = 240; i < 1200; i++)
		cycle(i);
	uma_reclaim();
	end = library_numbers();
	CHECK_EQ(warm.zones, base.zones);
	CHECK_EQ(end.zones, base.zones);
	CHECK_EQ(warm.slab_bytes, base.slab_bytes);
	CHECK_EQ(end.slab_bytes, base.slab_bytes);
	CHECK_EQ(end.large_bytes, base.large_bytes);
	CHECK(end.mapped_bytes <= warm.mapped_bytes);
	CHECK(end.meta_bytes <= warm.meta_bytes);
}

TEST(fini_once_for_each_init_over_cycles)
{
	for (int round = 0; round < 200; round++) {
		unsigned flags = round % 2 == 0 ? UMA_ZONE_NOFREE : 0;
		uma_zone_t zone = ledger_zone("cycle", 72, flags);

		if (round % 3 == 0)
			uma_prealloc(zone, 10);
		for (int i = 0; i < round; i++)
			items[i] = uma_zalloc(zone, M_WAITOK);
		for (int i = 0; i < round; i++)
			uma_zfree(zone, items[i]);
		if (round % 4 == 0)
			uma_reclaim();
		zone_end(zone);
		ledger_check_gone();
	}
}

TEST(two_thousand_zones_at_once)
{
	static uma_zone_t zones[2000];
	static void *item[2000];
	uint64_t before;

	zone_end(zone_make("first", 64, 7));
	before = library_numbers().zones;
	for (int i = 0; i < 2000; i++) {
		zones[i] = zone_make("many", 8 + i, 7);
		item[i] = uma_zalloc(zones[i], M_WAITOK);
		pattern_fill(item[i], (size_t)(8 + i), (uint64_t)i);
	}
	CHECK_EQ(library_numbers().zones, before + 2000);
	for (int i = 0; i < 2000; i++)
		CHECK(pattern_holds(item[i], (size_t)(8 + i), (uint64_t)i));
	for (int i = 0; i < 2000; i += 2) {
		uma_zfree(zones[i], item[i]);
		zone_end(zones[i]);
	}
	for (int i = 1; i < 2000; i += 2) {
		CHECK(pattern_holds(item[i], (size_t)(8 + i), (uint64_t)i));
		CHECK_EQ(uma_zdestroy(zones[i], M_NOWAIT), EWOULDBLOCK);
		uma_zfree(zones[i], item[i]);
		zone_end(zones[i]);
	}
	CHECK_EQ(library_numbers().zones, before);
}

static void *
make_and_end(void *arg)
{
	(void)arg;
	for (int i = 0; i < 300; i++) {
		uma_zone_t zone = zone_make("race", 32 + i, 7);
		void *item = uma_zalloc(zone, M_WAITOK);

		pattern_fill(item, (size_t)(32 + i), (uintptr_t)zone);
		if (i % 50 == 0)
			uma_reclaim();
		CHECK(pattern_holds(item, (size_t)(32 + i), (uintptr_t)zone));
		uma_zfree(zone, item);
		zone_end(zone);
	}
	return NULL;
}

TEST(threads_that_create_and_destroy)
{
	pthread_t t[4];
	uint64_t before;

	zone_end(zone_make("first", 64, 7));
	before = library_numbers().zones;
	for (int i = 0; i < 4; i++)
		t[i] = thread_start(make_and_end, NULL);
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	CHECK_EQ(library_numbers().zones, before);
}

TEST_MAIN
