/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock/lock.h"

#include "port/port.h"

enum { FREE, HELD, WAITED };

#define SPINS 100

/* A sleeper looks this often whether somebody forks. */
#define LOOK_NS UINT64_C(1000000)

bool
lock_take(struct lock *l) UMA_UNCHECKED_LOCKS
{
	for (unsigned spin = 0; spin < SPINS; spin++) {
		uint32_t was = FREE;

		/* acquire, pairs with the release exchange in lock_drop(). */
		if (atomic_compare_exchange_weak_explicit(&l->word, &was, HELD,
			memory_order_acquire, memory_order_relaxed))
			return true;
		arch_relax();
	}
	/* acquire, as above; from here on the word says that somebody waits. */
	while (atomic_exchange_explicit(
		   &l->word, WAITED, memory_order_acquire) != FREE) {
		if (gate_forking())
			return false;
		port_wait(&l->word, WAITED, LOOK_NS);
	}
	return true;
}

void
lock_drop(struct lock *l) UMA_UNCHECKED_LOCKS
{
	/* release, pairs with the acquires in lock_take(). */
	uint32_t was =
	    atomic_exchange_explicit(&l->word, FREE, memory_order_release);

	UMA_ASSERT(was != FREE);
	if (was == WAITED)
		port_wake(&l->word, 1);
}
