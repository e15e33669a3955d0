/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * records_test.c - records that are closed, seized, refused and used again
 */
#include "harness.h"

#include <uma/uma.h>

#include "lock/lock.h"
#include "percpu/percpu.h"
#include "port/port.h"

bool __real_port_rseq_barrier(void);
bool __wrap_port_rseq_barrier(void);

static bool no_barrier;
static unsigned barriers;
static struct cache *raced; /* somebody commits to it before the barrier */

bool
__wrap_port_rseq_barrier(void)
{
	barriers++;
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

TEST(a_record_is_used_again) UMA_UNCHECKED_LOCKS
{
	uintptr_t caches = enter();

	REQUIRE(percpu_give(caches));
	CHECK_EQ(percpu_take(1), caches);
}

TEST_MAIN
