/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bounds_test.c - what stays within a zone's bounds, and who comes first
 */
#include "harness.h"

#include <pthread.h>
#include <uma/stats.h>
#include <uma/uma.h>

#include "hostile.h"
#include "pagemap/pagemap.h"
#include "supply/supply.h"
#include "zone/zone.h"

enum { ITEM = 512, MANY = 10000, FEW = 5 };

static void *items[MANY];

/* ---- what happens as the first in line looks into the keg ---- */

size_t __real_keg_take(struct keg *keg, void **out, size_t want, int wait);
size_t __wrap_keg_take(struct keg *keg, void **out, size_t want, int wait);

static uma_zone_t watched;
static void (*meanwhile)(void);
static unsigned lock_asks, lock_refused; /* of the zone's lock; 0: none */

bool __real_lock_take(struct lock *l);
bool __wrap_lock_take(struct lock *l);

bool
__wrap_lock_take(struct lock *l)
{
	if (lock_refused != 0 && l == &watched->lock &&
	    ++lock_asks == lock_refused)
		return false;
	return __real_lock_take(l);
}

size_t
__wrap_keg_take(struct keg *keg, void **out, size_t want, int wait)
{
	void (*now)(void) = meanwhile;

	if (now != NULL && keg == &watched->keg && watched->first != NULL) {
		meanwhile = NULL;
		now();
	}
	return __real_keg_take(keg, out, want, wait);
}

/* A hostile build gives what there is, too. */
static uma_zone_t
make(void)
{
	uma_zone_t zone =
	    uma_zcreate("bounds", ITEM, NULL, NULL, NULL, NULL, 63, 0);

	REQUIRE(zone != NULL);
	supply_trust(true);
	return zone;
}

static void
take(uma_zone_t zone, int count)
{
	for (int i = 0; i < count; i++)
		REQUIRE((items[i] = uma_zalloc(zone, M_NOWAIT)) != NULL);
}

TEST(the_depot_has_an_end)
{
	uma_zone_t zone = make();

	take(zone, MANY);
	REQUIRE(zone->depot_max < MANY / 2);
	/* As long as somebody may want it. */
	for (size_t i = 0; i < 2 * zone->depot_max; i++)
		uma_zfree(zone, items[i]);
	CHECK(HOSTILE || tally_get(&zone->depot.items) > zone->depot_max / 2);
	CHECK(tally_get(&zone->depot.items) <= zone->depot_max);
}

TEST(a_zone_that_was_not_destroyed_caches_again)
{
	uma_zone_t zone = make();
	struct zone_reading now;

	take(zone, 2);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), EWOULDBLOCK);
	CHECK(zone->closers == NULL);
	uma_zfree(zone, items[0]);
	zone_read(zone, &now);
	/* In a hostile build a free in three finds its record taken away. */
	for (int i = 0; HOSTILE && i < FEW && now.cached == 0; i++) {
		uma_zfree(zone, uma_zalloc(zone, M_NOWAIT));
		zone_read(zone, &now);
	}
	CHECK(now.cached != 0);
	uma_zfree(zone, items[1]);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST(what_was_a_slab_is_no_hit)
{
	uma_zone_t zone = make();

	take(zone, 1);
	CHECK(zone_starts(zone, items[0]));
	uma_zfree(zone, items[0]);
	uma_reclaim();
	CHECK(pagemap_find(items[0]) == NULL);
	CHECK(!zone_starts(zone, items[0]));
}

/*
 * The last slab has room for more, which is nobody's; also after the caches
 * open, as they do in a start by hand.
 */
static void
end_at_the_limit(bool opens)
{
	uma_zone_t zone = make();
	char *last = NULL;

	REQUIRE(uma_zone_set_obj(zone, NULL, FEW) == 1);
	if (opens)
		zone_open_caches();
	take(zone, FEW);
	for (int i = 0; i < FEW; i++)
		if ((char *)items[i] > last)
			last = items[i];
	last += zone->keg.layout.stride;
	DIES(uma_zfree(zone, last),
	    "uma: uma_zfree: pointer into an item: ptr %p zone \"bounds\"",
	    (void *)last);
}

TEST(behind_the_limit_is_no_item)
{
	end_at_the_limit(false);
	end_at_the_limit(true);
}

/* ---- the line ---- */

struct turn {
	uma_zone_t zone;
	pthread_t thread;
	int place;
};

static _Atomic int places;

static void *
wait_and_give(void *arg)
{
	struct turn *turn = arg;
	void *item = uma_zalloc(turn->zone, M_WAITOK);

	turn->place = atomic_fetch_add(&places, 1);
	uma_zfree(turn->zone, item);
	return NULL;
}

