/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bootitems - zones that start with items of the program's own
 */
#include "vm_zone/common.h"

#include <stdalign.h>

#define NITEMS  50
#define THREADS 8

struct entry {
	long word[5]; /* 40 bytes: not a multiple of 32 */
};

static struct entry store[NITEMS];
static struct vm_zone zone;
static void *items[1000];

static bool
is_boot(const void *item)
{
	const char *at = item;

	return at >= (char *)store && at < (char *)(store + NITEMS) &&
	       (size_t)(at - (char *)store) % sizeof(struct entry) == 0;
}

static void
start(void)
{
	memset(store, 0xee, sizeof store);
	zbootinit(&zone, "boot", sizeof(struct entry), store, NITEMS);
}

/* Every item once, then none; zeroed; the array's own stride. */
TEST(all_items_and_no_more)
{
	bool good = true;
	bool seen[NITEMS] = { false };

	start();
	CHECK_EQ(zone.zsize, sizeof(struct entry));
	CHECK_EQ(zone.zmax, NITEMS);
	CHECK_EQ(zone.zflags, ZONE_BOOT);
	for (int round = 0; round < 3; round++) {
		memset(seen, 0, sizeof seen);
		for (int i = 0; i < NITEMS; i++) {
			struct entry *e = zalloc(&zone);

			REQUIRE(e != NULL && is_boot(e));
			good = good && !seen[e - store];
			seen[e - store] = true;
			if (round == 0)
				good = good && all_bytes(e, sizeof *e, 0);
			items[i] = e;
		}
		CHECK(zalloc(&zone) == NULL);
		for (int i = 0; i < NITEMS; i++)
			zfree(&zone, items[i]);
	}
	CHECK(good);
}

TEST(the_item_freed_last_comes_next)
{
	bool good = true;

	start();
	for (int i = 0; i < NITEMS; i++)
		items[i] = zalloc(&zone);
	for (int i = 0; i < NITEMS; i++)
		zfree(&zone, items[i]);
	for (int i = NITEMS - 1; i >= 0; i--)
		good = good && zalloc(&zone) == items[i];
	CHECK(good);
}

/* Nothing is written into a free one. */
TEST(free_items_are_not_touched)
{
	bool good = true;

	start();
	for (int i = 0; i < NITEMS; i++) {
		items[i] = zalloc(&zone);
		pattern_fill(items[i], sizeof(struct entry), (uint64_t)i);
	}
	for (int i = 0; i < NITEMS; i++)
		zfree(&zone, items[i]);
	for (int i = 0; i < NITEMS; i++)
		good = good && pattern_holds(
				   items[i], sizeof(struct entry), (uint64_t)i);
	CHECK(good);
}

/* First the boot items, then others; and boot items again when freed. */
static void
grown(int flags, int nentries)
{
	struct uma_vm_zone_stats s;
	void *item;

	CHECK_EQ(zinitna(&zone, NULL, NULL, 0, nentries, flags, 1), 1);
	CHECK_EQ(zone.zsize, sizeof(struct entry));
	CHECK(strcmp(zone.zname, "boot") == 0);
	CHECK_EQ(zone.zflags, ZONE_BOOT | flags);
	for (int i = 0; i < NITEMS; i++) {
		items[i] = zalloc(&zone);
		REQUIRE(is_boot(items[i]));
	}
	for (int i = NITEMS; i < NITEMS + 100; i++) {
		items[i] = sure_vm_zalloc(&zone);
		REQUIRE(items[i] != NULL && !is_boot(items[i]));
		CHECK(all_bytes(items[i], sizeof(struct entry), 0));
	}
	uma_vm_zone_stats(&zone, &s);
	CHECK_EQ(s.used, NITEMS + 100);
	CHECK_EQ(s.requests, NITEMS + 100);
	zfree(&zone, items[10]);
	zfree(&zone, items[NITEMS + 10]);
	CHECK(zalloc(&zone) == items[10]);
	/* A hostile library takes caches away, and what lay on top. */
	item = sure_vm_zalloc(&zone);
	CHECK(HOSTILE ? item != NULL && !is_boot(item)
		      : item == items[NITEMS + 10]);
	items[NITEMS + 10] = item;
}

TEST(grows_after_zinitna)
{
	start();
	grown(0, 0);
	CHECK_EQ(zone.zmax, 0);
}

TEST(grows_to_a_limit_after_zinitna)
{
	start();
	grown(ZONE_INTERRUPT, 100);
	CHECK_EQ(zone.zmax, NITEMS + 100);
	CHECK(zalloc(&zone) == NULL);
	for (int i = 0; i < NITEMS + 100; i++)
		zfree(&zone, items[i]);
	for (int i = 0; i < NITEMS + 100; i++)
		CHECK(zalloc(&zone) != NULL);
	CHECK(zalloc(&zone) == NULL);
}

