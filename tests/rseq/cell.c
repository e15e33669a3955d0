/* SPDX-License-Identifier: BSD-2-Clause */
/* One stop, one action, and what is checked: see cell.h. */
#define _GNU_SOURCE
#include "cell.h"

#include "trace.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CELL_SECONDS 60
#define OWNED        (UINT64_C(1) << 63)

const char *const scenario_names[SCENARIOS] = {
	[ALLOC] = "uma_zalloc",
	[ALLOC_ARG] = "uma_zalloc_arg",
	[ALLOC_ZERO] = "uma_zalloc, M_ZERO",
	[ALLOC_CTOR] = "uma_zalloc, ctor",
	[ALLOC_MISS] = "uma_zalloc, miss",
	[ALLOC_EMPTY] = "uma_zalloc, old empty bucket",
	[ALLOC_INSTALL] = "uma_zalloc, installs a bucket",
	[FREE] = "uma_zfree",
	[FREE_ARG] = "uma_zfree_arg",
	[FREE_DTOR] = "uma_zfree, dtor",
	[FREE_MISS] = "uma_zfree, miss",
	[FAST_ALLOC] = "uma_fast_zalloc",
	[FAST_FREE] = "uma_fast_zfree",
	[NEAR_ALLOC] = "uma_zalloc, linked in",
	[NEAR_FREE] = "uma_zfree, linked in",
	[DESTROY] = "uma_zdestroy",
	[VM_ALLOC] = "zalloc",
	[VM_FREE] = "zfree",
	[VM_FREE_BIG] = "zfree, big item",
	[VM_LIMITED_HAND] = "zalloc, fills the hand",
	[VM_LIMITED_INSIDE] = "zalloc, inside the gate",
	[MALLOC] = "malloc",
	[MALLOC_MISS] = "malloc, miss",
	[CALLOC] = "calloc",
	[ALIGNED] = "aligned_alloc",
	[HEAP_ALLOC] = "uma_heap_alloc",
	[REALLOC_GROW] = "realloc, grows",
	[REALLOC_SHRINK] = "realloc, from a large block",
	[FREE_BLOCK] = "free",
	[FREE_BLOCK_MISS] = "free, miss",
	[REALLOC_NONE] = "realloc to 0",
	[REALLOC_MOVE] = "realloc, to a large block",
	[TYPED_ALLOC] = "malloc(9)",
	[TYPED_ALLOC_COUNT] = "malloc(9), counter",
	[TYPED_FREE] = "free(9)",
	[TYPED_FREE_COUNT] = "free(9), counter",
	[TYPED_CLASS] = "malloc(9), first of a size",
	[TYPED_FIRST] = "malloc(9), first of a type",
	[TYPED_LARGE] = "malloc(9), large block",
	[TYPED_FREE_LARGE] = "free(9), large block",
};

const char *const action_names[ACTIONS] = {
	[NOTHING] = "nothing",
	[SIGNAL] = "signal that allocates and frees",
	[MIGRATE] = "migration",
	[POP] = "another thread's pop",
	[PUSH] = "another thread's push",
	[MISS] = "another thread's misses",
	[RECLAIM] = "another thread's reclaim",
	[BARRIER] = "membarrier",
	[UNREGISTER] = "unregistered in a handler",
	[INJECT] = "unregistered on the spot",
	[FORK] = "another thread's fork",
};

enum outcome { ABORTED, COMMITTED, FAILED };

struct shared *sh;
struct cell cell;
cpu_set_t home, away;

static const struct section *
its(void)
{
	return cell.section;
}

static uintptr_t
at(void)
{
	return its()->stop[cell.stop];
}

static bool
is_inside(void)
{
	return at() >= its()->start && at() < its()->end;
}

/* Whether the section is run inside the gate. */
static bool
is_owning(void)
{
	return cell.scenario == ALLOC_MISS || cell.scenario == ALLOC_EMPTY ||
	       cell.scenario == ALLOC_INSTALL || cell.scenario == FREE_MISS ||
	       cell.scenario == DESTROY || cell.scenario == MALLOC_MISS ||
	       cell.scenario == FREE_BLOCK_MISS || cell.scenario == TYPED_FIRST;
}

/* Whether all of the call is, so that another thread's fork waits for it. */
static bool
is_gated(void)
{
	return cell.scenario == VM_LIMITED_INSIDE;
}

/* After the heap's own counter of large blocks, the type's. */
static bool
is_large(void)
{
	return cell.scenario == TYPED_LARGE ||
	       cell.scenario == TYPED_FREE_LARGE;
}

static bool
is_counter(void)
{
	return cell.scenario == TYPED_ALLOC_COUNT ||
	       cell.scenario == TYPED_FREE_COUNT ||
	       cell.scenario == TYPED_CLASS || cell.scenario == TYPED_FIRST ||
	       is_large();
}

bool
cell_is_second(void)
{
	return cell.scenario == ALLOC_INSTALL ||
	       cell.scenario == VM_LIMITED_HAND ||
	       cell.scenario == REALLOC_MOVE || is_counter();
}

