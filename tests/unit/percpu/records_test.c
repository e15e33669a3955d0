/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records_test.c - records that are closed, seized, refused and used again
 */
#include "harness.h"

#include <uma/uma.h>

#include "cpus.h"
#include "lock/lock.h"
#include "percpu/percpu.h"
#include "port/port.h"
#include "trapped.h"

bool __real_port_rseq_barrier(void);
bool __wrap_port_rseq_barrier(void);
bool __real_gate_forking(void);
bool __wrap_gate_forking(void);

static bool no_barrier;
static unsigned barriers;
static struct cache *raced; /* somebody commits to it before the barrier */
static struct cache *owned; /* somebody owns it before the barrier, and forks */
static bool forking;

/* As another thread would own a record: see src/percpu/own.c. */
#define OTHERS (UINT64_C(1) << 63 | UINT64_C(0x123456) << 16)

static void
own_as_other(struct cache *c)
{
	atomic_store_explicit(&c->word, OTHERS, memory_order_relaxed);
}

bool
__wrap_gate_forking(void)
{
	return forking || __real_gate_forking();
}

bool
__wrap_port_rseq_barrier(void)
{
	barriers++;
	if (owned != NULL) {
		own_as_other(owned);
		forking = true;
	}
	if (raced != NULL)
		percpu_release(raced, 0, 3);
	raced = NULL;
	return !no_barrier && __real_port_rseq_barrier();
}

/* Records of no zone, inside the gate and with the seize lock. */
static uintptr_t
enter(void) UMA_UNCHECKED_LOCKS
{
	uintptr_t caches;

	uma_reclaim(); /* the library has started */
	REQUIRE(gate_enter());
	caches = percpu_take(1);
	REQUIRE(caches != 0 && lock_take(&percpu_seize_lock));
	return caches;
}

static uint64_t
word_of(struct cache *c)
{
	return atomic_load_explicit(&c->word, memory_order_relaxed);
}

/* Wherever this thread runs, the record that it would own is closed. */
TEST(a_closed_record_has_no_owner_until_it_is_open) UMA_UNCHECKED_LOCKS
{
	uintptr_t caches = enter();
	struct cache *c;
	uint64_t word;

	for (unsigned cpu = 0; cpu < percpu_slots(); cpu++)
		percpu_close(percpu_record(caches, cpu));
	CHECK(percpu_own(caches, &word) == NULL);
	for (unsigned cpu = 0; cpu < percpu_slots(); cpu++)
		percpu_reopen(percpu_record(caches, cpu));
	c = percpu_own(caches, &word);
	REQUIRE(c != NULL);
	CHECK_EQ(word, 0);
	percpu_release(c, 0, 0);
}

TEST(a_closed_record_is_seized_as_empty) UMA_UNCHECKED_LOCKS
{
	struct cache *c = percpu_record(enter(), 0);
	struct percpu_reading now;
	uint64_t word;

	percpu_close(c);
	REQUIRE(percpu_seize(&c, &word, 1));
	CHECK_EQ(word, 0);
	percpu_release(c, 0, 0);
	percpu_read(c, &now);
	CHECK_EQ(now.allocs, 0);
	CHECK_EQ(now.frees, 0);
}

TEST(a_refused_seizure_leaves_no_mark) UMA_UNCHECKED_LOCKS
{
	struct cache *c = percpu_record(enter(), 0);
	uint64_t was = word_of(c);
	uint64_t word;

	if (percpu_mode != PERCPU_RSEQ)
		SKIP("no sequences, no barrier");
	no_barrier = true;
	CHECK(!percpu_seize(&c, &word, 1));
	CHECK_EQ(word_of(c), was);
	no_barrier = false;
	REQUIRE(percpu_seize(&c, &word, 1));
	CHECK_EQ(word, was);
}

/* What was committed over the mark counts, and is marked anew. */
TEST(a_lost_mark_costs_another_barrier) UMA_UNCHECKED_LOCKS
{
	struct cache *c = percpu_record(enter(), 0);
	uint64_t word;

	if (percpu_mode != PERCPU_RSEQ)
		SKIP("no sequences, no barrier");
	raced = c;
	REQUIRE(percpu_seize(&c, &word, 1));
	CHECK_EQ(word, WORD_MAKE(0, 3));
	CHECK_EQ(barriers, 2);
}

/* Of an owner that may wait for this thread, as it forks. */
TEST(a_seizure_that_a_fork_holds_up_leaves_no_mark) UMA_UNCHECKED_LOCKS
{
	uintptr_t caches = enter();
	struct cache *c[3] = { percpu_record(caches, 0),
		percpu_record(caches, 1), percpu_record(caches, 2) };
	uint64_t word[3];

	own_as_other(c[1]);
	forking = true;
	CHECK(!percpu_seize(c, word, 3));
	CHECK_EQ(word_of(c[0]), 0);
	CHECK_EQ(word_of(c[1]), OTHERS);
	CHECK_EQ(word_of(c[2]), 0);
	forking = false;
	percpu_release(c[1], 0, 0);
	if (percpu_mode != PERCPU_RSEQ)
		SKIP("no sequences, no barrier");
	/* The same after the barrier, with marks on both sides. */
	owned = c[1];
	CHECK(!percpu_seize(c, word, 3));
	CHECK_EQ(word_of(c[0]), 0);
	CHECK_EQ(word_of(c[1]), OTHERS);
	CHECK_EQ(word_of(c[2]), 0);
}

