/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc_test - runs the client of malloc(9), alone and in eight threads */
#include "harness.h"

#include <pthread.h>

#include "malloc_client.h"

#define THREADS 8
#define ROUNDS  50

static void *
run(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK_EQ(malloc_client(*(unsigned *)arg * 31 + i), 0);
	return NULL;
}

TEST(unit_table)
{
	struct malloc_client_numbers n;

	CHECK_EQ(malloc_client(1), 0);
	malloc_client_read(&n);
	CHECK_EQ(n.table_blocks, 0);
	CHECK_EQ(n.name_blocks, 0);
	/* 200 units of two blocks each, and seven sizes of the table. */
	CHECK(n.requests > 400 && n.requests <= 407);
}

TEST_TIME(unit_tables_of_eight_threads, 100)
{
	struct malloc_client_numbers n;
	unsigned seed[THREADS];
	pthread_t t[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		seed[i] = i;
		REQUIRE(pthread_create(&t[i], NULL, run, &seed[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(t[i], NULL) == 0);
	malloc_client_read(&n);
	CHECK_EQ(n.table_blocks, 0);
	CHECK_EQ(n.name_blocks, 0);
	CHECK(n.requests > THREADS * ROUNDS * 400);
}

/* A driver's leak is seen as what it is: so many blocks of one type. */
TEST(leak_is_seen)
{
	struct malloc_client_numbers n;

	CHECK_EQ(malloc_client(7), 0);
	for (int i = 0; i < 3; i++)
		malloc_client_leak();
	malloc_client_read(&n);
	CHECK_EQ(n.table_blocks, 0);
	CHECK_EQ(n.name_blocks, 3);
}

TEST(every_call)
{
	CHECK_EQ(malloc_client_calls(), 0);
}

TEST_MAIN
