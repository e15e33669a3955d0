/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * static - uma_prealloc(), and zones whose size it fixes
 */
#include "zone/ledger.h"

#define MOST 20000

static void *items[MOST];

/* How many items of this size one slab holds: what prealloc of one makes. */
static long
slab_holds(int size)
{
	uma_zone_t zone = ledger_zone("probe", size, 0);
	long inits = ledger.inits;
	long made;

	uma_prealloc(zone, 1);
	made = ledger.inits - inits;
	zone_end(zone);
	REQUIRE(made >= 1);
	return made;
}

static void
prealloc_of(int size, int count)
{
	long slab = slab_holds(size);
	uma_zone_t zone = ledger_zone("fill", size, 0);
	long inits = ledger.inits;
	long ctors = ledger.ctors;
	long want = (count + slab - 1) / slab * slab;
	uint64_t bytes;

	uma_prealloc(zone, count);
	CHECK_EQ(ledger.inits - inits, want);
	CHECK_EQ(ledger.ctors, ctors);
	CHECK_EQ(zone_numbers(zone).free_items, want);
	CHECK_EQ(zone_numbers(zone).cached_items, 0);
	CHECK_EQ(zone_numbers(zone).allocs, 0);
	bytes = zone_numbers(zone).slab_bytes;
	CHECK(bytes >= (uint64_t)want * (uint64_t)size);
	for (int i = 0; i < count; i++)
		items[i] = uma_zalloc(zone, M_NOWAIT);
	/* Who finds its cache taken grows the zone. */
	CHECK(HOSTILE || ledger.inits - inits == want);
	CHECK(HOSTILE || zone_numbers(zone).slab_bytes == bytes);
	for (int i = 0; i < count; i++)
		uma_zfree(zone, items[i]);
	zone_end(zone);
	ledger_check_gone();
}

TEST(prealloc_rounds_up_to_slabs)
{
	static const int sizes[] = { 8, 100, 1000, 4096, 30000, 65536, 200000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		prealloc_of(sizes[i], 1);
		prealloc_of(sizes[i], 7);
		prealloc_of(sizes[i], sizes[i] > 4096 ? 50 : 3000);
	}
}

TEST(prealloc_adds)
{
	long slab = slab_holds(100);
	uma_zone_t zone = ledger_zone("add", 100, 0);
	long inits = ledger.inits;

	uma_prealloc(zone, 0);
	CHECK_EQ(ledger.inits - inits, 0);
	uma_prealloc(zone, 1);
	uma_prealloc(zone, 1);
	CHECK_EQ(ledger.inits - inits, 2 * slab);
	uma_prealloc(zone, (int)slab + 1);
	CHECK_EQ(ledger.inits - inits, 4 * slab);
	zone_end(zone);
	ledger_check_gone();
}

/* ---- STATIC ---- */

/* A static zone; *room gets the number of items it can hold. */
static uma_zone_t
static_zone(int count, long *room)
{
	uma_zone_t zone = ledger_zone("static", 1000, UMA_ZONE_STATIC);

	uma_prealloc(zone, count);
	*room = (long)zone_numbers(zone).free_items;
	REQUIRE(*room >= count && *room < MOST);
	return zone;
}

static void
take(uma_zone_t zone, long from, long to)
{
	for (long i = from; i < to; i++)
		REQUIRE((items[i] = uma_zalloc(zone, M_NOWAIT)) != NULL);
}

static void
give(uma_zone_t zone, long from, long to)
{
	for (long i = from; i < to; i++)
		uma_zfree(zone, items[i]);
}

TEST(exhausted_fails)
{
	long room;
	uma_zone_t zone = static_zone(100, &room);
	uint64_t bytes = zone_numbers(zone).slab_bytes;

	take(zone, 0, room);
	errno = 0;
	for (int i = 0; i < 10; i++)
		CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	CHECK_EQ(errno, 0);
	CHECK_EQ(zone_numbers(zone).fails, 10);
	CHECK_EQ(zone_numbers(zone).used_items, room);
	CHECK_EQ(zone_numbers(zone).free_items, 0);
	uma_zfree(zone, items[0]);
	CHECK((items[0] = uma_zalloc(zone, M_NOWAIT)) != NULL);
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	CHECK_EQ(zone_numbers(zone).slab_bytes, bytes);
	give(zone, 0, room);
	/* It keeps its size through use and reclaim. */
	take(zone, 0, room);
	give(zone, 0, room);
	CHECK_EQ(ledger.inits, room);
	ledger_check();
	zone_end(zone);
	ledger_check_gone();
}

