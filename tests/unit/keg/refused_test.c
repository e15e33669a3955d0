/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refused_test.c - what is undone when something is refused
 *
 * The refusals that others bring about by a signal at the right moment, by
 * another thread or by a full machine are made by hand here: the test enters
 * the gate and calls the library as a handler would that interrupted it
 * there, counts what another thread would count, or says no in the system's
 * place.
 */
#include "harness.h"

#include <pthread.h>
#include <uma/stats.h>
#include <uma/uma.h>

#include "heap/heap.h"
#include "keg/inner.h"
#include "lock/lock.h"
#include "meta/meta.h"
#include "pagemap/pagemap.h"
#include "port/port.h"
#include "supplier.h"
#include "supply/supply.h"
#include "zone/zone.h"

enum { ITEM = 512, ITEMS = 40 };

/* ---- the system says no ---- */

void *__real_port_map(size_t bytes, size_t align);
void *__wrap_port_map(size_t bytes, size_t align);
bool __real_port_populate(void *addr, size_t bytes);
bool __wrap_port_populate(void *addr, size_t bytes);
bool __real_pagemap_set(const void *address, size_t bytes, void *header,
    uint64_t hit, enum meta_how how);
bool __wrap_pagemap_set(const void *address, size_t bytes, void *header,
    uint64_t hit, enum meta_how how);

static bool no_map;
static bool no_leaf;
static const void *unmapped; /* what the page map had no room for */
static bool no_populate;
static bool is_refused; /* the test is inside the gate, and leaves it */
static void *refused;   /* what was not populated */

void *
__wrap_port_map(size_t bytes, size_t align)
{
	return no_map ? NULL : __real_port_map(bytes, align);
}

bool
__wrap_port_populate(void *addr, size_t bytes)
{
	if (!no_populate)
		return __real_port_populate(addr, bytes);
	refused = addr;
	if (is_refused)
		gate_leave();
	is_refused = false;
	return false;
}

bool
__wrap_pagemap_set(const void *address, size_t bytes, void *header,
    uint64_t hit, enum meta_how how)
{
	if (!no_leaf)
		return __real_pagemap_set(address, bytes, header, hit, how);
	unmapped = address;
	return false;
}

/* What another thread does while one is about to get a header. */
void *__real_meta_take(size_t bytes, enum meta_how how);
void *__wrap_meta_take(size_t bytes, enum meta_how how);

static uma_zone_t overtaken;
static bool no_header; /* and it gets none */

static void *
overtake(void *arg)
{
	CHECK(keg_prealloc(arg, M_NOWAIT));
	return NULL;
}

void *
__wrap_meta_take(size_t bytes, enum meta_how how)
{
	uma_zone_t zone = overtaken;
	pthread_t other;

	if (zone == NULL ||
	    bytes != slab_header_bytes(&zone->keg.layout, false))
		return __real_meta_take(bytes, how);
	overtaken = NULL;
	REQUIRE(pthread_create(&other, NULL, overtake, &zone->keg) == 0);
	pthread_join(other, NULL);
	return no_header ? NULL : __real_meta_take(bytes, how);
}

/* A handler that forks where its thread has just left the gate. */
void __real_meta_leave(enum meta_how how);
void __wrap_meta_leave(enum meta_how how);

static bool fork_at_leave;
static pid_t forked; /* 0: this is the child */

void
__wrap_meta_leave(enum meta_how how)
{
	__real_meta_leave(how);
	if (!fork_at_leave)
		return;
	fork_at_leave = false;
	forked = fork();
}

/* ---- a zone that counts ---- */

static long inits;
static long finis;

static void
on_init(void *mem, int size)
{
	/* An item that saw init and no fini says so. */
	CHECK(*(void **)mem != mem);
	*(void **)mem = mem;
	memset((char *)mem + sizeof(void *), 0, (size_t)size - sizeof(void *));
	inits++;
}

static void
on_fini(void *mem, int size)
{
	(void)size;
	CHECK(*(void **)mem == mem);
	*(void **)mem = NULL;
	finis++;
}

