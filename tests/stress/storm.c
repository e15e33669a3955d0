/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm - everything at once: threads that use zones while others make and
 * destroy them, reclaim, fork, and are interrupted
 *
 * Items carry stamps, so an item in two hands is seen by either.  Numbers are
 * compared when all has come to rest.
 *
 *	--operations=N	 allocations and frees of the first test (default 4
 *			 million, one under a slow sanitizer); the others
 *			 grow with it, and progress is told
 *	--seed=N	 where to begin; 0: from the clock (default 1)
 */
#include "harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>
#include <uma/stats.h>
#include <uma/uma.h>

#include "hostile.h"
#include "model/stamp.h"
#include "sanitized.h"

enum {
	WORKERS = 4,
	KINDS = 5,
	SLOTS = 256,
	KEPT = 16,
	BATCH = 1024,
	OPERATIONS = SLOWLY_SANITIZED ? 1000000 : 4000000,
};

static const struct shape {
	const char *name;
	int size;
	unsigned flags;
} shapes[KINDS] = {
	{ "tiny", 16, 0 },
	{ "middle", 160, 0 },
	{ "zeroed", 520, UMA_ZONE_ZINIT },
	{ "kept", 72, UMA_ZONE_NOFREE },
	{ "huge", 9000, UMA_ZONE_PAGEABLE },
};

struct harness harness;

static uint64_t wanted_operations = OPERATIONS;
static uint64_t scale = 1;
static uint64_t seed = 1;
static uma_zone_t zones[KINDS];
static _Atomic(void *) slots[KINDS][SLOTS];
static _Atomic long takes[KINDS];
static _Atomic long gives[KINDS];
static _Atomic uint64_t operations;
static _Atomic bool over;

struct worker {
	pthread_t thread;
	uint64_t seed;
	uint64_t serial;
	uint64_t wanted; /* operations of all workers; 0: until over */
	unsigned rounds; /* of lease_many() */
};

/* ---- items under stamps ---- */

static void
start_zones(void)
{
	for (unsigned i = 0; i < KINDS; i++) {
		zones[i] = uma_zcreate(shapes[i].name, shapes[i].size, NULL,
		    NULL, NULL, NULL, 7, (uint16_t)shapes[i].flags);
		REQUIRE(zones[i] != NULL);
	}
}

static void *
take(struct worker *w, unsigned kind)
{
	size_t bytes = (size_t)shapes[kind].size;
	void *item = uma_zalloc(zones[kind], M_NOWAIT);
	uint64_t stamp = (uint64_t)(uintptr_t)w << 40 ^ ++w->serial;

	if (item == NULL) {
		CHECK(HOSTILE);
		return NULL;
	}
	atomic_fetch_add(&takes[kind], 1);
	if ((shapes[kind].flags & UMA_ZONE_ZINIT) != 0)
		CHECK(stamp_zeros(item, bytes));
	memcpy(item, &stamp, 8);
	stamp_fill((char *)item + 8, bytes - 8, stamp);
	return item;
}

static bool
is_whole(unsigned kind, const void *item)
{
	uint64_t stamp;

	memcpy(&stamp, item, 8);
	return stamp_holds(
	    (const char *)item + 8, (size_t)shapes[kind].size - 8, stamp);
}

static void
give(unsigned kind, void *item)
{
	REQUIRE(is_whole(kind, item));
	if ((shapes[kind].flags & UMA_ZONE_ZINIT) != 0)
		memset(item, 0, (size_t)shapes[kind].size);
	uma_zfree(zones[kind], item);
	atomic_fetch_add(&gives[kind], 1);
}

/* Put something into a slot, or nothing, and free what was there, by whomever.
 * The number of allocations and frees. */
static unsigned
use_slot(struct worker *w)
{
	unsigned kind = stamp_below(&w->seed, KINDS);
	_Atomic(void *) *slot = &slots[kind][stamp_below(&w->seed, SLOTS)];
	void *item = NULL;
	unsigned calls = 0;

	if (stamp_below(&w->seed, 8) != 0)
		item = take(w, kind);
	calls += item != NULL;
	item = atomic_exchange(slot, item);
	if (item != NULL)
		give(kind, item);
	return calls + (item != NULL);
}

/* A line for each hundredth of a long run. */
static void
tell_progress(uint64_t before, uint64_t now, uint64_t wanted)
{
	if (scale > 1 && before * 100 / wanted != now * 100 / wanted)
		harness_say("# %llu of %llu operations\n",
		    (unsigned long long)now, (unsigned long long)wanted);
}

