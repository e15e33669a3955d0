/* SPDX-License-Identifier: BSD-2-Clause */
/* clients - runs those of clients.h, each alone and in eight threads */
#include "harness.h"

#include <pthread.h>

#include "clients.h"

#define THREADS 8

static void *
run(void *arg)
{
	int (*client)(unsigned) = *(int (**)(unsigned))arg;
	static _Atomic unsigned seed = 1;

	CHECK_EQ(client(atomic_fetch_add(&seed, 1)), 0);
	return NULL;
}

static void
run_threads(int (*client)(unsigned))
{
	pthread_t t[THREADS];

	CHECK_EQ(client(12345), 0);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&t[i], NULL, run, &client) == 0);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(t[i], NULL) == 0);
}

TEST_TIME(mbufs, 100)
{
	run_threads(mbuf_client);
	CHECK_EQ(mbuf_client_end(), 0);
}

TEST_TIME(vnodes, 100)
{
	run_threads(vnode_client);
	CHECK_EQ(vnode_client_end(), 0);
}

TEST_MAIN