/* What is refused here is so by the test, in a hostile build too. */
static uma_zone_t
make(uma_init init, uma_fini fini)
{
	uma_zone_t zone =
	    uma_zcreate("refused", ITEM, NULL, NULL, init, fini, 63, 0);

	REQUIRE(zone != NULL);
	supply_trust(true);
	return zone;
}

/* As in a handler that interrupted its thread inside. */
static void *
take_refused(uma_zone_t zone)
{
	void *item;

	REQUIRE(gate_enter());
	item = uma_zalloc(zone, M_NOWAIT);
	gate_leave();
	return item;
}

static void
check_used(uma_zone_t zone, uint64_t used)
{
	struct uma_zone_stats s;

	uma_zone_stats(zone, &s);
	CHECK_EQ(s.used_items, used);
	CHECK_EQ(s.used_items + s.free_items, tally_get(&zone->keg.items));
}

/* ---- the emergency source ---- */

/* The first five where the gate refuses; each initialised, none twice. */
static void
take_all_different(uma_zone_t zone, void **items)
{
	for (int i = 0; i < ITEMS; i++) {
		items[i] =
		    i < 5 ? take_refused(zone) : uma_zalloc(zone, M_NOWAIT);
		REQUIRE(items[i] != NULL);
		CHECK(*(void **)items[i] == items[i]);
		for (int k = 0; k < i; k++)
			CHECK(items[k] != items[i]);
	}
}