/* Whether the workers are to go on. */
static bool
count_operations(uint64_t more, uint64_t wanted)
{
	uint64_t before = atomic_fetch_add(&operations, more);

	if (wanted == 0)
		return !atomic_load(&over);
	tell_progress(before, before + more, wanted);
	return before + more < wanted;
}

static void *
churn(void *arg)
{
	struct worker *w = arg;
	uint64_t calls;

	do {
		calls = 0;
		for (unsigned i = 0; i < BATCH; i++)
			calls += use_slot(w);
	} while (count_operations(calls, w->wanted));
	return NULL;
}

static void
start_workers(struct worker *w, uint64_t wanted)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		w[i].seed = seed + i;
		w[i].wanted = wanted;
		REQUIRE(pthread_create(&w[i].thread, NULL, churn, &w[i]) == 0);
	}
}

static void
end_workers(struct worker *w)
{
	atomic_store(&over, true);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(w[i].thread, NULL);
}

/* All is at rest: numbers agree, and the zones can go. */
static void
end_zones(void)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct uma_zone_stats s = { .struct_bytes = sizeof s };
		long held = 0;

		for (unsigned i = 0; i < SLOTS; i++)
			held += atomic_load(&slots[kind][i]) != NULL;
		uma_zone_stats(zones[kind], &s);
		CHECK_EQ(s.used_items, held);
		CHECK_EQ(s.allocs, atomic_load(&takes[kind]));
		CHECK_EQ(s.frees, atomic_load(&gives[kind]));
		for (unsigned i = 0; i < SLOTS; i++)
			if (atomic_load(&slots[kind][i]) != NULL)
				give(kind, atomic_load(&slots[kind][i]));
		CHECK_EQ(uma_zdestroy(zones[kind], M_NOWAIT), 0);
	}
	harness_say("# %llu operations, seed %llu\n",
	    (unsigned long long)atomic_load(&operations),
	    (unsigned long long)seed);
}

/* ---- plenty ---- */

TEST_TIME(many_operations, 100)
{
	static struct worker w[WORKERS];

	start_zones();
	start_workers(w, wanted_operations);
	end_workers(w);
	CHECK(atomic_load(&operations) >= wanted_operations);
	end_zones();
}

/* ---- reclaim all the time ---- */

static void *
reclaim(void *arg)
{
	_Atomic unsigned *count = arg;

	while (!atomic_load(&over)) {
		uma_reclaim();
		atomic_fetch_add(count, 1);
		sched_yield();
	}
	return NULL;
}

TEST_TIME(reclaim_without_end, 100)
{
	static struct worker w[WORKERS];
	static _Atomic unsigned reclaims;
	pthread_t t[2];

	start_zones();
	for (int i = 0; i < 2; i++)
		REQUIRE(pthread_create(&t[i], NULL, reclaim, &reclaims) == 0);
	start_workers(w, wanted_operations / 8);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(w[i].thread, NULL);
	atomic_store(&over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	harness_say("# %u reclaims\n", atomic_load(&reclaims));
	CHECK(atomic_load(&reclaims) > 10);
	end_zones();
}

/* ---- zones that come and go ---- */

struct lease {
	uma_zone_t zone;
	void *items[40];
	unsigned count;
};

/* Frees what another thread took, while that one waits for the end. */
static void *
give_back(void *arg)
{
	struct lease *l = arg;

	for (unsigned i = 0; i < l->count; i++) {
		CHECK(stamp_holds(l->items[i], 100, i));
		uma_zfree(l->zone, l->items[i]);
	}
	return NULL;
}

static void
lease_one(struct worker *w, unsigned number)
{
	struct lease l = { .count = stamp_below(&w->seed, 40) };
	pthread_t t;

	l.zone = uma_zcreate("lease", 100, NULL, NULL, NULL, NULL, 7, 0);
	REQUIRE(l.zone != NULL);
	for (unsigned i = 0; i < l.count; i++) {
		l.items[i] = uma_zalloc(l.zone, M_WAITOK);
		stamp_fill(l.items[i], 100, i);
	}
	if (l.count != 0)
		CHECK_EQ(uma_zdestroy(l.zone, M_NOWAIT), EWOULDBLOCK);
	if (number % 8 != 0) {
		give_back(&l);
		CHECK_EQ(uma_zdestroy(l.zone, M_NOWAIT), 0);
		return;
	}
	REQUIRE(pthread_create(&t, NULL, give_back, &l) == 0);
	CHECK_EQ(uma_zdestroy(l.zone, M_WAITOK), 0);
	pthread_join(t, NULL);
}

static void *
lease_many(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->rounds; i++)
		lease_one(w, i);
	return NULL;
}

