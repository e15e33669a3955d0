/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock/lock.h"

#include "port/port.h"

/* PASSED is free, but only for who has slept; STARVED is held until then. */
enum { FREE, HELD, WAITED, STARVED, PASSED };

#define SPINS 100

/*
 * A sleeper looks whether somebody forks, less often each time: looks of a
 * thousand sleepers at every millisecond left no time for who has the lock.
 */
#define LOOK_MIN_NS UINT64_C(1000000)
#define LOOK_MAX_NS UINT64_C(64000000)

/* Who was woken so often for nothing asks to be the next. */
#define PATIENCE 4u

UMA_SLOW static bool wait_for(struct lock *l);

bool
lock_take(struct lock *l)
{
	for (unsigned spin = 0; spin < SPINS; spin++) {
		uint32_t was = FREE;

		/* acquire, pairs with the releases in lock_drop(). */
		if (atomic_compare_exchange_weak_explicit(&l->word, &was, HELD,
			memory_order_acquire, memory_order_relaxed))
			return true;
		arch_relax();
	}
	return wait_for(l);
}

/* What a sleeper makes of the word: WAITED of a free one is his taking it. */
static uint32_t
wanted(uint32_t was, bool slept, unsigned wakes)
{
	switch (was) {
	case PASSED:
		return slept ? WAITED : PASSED;
	case HELD:
	case WAITED:
		return wakes < PATIENCE ? WAITED : STARVED;
	default:
		return was == FREE ? WAITED : STARVED;
	}
}

/* Others may wait, too: who takes it leaves the word saying so. */
static bool
wait_for(struct lock *l)
{
	uint64_t look = LOOK_MIN_NS;
	unsigned wakes = 0;

	for (bool slept = false;; slept = true) {
		uint32_t was =
		    atomic_load_explicit(&l->word, memory_order_relaxed);
		uint32_t is;

		/* acquire, as above. */
		do {
			is = wanted(was, slept, wakes);
		} while (!atomic_compare_exchange_weak_explicit(&l->word, &was,
		    is, memory_order_acquire, memory_order_relaxed));
		if (was == FREE || (was == PASSED && is == WAITED))
			return true;
		if (gate_forking())
			return false;
		if (port_wait(&l->word, is, look))
			wakes++;
		else if (look < LOOK_MAX_NS)
			look *= 2;
	}
}

/*
 * Whoever runs takes a free lock before a sleeper is awake, and one who takes
 * it over and over would keep it for himself.  What is passed on waits for a
 * sleeper; should each have given up, or be a parent's thread, the next who
 * comes has it after a sleep of his own.
 *
 * unchecked: this is what letting go is.
 */
void
lock_drop(struct lock *l) UMA_UNCHECKED_LOCKS
{
	/* release, pairs with the acquires in lock_take(). */
	uint32_t was =
	    atomic_exchange_explicit(&l->word, FREE, memory_order_release);
	uint32_t free = FREE;

	UMA_ASSERT(was != FREE && was != PASSED);
	if (was == STARVED)
		(void)atomic_compare_exchange_strong_explicit(&l->word, &free,
		    PASSED, memory_order_release, memory_order_relaxed);
	if (was != HELD)
		port_wake(&l->word, 1);
}
