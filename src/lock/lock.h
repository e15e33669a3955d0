/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock - mutual exclusion, and the gate that keeps it harmless
 *
 * Why it is here.  A malloc is called inside signal handlers, and fork copies
 * a process while other threads are anywhere.  Waiting for a lock is wrong in
 * both: the handler may wait for the thread it interrupted, and an allocating
 * thread may wait for the forker who waits for a stdio lock of that thread.
 *
 * So every path that takes a lock or owns a per-CPU record stands inside the
 * gate, and the gate lets nobody in
 *	- who interrupted a thread that is inside (a signal handler), or
 *	- while another thread's fork is under way.
 * Who is not let in goes to the emergency source, which takes no lock at all.
 *
 *	gate_enter() -> true    locks may be taken; gate_leave() soon
 *	             -> false   lock-free means only
 *
 * A thread that forks from a handler may hold locks that it will drop only
 * after the fork.  So who waits for a lock inside the gate gives up as soon as
 * another thread's fork is under way, and takes the lock-free way, too:
 *
 *	lock_take() -> false    as if the gate had refused
 *
 * What holds.
 *   1. Inside the gate nothing waits for anything but other threads inside,
 *      and for those only while nobody forks: no user callback, no sleep.
 *   2. When fork copies the process nobody else is inside: in the child every
 *      lock is free and every structure is whole.
 *   3. A thread forking from a handler that interrupted its own stay inside is
 *      still inside in the child, returns there and leaves as usual.
 *
 * Lock order, outermost first: seize (percpu), zone, depot, keg, supply, meta,
 * percpu chunks.
 *
 * What it may touch.  base port.
 */
#ifndef LOCK_LOCK_H
#define LOCK_LOCK_H

#include "base/base.h"
#include "port/port.h"

struct UMA_LOCKABLE("lock") lock {
	_Atomic uint32_t word; /* see lock.c; 0 is free */
};

/*
 * No queue: whoever comes first has it.  But one who has slept some times is
 * the next, however often others take it: nobody waits for ever.
 *
 * Returns:  false, without the lock, when it is held and another thread's
 *           fork is under way.
 * Context:  inside the gate (but for the tests of this room).
 */
UMA_NODISCARD bool lock_take(struct lock *l) UMA_TRIES(true, l);
void lock_drop(struct lock *l) UMA_RELEASES(l);

/*
 * Enter the gate.
 *
 * Returns:  false when this thread must not wait for locks now.
 * Context:  any thread, any signal handler.
 * Cost:     two atomic adds on a line of one of GATE_CELLS, for the pair.
 */
UMA_NODISCARD bool gate_enter(void);
void gate_leave(void);

/*
 * A hint: whether gate_few() others of this thread's cell, one of GATE_CELLS,
 * or more were inside when it came in.  Where that is so in many cells, most of
 * them wait: who joins them had better have little in hand.  Inside the gate.
 */
bool gate_crowded(void);

#define GATE_CELLS 64u

/*
 * Twice as many as run at once if all CPUs are inside, as threads share cells
 * by chance; on a large machine fewer than a thousand threads come to.
 */
static inline unsigned
gate_few(void)
{
	return (unsigned)min_size(2 + port_cpu_count() / 32, 8);
}

/* Whether a fork other than this thread's own is under way. */
bool gate_forking(void);

/* Whether this thread is inside: in a handler, that it interrupted itself. */
bool gate_is_inside(void);

/*
 * Enter the gate, however long forks take.
 *
 * Returns:  false in a handler that interrupted its own thread inside.
 * Context:  who may wait for another thread's fork: no allocation.
 */
UMA_NODISCARD static inline bool
gate_insist(void)
{
	while (!gate_enter()) {
		if (gate_is_inside())
			return false;
		port_yield();
	}
	return true;
}

/* Enter the gate and take a lock, or neither: false where one is refused. */
UMA_NODISCARD static inline bool
gate_lock(struct lock *l) UMA_TRIES(true, l)
{
	if (!gate_enter())
		return false;
	if (lock_take(l))
		return true;
	gate_leave();
	return false;
}

static inline void
gate_unlock(struct lock *l) UMA_RELEASES(l)
{
	lock_drop(l);
	gate_leave();
}

/* The three fork handlers. */
void gate_fork_prepare(void);
void gate_fork_parent(void);
void gate_fork_child(void);

#endif /* LOCK_LOCK_H */