/* Who only reads waits for no owner without end. */
TEST(a_record_of_a_slow_owner_is_read) UMA_UNCHECKED_LOCKS
{
	struct cache *c = percpu_record(enter(), 0);
	struct percpu_reading now;

	atomic_store_explicit(&c->allocs, 7, memory_order_relaxed);
	atomic_store_explicit(&c->kept, 3, memory_order_relaxed);
	CHECK(percpu_read(c, &now));
	own_as_other(c);
	CHECK(!percpu_read(c, &now));
	CHECK_EQ(now.allocs, 7);
	CHECK_EQ(now.cached, 3);
}

TEST(each_owner_is_noted) UMA_UNCHECKED_LOCKS
{
	uintptr_t caches = enter();
	struct cache *c;
	uint64_t word;
	unsigned owns;

	c = percpu_own(caches, &word);
	REQUIRE(c != NULL);
	owns = atomic_load(&c->owns);
	CHECK(owns != 0);
	percpu_release(c, 0, 0);
	REQUIRE(percpu_seize(&c, &word, 1));
	CHECK_EQ(atomic_load(&c->owns), owns + 1);
	/* A record that was owned never looks as if it was not. */
	atomic_store(&c->owns, UINT16_MAX);
	percpu_release(c, 0, 0);
	REQUIRE(percpu_seize(&c, &word, 1));
	CHECK_EQ(atomic_load(&c->owns), 1);
	percpu_release(c, 0, 0);
}

#if TRAPPED

/*
 * Who owns the record for a moment sends three items away, and leaves the word
 * as it was: no reading has the items of before with the number of after.
 */
static uintptr_t trapped_caches;
static volatile sig_atomic_t wanted;

static void
own_at_a_step(int signo, siginfo_t *info, void *context)
{
	struct cache *c;
	uint64_t word;

	(void)signo;
	(void)info;
	if (!trap_ends_at(wanted, context))
		return;
	c = percpu_own(trapped_caches, &word);
	REQUIRE(c != NULL);
	atomic_store(&c->kept, 0);
	atomic_store(&c->moved, 0);
	percpu_release(c, 0, 0);
}

TEST(no_reading_is_half_before_an_owner_and_half_after)
{
	struct sigaction act = { .sa_sigaction = own_at_a_step,
		.sa_flags = SA_SIGINFO };
	struct percpu_reading now;
	struct cache *c;
	uint64_t word;
	long steps = 0;

	(void)cpu_pin(0);
	trapped_caches = enter();
	REQUIRE(sigaction(SIGTRAP, &act, NULL) == 0);
	for (wanted = 1; steps + 1 >= wanted; wanted++) {
		c = percpu_own(trapped_caches, &word);
		REQUIRE(c != NULL);
		atomic_store(&c->kept, 3);
		atomic_store(&c->moved, 3);
		percpu_release(c, 0, 0);
		trap_each(true);
		CHECK(percpu_read(c, &now));
		trap_each(false);
		steps = trap_steps;
		CHECK_EQ(now.frees, 0);
	}
	CHECK(steps > 10);
}

#endif

/* ---- counters ---- */

enum { EVENTS = 2, UNITS = 5 };

/* All counters of incoming events that were ever used are another's. */
static void
claim_as_other(uintptr_t records)
{
	for (unsigned cpu = percpu_next(records, 0); cpu < percpu_slots();
	     cpu = percpu_next(records, cpu + 1)) {
		struct counters *c =
		    (struct counters *)(void *)percpu_record(records, cpu);

		atomic_store_explicit(
		    &c->word[PERCPU_IN], 0x123456, memory_order_relaxed);
	}
}

TEST(a_counter_of_a_slow_owner_is_read) UMA_UNCHECKED_LOCKS
{
	uintptr_t records = enter();
	struct percpu_sum sum;

	REQUIRE(percpu_fold(records, PERCPU_IN, PERCPU_STEP(UNITS)) != 0);
	REQUIRE(percpu_fold(records, PERCPU_IN, PERCPU_STEP(UNITS)) != 0);
	percpu_sum(records, &sum);
	CHECK_EQ(sum.events[PERCPU_IN], EVENTS);
	CHECK_EQ(sum.units[PERCPU_IN], EVENTS * UNITS);
	claim_as_other(records);
	percpu_sum(records, &sum);
	/* What the owner has in hand is not seen, the rest is. */
	CHECK(sum.events[PERCPU_IN] < EVENTS);
	CHECK_EQ(sum.events[PERCPU_OUT], 0);
}

/* Whoever finds its counter claimed counts elsewhere. */
TEST(a_counter_has_one_owner) UMA_UNCHECKED_LOCKS
{
	uintptr_t records = enter();
	uint64_t step = PERCPU_STEP(UNITS);

	if (percpu_mode == PERCPU_RSEQ)
		SKIP("the kernel may move this thread");
	REQUIRE(percpu_fold(records, PERCPU_IN, step) != 0);
	claim_as_other(records);
	CHECK(!percpu_count(records, PERCPU_IN, step));
	CHECK_EQ(percpu_fold(records, PERCPU_IN, step), 0);
	CHECK(percpu_fold(records, PERCPU_OUT, step) != 0);
}

TEST(a_record_is_used_again) UMA_UNCHECKED_LOCKS
{
	uintptr_t caches = enter();

	REQUIRE(percpu_give(caches));
	CHECK_EQ(percpu_take(1), caches);
}

TEST_MAIN