/* Items that were taken before the zone grew are freed to it later. */
TEST(completed_while_in_use)
{
	start();
	for (int i = 0; i < NITEMS; i++)
		items[i] = zalloc(&zone);
	CHECK(zalloc(&zone) == NULL);
	CHECK_EQ(zinitna(&zone, NULL, NULL, 0, 10, ZONE_INTERRUPT, 1), 1);
	for (int i = 0; i < 10; i++)
		CHECK(zalloc(&zone) != NULL);
	CHECK(zalloc(&zone) == NULL);
	for (int i = 0; i < NITEMS; i++)
		zfree(&zone, items[i]);
	for (int i = 0; i < NITEMS; i++)
		CHECK(is_boot(zalloc(&zone)));
}

TEST(no_items_at_all)
{
	zbootinit(&zone, "empty", 64, NULL, 0);
	CHECK(zalloc(&zone) == NULL);
	CHECK_EQ(zinitna(&zone, NULL, "other", 1, 0, 0, 0), 1);
	CHECK(zalloc(&zone) != NULL);
	CHECK_EQ(zone.zsize, 64);
}

/* More than fit into the room for early zones. */
TEST(very_many_items)
{
	enum { MANY = 100000 };
	static long many[MANY];
	static struct vm_zone first;
	long count = 0;

	zbootinit(&first, "many", sizeof(long), many, MANY);
	while (zalloc(&first) != NULL)
		count++;
	CHECK_EQ(count, MANY);
	start();
	CHECK(is_boot(zalloc(&zone)));
}

/* More than there are rows set aside for early ones. */
TEST(very_many_zones)
{
	enum { ZONES = 200 };
	static struct vm_zone zones[ZONES];
	static long each[ZONES];

	for (int i = 0; i < ZONES; i++)
		zbootinit(&zones[i], "each", sizeof(long), &each[i], 1);
	for (int i = 0; i < ZONES; i++) {
		CHECK(zalloc(&zones[i]) == &each[i]);
		CHECK(zalloc(&zones[i]) == NULL);
	}
	start();
	DIES(zfree(&zone, &each[ZONES - 1]),
	    "uma: zfree: item of a boot zone: ptr %p zone \"boot\"",
	    (void *)&each[ZONES - 1]);
}

/* Before everything else: then the library is started by hand. */
TEST(before_the_library_starts)
{
	static alignas(65536) char memory[UMA_SLAB_SIZE * UMA_BOOT_PAGES];
	static void *hash[64];
	void *early;

	_zbootinit(&zone, "early", sizeof(struct entry), store, NITEMS);
	early = zalloc(&zone);
	CHECK(is_boot(early));
	uma_startup(memory);
	CHECK_EQ(zinitna(&zone, NULL, NULL, 0, 0, 0, 0), 1);
	for (int i = 0; i < 2 * NITEMS; i++)
		REQUIRE(zalloc(&zone) != NULL);
	uma_startup2(hash, 64);
	zfree(&zone, early);
	CHECK(zalloc(&zone) == early);
}

/* Each item has at most one owner, whoever frees it. */
static _Atomic int owner[NITEMS];
static _Atomic long doubly;

static void *
churn(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (int i = 0; i < 100000; i++) {
		struct entry *e = zalloc(&zone);

		if (e == NULL || !is_boot(e)) {
			if (e != NULL)
				zfree(&zone, e);
			continue;
		}
		if (atomic_fetch_add(&owner[e - store], 1) != 0)
			atomic_fetch_add(&doubly, 1);
		if (dice(&seed) % 64 == 0)
			sched_yield();
		atomic_fetch_sub(&owner[e - store], 1);
		zfree(&zone, e);
	}
	return NULL;
}

TEST_TIME(threads, 100)
{
	pthread_t t[THREADS];
	struct uma_vm_zone_stats s;

	start();
	for (int round = 0; round < 2; round++) {
		for (uintptr_t i = 0; i < THREADS; i++)
			t[i] = thread_start(churn, (void *)(i + 1));
		for (int i = 0; i < THREADS; i++)
			thread_join(t[i]);
		CHECK_EQ(atomic_load(&doubly), 0);
		uma_vm_zone_stats(&zone, &s);
		CHECK_EQ(s.used, 0);
		CHECK(s.free >= NITEMS);
		if (round == 0)
			zinitna(&zone, NULL, NULL, 0, 5, ZONE_INTERRUPT, 0);
	}
	for (int i = 0; i < NITEMS + 5; i++)
		CHECK(zalloc(&zone) != NULL);
	CHECK(zalloc(&zone) == NULL);
}

TEST_MAIN
