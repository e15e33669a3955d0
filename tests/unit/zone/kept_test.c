/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kept_test.c - what a record keeps, and what it sends away
 */
#include "harness.h"

#include <pthread.h>
#include <uma/stats.h>
#include <uma/uma.h>

#include "cpus.h"
#include "heap/heap.h"
#include "hostile.h"
#include "supply/supply.h"
#include "zone/zone.h"

enum {
	SMALL = 64,
	LARGE = 4096,
	FEW = 100,
	BURST = 1000,
	WIDE = 3000,  /* more than can be kept, but not twice as many */
	WIDER = 4000, /* more than can be kept and stored, but no storm */
	MANY = 20000,
	STOP = 3300, /* large ones: so that forgetting has just begun */
	HUGE = 1 << 20,
	ROUNDS = 12
};

static void *items[MANY];
static void *held_inside[BURST];

/* Records are refused at random in a hostile build. */
#define SKIP_HOSTILE() \
	do { \
		if (HOSTILE) \
			SKIP("records are refused at random"); \
	} while (0)

/* ---- trips to the depot, and buckets that come and go ---- */

static unsigned trips;

struct bucket *__real_depot_take(struct depot *d);
struct bucket *__wrap_depot_take(struct depot *d);
struct bucket *__real_depot_give(struct depot *d, struct bucket *b, size_t max);
struct bucket *__wrap_depot_give(struct depot *d, struct bucket *b, size_t max);
struct bucket *__real_bucket_take(unsigned want);
struct bucket *__wrap_bucket_take(unsigned want);

struct bucket *
__wrap_depot_take(struct depot *d)
{
	trips++;
	return __real_depot_take(d);
}

struct bucket *
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

/* ---- what happens while the keg is asked ---- */

size_t __real_keg_take(struct keg *keg, void **out, size_t want, int wait);
size_t __wrap_keg_take(struct keg *keg, void **out, size_t want, int wait);

static uma_zone_t watched; /* or NULL */
static void *held;         /* freed meanwhile */
static bool gives_one;

size_t
__wrap_keg_take(struct keg *keg, void **out, size_t want, int wait)
{
	bool is_watched = watched != NULL && keg == &watched->keg;
	size_t count =
	    __real_keg_take(keg, out, is_watched && gives_one ? 1 : want, wait);
	void *item = held;

	if (is_watched && item != NULL) {
		held = NULL;
		uma_zfree(watched, item);
	}
	return count;
}

/* ---- how many CPUs there are, for what all may keep ---- */

unsigned __wrap_port_cpu_count(void);

unsigned
__wrap_port_cpu_count(void)
{
	return 2;
}

/* ---- when there is no memory ---- */

static bool no_memory;

bool __real_supply_take(struct supply_run *run, size_t count, size_t align,
    size_t filled, enum supply_kind kind, enum meta_how how);
bool __wrap_supply_take(struct supply_run *run, size_t count, size_t align,
    size_t filled, enum supply_kind kind, enum meta_how how);

bool
__wrap_supply_take(struct supply_run *run, size_t count, size_t align,
    size_t filled, enum supply_kind kind, enum meta_how how)
{
	return !no_memory &&
	       __real_supply_take(run, count, align, filled, kind, how);
}

/* ---- whether the process grows ---- */

static unsigned looks_due; /* times that it will be told */

bool __wrap_supply_look_due(void);

bool
__wrap_supply_look_due(void)
{
	if (looks_due == 0)
		return false;
	looks_due--;
	return true;
}

/* ---- zones that are emptied ---- */

static unsigned trims;

void __real_keg_trim(struct keg *keg);
void __wrap_keg_trim(struct keg *keg);

void
__wrap_keg_trim(struct keg *keg)
{
	trims++;
	__real_keg_trim(keg);
}

/* ---- a fork, or whatever else is in the way of a look ---- */

static bool no_barrier;

bool __real_lock_take(struct lock *l);
bool __wrap_lock_take(struct lock *l);

bool
__wrap_lock_take(struct lock *l)
{
	return !(no_barrier && l == &percpu_seize_lock) && __real_lock_take(l);
}