bool
cell_is_about(const struct section *s)
{
	/* Compilers inline one into others: own_rseq, percpu_own. */
	bool owns = strstr(s->function, "own") != NULL ||
		    strstr(s->function, "seize") != NULL ||
		    strstr(s->function, "fold") != NULL;
	bool refused = is_large() && strcmp(s->function, "percpu_count") == 0;

	return !HOSTILE || (owns == is_owning() && !refused);
}

static bool
is_push(void)
{
	return cell.scenario == FREE || cell.scenario == FREE_ARG ||
	       cell.scenario == FREE_DTOR || cell.scenario == FAST_FREE ||
	       cell.scenario == NEAR_FREE || cell.scenario == VM_FREE ||
	       cell.scenario == VM_FREE_BIG || cell.scenario == FREE_BLOCK ||
	       cell.scenario == REALLOC_NONE || cell.scenario == REALLOC_MOVE ||
	       cell.scenario == TYPED_FREE;
}

bool
cell_complain(const char *what)
{
	printf("# %s, %s: at %s%+ld: %s\n", scenario_names[cell.scenario],
	    action_names[cell.action], its()->function,
	    (long)(at() - its()->start), what);
	return false;
}

void
cell_await(enum phase phase, int signo)
{
	uintptr_t where = trace_run(signo);

	if (where != 0 || sh->phase != phase)
		trace_die("%s, %s: phase %d at %#lx, not %d",
		    scenario_names[cell.scenario], action_names[cell.action],
		    sh->phase, (unsigned long)where, phase);
}

/* ---- the state of the record ---- */

struct state {
	uint64_t line[8]; /* word, slots, ... */
	uint64_t slots[256];
};

static void
read_state(struct state *s)
{
	unsigned capacity;

	memset(s, 0, sizeof *s);
	trace_read(cell.record, s->line, sizeof s->line[0]);
	if (is_counter())
		return;
	trace_read(cell.record, s->line, sizeof s->line);
	capacity = s->line[0] >> 8 & 0xff;
	if (s->line[1] != 0)
		trace_read(s->line[1], s->slots, capacity * sizeof(uint64_t));
	/* A push may have written the slot beyond count. */
	if (is_push())
		s->slots[s->line[0] & 0xff] = 0;
}

/* Whether the action leaves the record alone. */
static bool
is_calm(void)
{
	return cell.action == NOTHING || cell.action == MIGRATE ||
	       cell.action == BARRIER || cell.action == FORK;
}

/* ---- the actions ---- */

/* What waits for the traced thread, as that is inside the gate or owns. */
static bool
must_overlap(void)
{
	bool reclaims = cell.action == RECLAIM;

	/* Malloc does when it is refused memory, which may be at any miss. */
	if (HOSTILE && cell.scenario >= MALLOC)
		reclaims =
		    reclaims || cell.action == POP || cell.action == MISS;
	if (cell.action == FORK)
		return is_owning() || is_gated();
	/* Who destroys holds the lock of all who seize. */
	return is_owning() && reclaims &&
	       (at() == its()->end || cell.scenario == DESTROY);
}

static void
wait_for(sem_t *s)
{
	while (sem_wait(s) != 0)
		continue;
}

static bool
has_helper(void)
{
	return (cell.action >= POP && cell.action <= BARRIER) ||
	       cell.action == FORK;
}

static void
let_helper_act(void)
{
	sh->action = cell.action;
	sem_post(&sh->go);
	wait_for(&sh->started);
	if (must_overlap())
		/* Likely to have begun waiting; right if it has not. */
		usleep(1000);
	else
		wait_for(&sh->done);
}

/* The helper worked on the record where the traced thread stood. */
static bool
shared_the_record(unsigned index)
{
	return index == sh->helper_index ||
	       (cell.action != POP && cell.action != PUSH &&
		   cell.action != MISS);
}

static void
inject(void)
{
	if (trace_system_call(sh->system_call, SYS_rseq, (long)sh->area,
		AREA_BYTES, 1, SIGNATURE) != 0)
		trace_die("cannot unregister");
}

static void
act(void)
{
	if (has_helper())
		let_helper_act();
	else if (cell.action == SIGNAL)
		cell_await(HANDLED, SIGUSR1);
	else if (cell.action == UNREGISTER)
		cell_await(HANDLED, SIGUSR2);
	else if (cell.action == INJECT)
		inject();
	else if (cell.action == MIGRATE &&
		 sched_setaffinity(traced, sizeof away, &away) != 0)
		trace_die("cannot migrate");
}

/* ---- one cell ---- */

enum result
cell_run_to(const struct section *s, uintptr_t stop)
{
	uintptr_t where;

	trace_plant(stop);
	trace_plant(s->abort);
	where = trace_run(0);
	trace_clear();
	if (where == 0 || where == stop)
		return where == 0 ? NOT_THERE : GOOD;
	cell_await(DONE, 0);
	return BY_CHANCE;
}

