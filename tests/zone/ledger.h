/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.h - what state each item of a zone is in, by address
 *
 *	out of the zone -> init -> cached -> ctor -> in use
 *	                <- fini <-        <- dtor <-
 *
 * The four callbacks below move items along these arrows in a table beside
 * the zone, and count every step from a wrong state.  One ledger a program.
 */
#ifndef TESTS_ZONE_LEDGER_H
#define TESTS_ZONE_LEDGER_H

#include "zone/common.h"

enum { LEDGER_SLOTS = 1 << 18 };

enum ledger_state { LEDGER_OUT, LEDGER_CACHED, LEDGER_USED };

static struct ledger {
	pthread_mutex_t lock;
	struct {
		void *item;
		enum ledger_state state;
	} slot[LEDGER_SLOTS];
	long inits;
	long finis;
	long ctors;
	long dtors;
	long wrong_steps;
	long wrong_sizes;
	long wrong_args;
	int size;  /* what every callback must be told */
	void *arg; /* what ctor and dtor must be told, unless NULL */
} ledger = { .lock = PTHREAD_MUTEX_INITIALIZER };

static inline void
ledger_step(void *item, int size, enum ledger_state from, enum ledger_state to)
{
	size_t i = ((uintptr_t)item >> 3) * 0x9e3779b97f4a7c15u >> 46;

	while (ledger.slot[i].item != NULL && ledger.slot[i].item != item)
		i = (i + 1) % LEDGER_SLOTS;
	ledger.slot[i].item = item;
	if (ledger.slot[i].state != from)
		ledger.wrong_steps++;
	ledger.slot[i].state = to;
	if (size != ledger.size)
		ledger.wrong_sizes++;
}

static inline void
ledger_init(void *item, int size)
{
	pthread_mutex_lock(&ledger.lock);
	ledger.inits++;
	ledger_step(item, size, LEDGER_OUT, LEDGER_CACHED);
	pthread_mutex_unlock(&ledger.lock);
}

static inline void
ledger_fini(void *item, int size)
{
	pthread_mutex_lock(&ledger.lock);
	ledger.finis++;
	ledger_step(item, size, LEDGER_CACHED, LEDGER_OUT);
	pthread_mutex_unlock(&ledger.lock);
}

static inline void
ledger_ctor(void *item, int size, void *arg)
{
	pthread_mutex_lock(&ledger.lock);
	ledger.ctors++;
	ledger.wrong_args += arg != ledger.arg;
	ledger_step(item, size, LEDGER_CACHED, LEDGER_USED);
	pthread_mutex_unlock(&ledger.lock);
}

static inline void
ledger_dtor(void *item, int size, void *arg)
{
	pthread_mutex_lock(&ledger.lock);
	ledger.dtors++;
	ledger.wrong_args += arg != ledger.arg;
	ledger_step(item, size, LEDGER_USED, LEDGER_CACHED);
	pthread_mutex_unlock(&ledger.lock);
}

/* A zone whose life is all in the ledger. */
static inline uma_zone_t
ledger_zone(const char *name, int size, unsigned flags)
{
	uma_zone_t zone;

	ledger.size = size;
	zone = uma_zcreate(name, size, ledger_ctor, ledger_dtor, ledger_init,
	    ledger_fini, 7, (uint16_t)flags);
	REQUIRE(zone != NULL);
	return zone;
}

static inline void
ledger_check(void)
{
	CHECK_EQ(ledger.wrong_steps, 0);
	CHECK_EQ(ledger.wrong_sizes, 0);
	CHECK_EQ(ledger.wrong_args, 0);
}

/* Everything that entered has left. */
static inline void
ledger_check_gone(void)
{
	ledger_check();
	CHECK_EQ(ledger.inits, ledger.finis);
	CHECK_EQ(ledger.ctors, ledger.dtors);
}

#endif /* TESTS_ZONE_LEDGER_H */