/* Where the next one joins the line. */
static struct waiter **
end_of_line(uma_zone_t zone) UMA_UNCHECKED_LOCKS
{
	struct waiter **end;

	REQUIRE(gate_enter() && lock_take(&zone->lock));
	end = zone->last;
	lock_drop(&zone->lock);
	gate_leave();
	return end;
}

/* Start a waiter, and see it join the line. */
static void
stand_in_line(struct turn *turn, uma_zone_t zone)
{
	struct waiter **end = end_of_line(zone);

	turn->zone = zone;
	REQUIRE(pthread_create(&turn->thread, NULL, wait_and_give, turn) == 0);
	while (end_of_line(zone) == end)
		usleep(1000);
}

TEST(who_waits_longest_is_served_first)
{
	uma_zone_t zone = make();
	struct uma_zone_stats s = { .struct_bytes = sizeof s };
	struct turn turns[3];

	REQUIRE(uma_zone_set_obj(zone, NULL, 1) == 1);
	take(zone, 1);
	for (int i = 0; i < 3; i++)
		stand_in_line(&turns[i], zone);
	uma_zone_stats(zone, &s);
	CHECK(s.sleeps >= 3);
	uma_zfree(zone, items[0]);
	for (int i = 0; i < 3; i++) {
		pthread_join(turns[i].thread, NULL);
		CHECK_EQ(turns[i].place, i);
	}
}

/* What one gets who waits for either of two items, and what happens then. */
static void *
wait_while(void (*happens)(void))
{
	void *item;

	watched = make();
	REQUIRE(uma_zone_set_obj(watched, NULL, 2) == 1);
	take(watched, 2);
	meanwhile = happens;
	item = uma_zalloc(watched, M_WAITOK);
	CHECK(meanwhile == NULL);
	return item;
}

/* The first goes to who waits, the second, with nobody in line, to the keg. */
static void
free_two(void)
{
	uma_zfree(watched, items[0]);
	uma_zfree(watched, items[1]);
}

/* Served and helping itself: what it was served goes back. */
TEST(who_got_two_keeps_one)
{
	CHECK(wait_while(free_two) == items[1]);
	CHECK_EQ(keg_out(&watched->keg), 1);
	CHECK(uma_zalloc(watched, M_NOWAIT) == items[0]);
	uma_zfree(watched, items[0]);
	uma_zfree(watched, items[1]);
	CHECK_EQ(uma_zdestroy(watched, M_NOWAIT), 0);
}

static struct turn second;

/* Late frees pass by the line. */
static void
free_one_and_one_late(void)
{
	stand_in_line(&second, watched);
	uma_zfree(watched, items[0]);
	keg_give_late(&watched->keg, items[1]);
}

TEST(who_got_two_serves_the_next)
{
	CHECK(wait_while(free_one_and_one_late) == items[1]);
	REQUIRE(pthread_join(second.thread, NULL) == 0);
	uma_zfree(watched, items[1]);
	CHECK_EQ(uma_zdestroy(watched, M_NOWAIT), 0);
}

/* ---- a line that is refused its lock ---- */

static void
free_one(void)
{
	uma_zfree(watched, items[0]);
}

/* Each time that the zone's lock is asked for, from the allocation on. */
TEST_TIME(whoever_waits_is_served_without_the_lock, 60)
{
	unsigned time = 0;

	do {
		watched = make();
		REQUIRE(uma_zone_set_obj(watched, NULL, 1) == 1);
		take(watched, 1);
		lock_asks = 0;
		lock_refused = ++time;
		meanwhile = free_one;
		CHECK(uma_zalloc(watched, M_WAITOK) == items[0]);
		lock_refused = 0;
		uma_zfree(watched, items[0]);
		CHECK_EQ(uma_zdestroy(watched, M_NOWAIT), 0);
	} while (lock_asks >= time);
	harness_say("# %u times\n", time);
	CHECK(time >= 5);
}

/* ---- a fork by who waits ---- */

static volatile sig_atomic_t child;

static void
fork_and_free(int signo)
{
	(void)signo;
	child = (sig_atomic_t)fork();
	uma_zfree(watched, items[0]);
}

/* In both it is still in line, and served. */
TEST_TIME(who_waits_may_fork, 60)
{
	int status = -1;

	watched = make();
	REQUIRE(uma_zone_set_obj(watched, NULL, 1) == 1);
	take(watched, 1);
	REQUIRE(signal(SIGALRM, fork_and_free) != SIG_ERR);
	ualarm(100000, 0);
	CHECK(uma_zalloc(watched, M_WAITOK) == items[0]);
	uma_zfree(watched, items[0]);
	CHECK_EQ(uma_zdestroy(watched, M_NOWAIT), 0);
	if (child == 0)
		_exit(atomic_load(&harness.failures) != 0);
	REQUIRE(waitpid((pid_t)child, &status, 0) == (pid_t)child);
	CHECK_EQ(status, 0);
}

TEST_MAIN