/* To the stop; otherwise the call has returned. */
static enum result
go_there(void)
{
	enum result first = GOOD;
	uint64_t word;

	sh->scenario = cell.scenario;
	cell_await(READY, 0);
	if (cell.scenario == ALLOC_EMPTY || cell.scenario == DESTROY) {
		/* As if popped 2^47 times: the top bit, but not owned. */
		trace_read(cell.record, &word, sizeof word);
		if ((word & 0xffff) == 0)
			trace_die("there is no bucket");
		word |= OWNED;
		trace_write(cell.record, &word, sizeof word);
	}
	if (cell.first != NULL)
		first = cell_run_to(cell.first, cell.first->end);
	if (first == NOT_THERE && !HOSTILE && sh->tried == CELL_TRIES - 1)
		trace_die("no first section");
	return first == GOOD ? cell_run_to(its(), at()) : first;
}

/*
 * Go on to one end of the section or the other, or past both.  Who failed may
 * come by the instruction after the section, too: the word tells.
 */
static enum outcome
go_on(const struct state *before)
{
	struct state after;
	uintptr_t where;

	if (at() == its()->end)
		return COMMITTED;
	trace_plant(its()->end);
	trace_plant(its()->abort);
	where = trace_run(0);
	trace_clear();
	cell.done = where == 0;
	if (where == its()->abort)
		return ABORTED;
	read_state(&after);
	return where != 0 && after.line[0] != before->line[0] ? COMMITTED
							      : FAILED;
}

static bool
check_outcome(enum outcome outcome)
{
	if (cell.action == INJECT) {
		/*
		 * The kernel forgot the section, which nobody disturbed.  Up
		 * to the test of the CPU's sign it must fail.
		 */
		if (outcome == ABORTED)
			return cell_complain("aborted without registration");
		if (at() <= its()->start && outcome == COMMITTED)
			return cell_complain("committed without registration");
		return true;
	}
	if (is_inside() && outcome != ABORTED)
		return cell_complain("not aborted");
	return true;
}

static bool
check_child(void)
{
	long low = is_push() ? 1 : 0;
	long high = low;

	if (cell.action != FORK)
		return true;
	if (at() == its()->end)
		low = high = 1 - low;
	if (is_counter())
		/* Popped and not in hand yet, or pushed already. */
		low = high =
		    cell.scenario == TYPED_FREE_COUNT || is_large() ? 0 : 1;
	if (is_owning()) {
		low = 0;
		high = 1;
	}
	if (is_gated())
		/* Made after the call. */
		low = high = 0;
	if (sh->child_used < low || sh->child_used > high)
		return cell_complain("the child found another number of items");
	/*
	 * Who filled a bucket when the process was copied has it for ever in
	 * the child: nobody's items, and the zone cannot go.
	 */
	if (sh->child_destroyed ? sh->child_used != 0
				: sh->child_used == 0 && !is_owning())
		return cell_complain("the child's zone went wrongly or stayed");
	return true;
}

/* All that follows is the worker's own. */
static bool
settle(void)
{
	if (sched_setaffinity(traced, sizeof home, &home) != 0)
		trace_die("cannot go home");
	cell_await(SETTLED, 0);
	if (sh->broken != 0) {
		cell_complain(sh->why);
		sh->broken = 0;
		return false;
	}
	return true;
}

static enum result
run_once(void)
{
	struct state before, after;
	enum outcome outcome;
	enum result way;
	unsigned index;
	bool good = true;

	cell.done = false;
	way = go_there();
	if (way != GOOD)
		return settle() ? way : BAD;
	if (cell.stop == its()->stops - 2 &&
	    trace_register(its()->record_register) != cell.record)
		good = cell_complain("not the record that it was");
	read_state(&before);
	act();
	trace_read(sh->index, &index, sizeof index);
	outcome = go_on(&before);
	good = check_outcome(outcome) && good;
	if (outcome == ABORTED && is_calm()) {
		read_state(&after);
		if (memcmp(&before, &after, sizeof before) != 0)
			good =
			    cell_complain("the aborted attempt left a trace");
	}
	if (!cell.done)
		cell_await(DONE, 0);
	if (has_helper() && must_overlap())
		wait_for(&sh->done);
	if (!shared_the_record(index))
		good = cell_complain("the other thread had another record");
	good = settle() && check_child() && good;
	if (good && outcome == ABORTED && !is_inside())
		return BY_CHANCE;
	return good ? GOOD : BAD;
}

/* Again while something else than the action has aborted it. */
static enum result
run_undisturbed(void)
{
	enum result result = BY_CHANCE;

	for (int i = 0; i < CELL_CHANCES && result == BY_CHANCE; i++)
		result = run_once();
	if (result == BY_CHANCE)
		cell_complain("aborted by chance, time and again");
	return result;
}

enum result
cell_run(void)
{
	enum result result = NOT_THERE;

	alarm(CELL_SECONDS);
	for (sh->tried = 0; sh->tried < CELL_TRIES && result == NOT_THERE;
	     sh->tried++)
		result = run_undisturbed();
	alarm(0);
	return result;
}
