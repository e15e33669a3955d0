/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting, folding and adding up: see percpu.h. */
#include "percpu/chunk.h"
#include "percpu/percpu.h"

#define COUNTING    (UINT64_C(1) << 63)
#define EVENTS_MAX  ((UINT64_C(1) << (63 - PERCPU_UNITS_BITS)) - 1)
#define UNITS_MASK  (PERCPU_STEP(0) - 1)
#define CLAIM_TRIES 16
#define READ_TRIES  1000

/* An open word, and what it says of itself. */
#define START (COUNTING | (EVENTS_MAX - PERCPU_FOLD + 1) * PERCPU_STEP(0))

_Static_assert(PERCPU_FOLD <= EVENTS_MAX, "the events have room for them");
_Static_assert(PERCPU_FOLD *PERCPU_UNITS_MAX <= UNITS_MASK + 1,
    "the events overflow before the units");

static bool
is_open(uint64_t word)
{
	return (word & COUNTING) != 0;
}

static uint64_t
events_of(uint64_t word)
{
	return is_open(word) ? (word - START) >> PERCPU_UNITS_BITS : 0;
}

static uint64_t
units_of(uint64_t word)
{
	return is_open(word) ? word & UNITS_MASK : 0;
}

static struct counters *
record(uintptr_t records, unsigned cpu)
{
	return (struct counters *)(void *)percpu_record(records, cpu);
}

/* Without sequences: the record that this thread's number leads to. */
static struct counters *
my_record(uintptr_t records)
{
	uint64_t mixed =
	    (uint64_t)port_thread_id() * UINT64_C(0x9E3779B97F4A7C15);

	return record(records, (unsigned)((mixed >> 32) % percpu_slots()));
}

bool
percpu_count(uintptr_t records, enum percpu_way way, uint64_t step)
{
	_Atomic uint64_t *word;
	uint64_t was;

	if (percpu_mode == PERCPU_RSEQ)
		return percpu_hit(records, way, step);
	UMA_ASSERT(percpu_mode == PERCPU_GENERIC);
	word = &my_record(records)->word[way];
	/* relaxed: the numbers stand for themselves. */
	was = atomic_load_explicit(word, memory_order_relaxed);
	while (is_open(was + step)) {
		/* relaxed: as above; an owner's acquire sees all of them. */
		if (atomic_compare_exchange_weak_explicit(word, &was,
			was + step, memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return false;
}

/* Not 0, and without the bit of an open word. */
static uint64_t
my_token(void)
{
	return (uint64_t)port_thread_id();
}

static struct counters *
claim_rseq(uintptr_t records, enum percpu_way way, uint64_t *word)
{
	uintptr_t counter;

	for (unsigned tries = 0; tries < CLAIM_TRIES; tries++) {
		if (arch_claim(records + way * sizeof(uint64_t), &percpu_rseq,
			my_token(), &counter, word))
			return (struct counters *)round_down(
			    counter, CACHE_LINE);
	}
	return NULL;
}

static struct counters *
claim_generic(uintptr_t records, enum percpu_way way, uint64_t *word)
{
	struct counters *c = my_record(records);
	/* relaxed: the exchange below orders. */
	uint64_t was =
	    atomic_load_explicit(&c->word[way], memory_order_relaxed);

	while (was == 0 || is_open(was)) {
		/* acquire, pairs with the release in percpu_fold(). */
		if (atomic_compare_exchange_weak_explicit(&c->word[way], &was,
			my_token(), memory_order_acquire,
			memory_order_relaxed)) {
			*word = was;
			return c;
		}
	}
	return NULL;
}

uint32_t
percpu_fold(uintptr_t records, enum percpu_way way, uint64_t step)
{
	struct counters *c;
	uint64_t word = 0;
	uint32_t folds;

	UMA_ASSERT(percpu_mode != PERCPU_OFF);
	c = percpu_mode == PERCPU_RSEQ ? claim_rseq(records, way, &word)
				       : claim_generic(records, way, &word);
	if (c == NULL)
		return 0;
	/* release, pairs with the fence in read_once(): claimed comes first. */
	atomic_thread_fence(memory_order_release);
	percpu_saw(records, (struct cache *)(void *)c);
	percpu_add(&c->events[way], events_of(word));
	percpu_add(&c->units[way], units_of(word));
	/* relaxed: one writer, the owner. */
	folds = atomic_load_explicit(&c->folds[way], memory_order_relaxed) + 1;
	atomic_store_explicit(&c->folds[way], folds, memory_order_relaxed);
	/* release, pairs with the claims and with read_once(). */
	atomic_store_explicit(
	    &c->word[way], START + step, memory_order_release);
	return folds == 0 ? 1 : folds;
}

/* False when a fold may have been between two of the readings. */
static bool
read_once(
    struct counters *c, enum percpu_way way, uint64_t *events, uint64_t *units)
{
	/* acquire: before the word, or a fold between counts twice. */
	uint32_t folds =
	    atomic_load_explicit(&c->folds[way], memory_order_acquire);
	uint64_t word =
	    atomic_load_explicit(&c->word[way], memory_order_acquire);
	uint64_t last;

	*events = atomic_load_explicit(&c->events[way], memory_order_relaxed) +
		  events_of(word);
	*units = atomic_load_explicit(&c->units[way], memory_order_relaxed) +
		 units_of(word);
	atomic_thread_fence(memory_order_acquire);
	last = atomic_load_explicit(&c->word[way], memory_order_acquire);
	return (last == 0 || is_open(last)) && (word == 0 || is_open(word)) &&
	       atomic_load_explicit(&c->folds[way], memory_order_relaxed) ==
		   folds;
}

/* An owner that takes very long is read as it stands. */
static void
add_counter(struct counters *c, enum percpu_way way, struct percpu_sum *sum)
{
	uint64_t events = 0;
	uint64_t units = 0;

	for (unsigned tries = 0; tries < READ_TRIES; tries++) {
		if (read_once(c, way, &events, &units))
			break;
		port_yield();
	}
	sum->events[way] += events;
	sum->units[way] += units;
}

/* All that came in first: what is on its way then counts as gone. */
void
percpu_sum(uintptr_t records, struct percpu_sum *out)
{
	*out = (struct percpu_sum){ 0 };
	for (unsigned cpu = percpu_next(records, 0); cpu < percpu_slots();
	     cpu = percpu_next(records, cpu + 1)) {
		add_counter(record(records, cpu), PERCPU_IN, out);
		out->cpus++;
	}
	for (unsigned cpu = percpu_next(records, 0); cpu < percpu_slots();
	     cpu = percpu_next(records, cpu + 1))
		add_counter(record(records, cpu), PERCPU_OUT, out);
}