TEST(claimed_items_see_init_once)
{
	uma_zone_t zone = make(on_init, on_fini);
	struct uma_stats all;
	void *items[ITEMS];

	take_all_different(zone, items);
	uma_stats(&all);
	CHECK(all.emergencies >= 5);
	for (int i = 0; i < ITEMS; i++)
		uma_zfree(zone, items[i]);
	check_used(zone, 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	CHECK_EQ(inits, finis);
}

/* More than a slab of them: one that is used up is not forgotten. */
TEST(slabs_of_claimed_items_come_back)
{
	enum { MANY = 300 };
	uma_zone_t zone = make(NULL, NULL);
	static void *items[MANY];

	for (int i = 0; i < MANY; i++) {
		items[i] = take_refused(zone);
		REQUIRE(items[i] != NULL);
	}
	uma_zfree(zone, uma_zalloc(zone, M_NOWAIT));
	check_used(zone, MANY);
	for (int i = 0; i < MANY; i++)
		uma_zfree(zone, items[i]);
	uma_reclaim();
	check_used(zone, 0);
	CHECK_EQ(tally_get(&zone->keg.items), 0);
	CHECK_EQ(tally_get(&zone->keg.making), 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* Somebody found its slab used up, and has not listed it yet. */
TEST(a_claimed_item_may_come_back_before_its_slab_is_known)
{
	uma_zone_t zone = make(NULL, NULL);
	struct keg *keg = &zone->keg;
	void *items[2] = { take_refused(zone), take_refused(zone) };
	struct slab *slab = atomic_exchange(&keg->emergency, NULL);

	REQUIRE(slab != NULL && items[0] != NULL && items[1] != NULL);
	keg_return(keg, items, 1, "uma_zfree");
	CHECK_EQ(keg_out(keg), 1);
	DIES(keg_return(keg, items, 1, "uma_zfree"),
	    "uma: uma_zfree: double free: ptr %p zone \"refused\"", items[0]);
	keg_list(keg, slab);
	keg_return(keg, items + 1, 1, "uma_zfree");
	CHECK_EQ(keg_out(keg), 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* ---- idle slabs that are lent ---- */

static void
free_refused(uma_zone_t zone, void *item)
{
	REQUIRE(gate_enter());
	uma_zfree(zone, item);
	gate_leave();
}

static uma_zone_t
make_nofree(uma_init init)
{
	uma_zone_t zone = uma_zcreate(
	    "nofree", ITEM, NULL, NULL, init, NULL, 63, UMA_ZONE_NOFREE);

	REQUIRE(zone != NULL);
	supply_trust(true);
	return zone;
}

/* As a handler does that interrupts miss after miss. */
static void
take_and_free_refused(uma_zone_t zone, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		void *item = take_refused(zone);

		REQUIRE(item != NULL);
		memset(item, 1, ITEM);
		free_refused(zone, item);
		CHECK_EQ(keg_out(&zone->keg), 0);
	}
}

/* All that a keg has is idle, and what is lent is on its way in. */
static bool
is_lent_of(struct keg *keg, size_t slabs)
{
	struct slab *lent = atomic_load(&keg->emergency);

	return lent != NULL && tally_get(&keg->making) == lent->limit &&
	       tally_get(&keg->slabs) == slabs - 1 && keg->idle == slabs - 1 &&
	       tally_get(&keg->items) == (slabs - 1) * lent->limit &&
	       tally_get(&keg->free_items) == (slabs - 1) * lent->limit;
}

TEST(a_keg_that_keeps_its_slabs_lends_them)
{
	uma_zone_t zone = make_nofree(NULL);
	void *items[3 * ITEMS];

	take_and_free_refused(zone, 1000);
	CHECK(is_lent_of(&zone->keg, 2));
	/* Nobody else has an item of it. */
	for (int i = 0; i < 3 * ITEMS; i++) {
		items[i] = i % 2 == 0 ? take_refused(zone)
				      : uma_zalloc(zone, M_NOWAIT);
		REQUIRE(items[i] != NULL);
		for (int k = 0; k < i; k++)
			CHECK(items[k] != items[i]);
	}
	for (int i = 0; i < 3 * ITEMS; i++)
		uma_zfree(zone, items[i]);
	(void)keg_out(&zone->keg); /* what was claimed is known from here on */
	check_used(zone, 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST(what_is_lent_is_a_child_s_too)
{
	uma_zone_t zone = make_nofree(NULL);
	pid_t child;
	int status = -1;

	take_and_free_refused(zone, 10);
	child = fork();
	if (child == 0) {
		alarm(20);
		if (!is_lent_of(&zone->keg, 2))
			_exit(1);
		take_and_free_refused(zone, 10);
		if (!is_lent_of(&zone->keg, 2))
			_exit(2);
		_exit(uma_zdestroy(zone, M_NOWAIT) == 0 ? 0 : 3);
	}
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* Who claims just now may have seen it in its time before. */
TEST(nothing_is_lent_while_somebody_claims)
{
	uma_zone_t zone = make_nofree(NULL);
	struct keg *keg = &zone->keg;

	take_and_free_refused(zone, 3);
	atomic_fetch_add(&keg->claimers, 1);
	take_and_free_refused(zone, 1);
	CHECK(atomic_load(&keg->emergency) == NULL);
	CHECK_EQ(tally_get(&keg->making), 0);
	atomic_fetch_sub(&keg->claimers, 1);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST(a_keg_that_does_not_grow_has_nothing_lent)
{
	uma_zone_t zone = make_nofree(NULL);
	struct keg *keg = &zone->keg;

	take_and_free_refused(zone, 10);
	CHECK(is_lent_of(keg, 2));
	keg_freeze(keg);
	CHECK_EQ(keg_out(keg), 0);
	CHECK(atomic_load(&keg->emergency) == NULL);
	CHECK_EQ(tally_get(&keg->slabs), 2);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST(slabs_with_raw_items_are_not_lent)
{
	uma_zone_t zone = make_nofree(on_init);

	take_and_free_refused(zone, 1);
	for (int i = 0; i < 10; i++) {
		free_refused(zone, take_refused(zone));
		CHECK_EQ(keg_out(&zone->keg), 0);
	}
	CHECK(atomic_load(&zone->keg.emergency) == NULL);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* ---- late frees ---- */

TEST(late_frees_are_taken_in)
{
	uma_zone_t zone = make(NULL, NULL);
	void *items[ITEMS];

	/* Twice, as a slab is listed anew each time. */
	for (int round = 0; round < 2; round++) {
		uma_reclaim();
		for (int i = 0; i < ITEMS; i++)
			items[i] = uma_zalloc(zone, M_NOWAIT);
		uma_reclaim();
		for (int i = 0; i < ITEMS; i++) {
			REQUIRE(gate_enter());
			keg_give_late(&zone->keg, items[i]);
			gate_leave();
		}
		CHECK_EQ(keg_out(&zone->keg), 0);
		uma_reclaim();
		CHECK_EQ(tally_get(&zone->keg.free_items),
		    tally_get(&zone->keg.items));
		CHECK_EQ(tally_get(&zone->keg.items), 0);
	}
}

/* As free does where the gate refuses. */
static void
give_refused(uma_zone_t zone, void *item)
{
	if (!gate_enter())
		_exit(1);
	keg_give_late(&zone->keg, item);
	gate_leave();
}

TEST(late_frees_of_what_is_no_item)
{
	uma_zone_t zone = make(NULL, NULL);
	char *item = uma_zalloc(zone, M_NOWAIT);

	REQUIRE(item != NULL);
	DIES(give_refused(zone, item + 8),
	    "uma: uma_zfree: pointer into an item: ptr %p zone \"refused\"",
	    (void *)(item + 8));
	DIES(give_refused(zone, zone),
	    "uma: uma_zfree: foreign pointer: ptr %p zone \"refused\"",
	    (void *)zone);
}

/* The item is in its slab by then, or on its way for the second time. */
TEST(late_frees_of_what_is_free)
{
	uma_zone_t zone = make(NULL, NULL);
	void *item = uma_zalloc(zone, M_NOWAIT);
	void *other = uma_zalloc(zone, M_NOWAIT);

	REQUIRE(item != NULL && other != NULL);
	DIES(
	    {
		    give_refused(zone, item);
		    give_refused(zone, item);
	    },
	    "uma: uma_zfree: double free: ptr %p zone \"refused\"", item);
	uma_zfree(zone, item);
	uma_reclaim();
	DIES(
	    {
		    give_refused(zone, item);
		    uma_reclaim();
	    },
	    "uma: uma_zfree: double free: ptr %p zone \"refused\"", item);
}

/* ---- what others count ---- */

TEST(slabs_on_their_way_in_count_against_the_limit)
{
	uma_zone_t zone = make(NULL, NULL);
	size_t limit = zone->keg.layout.items;

	REQUIRE(uma_zone_set_obj(zone, NULL, (int)limit) == 1);
	tally_add(&zone->keg.making, limit);
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	tally_add(&zone->keg.making, -limit);
	CHECK(uma_zalloc(zone, M_NOWAIT) != NULL);
}

enum { LARGE = 20000 };

/* One whole slab, and one item of a second. */
static uma_zone_t
make_uneven(uma_init init, int *count)
{
	uma_zone_t zone =
	    uma_zcreate("uneven", LARGE, NULL, NULL, init, NULL, 7, 0);

	REQUIRE(zone != NULL);
	supply_trust(true);
	*count = (int)zone->keg.layout.items + 1;
	REQUIRE(uma_zone_set_obj(zone, NULL, *count) == 1);
	return zone;
}

/* Takes all that there are; false if one lies behind the last. */
static bool
take_all_within(uma_zone_t zone, int count, int *taken)
{
	const struct keg *keg = &zone->keg;
	bool within = true;
	char *item;

	for (*taken = 0; (item = uma_zalloc(zone, M_NOWAIT)) != NULL;
	     (*taken)++) {
		size_t at = (size_t)(item - keg->object);
		size_t slab = at / keg->layout.slab_bytes;
		size_t in_slab = at % keg->layout.slab_bytes - keg->layout.lead;

		within =
		    within && at < keg->object_bytes &&
		    slab * keg->layout.items + in_slab / keg->layout.stride <
			(size_t)count;
	}
	return within;
}

/* Who comes second has the slab that ends early, whoever came first. */
TEST(the_last_place_is_the_short_one)
{
	for (int refuse = 0; refuse < 2; refuse++) {
		int count, taken;
		uma_zone_t zone = make_uneven(NULL, &count);

		overtaken = zone;
		no_header = refuse != 0;
		CHECK(keg_prealloc(&zone->keg, M_NOWAIT) != no_header);
		CHECK(overtaken == NULL);
		CHECK(take_all_within(zone, count, &taken));
		CHECK_EQ(taken, count);
	}
}

static _Atomic int init_calls;
static _Atomic bool init_may_end;

static void
wait_in_first_init(void *mem, int size)
{
	memset(mem, 0, (size_t)size);
	if (atomic_fetch_add(&init_calls, 1) != 0)
		return;
	while (!atomic_load(&init_may_end))
		usleep(1000);
}

static void *
fill_one(void *arg)
{
	uma_prealloc(arg, 1);
	return NULL;
}

/* A place that another thread had is nobody's, and no other's grows for it. */
TEST(a_child_has_no_places_of_others)
{
	int count, taken;
	uma_zone_t zone = make_uneven(wait_in_first_init, &count);
	int status = -1;
	pthread_t other;
	pid_t child;

	REQUIRE(pthread_create(&other, NULL, fill_one, zone) == 0);
	while (atomic_load(&init_calls) == 0)
		usleep(1000);
	child = fork();
	if (child == 0) {
		alarm(20);
		uma_prealloc(zone, count);
		if (!take_all_within(zone, count, &taken))
			_exit(1);
		_exit(taken == 1 ? 0 : 2);
	}
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	atomic_store(&init_may_end, true);
	pthread_join(other, NULL);
	CHECK(take_all_within(zone, count, &taken));
	CHECK_EQ(taken, count);
}

TEST(filling_ends_at_the_limit)
{
	uma_zone_t zone = make(NULL, NULL);

	REQUIRE(uma_zone_set_obj(zone, NULL, ITEMS) == 1);
	uma_prealloc(zone, 10 * ITEMS);
	CHECK_EQ(tally_get(&zone->keg.items), ITEMS);
}

TEST(who_makes_no_slab_keeps_no_right_to_it)
{
	uma_zone_t zone = make(NULL, NULL);

	uma_zone_set_allocf(zone, supply_nothing);
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	CHECK_EQ(tally_get(&zone->keg.making), 0);
}

TEST(a_header_without_memory_is_used_again)
{
	uma_zone_t zone = make(NULL, NULL);
	size_t before;

	uma_zone_set_allocf(zone, supply_nothing);
	CHECK(!keg_prealloc(&zone->keg, M_NOWAIT));
	before = meta_bytes();
	for (int i = 0; i < 100000; i++)
		CHECK(!keg_prealloc(&zone->keg, M_NOWAIT));
	CHECK_EQ(meta_bytes(), before);
}

/* Given back where the lock could not be had. */
TEST(what_came_late_is_used_again)
{
	enum { BYTES = 4000, TRIES = 1000 };
	void *late;
	void *again = NULL;

	uma_reclaim(); /* the library has started */
	REQUIRE(gate_enter());
	late = meta_take(BYTES, META_NORMAL);
	REQUIRE(late != NULL);
	meta_give(late, BYTES, META_EMERGENCY);
	for (int i = 0; i < TRIES && again != late; i++)
		again = meta_take(BYTES, META_NORMAL);
	CHECK(again == late);
	gate_leave();
}

/* Slabs in the hands of threads that the child does not have. */
TEST(a_child_counts_no_slabs_of_others)
{
	uma_zone_t zone = make(NULL, NULL);
	int status = -1;
	pid_t child;

	uma_zfree(zone, uma_zalloc(zone, M_NOWAIT));
	tally_add(&zone->keg.making, 7);
	tally_add(&zone->keg.leaving, 7);
	child = fork();
	if (child == 0) {
		alarm(20);
		if (tally_get(&zone->keg.making) != 0)
			_exit(1);
		_exit(uma_zdestroy(zone, M_NOWAIT) == 0 ? 0 : 2);
	}
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

/* Its slab is given back as it is born. */
TEST(a_child_counts_what_goes_once)
{
	uma_zone_t zone = make(NULL, NULL);
	int status;

	uma_zfree(zone, uma_zalloc(zone, M_NOWAIT));
	fork_at_leave = true;
	uma_reclaim();
	REQUIRE(!fork_at_leave && forked >= 0);
	if (forked == 0) {
		alarm(20);
		if (tally_get(&zone->keg.leaving) != 0)
			_exit(1);
		_exit(uma_zdestroy(zone, M_NOWAIT) == 0 ? 0 : 2);
	}
	REQUIRE(waitpid(forked, &status, 0) == forked);
	CHECK_EQ(status, 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

static void *
wait_for_item(void *arg)
{
	return uma_zalloc(arg, M_WAITOK);
}

static bool
has_waiter(uma_zone_t zone) UMA_UNCHECKED_LOCKS
{
	bool has;

	REQUIRE(gate_enter() && lock_take(&zone->lock));
	has = zone->first != NULL;
	lock_drop(&zone->lock);
	gate_leave();
	return has;
}

/* A thread that waits in the parent gets nothing in the child. */
TEST(a_child_has_no_waiters)
{
	uma_zone_t zone = make(NULL, NULL);
	int status = -1;
	pthread_t thread;
	pid_t child;
	void *item;

	REQUIRE(uma_zone_set_obj(zone, NULL, 1) == 1);
	item = uma_zalloc(zone, M_NOWAIT);
	REQUIRE(item != NULL);
	REQUIRE(pthread_create(&thread, NULL, wait_for_item, zone) == 0);
	while (!has_waiter(zone))
		usleep(1000);
	child = fork();
	if (child == 0) {
		alarm(20);
		uma_zfree(zone, item);
		_exit(uma_zalloc(zone, M_NOWAIT) == item ? 0 : 1);
	}
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	uma_zfree(zone, item);
	pthread_join(thread, NULL);
}

/* ---- memory that cannot be backed ---- */

TEST(a_slab_that_cannot_be_backed_leaves_nothing)
{
	uma_zone_t zone = make(NULL, NULL);

	no_populate = true;
	CHECK(!keg_prealloc(&zone->keg, M_NOWAIT));
	no_populate = false;
	REQUIRE(refused != NULL);
	CHECK(pagemap_find(refused) == NULL);
	CHECK_EQ(tally_get(&zone->keg.making), 0);
	/* The lowest memory that is free: the same again. */
	REQUIRE(keg_prealloc(&zone->keg, M_NOWAIT));
	CHECK(pagemap_find(refused) != NULL);
}

/* All of it was given back with what is known of it. */
TEST(a_slab_of_backed_memory_is_not_backed_again)
{
	uma_zone_t zone = make(on_init, on_fini);
	void *item;

	REQUIRE(keg_prealloc(&zone->keg, M_NOWAIT));
	REQUIRE(uma_zdestroy(zone, M_NOWAIT) == 0);
	zone = make(on_init, on_fini);
	no_populate = true;
	CHECK(keg_prealloc(&zone->keg, M_NOWAIT));
	CHECK(refused == NULL);
	item = uma_zalloc(zone, M_NOWAIT);
	REQUIRE(item != NULL);
	CHECK(refused == NULL);
	no_populate = false;
	uma_zfree(zone, item);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	CHECK_EQ(inits, finis);
}

/*
 * Who was refused by the gate has claimed an item, and finds the gate open when
 * it brings it back: its slab is linked nowhere yet.
 */
TEST(a_claimed_item_that_cannot_be_backed_comes_back)
{
	uma_zone_t zone = make(on_init, on_fini);
	void *items[ITEMS];

	REQUIRE(gate_enter());
	is_refused = no_populate = true;
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	CHECK(!is_refused);
	no_populate = false;
	check_used(zone, 0);
	take_all_different(zone, items);
	for (int i = 0; i < ITEMS; i++)
		uma_zfree(zone, items[i]);
	check_used(zone, 0);
	CHECK_EQ(tally_get(&zone->keg.making), 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	CHECK_EQ(inits, finis);
}

/* The same where the gate still refuses: it comes back late, initialised. */
TEST(a_claimed_item_that_cannot_be_backed_comes_back_late)
{
	uma_zone_t zone = make(on_init, on_fini);
	void *items[ITEMS];

	REQUIRE(gate_enter());
	no_populate = true;
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	no_populate = false;
	gate_leave();
	/* One init, of the item that is free again. */
	CHECK_EQ(inits, 1);
	CHECK_EQ(keg_out(&zone->keg), 0);
	take_all_different(zone, items);
	for (int i = 0; i < ITEMS; i++)
		uma_zfree(zone, items[i]);
	check_used(zone, 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	CHECK_EQ(inits, finis);
}

/* ---- large blocks, and small ones without memory ---- */

TEST(a_large_block_that_is_free_is_nobodys)
{
	void *block = uma_heap_alloc(1 << 20, HEAP_RAW);

	REQUIRE(block != NULL);
	CHECK(pagemap_find(block) != NULL);
	uma_heap_free(block, "free");
	CHECK(pagemap_find(block) == NULL);
}

static struct heap_reading
read_heap(void)
{
	struct heap_reading now;

	heap_read(&now);
	return now;
}

/* Neither its memory nor its header is lost, nor is it counted. */
static void
refuse_large(size_t bytes)
{
	struct heap_reading before = read_heap();
	struct heap_reading after;
	size_t meta = meta_bytes();
	size_t mapped = supply_mapped_bytes();
	size_t room;

	no_leaf = true;
	for (int i = 0; i < 10000; i++)
		CHECK(heap_alloc_once(bytes, 1, HEAP_ZERO, &room) == NULL);
	no_leaf = false;
	after = read_heap();
	CHECK(pagemap_find(unmapped) == NULL);
	CHECK_EQ(after.large_allocs, before.large_allocs);
	CHECK_EQ(after.large_bytes, before.large_bytes);
	CHECK_EQ(meta_bytes(), meta);
	CHECK_EQ(supply_mapped_bytes(), mapped);
}

TEST(a_large_block_without_room_in_the_page_map_leaves_nothing)
{
	enum { RUN = 1 << 20, MAPPING = 40 << 20 };
	void *block = uma_heap_alloc(RUN, HEAP_RAW);

	REQUIRE(block != NULL);
	supply_trust(true);
	refuse_large(RUN);
	/* The lowest memory that is free: the same again. */
	uma_heap_free(block, "free");
	block = uma_heap_alloc(RUN, HEAP_RAW);
	CHECK(uma_heap_alloc(RUN, HEAP_RAW) == unmapped);
	refuse_large(MAPPING);
	CHECK(!port_mapped(unmapped, port_page_bytes()));
	supply_trust(false);
	uma_heap_free(block, "free");
}

static void
keep_medium(const struct uma_zone_stats *zone, void *arg)
{
	struct uma_zone_stats *out = arg;

	if (strcmp(zone->name, "malloc-131072") == 0)
		*out = *zone;
}

static struct uma_zone_stats
medium_numbers(void)
{
	struct uma_zone_stats medium = { 0 };

	uma_stats_walk(keep_medium, &medium);
	return medium;
}

/* However often it was tried. */
TEST(a_medium_block_that_is_refused_is_one_failure)
{
	struct uma_zone_stats before;
	struct uma_zone_stats after;

	/* None is left in the caches. */
	REQUIRE(heap_wake());
	uma_reclaim();
	before = medium_numbers();
	no_leaf = true;
	CHECK(uma_heap_alloc(100000, HEAP_RAW) == NULL);
	no_leaf = false;
	after = medium_numbers();
	CHECK_EQ(after.fails, before.fails + 1);
	CHECK_EQ(after.allocs, before.allocs);
	CHECK_EQ(after.slab_bytes, before.slab_bytes);
}

TEST(a_block_that_fits_stays_without_memory)
{
	void *block = uma_heap_alloc(30000, HEAP_RAW);

	REQUIRE(block != NULL);
	no_map = true;
	REQUIRE(gate_enter());
	CHECK(uma_heap_resize(block, 5000, "realloc") == block);
	CHECK(uma_heap_resize(block, 60000, "realloc") == NULL);
	gate_leave();
	no_map = false;
	uma_heap_free(block, "free");
}

TEST_MAIN