static unsigned finis;

static void
fini(void *item, int bytes)
{
	(void)item;
	(void)bytes;
	finis++;
}

static void *
supply(uma_zone_t zone, int bytes, uint8_t *pflag, int wait)
{
	void *memory = aligned_alloc(GRANULE, (size_t)bytes);

	(void)zone;
	(void)wait;
	*pflag = UMA_SLAB_PRIV;
	return memory;
}

static uma_zone_t
make(int item_bytes)
{
	uma_zone_t zone =
	    uma_zcreate("kept", item_bytes, NULL, NULL, NULL, NULL, 0, 0);

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

static void
swing(uma_zone_t zone, int count, int rounds)
{
	while (rounds-- > 0) {
		take(zone, count);
		give(zone, count);
	}
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

static unsigned
buckets_in(const struct bucket *list)
{
	unsigned count = 0;

	for (; list != NULL; list = list->next)
		count++;
	return count;
}

static size_t
cached(uma_zone_t zone)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	uma_zone_stats(zone, &s);
	return s.cached_items;
}

static void
check_one_bucket(struct cache *c)
{
	CHECK_EQ(c->allowance, 0);
	CHECK_EQ(buckets_in(c->full), 1);
	CHECK_EQ(atomic_load(&c->kept), c->full->count);
}

TEST(who_takes_again_what_it_freed_meets_no_other)
{
	uma_zone_t zone = make(SMALL);

	SKIP_HOSTILE();
	swing(zone, BURST, ROUNDS);
	trips = 0;
	swing(zone, BURST, 1);
	CHECK_EQ(trips, 0);
	CHECK(record(zone)->allowance != 0);
}

TEST(who_only_takes_or_only_frees_keeps_one_bucket)
{
	uma_zone_t zone = make(SMALL);
	struct cache *c;

	SKIP_HOSTILE();
	take(zone, MANY);
	c = record(zone);
	CHECK(c->full == NULL);
	CHECK(buckets_in(c->empty) <= 1);
	give(zone, MANY);
	check_one_bucket(c);
}

/* One bucket that comes in is one lesson, however many follow it. */
TEST(a_swing_teaches_once)
{
	uma_zone_t zone = make(SMALL);
	struct cache *c;

	SKIP_HOSTILE();
	take(zone, WIDE);
	give(zone, WIDE);
	c = record(zone);
	CHECK_EQ(c->allowance, 0);
	take(zone, WIDE);
	CHECK(c->allowance != 0);
	CHECK(c->allowance <= UMA_BUCKET_MAX);
}

TEST(it_learns_in_a_few_swings_and_has_an_end)
{
	uma_zone_t zone = make(SMALL);
	struct cache *c;

	SKIP_HOSTILE();
	swing(zone, WIDE, ROUNDS / 2);
	c = record(zone);
	CHECK_EQ(c->allowance, 2048);
	swing(zone, WIDE, ROUNDS);
	CHECK_EQ(c->allowance, 2048);
	CHECK(atomic_load(&c->kept) <= 2048);
	CHECK_EQ(items_in(c->full), atomic_load(&c->kept));
	CHECK(2048 - atomic_load(&c->kept) < UMA_BUCKET_MAX);
}

/* Its user became one who only frees, or takes far more. */
TEST(it_forgets)
{
	uma_zone_t zone = make(SMALL);
	struct cache *c;

	SKIP_HOSTILE();
	swing(zone, BURST, ROUNDS);
	c = record(zone);
	CHECK(c->allowance != 0);
	take(zone, MANY);
	give(zone, MANY);
	check_one_bucket(c);
}

/* And where it stops halfway, what stays is still what it may keep. */
TEST(what_is_half_forgotten_is_counted)
{
	size_t bytes = 0;

	SKIP_HOSTILE();
	uma_reclaim();
	for (int i = 0; i < ROUNDS; i++) {
		uma_zone_t zone = make(LARGE);
		struct cache *c;
		size_t kept;

		swing(zone, BURST, ROUNDS);
		take(zone, STOP);
		give(zone, STOP);
		c = record(zone);
		kept = atomic_load(&c->kept);
		CHECK(c->sent > 2 * zone->kept_max);
		CHECK(kept <= (size_t)c->allowance + c->full->capacity);
		bytes += kept * LARGE;
	}
	CHECK(bytes <= ((size_t)16 << 20) + ROUNDS * ((size_t)256 << 10));
}

/* A bucket has two items at least, and a record may have two buckets. */
TEST(items_above_a_mebibyte_have_no_caches)
{
	uma_zone_t zone = make(HUGE);
	struct uma_zone_stats s;

	CHECK(zone->caches != 0);
	CHECK(uma_zdestroy(zone, M_NOWAIT) == 0);
	zone = make(HUGE + 8);
	CHECK(zone->caches == 0);
	swing(zone, 4, 2);
	uma_zone_stats(zone, &s);
	CHECK_EQ(s.cached_items, 0);
	CHECK_EQ(s.allocs, 8);
	CHECK_EQ(s.misses, 16);
	CHECK(uma_zdestroy(zone, M_NOWAIT) == 0);
}

static uint64_t
misses_of(uma_zone_t zone)
{
	struct uma_zone_stats s;

	uma_zone_stats(zone, &s);
	return s.misses;
}

TEST(an_operation_is_one_miss_at_most)
{
	uma_zone_t zone = make(SMALL);
	uint64_t was = 0;

	for (int i = 0; i < MANY; i++) {
		uint64_t now;

		take(zone, 1);
		items[i] = items[0];
		now = misses_of(zone);
		CHECK(now - was <= 1);
		was = now;
	}
	for (int i = 1; i < MANY; i++) {
		uint64_t now;

		uma_zfree(zone, items[i]);
		now = misses_of(zone);
		CHECK(now - was <= 1);
		was = now;
	}
}

TEST(large_items_have_an_end_in_bytes)
{
	uma_zone_t zone = make(LARGE);

	SKIP_HOSTILE();
	CHECK_EQ(zone->bucket_items_max, 64);
	CHECK_EQ(zone->kept_max, 1024);
	swing(zone, WIDE / 2, ROUNDS);
	CHECK_EQ(record(zone)->allowance, 1024);
}

/* Eight MiB for each of two CPUs. */
TEST(all_records_together_have_an_end)
{
	size_t bytes = 0;
	uma_zone_t zone;

	SKIP_HOSTILE();
	uma_reclaim();
	for (int i = 0; i < ROUNDS; i++) {
		zone = make(LARGE);
		swing(zone, BURST, ROUNDS);
		bytes += (size_t)record(zone)->allowance * LARGE;
	}
	CHECK(bytes > (size_t)12 << 20);
	CHECK(bytes <= (size_t)16 << 20);
	/* And what is given up is there for others. */
	uma_reclaim();
	zone = make(LARGE);
	swing(zone, BURST, ROUNDS);
	CHECK(record(zone)->allowance != 0);
}

/* Else it would trade small buckets for ever, with nobody else to see it. */
TEST(who_trades_often_gets_larger_buckets)
{
	uma_zone_t zone = make(SMALL);
	uint64_t misses;
	struct cache *c;

	SKIP_HOSTILE();
	swing(zone, FEW, ROUNDS);
	c = record(zone);
	misses = atomic_load(&c->misses);
	swing(zone, FEW, ROUNDS);
	CHECK(atomic_load(&c->misses) - misses < ROUNDS);
}

/* Another comes to the record while a bucket for it is filled. */
TEST(a_race_leaves_no_bucket_behind)
{
	SKIP_HOSTILE();
	for (int one = 0; one < 2; one++) {
		struct cache *c;

		watched = make(SMALL);
		take(watched, 1);
		gives_one = one != 0;
		for (int i = 0; i < BURST; i++) {
			items[i] = uma_zalloc(watched, M_WAITOK);
			if (held == NULL)
				held = uma_zalloc(watched, M_WAITOK);
		}
		c = record(watched);
		CHECK(buckets_in(c->empty) <= 1);
		for (struct bucket *b = c->full; b != NULL; b = b->next)
			CHECK(b->count != 0);
		watched = NULL;
		held = NULL;
		gives_one = false;
	}
}

/* On another CPU, if there is one; in the generic mode the thread decides. */
static void *
swing_elsewhere(void *zone)
{
	(void)cpu_pin(1);
	swing(zone, BURST / 2, ROUNDS);
	return NULL;
}

/* Nobody is told that there is no memory while any CPU keeps an item. */
TEST(what_others_keep_is_found_when_there_is_no_memory)
{
	uma_zone_t zone = uma_zcreate(
	    "kept", LARGE, NULL, NULL, NULL, fini, UMA_ALIGN_PTR, 0);
	pthread_t other[8]; /* not all have this thread's record */
	size_t count = 0;

	SKIP_HOSTILE();
	REQUIRE(zone != NULL && cpu_pin(0));
	for (int i = 0; i < 8; i++) {
		REQUIRE(pthread_create(
			    &other[i], NULL, swing_elsewhere, zone) == 0);
		REQUIRE(pthread_join(other[i], NULL) == 0);
	}
	no_memory = true;
	finis = 0;
	while (uma_zalloc(zone, M_NOWAIT) != NULL)
		count++;
	no_memory = false;
	CHECK_EQ(count, tally_get(&zone->keg.items));
	CHECK_EQ(finis, 0);
}

/* ---- what is given up unasked ---- */

/* Each of its items may be the last of a slab. */
TEST(who_only_frees_leaves_nothing_in_the_depot)
{
	uma_zone_t zone = make(SMALL);

	SKIP_HOSTILE();
	take(zone, MANY);
	give(zone, MANY);
	CHECK_EQ(atomic_load(&zone->depot.buckets), 0);
	/* Nor does more of the same come in. */
	CHECK_EQ(tally_get(&zone->keg.items) - tally_get(&zone->keg.free_items),
	    cached(zone));
	CHECK(cached(zone) <= 2 * UMA_BUCKET_MAX);
}

TEST(what_is_asked_for_is_stored_again)
{
	uma_zone_t zone = make(SMALL);

	SKIP_HOSTILE();
	take(zone, MANY);
	give(zone, MANY);
	take(zone, WIDER);
	give(zone, WIDER);
	CHECK(atomic_load(&zone->depot.items) != 0);
	CHECK(atomic_load(&zone->depot.items) <= zone->depot_max);
}

/* As another zone takes memory; `told` says whether the process grew. */
static void
grow(uma_zone_t other, unsigned told)
{
	size_t slabs = tally_get(&other->keg.slabs);

	looks_due = told;
	while (tally_get(&other->keg.slabs) == slabs)
		REQUIRE(uma_zalloc(other, M_WAITOK) != NULL);
	CHECK_EQ(looks_due, 0);
}

/* A zone that was used and then looked at, as `other` took memory. */
static uma_zone_t
make_idle(uma_zone_t other)
{
	uma_zone_t idle = make(SMALL);

	swing(idle, WIDE, ROUNDS);
	grow(other, 1);
	CHECK(cached(idle) != 0);
	return idle;
}

TEST(an_idle_zone_is_emptied_as_the_process_grows)
{
	uma_zone_t other = make(LARGE);
	uma_zone_t idle;

	SKIP_HOSTILE();
	idle = make_idle(other);
	/* Without growth nothing happens. */
	grow(other, 0);
	CHECK(cached(idle) != 0);
	grow(other, 1);
	CHECK_EQ(cached(idle), 0);
	CHECK_EQ(tally_get(&idle->keg.slabs), 0);
	CHECK_EQ(record(idle)->allowance, 0);
	CHECK(cached(other) != 0);
	/* And it is a zone like any other. */
	swing(idle, BURST, 1);
	CHECK(cached(idle) != 0);
}

/* And once only: it costs a barrier. */
TEST(an_empty_zone_is_left_alone)
{
	uma_zone_t other = make(LARGE);
	uma_zone_t idle = make(SMALL);

	SKIP_HOSTILE();
	take(idle, WIDE); /* so that its slabs stay */
	grow(other, 1);
	trims = 0;
	grow(other, 1);
	CHECK_EQ(trims, 1);
	CHECK_EQ(cached(idle), 0);
	grow(other, 1);
	CHECK_EQ(trims, 1);
}

/* What could not be emptied is tried again. */
TEST(a_look_that_is_refused_comes_again)
{
	uma_zone_t other = make(LARGE);
	uma_zone_t idle;

	SKIP_HOSTILE();
	idle = make_idle(other);
	no_barrier = true;
	for (int i = 0; i < 5; i++)
		grow(other, 1);
	no_barrier = false;
	CHECK(cached(idle) != 0);
	grow(other, 1);
	CHECK_EQ(cached(idle), 0);
}

/* Who takes memory in other ways looks as well. */
TEST(every_taker_looks)
{
	uma_zone_t idle;
	uma_zone_t huge = make(HUGE + 8);
	void *block;

	SKIP_HOSTILE();
	for (int way = 0; way < 2; way++) {
		idle = make(SMALL);
		swing(idle, WIDE, 1);
		for (int i = 0; i < 2; i++) {
			looks_due = 1;
			block = way == 0 ? uma_zalloc(huge, M_WAITOK)
					 : uma_heap_alloc(HUGE, HEAP_RAW);
			REQUIRE(block != NULL);
			CHECK_EQ(looks_due, 0);
		}
		CHECK_EQ(cached(idle), 0);
	}
}

/* Its buckets stay as large as they were: it may be busy again. */
TEST(an_idle_zone_forgets_nothing_else)
{
	uma_zone_t other = make(LARGE);
	uma_zone_t idle;
	unsigned was;

	SKIP_HOSTILE();
	idle = make_idle(other);
	was = atomic_load(&idle->bucket_items);
	for (int i = 0; i < 4; i++)
		grow(other, 1);
	CHECK_EQ(atomic_load(&idle->bucket_items), was);
}

TEST(a_zone_with_a_miss_is_not_idle)
{
	uma_zone_t busy = make(SMALL);
	uma_zone_t other = make(LARGE);

	SKIP_HOSTILE();
	for (int i = 0; i < 5; i++) {
		swing(busy, WIDE, 1);
		grow(other, 1);
		CHECK(cached(busy) != 0);
	}
}

/* Not even if all that it takes is in its record. */
TEST(who_takes_what_it_kept_is_not_idle)
{
	uma_zone_t zone = make(SMALL);
	uma_zone_t other = make(LARGE);

	SKIP_HOSTILE();
	swing(zone, WIDE, ROUNDS);
	for (int i = 0; i < 4; i++) {
		grow(other, 1);
		CHECK(cached(zone) != 0);
		for (int k = 0; k < 300; k++)
			REQUIRE(uma_zalloc(zone, M_WAITOK) != NULL);
	}
}

/* Whatever is used of it: a pair in the load, buckets, one way only. */
TEST(a_zone_in_use_is_not_idle)
{
	uma_zone_t pairs = make(SMALL);
	uma_zone_t inside = make(SMALL);
	uma_zone_t gives = make(SMALL);
	uma_zone_t takes = make(SMALL);
	uma_zone_t other = make(LARGE);

	SKIP_HOSTILE();
	swing(pairs, WIDE, ROUNDS);
	swing(takes, WIDE, ROUNDS);
	swing(inside, BURST, ROUNDS);
	take(gives, MANY);
	for (int i = 0; i < 8; i++) {
		uma_zfree(pairs, uma_zalloc(pairs, M_WAITOK));
		for (int k = 0; k < BURST; k++)
			uma_zfree(gives, items[i * BURST + k]);
		REQUIRE(uma_zalloc(takes, M_WAITOK) != NULL);
		trips = 0;
		for (int k = 0; k < BURST; k++)
			held_inside[k] = uma_zalloc(inside, M_WAITOK);
		for (int k = 0; k < BURST; k++)
			uma_zfree(inside, held_inside[k]);
		CHECK_EQ(trips, 0);
		grow(other, 1);
		CHECK(cached(pairs) != 0);
		CHECK(cached(inside) != 0);
		CHECK(cached(gives) != 0);
		CHECK(cached(takes) != 0);
	}
}

/* One without caches, too: an idle slab of it stays. */
TEST(a_zone_without_caches_is_not_idle_when_used)
{
	uma_zone_t huge = make(HUGE + 8);
	uma_zone_t other = make(LARGE);

	SKIP_HOSTILE();
	for (int i = 0; i < 5; i++) {
		uma_zfree(huge, uma_zalloc(huge, M_WAITOK));
		grow(other, 1);
		CHECK_EQ(tally_get(&huge->keg.slabs), 1);
	}
	for (int i = 0; i < 2; i++)
		grow(other, 1);
	CHECK_EQ(tally_get(&huge->keg.slabs), 0);
}

/* The user's functions run when the user calls, and fixed memory stays. */
TEST(zones_that_gain_nothing_keep_their_items)
{
	uma_zone_t ends = uma_zcreate(
	    "kept", SMALL, NULL, NULL, NULL, fini, UMA_ALIGN_PTR, 0);
	uma_zone_t stays = uma_zcreate("kept", SMALL, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_NOFREE);
	uma_zone_t fixed = uma_zcreate("kept", SMALL, NULL, NULL, NULL, NULL,
	    UMA_ALIGN_PTR, UMA_ZONE_STATIC);
	uma_zone_t supplied = make(SMALL);
	uma_zone_t ahead = make(SMALL);
	uma_zone_t idle = make(SMALL); /* so that the others are passed over */
	size_t slabs;
	uma_zone_t other = make(LARGE);

	SKIP_HOSTILE();
	REQUIRE(ends != NULL && stays != NULL && fixed != NULL);
	uma_prealloc(fixed, WIDE);
	uma_zone_set_allocf(supplied, supply);
	uma_prealloc(ahead, MANY);
	slabs = tally_get(&ahead->keg.slabs);
	swing(idle, WIDE, 1);
	swing(ends, WIDE, 1);
	swing(stays, WIDE, 1);
	swing(fixed, WIDE, 1);
	swing(supplied, WIDE, 1);
	finis = 0;
	for (int i = 0; i < 5; i++)
		grow(other, 1);
	CHECK_EQ(finis, 0);
	CHECK(cached(ends) != 0);
	CHECK(cached(stays) != 0);
	CHECK(cached(fixed) != 0);
	CHECK(cached(supplied) != 0);
	CHECK_EQ(tally_get(&ahead->keg.slabs), slabs);
	CHECK_EQ(cached(idle), 0);
	/* And nobody holds what was passed over. */
	CHECK_EQ(uma_zdestroy(ends, M_NOWAIT), 0);
}

/* Its next use would cost a system call, for 64 KiB at most. */
TEST(a_zone_of_one_slab_keeps_its_items)
{
	uma_zone_t other = make(LARGE);
	uma_zone_t small = make(SMALL);

	SKIP_HOSTILE();
	swing(small, FEW, 1);
	REQUIRE(tally_get(&small->keg.slabs) == 1);
	for (int i = 0; i < 4; i++)
		grow(other, 1);
	CHECK(cached(small) != 0);
}

/* Some zones at a time, and all of them in the end. */
TEST(a_look_goes_on_where_it_ended)
{
	static uma_zone_t zones[200];
	uma_zone_t other;

	SKIP_HOSTILE();
	for (size_t i = 0; i < 200; i++) {
		zones[i] = make(LARGE);
		swing(zones[i], FEW, 1);
	}
	other = make(LARGE);
	for (int look = 0; look < 2; look++) {
		grow(other, 1);
		for (int i = 0; i < 4; i++)
			grow(other, 0);
	}
	for (size_t i = 0; i < 200; i++)
		CHECK_EQ(cached(zones[i]), 0);
}

/* Nor do 100,000 zones cost a look at each, ten times a second. */
TEST(so_many_looks_and_no_more_each_time)
{
	enum { ZONES = 6000, ONE_TIME = 16384 / 5 }; /* lines, and of a zone */
	static uma_zone_t zones[ZONES];
	uma_zone_t other = make(LARGE);
	int seen = 0;

	SKIP_HOSTILE();
	for (size_t i = 0; i < ZONES; i++) {
		zones[i] = make(SMALL);
		swing(zones[i], 1, 1);
	}
	for (int times = 1; seen != ZONES && times < 5; times++) {
		grow(other, 1);
		for (int i = 0; i < 100; i++)
			grow(other, 0);
		seen = 0;
		for (size_t i = 0; i < ZONES; i++)
			seen += zones[i]->seen != 0;
		CHECK(seen > (times - 1) * ONE_TIME * 3 / 4);
		CHECK(seen <= times * ONE_TIME);
	}
	CHECK_EQ(seen, ZONES);
}

/* ---- at the edge of a bucket ---- */

/* Else each turn there would trade places, by two misses. */
TEST(a_turn_at_the_edge_misses_once)
{
	uma_zone_t zone = make(SMALL);
	uint64_t misses;

	SKIP_HOSTILE();
	if (percpu_mode != PERCPU_RSEQ)
		SKIP("each operation is one");
	swing(zone, BURST, ROUNDS);
	/* What the load has, and one of the next. */
	misses = misses_of(zone);
	do {
		items[1] = items[0];
		items[0] = uma_zalloc(zone, M_WAITOK);
		REQUIRE(items[0] != NULL);
	} while (misses_of(zone) == misses);
	REQUIRE(items[1] != NULL);
	misses = misses_of(zone);
	for (int i = 0; i < BURST; i++) {
		give(zone, 2);
		take(zone, 2);
	}
	CHECK(misses_of(zone) - misses <= 4);
}

/* A load of few has room for few. */
TEST(a_small_load_takes_what_it_has_room_for)
{
	uma_zone_t zone = make(SMALL);
	unsigned small;
	struct cache *c;

	SKIP_HOSTILE();
	if (percpu_mode != PERCPU_RSEQ)
		SKIP("each operation is one");
	atomic_store(&zone->bucket_items, 4);
	take(zone, 1);
	give(zone, 1);
	c = record(zone);
	small = WORD_CAPACITY(atomic_load(&c->word));
	atomic_store(&zone->bucket_items, UMA_BUCKET_MAX);
	take(zone, (int)small + UMA_BUCKET_MAX);
	give(zone, UMA_BUCKET_MAX + 1);
	REQUIRE(WORD_CAPACITY(atomic_load(&c->word)) == small);
	REQUIRE(c->full != NULL && c->full->count > 2 * small);
	while (WORD_COUNT(atomic_load(&c->word)) != 0)
		REQUIRE(uma_zalloc(zone, M_WAITOK) != NULL);
	REQUIRE(uma_zalloc(zone, M_WAITOK) != NULL);
	CHECK_EQ(WORD_CAPACITY(atomic_load(&c->word)), small);
	CHECK_EQ(WORD_COUNT(atomic_load(&c->word)), small - 1);
}

TEST(a_drained_record_keeps_nothing)
{
	uma_zone_t zone = make(SMALL);
	struct zone_reading now;
	struct cache *c;

	swing(zone, BURST, ROUNDS);
	c = record(zone);
	take(zone, BURST);
	CHECK(HOSTILE || (c->allowance != 0 && c->empty != NULL));
	uma_reclaim();
	CHECK(c->slots == NULL);
	CHECK(c->full == NULL);
	CHECK(c->empty == NULL);
	CHECK_EQ(c->allowance, 0);
	CHECK_EQ(c->sent, 0);
	zone_read(zone, &now);
	CHECK_EQ(now.cached, 0);
	CHECK_EQ(now.allocs - now.frees, BURST);
	give(zone, BURST);
	uma_reclaim();
	CHECK_EQ(atomic_load(&c->kept), 0);
	zone_read(zone, &now);
	CHECK_EQ(now.cached, 0);
	CHECK_EQ(now.allocs, now.frees);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST_MAIN
