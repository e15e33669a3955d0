/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unlocked - no lock of the library is held around a callback
 *
 * A callback stops until another thread has used the same zone and the rest
 * of the library.  Were a lock held, neither would ever go on: the watchdog
 * ends the test.
 */
#include "zone/common.h"

#include <semaphore.h>
#include <sys/mman.h>

enum where { CTOR, DTOR, INIT, FINI, ALLOCF, FREEF };

static enum where stop_at;
static _Atomic int armed;
static sem_t stopped;
static sem_t go_on;
static uma_zone_t zone;

/* Only the first callback of the chosen kind stops. */
static void
pass(enum where here)
{
	if (here == stop_at && atomic_exchange(&armed, 0) == 1) {
		sem_post(&stopped);
		while (sem_wait(&go_on) != 0)
			continue;
	}
}

static void
ctor(void *item, int size, void *arg)
{
	(void)item;
	(void)size;
	(void)arg;
	pass(CTOR);
}

static void
dtor(void *item, int size, void *arg)
{
	(void)item;
	(void)size;
	(void)arg;
	pass(DTOR);
}

static void
init(void *item, int size)
{
	(void)item;
	(void)size;
	pass(INIT);
}

static void
fini(void *item, int size)
{
	(void)item;
	(void)size;
	pass(FINI);
}

static void *
allocf(uma_zone_t z, int size, uint8_t *pflag, int wait)
{
	void *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)z;
	(void)wait;
	*pflag = UMA_SLAB_PRIV;
	pass(ALLOCF);
	return run == MAP_FAILED ? NULL : run;
}

static void
freef(void *run, int size, uint8_t pflag)
{
	(void)pflag;
	pass(FREEF);
	munmap(run, (size_t)size);
}

/* Uses the zone in which the other thread stands, and everything else. */
static void
use_library(bool reclaim)
{
	void *items[600];
	uma_zone_t other = zone_make("other", 200, 7);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 600; i++)
			items[i] = uma_zalloc(zone, M_WAITOK);
		for (int i = 0; i < 600; i++)
			uma_zfree(zone, items[i]);
		for (int i = 0; i < 600; i++)
			items[i] = uma_zalloc(other, M_NOWAIT);
		for (int i = 0; i < 600; i++)
			uma_zfree(other, items[i]);
	}
	CHECK(zone_numbers(zone).allocs >= 1800);
	CHECK(library_numbers().zones >= 2);
	if (reclaim)
		uma_reclaim();
	uma_prealloc(other, 10);
	zone_end(other);
}

static void *
one_round(void *arg)
{
	void *items[300];

	(void)arg;
	for (int i = 0; i < 300; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	for (int i = 0; i < 300; i++)
		uma_zfree(zone, items[i]);
	if (stop_at == FINI || stop_at == FREEF)
		uma_reclaim();
	return NULL;
}

static void
stop_in(enum where where, bool own_pages)
{
	pthread_t t;

	stop_at = where;
	REQUIRE(sem_init(&stopped, 0, 0) == 0 && sem_init(&go_on, 0, 0) == 0);
	zone = uma_zcreate("stop", 128, ctor, dtor, init, fini, 7, 0);
	REQUIRE(zone != NULL);
	if (own_pages) {
		uma_zone_set_allocf(zone, allocf);
		uma_zone_set_freef(zone, freef);
	}
	atomic_store(&armed, 1);
	t = thread_start(one_round, NULL);
	while (sem_wait(&stopped) != 0)
		continue;
	/* A second reclaim may rightly wait for the first to end. */
	use_library(where != FINI && where != FREEF);
	sem_post(&go_on);
	thread_join(t);
	zone_end(zone);
}

TEST(ctor)
{
	stop_in(CTOR, false);
}

TEST(dtor)
{
	stop_in(DTOR, false);
}

TEST(init)
{
	stop_in(INIT, false);
}

TEST(fini)
{
	stop_in(FINI, false);
}

TEST(allocf)
{
	stop_in(ALLOCF, true);
}

TEST(freef)
{
	stop_in(FREEF, true);
}

TEST_MAIN