TEST_TIME(zones_come_and_go, 100)
{
	static struct worker w[WORKERS];
	static struct worker makers[2];
	static _Atomic unsigned reclaims;
	struct uma_stats before = { .struct_bytes = sizeof before };
	struct uma_stats after = before;
	pthread_t t;

	start_zones();
	uma_stats(&before);
	REQUIRE(pthread_create(&t, NULL, reclaim, &reclaims) == 0);
	start_workers(w, 0);
	for (unsigned i = 0; i < 2; i++) {
		makers[i].seed = seed + 100 + i;
		makers[i].rounds = 400 * (unsigned)scale;
		REQUIRE(pthread_create(&makers[i].thread, NULL, lease_many,
			    &makers[i]) == 0);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(makers[i].thread, NULL);
	end_workers(w);
	pthread_join(t, NULL);
	uma_stats(&after);
	CHECK_EQ(after.zones, before.zones);
	end_zones();
}

/* ---- fork ---- */

/* A child has one thread, everything its parent had, and a life of its own. */
static void
be_child(unsigned number)
{
	struct worker w = { .seed = seed + number };
	uma_zone_t own;

	alarm(20);
	for (unsigned i = 0; i < 400; i++)
		use_slot(&w);
	uma_reclaim();
	own = uma_zcreate("own", 300, NULL, NULL, NULL, NULL, 7, 0);
	REQUIRE(own != NULL);
	for (unsigned i = 0; i < 50; i++) {
		void *item = uma_zalloc(own, M_WAITOK);

		stamp_fill(item, 300, i);
		uma_zfree(own, item);
	}
	CHECK_EQ(uma_zdestroy(own, M_NOWAIT), 0);
	_exit(atomic_load(&harness.failures) != 0);
}

TEST_TIME(fork_storm, 100)
{
	static struct worker w[WORKERS];
	unsigned forks = 60 * (unsigned)scale;

	start_zones();
	start_workers(w, 0);
	for (unsigned i = 0; i < forks; i++) {
		int status = -1;
		pid_t child = fork();

		REQUIRE(child >= 0);
		if (child == 0)
			be_child(i);
		REQUIRE(waitpid(child, &status, 0) == child);
		if (!CHECK_EQ(status, 0))
			break;
	}
	end_workers(w);
	end_zones();
}

/* ---- signals ---- */

static _Atomic long interruptions;

/* Whatever it interrupted, taking and giving without waiting is allowed. */
static void
interrupt(int signo)
{
	int saved = errno;

	(void)signo;
	for (unsigned i = 0; i < KEPT; i++) {
		unsigned kind = i % KINDS;
		struct worker w = { .serial = i };
		void *item = take(&w, kind);

		if (item != NULL)
			give(kind, item);
	}
	atomic_fetch_add(&interruptions, 1);
	errno = saved;
}

TEST_TIME(signal_storm, 100)
{
	static struct worker w[WORKERS];
	struct sigaction action = { .sa_handler = interrupt,
		.sa_flags = SA_RESTART };
	long wanted = 2000 * (long)scale;

	start_zones();
	REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
	start_workers(w, 0);
	for (unsigned i = 0; atomic_load(&interruptions) < wanted; i++) {
		REQUIRE(pthread_kill(w[i % WORKERS].thread, SIGUSR1) == 0);
		if (i % 16 == 0)
			uma_reclaim();
		if (i % 4 == 0)
			sched_yield();
	}
	end_workers(w);
	end_zones();
}

static void
read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--operations=", 13) == 0)
			wanted_operations = strtoull(argv[i] + 13, NULL, 0);
		if (strncmp(argv[i], "--seed=", 7) == 0)
			seed = strtoull(argv[i] + 7, NULL, 0);
	}
	if (wanted_operations < OPERATIONS)
		wanted_operations = OPERATIONS;
	scale = wanted_operations / OPERATIONS;
	if (seed == 0)
		seed = (uint64_t)time(NULL) << 20;
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	return harness_main(argc, argv);
}