/* Unused slabs of a static zone stay: it could not get others. */
TEST(reclaim_keeps_the_size)
{
	long room;
	uma_zone_t zone = static_zone(300, &room);

	uma_reclaim();
	CHECK_EQ(zone_numbers(zone).free_items, room);
	take(zone, 0, room);
	give(zone, 0, room);
	uma_reclaim();
	CHECK_EQ(zone_numbers(zone).free_items, room);
	take(zone, 0, room);
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	give(zone, 0, room);
	CHECK_EQ(ledger.inits, room);
	zone_end(zone);
	ledger_check_gone();
}

static _Atomic int released;

static void *
wait_for_one(void *arg)
{
	uma_zone_t zone = arg;
	void *item = uma_zalloc(zone, M_WAITOK);

	CHECK(item != NULL);
	CHECK(atomic_load(&released) > 0);
	return item;
}

TEST(exhausted_waits_for_a_free)
{
	long room;
	uma_zone_t zone = static_zone(10, &room);

	take(zone, 0, room);
	for (int round = 0; round < 30; round++) {
		pthread_t t;

		atomic_store(&released, 0);
		t = thread_start(wait_for_one, zone);
		nap_us(round * 100);
		atomic_store(&released, 1);
		uma_zfree(zone, items[0]);
		items[0] = thread_join(t);
	}
	CHECK_EQ(zone_numbers(zone).used_items, room);
	give(zone, 0, room);
	zone_end(zone);
	ledger_check_gone();
}

struct one_free {
	uma_zone_t zone;
	int index;
};

static void
free_index(void *arg)
{
	const struct one_free *f = arg;

	atomic_fetch_add(&released, 1);
	uma_zfree(f->zone, items[f->index]);
}

/* As many frees as waiters, each on some CPU: all waiters go on. */
TEST(several_waiters)
{
	long room;
	uma_zone_t zone = static_zone(10, &room);
	int cpus = cpu_pin(1) ? 2 : 1;

	take(zone, 0, room);
	for (int round = 0; round < 20; round++) {
		pthread_t t[4];

		atomic_store(&released, 0);
		for (int i = 0; i < 4; i++)
			t[i] = thread_start(wait_for_one, zone);
		nap_us(round * 200);
		for (int i = 0; i < 4; i++) {
			struct one_free f = { zone, i };

			run_on_cpu(i % cpus, free_index, &f);
		}
		for (int i = 0; i < 4; i++)
			items[i] = thread_join(t[i]);
	}
	CHECK_EQ(zone_numbers(zone).used_items, room);
	give(zone, 0, room);
	zone_end(zone);
	ledger_check_gone();
}

struct whole {
	uma_zone_t zone;
	long room;
};

static void
take_and_give_all(void *arg)
{
	const struct whole *w = arg;

	take(w->zone, 0, w->room);
	give(w->zone, 0, w->room);
}

static void
take_all(void *arg)
{
	const struct whole *w = arg;

	take(w->zone, 0, w->room);
	CHECK(uma_zalloc(w->zone, M_NOWAIT) == NULL);
}

/* No item is out of reach because another CPU caches it. */
TEST(cached_elsewhere_is_found)
{
	static const int counts[] = { 1, 65, 130, 5000 };

	if (!cpu_pin(1))
		SKIP("one CPU");
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct whole w;

		w.zone = static_zone(counts[i], &w.room);
		run_on_cpu(1, take_and_give_all, &w);
		run_on_cpu(0, take_and_give_all, &w);
		run_on_cpu(1, take_all, &w);
		give(w.zone, 0, w.room);
		run_on_cpu(0, take_all, &w);
		give(w.zone, 0, w.room);
		zone_end(w.zone);
		ledger_check_gone();
	}
}

/* More threads than items: all get on, none has what another has. */
static void *
borrow(void *arg)
{
	uma_zone_t zone = arg;

	for (int i = 0; i < 3000; i++) {
		unsigned char *item = uma_zalloc(zone, M_WAITOK);

		REQUIRE(item != NULL);
		pattern_fill(item, 1000, (uintptr_t)&item + (unsigned)i);
		if (i % 8 == 0)
			sched_yield();
		CHECK(
		    pattern_holds(item, 1000, (uintptr_t)&item + (unsigned)i));
		uma_zfree(zone, item);
	}
	return NULL;
}

TEST(more_threads_than_items)
{
	uma_zone_t zone;
	pthread_t t[6];

	zone = uma_zcreate(
	    "few", 40000, NULL, NULL, NULL, NULL, 7, UMA_ZONE_STATIC);
	REQUIRE(zone != NULL);
	uma_prealloc(zone, 2);
	for (int i = 0; i < 6; i++)
		t[i] = thread_start(borrow, zone);
	for (int i = 0; i < 6; i++)
		thread_join(t[i]);
	CHECK_EQ(zone_numbers(zone).used_items, 0);
	zone_end(zone);
}

TEST_MAIN
