/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meta_test.c - objects for those who may not take the lock
 */
#include "meta/meta.h"

#include "harness.h"

#include <pthread.h>
#include <string.h>
#include <uma/uma.h>

#include "lock/lock.h"
#include "port/port.h"

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

/* ---- many at once ---- */

enum { STORE = 20000, THREADS = 4, TURNS = 100000, SMALL = 32, PAGES = 64 };

static void *
take_and_give(void *arg)
{
	for (int i = 0; i < TURNS; i++) {
		void *object = meta_take(SMALL, META_EMERGENCY);

		if (object == NULL)
			return arg;
		meta_give(object, SMALL, META_EMERGENCY);
	}
	return NULL;
}

/* Take objects, each of them the head of a list, until a page is mapped. */
static size_t
take_to_the_last(void ***list)
{
	size_t bytes = meta_bytes();
	size_t count = 0;

	while (meta_bytes() == bytes || count < STORE) {
		void **object;

		bytes = meta_bytes();
		object = meta_take(SMALL, META_EMERGENCY);
		REQUIRE(object != NULL);
		*object = *list;
		*list = object;
		count++;
	}
	return count;
}

static void
give_list(void **list)
{
	while (list != NULL) {
		void **next = *list;

		meta_give(list, SMALL, META_EMERGENCY);
		list = next;
	}
}

/* Who takes one leaves the others what there is, however much that is. */
TEST_TIME(emergencies_do_not_hide_the_store, 100)
{
	const size_t per_page = port_page_bytes() / SMALL;
	pthread_t threads[THREADS];
	void **list = NULL;
	size_t count;
	size_t bytes;

	start();
	gate_leave();
	/* What is left is what the last page has more. */
	count = take_to_the_last(&list) + per_page - 1;
	give_list(list);
	list = NULL;
	bytes = meta_bytes();
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(
			    &threads[i], NULL, take_and_give, &bytes) == 0);
	for (int i = 0; i < THREADS; i++) {
		void *failed;

		REQUIRE(pthread_join(threads[i], &failed) == 0);
		CHECK(failed == NULL);
	}
	harness_say("# %zu KiB more\n", (meta_bytes() - bytes) / 1024);
	CHECK(meta_bytes() - bytes <= PAGES * port_page_bytes());
	/* None is lost: the next page comes behind all that there are. */
	count += (meta_bytes() - bytes) / SMALL;
	CHECK_EQ(take_to_the_last(&list), count + 1);
	give_list(list);
}

TEST_MAIN
