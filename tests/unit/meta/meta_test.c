/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meta_test.c - objects for those who may not take the lock
 */
#include "meta/meta.h"

#include "harness.h"

#include <string.h>
#include <uma/uma.h>

#include "lock/lock.h"

enum { BYTES = 200, ROOM = 256, MANY = 100, ROUNDS = 1000 };

static char *objects[MANY];

static void
take_all(enum meta_how how)
{
	for (int i = 0; i < MANY; i++) {
		objects[i] = meta_take(BYTES, how);
		REQUIRE(objects[i] != NULL);
		CHECK_EQ((uintptr_t)objects[i] % 64, 0);
		for (int at = 0; at < ROOM; at++)
			CHECK_EQ(objects[i][at], 0);
		memset(objects[i], i, ROOM);
	}
	/* No two overlap. */
	for (int i = 0; i < MANY; i++)
		CHECK(objects[i][0] == i && objects[i][ROOM - 1] == i);
}

static void
give_all(enum meta_how how)
{
	for (int i = 0; i < MANY; i++)
		meta_give(objects[i], BYTES, how);
}

static void
start(void)
{
	uma_reclaim(); /* the library has started */
	REQUIRE(gate_enter());
	CHECK_EQ(meta_room(BYTES), ROOM);
}

/* Rounds that end as they began take no more than the first one. */
static void
check_the_same(enum meta_how taken, enum meta_how given, enum meta_how then)
{
	size_t bytes;

	start();
	take_all(taken);
	give_all(META_NORMAL);
	bytes = meta_bytes();
	for (int round = 0; round < ROUNDS; round++) {
		take_all(taken);
		give_all(round % 2 != 0 ? given : then);
	}
	CHECK_EQ(meta_bytes(), bytes);
	gate_leave();
}

/* Whoever gives them back. */
TEST(emergencies_take_what_they_had)
{
	check_the_same(META_EMERGENCY, META_NORMAL, META_EMERGENCY);
}

/* A page is cut up, not spent on one. */
TEST(emergencies_share_pages)
{
	size_t bytes;

	start();
	bytes = meta_bytes();
	take_all(META_EMERGENCY);
	CHECK(meta_bytes() - bytes <= 2 * MANY * ROOM);
	gate_leave();
}

/* Objects that only the lock's holders took do not pile up for the others. */
TEST(others_get_what_is_theirs)
{
	check_the_same(META_NORMAL, META_NORMAL, META_NORMAL);
}

TEST_MAIN
