/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd_test.c - the buckets that misses have in hand
 */
#include "harness.h"

#include <pthread.h>
#include <uma/uma.h>

#include "hostile.h"
#include "supply/supply.h"
#include "zone/zone.h"

enum { ITEM = 64, MANY = 20000, BEYOND = 200 };

static uma_zone_t zone;
static _Atomic unsigned buckets; /* taken while the keg is held */
static _Atomic unsigned asks;    /* for the keg's lock */
static _Atomic bool counting;

struct bucket *__real_bucket_take(unsigned want);
struct bucket *__wrap_bucket_take(unsigned want);
bool __real_lock_take(struct lock *l);
bool __wrap_lock_take(struct lock *l);

struct bucket *
__wrap_bucket_take(unsigned want)
{
	if (atomic_load(&counting))
		atomic_fetch_add(&buckets, 1);
	return __real_bucket_take(want);
}

bool
__wrap_lock_take(struct lock *l)
{
	if (atomic_load(&counting) && l == &zone->keg.lock)
		atomic_fetch_add(&asks, 1);
	return __real_lock_take(l);
}

static void *
take_one(void *arg)
{
	void **item = arg;

	*item = uma_zalloc(zone, M_NOWAIT);
	return NULL;
}

/* The keg has items, and no cache has any. */
static void
make(void)
{
	static void *items[MANY];

	zone = uma_zcreate("crowd", ITEM, NULL, NULL, NULL, NULL, 15, 0);
	REQUIRE(zone != NULL);
	for (unsigned i = 0; i < MANY; i++)
		REQUIRE((items[i] = uma_zalloc(zone, M_NOWAIT)) != NULL);
	for (unsigned i = 1; i < MANY; i++)
		uma_zfree(zone, items[i]);
	uma_reclaim();
}

TEST(an_item_that_is_a_slab_of_its_own_fills_no_bucket)
{
	void *items[10];

	supply_trust(true); /* a hostile build gives what there is, too */
	zone = uma_zcreate(
	    "slabs", 131072, NULL, NULL, NULL, NULL, 15, UMA_ZONE_NOFREE);
	REQUIRE(zone != NULL && zone->keg.layout.items == 1);
	atomic_store(&counting, true);
	for (unsigned i = 0; i < 5; i++)
		REQUIRE((items[i] = uma_zalloc(zone, M_NOWAIT)) != NULL);
	CHECK_EQ(atomic_load(&buckets), 0);
	/* Several that are there do. */
	uma_prealloc(zone, 10);
	for (unsigned i = 5; i < 10; i++)
		REQUIRE((items[i] = uma_zalloc(zone, M_NOWAIT)) != NULL);
	atomic_store(&counting, false);
	CHECK(HOSTILE || atomic_load(&buckets) != 0);
	atomic_store(&buckets, 0);
	CHECK(atomic_exchange(&asks, 0) != 0);
	for (unsigned i = 0; i < 10; i++)
		uma_zfree(zone, items[i]);
	REQUIRE(uma_zdestroy(zone, M_NOWAIT) == 0);
	supply_trust(false);
}

/*
 * The test holds the keg's lock, and threads come one after another, each when
 * the one before waits for it.  So how many buckets they have taken is exact,
 * whatever else the machine does.
 *
 * unchecked: a lock that is held from one function to the next.
 */
TEST_TIME(a_crowd_has_few_buckets_in_hand, 100) UMA_UNCHECKED_LOCKS
{
	const unsigned few = GATE_CELLS * gate_few();
	const unsigned count = few + BEYOND;
	pthread_t *threads = calloc(count, sizeof(*threads));
	void **items = calloc(count, sizeof(*items));
	pthread_attr_t small;

	if (HOSTILE)
		SKIP("some threads do without the lock");
	REQUIRE(threads != NULL && items != NULL);
	REQUIRE(pthread_attr_init(&small) == 0);
	REQUIRE(pthread_attr_setstacksize(&small, 65536) == 0);
	make();
	REQUIRE(gate_lock(&zone->keg.lock));
	atomic_store(&counting, true);
	for (unsigned i = 0; i < count; i++) {
		REQUIRE(pthread_create(
			    &threads[i], &small, take_one, &items[i]) == 0);
		while (atomic_load(&asks) != i + 1)
			usleep(50);
	}
	atomic_store(&counting, false);
	harness_say("# %u threads, %u buckets\n", count, atomic_load(&buckets));
	/* The test itself is one of those inside. */
	CHECK(atomic_load(&buckets) <= few);
	CHECK(atomic_load(&buckets) >= few / 2);
	gate_unlock(&zone->keg.lock);
	for (unsigned i = 0; i < count; i++) {
		REQUIRE(pthread_join(threads[i], NULL) == 0);
		REQUIRE(items[i] != NULL);
		uma_zfree(zone, items[i]);
	}
	REQUIRE(pthread_attr_destroy(&small) == 0);
	free(items);
	free(threads);
}

TEST_MAIN
