/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock/lock.h"

#include "port/port.h"

/* Where a thread stands: port_self()->gate. */
enum { OUTSIDE, ENTERING, INSIDE, LEAVING };

/*
 * How many threads are inside, spread over cells by thread so that CPUs do
 * not share a line.  Signed: a cell may be negative for a thread that entered
 * through one and a sum is what counts.
 */
static struct {
	alignas(CACHE_LINE) _Atomic int32_t inside;
} cells[GATE_CELLS];
_Static_assert(GATE_CELLS == 1 << 6, "see my_cell()");

/* How long who comes during a fork waits for its end. */
#define LOOKS   5u
#define LOOK_NS UINT64_C(1000000)

/* Forks under way in the whole process. */
static _Atomic uint32_t forks;

/* Those of threads that are inside themselves: see gate_fork_prepare(). */
static _Atomic int32_t nested_forks;

static _Atomic int32_t *
my_cell(void)
{
	/* Thread pointers are pages apart: the middle bits tell them apart. */
	uint64_t mixed =
	    (uint64_t)port_thread_id() * UINT64_C(0x9E3779B97F4A7C15);

	return &cells[mixed >> 58].inside;
}

static bool
enter(void)
{
	struct port_self *self = port_self();

	if (self->gate != OUTSIDE)
		return false;
	self->gate = ENTERING;
	atomic_signal_fence(memory_order_seq_cst);
	/*
	 * seq_cst, pairs with the same in gate_fork_prepare(): either the
	 * forker sees this thread inside, or this thread sees the fork.
	 */
	self->others =
	    atomic_fetch_add_explicit(my_cell(), 1, memory_order_seq_cst);
	self->gate = INSIDE;
	if (likely(atomic_load_explicit(&forks, memory_order_seq_cst) ==
		   self->forks))
		return true;
	gate_leave();
	return false;
}

/*
 * Most forks are over in a moment, and the emergency source costs a mapping:
 * wait a little.  Not for longer, as the forker may wait for this thread, and
 * not in the midst of a fork of one's own, which a handler may have come into:
 * that goes on when the handler is done, and with a quick timer the next one is
 * due then; two such would wait for each other for good.
 */
UMA_SLOW static bool
enter_late(void)
{
	const struct port_self *self = port_self();

	if (gate_is_inside() || self->edges != 0 || self->forks != 0)
		return false;
	for (unsigned looks = 0; looks < LOOKS; looks++) {
		uint32_t now =
		    atomic_load_explicit(&forks, memory_order_relaxed);

		if (now == 0 && enter())
			return true;
		port_wait(&forks, now, LOOK_NS);
	}
	return false;
}

bool
gate_enter(void)
{
	return likely(enter()) || enter_late();
}

void
gate_leave(void)
{
	struct port_self *self = port_self();

	UMA_ASSERT(self->gate == INSIDE);
	self->gate = LEAVING;
	atomic_signal_fence(memory_order_seq_cst);
	/* release, pairs with the load in inside(): all done is seen. */
	atomic_fetch_sub_explicit(my_cell(), 1, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	self->gate = OUTSIDE;
}

bool
gate_crowded(void)
{
	return port_self()->others >= (int32_t)gate_few();
}

bool
gate_is_inside(void)
{
	return port_self()->gate != OUTSIDE;
}

bool
gate_forking(void)
{
	/* relaxed: a hint; gate_enter() decides. */
	return atomic_load_explicit(&forks, memory_order_relaxed) !=
	       port_self()->forks;
}

static int32_t
inside(void)
{
	int32_t sum = 0;

	for (unsigned i = 0; i < GATE_CELLS; i++)
		/* seq_cst, pairs with the add in gate_enter(). */
		sum += atomic_load_explicit(
		    &cells[i].inside, memory_order_seq_cst);
	return sum;
}

/* Whether others are inside that a forker, `nested` or not, waits for. */
static bool
must_wait(bool nested)
{
	/*
	 * seq_cst, and before the count: it has all of them.  One who came
	 * after the count would stand for another who is in it.
	 */
	int32_t allowed =
	    nested ? atomic_load_explicit(&nested_forks, memory_order_seq_cst)
		   : 0;

	return inside() > allowed;
}

/*
 * This thread's count of forks and the process' are about to differ, or are the
 * same again.
 */
static void
at_edge(int more)
{
	/* Handlers of this thread see it before what is between, or after. */
	atomic_signal_fence(memory_order_seq_cst);
	port_self()->edges += (unsigned)more;
	atomic_signal_fence(memory_order_seq_cst);
}

/*
 * Wait until nobody else is inside.  A handler that forks may have
 * interrupted its own thread inside, or in the one instruction between two
 * states, where it cannot tell whether it is counted: then it allows for one.
 * Two that do so at once cannot wait for each other; each allows for both, and
 * what the other was in the middle of is lost to its child.
 */
void
gate_fork_prepare(void)
{
	struct port_self *self = port_self();
	bool nested = self->gate != OUTSIDE;
	unsigned turns = 0;

	at_edge(1);
	self->forks++;
	if (nested)
		atomic_fetch_add_explicit(
		    &nested_forks, 1, memory_order_seq_cst);
	/* seq_cst, pairs with the load in gate_enter(). */
	atomic_fetch_add_explicit(&forks, 1, memory_order_seq_cst);
	at_edge(-1);
	while (must_wait(nested))
		port_give_way(&turns);
}

void
gate_fork_parent(void)
{
	struct port_self *self = port_self();

	at_edge(1);
	self->forks--;
	if (self->gate != OUTSIDE)
		atomic_fetch_sub_explicit(
		    &nested_forks, 1, memory_order_seq_cst);
	/* release: what the forker did is seen by who enters next. */
	atomic_fetch_sub_explicit(&forks, 1, memory_order_release);
	at_edge(-1);
	port_wake(&forks, INT32_MAX);
}

/*
 * Only this thread is left.  Others may have been caught in the moment of
 * being counted and refused; those counts go.
 */
void
gate_fork_child(void)
{
	struct port_self *self = port_self();

	for (unsigned i = 0; i < GATE_CELLS; i++)
		/* relaxed: there is one thread. */
		atomic_store_explicit(
		    &cells[i].inside, 0, memory_order_relaxed);
	if (self->gate == INSIDE)
		atomic_store_explicit(my_cell(), 1, memory_order_relaxed);
	at_edge(1);
	self->forks--;
	atomic_store_explicit(&nested_forks,
	    self->gate != OUTSIDE ? (int32_t)self->forks : 0,
	    memory_order_relaxed);
	atomic_store_explicit(&forks, self->forks, memory_order_relaxed);
	at_edge(-1);
}
