/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handler - zalloci() and zfreei() of a ZONE_INTERRUPT zone in a handler
 *
 * A timer interrupts threads that use the same zone.  Each item carries a mark
 * of its owner, so that a second one shows.  The count of handler runs ends
 * the test, not a clock.
 */
#include "zone/common.h"

#include <sys/time.h>
#include <uma/vm_zone.h>

#define LIMIT   600
#define HANDLED 10000
#define HELD    16

struct mark {
	_Atomic long owner;
	char rest[100];
};

static vm_zone_t zone;
static _Atomic long handled;
static _Atomic long served;
static _Atomic long broken;
static _Atomic long out;
static _Atomic int stop;

static struct mark *
take(long owner)
{
	struct mark *m = zalloci(zone);

	if (m == NULL)
		return NULL;
	if (atomic_exchange(&m->owner, owner) != 0)
		atomic_fetch_add(&broken, 1);
	if (atomic_fetch_add(&out, 1) >= LIMIT)
		atomic_fetch_add(&broken, 1);
	return m;
}

static void
give(struct mark *m, long owner)
{
	if (atomic_exchange(&m->owner, 0) != owner)
		atomic_fetch_add(&broken, 1);
	atomic_fetch_sub(&out, 1);
	zfreei(zone, m);
}

/* Holds some from one run to the next. */
static void
interrupt(int signo)
{
	static struct mark *held[HELD];
	static _Atomic int busy;
	long n = atomic_fetch_add(&handled, 1);

	(void)signo;
	if (atomic_exchange(&busy, 1) != 0)
		return; /* in another thread */
	for (int i = 0; i < 4; i++) {
		struct mark **at = &held[(n * 5 + i) % HELD];

		if (*at != NULL)
			give(*at, -1);
		*at = take(-1);
		if (*at != NULL)
			atomic_fetch_add(&served, 1);
	}
	if (atomic_load(&stop) != 0)
		for (int i = 0; i < HELD; i++) {
			if (held[i] != NULL)
				give(held[i], -1);
			held[i] = NULL;
		}
	atomic_store(&busy, 0);
}

static void
timer(long us)
{
	const struct itimerval every = { { 0, us }, { 0, us } };

	signal(SIGALRM, interrupt);
	REQUIRE(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void *
work(void *arg)
{
	struct mark *held[64] = { NULL };
	long owner = (long)(uintptr_t)arg;
	uint64_t seed = (uint64_t)owner;

	while (atomic_load(&handled) < HANDLED) {
		for (int i = 0; i < 1000; i++) {
			struct mark **at = &held[dice(&seed) % 64];

			if (*at == NULL)
				*at = take(owner);
			else {
				give(*at, owner);
				*at = NULL;
			}
		}
		if (owner == 1)
			uma_reclaim();
	}
	for (int i = 0; i < 64; i++)
		if (held[i] != NULL)
			give(held[i], owner);
	return NULL;
}

static void
finish(void)
{
	struct uma_vm_zone_stats s;
	static void *items[LIMIT];

	timer(0);
	atomic_store(&stop, 1);
	raise(SIGALRM);
	CHECK_EQ(atomic_load(&broken), 0);
	CHECK(atomic_load(&served) > HANDLED);
	uma_vm_zone_stats(zone, &s);
	CHECK_EQ(s.used, 0);
	for (int i = 0; i < LIMIT; i++)
		CHECK((items[i] = zalloc(zone)) != NULL);
	CHECK(zalloc(zone) == NULL);
	for (int i = 0; i < LIMIT; i++)
		zfree(zone, items[i]);
	zdestroy(zone);
}

TEST_TIME(handler_interrupts_one_thread, 100)
{
	zone = zinit("handler", sizeof(struct mark), LIMIT, ZONE_INTERRUPT, 0);
	timer(60);
	work((void *)(uintptr_t)1);
	finish();
}

TEST_TIME(handler_interrupts_threads, 100)
{
	pthread_t t[4];

	zone = zinit("handler", sizeof(struct mark), LIMIT, ZONE_INTERRUPT, 0);
	timer(60);
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = thread_start(work, (void *)(i + 2));
	work((void *)(uintptr_t)1);
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	finish();
}

TEST_MAIN
