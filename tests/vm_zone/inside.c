/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inside.c - what a handler finds that interrupted an allocation
 *
 * Method: such a handler is one whose thread stands inside the gate.  The test
 * goes inside by itself, so that every case can be had, and not by luck.
 */
#include "harness.h"

#include "hostile.h"
#include "vm_zone/vm_zone.h"

#include "lock/lock.h"

#define LIMIT 64

static vm_zone_t zone;
static void *items[LIMIT + 1];

static void
make_limited(int limit)
{
	zone = uma_vm_zinit("inside", 100, limit, ZONE_INTERRUPT, 0);
	REQUIRE(zone != NULL);
}

static void
make(void)
{
	make_limited(LIMIT);
}

/* How many items of at most `most` a handler gets. */
static int
take_inside(int most)
{
	int n = 0;

	REQUIRE(gate_enter());
	while (n < most && (items[n] = uma_vm_zalloc(zone)) != NULL)
		n++;
	gate_leave();
	return n;
}

static void
give_inside(int count)
{
	REQUIRE(gate_enter());
	for (int i = 0; i < count; i++)
		uma_vm_zfree(zone, items[i]);
	gate_leave();
}

static int
take_outside(int most)
{
	int n = 0;

	while (n < most && (items[n] = uma_vm_zalloc(zone)) != NULL)
		n++;
	return n;
}

static void
check_numbers(uint64_t used, uint64_t requests)
{
	struct uma_vm_zone_stats s;

	uma_vm_zone_stats(zone, &s);
	CHECK_EQ(s.used, used);
	CHECK_EQ(s.requests, requests);
}

/* From the first allocation on. */
TEST(the_hand_is_full_after_one_allocation)
{
	void *item;

	make();
	item = uma_vm_zalloc(zone);
	CHECK_EQ(vm_zone_hand_items(zone), 4);
	CHECK_EQ(zone->zstate, VM_ZONE_PLAIN);
	check_numbers(1, 1);
	CHECK(take_inside(4) == 4);
	check_numbers(5, 5);
	give_inside(4);
	check_numbers(1, 5);
	CHECK_EQ(vm_zone_hand_items(zone), 4);
	uma_vm_zfree(zone, item);
	uma_vm_zdestroy(zone);
}

/*
 * Where the first bucket took all that there are, or all but a few.  A hostile
 * library finds no cache now and then.
 */
TEST(the_hand_is_full_where_a_bucket_has_all)
{
	if (HOSTILE)
		SKIP("the hand may wait for the next allocation");
	for (int limit = 1; limit <= LIMIT; limit++) {
		int kept = limit - 1 < 4 ? limit - 1 : 4;
		void *item;

		make_limited(limit);
		item = uma_vm_zalloc(zone);
		CHECK_EQ(vm_zone_hand_items(zone), kept);
		CHECK_EQ(take_inside(kept), kept);
		check_numbers((uint64_t)kept + 1, (uint64_t)kept + 1);
		give_inside(kept);
		check_numbers(1, (uint64_t)kept + 1);
		uma_vm_zfree(zone, item);
		uma_vm_zdestroy(zone);
	}
}

/* Where all free items are in caches, none in the slabs. */
TEST(filled_from_the_caches)
{
	make();
	CHECK_EQ(take_outside(LIMIT + 1), LIMIT);
	CHECK_EQ(vm_zone_hand_items(zone), 0);
	for (int i = 0; i < LIMIT; i++)
		uma_vm_zfree(zone, items[i]);
	CHECK_EQ(vm_zone_hand_items(zone), 4);
	for (int round = 0; round < 10; round++) {
		int n = take_inside(LIMIT);

		CHECK(n >= 4);
		CHECK_EQ(vm_zone_hand_items(zone), 0);
		give_inside(n);
		CHECK_EQ(vm_zone_hand_items(zone), 4);
	}
	uma_vm_zdestroy(zone);
}

/* One free is enough for one handler: it is not lost to a cache. */
TEST(a_free_at_the_limit_is_for_the_handler)
{
	make();
	CHECK_EQ(take_outside(LIMIT + 1), LIMIT);
	for (int i = LIMIT; i-- > LIMIT - 4;) {
		void *item = items[i];

		uma_vm_zfree(zone, item);
		REQUIRE(gate_enter());
		items[i] = uma_vm_zalloc(zone);
		CHECK(uma_vm_zalloc(zone) == NULL);
		gate_leave();
		CHECK(items[i] == item);
	}
	check_numbers(LIMIT, LIMIT + 4);
	for (int i = 0; i < LIMIT; i++)
		uma_vm_zfree(zone, items[i]);
	/* And in the end all are there, for everybody. */
	CHECK_EQ(take_outside(LIMIT + 1), LIMIT);
	for (int i = 0; i < LIMIT; i++)
		uma_vm_zfree(zone, items[i]);
	uma_vm_zdestroy(zone);
}

/* Which of the items that were freed this is; it comes once. */
static int
find_freed(void **were, const void *item)
{
	for (int i = 0; i < LIMIT; i++) {
		if (were[i] == item && item != NULL) {
			were[i] = NULL;
			return i;
		}
	}
	return -1;
}

/*
 * The last one freed comes first, across hand and cache.  A hostile library
 * takes caches away: there each comes once, in any order.
 */
TEST(last_in_first_out_at_the_limit)
{
	void *were[LIMIT];

	make();
	CHECK_EQ(take_outside(LIMIT), LIMIT);
	for (int i = 0; i < LIMIT; i++) {
		were[i] = items[i];
		uma_vm_zfree(zone, items[i]);
	}
	for (int i = LIMIT; i-- > 0;) {
		int which;

		items[i] = uma_vm_zalloc(zone);
		which = find_freed(were, items[i]);
		CHECK(HOSTILE ? which >= 0 : which == i);
	}
	CHECK(uma_vm_zalloc(zone) == NULL);
	for (int i = 0; i < LIMIT; i++)
		uma_vm_zfree(zone, items[i]);
	uma_vm_zdestroy(zone);
}

TEST_MAIN
