/* SPDX-License-Identifier: BSD-2-Clause */
/* port/sim/sched.c - threads, CPUs, time, and what happens at a point */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "port/sim/inner.h"

/* So many turns in vain, and it is the sleepers' turn. */
#define VAIN_TURNS 64u
#define VAIN_MAX   100000u

struct sim_now sim;

static struct {
	jmp_buf driver;
	struct sim_thread *current[SIM_CPUS_MAX]; /* on each CPU */
	bool cid_used[SIM_CPUS_MAX];
	unsigned threads;
	unsigned vain; /* turns since something else happened */
	uint64_t queued;
	bool failed;
	char failure[512];
} sched;

static void life(void);

/* See inner.h. */
struct sim_thread *
sim_slot(unsigned number)
{
	uintptr_t end = SLOTS_AT + (number + 1) * SLOT_BYTES;

	return (struct sim_thread *)round_down(
	    end - sizeof(struct sim_thread), CACHE_LINE);
}

static void *
map_at(uintptr_t at, size_t bytes)
{
	void *place = mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
	    -1, 0);

	if (place != (void *)at) {
		perror("sim: no address space");
		_Exit(2);
	}
	return place;
}

/* See sim.h. */
void
sim_build(const struct sim_machine *machine)
{
	sim.machine = *machine;
	sim.clock = 1000000;
	map_at(SLOTS_AT, SIM_THREADS_MAX * SLOT_BYTES);
	for (unsigned i = 0; i < SIM_THREADS_MAX; i++)
		mprotect((char *)SLOTS_AT + i * SLOT_BYTES, PAGE, PROT_NONE);
	sim_memory_build();
}

/* ---- CPUs ---- */

/* A thread leaves its CPU, of its own will or not. */
static void
leave_cpu(struct sim_thread *t)
{
	if (!t->current)
		return;
	t->current = false;
	sched.current[t->cpu] = NULL;
	sched.cid_used[t->area.mm_cid] = false;
	t->aborted = t->inside;
}

static void
enter_cpu(struct sim_thread *t)
{
	unsigned cid = 0;

	if (t->current)
		return;
	if (sched.current[t->cpu] != NULL)
		leave_cpu(sched.current[t->cpu]);
	while (sched.cid_used[cid])
		cid++;
	sched.cid_used[cid] = true;
	sched.current[t->cpu] = t;
	t->current = true;
	t->area.mm_cid = cid;
	t->area.cpu_id = (int32_t)t->cpu;
	t->area.cpu_id_start = t->cpu;
	t->area.node_id = t->cpu * sim.machine.domains / sim.machine.cpus;
}

static void
move(struct sim_thread *t, unsigned cpu)
{
	leave_cpu(t);
	t->cpu = cpu;
	enter_cpu(t);
}

/* See sim.h. */
void
sim_move(unsigned cpu)
{
	move(sim.thread, cpu);
}

/* See inner.h. */
void
sim_abort_all(void)
{
	for (unsigned i = 0; i < sched.threads; i++) {
		struct sim_thread *t = sim_slot(i);

		if (t->inside)
			t->aborted = true;
	}
}

/* ---- threads ---- */

/* See sim.h. */
unsigned
sim_thread(unsigned cpu, void (*run)(void *), void *arg)
{
	unsigned number = sched.threads++;
	struct sim_thread *t = sim_slot(number);

	t->area = (struct sim_area){ .cpu_id = -1 };
	t->self = (struct port_self){ 0 };
	t->number = number;
	t->cpu = cpu;
	t->state = SIM_READY;
	t->current = false;
	t->inside = false;
	t->aborted = false;
	t->handling = false;
	t->spinning = false;
	t->run = run;
	t->arg = arg;
	if (!t->made) {
		char *low = (char *)SLOTS_AT + number * SLOT_BYTES;

		getcontext(&t->start);
		t->start.uc_stack.ss_sp = low;
		t->start.uc_stack.ss_size = (size_t)((char *)t - low);
		t->start.uc_link = NULL;
		makecontext(&t->start, life, 0);
	}
	return number;
}

/* Go on where a thread stands. */
_Noreturn static void
resume(struct sim_thread *t)
{
	sim.thread = t;
	if (t->made)
		_longjmp(t->place, 1);
	t->made = true;
	setcontext(&t->start);
	_Exit(2);
}

static void
switch_to(struct sim_thread *t)
{
	enter_cpu(t);
	if (t == sim.thread)
		return;
	sim.counts.switches++;
	if (_setjmp(sim.thread->place) == 0)
		resume(t);
}

_Noreturn static void
stop(void)
{
	sim.thread = NULL;
	_longjmp(sched.driver, 1);
}

/* See sim.h. */
void
sim_fail(const char *what)
{
	snprintf(sched.failure, sizeof sched.failure, "%s", what);
	sched.failed = true;
	if (sim.thread == NULL) {
		fprintf(stderr, "sim: outside of a run: %s\n", what);
		_Exit(2);
	}
	sim.thread->made = false;
	stop();
}

/* See sim.h. */
const char *
sim_failure(void)
{
	return sched.failed ? sched.failure : NULL;
}

/* See sim.h. */
unsigned
sim_self(void)
{
	return sim.thread->number;
}

/* See sim.h. */
unsigned
sim_cpu(void)
{
	return sim.thread->cpu;
}

static unsigned
count_ready(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < sched.threads; i++)
		count += sim_slot(i)->state == SIM_READY;
	return count;
}

/* The n-th ready thread behind this one, round and round. */
static struct sim_thread *
ready_after(unsigned number, unsigned n)
{
	for (unsigned i = 1;; i++) {
		struct sim_thread *t = sim_slot((number + i) % sched.threads);

		if (t->state == SIM_READY && n-- == 0)
			return t;
	}
}

/*
 * Nobody is ready: who sleeps on a changed word was not woken.  Not while a
 * fork is under way: who waits for its end is not told of the next.
 */
static void
check_wakes(void)
{
	for (unsigned i = 0; sim.forks == 0 && i < sched.threads; i++) {
		struct sim_thread *t = sim_slot(i);

		if (t->state == SIM_ASLEEP && t->word != NULL &&
		    atomic_load_explicit(t->word, memory_order_relaxed) !=
			t->expected)
			sim_fail("a wake-up was forgotten");
	}
}

/* Let the next deadline come.  False: there is none. */
static bool
pass_time(void)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < sched.threads; i++) {
		struct sim_thread *t = sim_slot(i);

		if (t->state == SIM_ASLEEP && t->deadline != 0 &&
		    t->deadline < next)
			next = t->deadline;
	}
	if (next == UINT64_MAX)
		return false;
	sched.vain = 0;
	if (sim.clock < next)
		sim.clock = next;
	for (unsigned i = 0; i < sched.threads; i++) {
		struct sim_thread *t = sim_slot(i);

		if (t->state == SIM_ASLEEP && t->deadline != 0 &&
		    t->deadline <= next)
			t->state = SIM_READY;
	}
	return true;
}

/* This thread cannot go on: another one does; or all have ended. */
static void
dispatch(unsigned number)
{
	unsigned count;

	while ((count = count_ready()) == 0) {
		check_wakes();
		if (pass_time())
			continue;
		for (unsigned i = 0; i < sched.threads; i++)
			if (sim_slot(i)->state == SIM_ASLEEP)
				sim_fail("all sleep, for ever");
		/* The next run finds it here. */
		if (_setjmp(sim.thread->place) == 0)
			stop();
		return;
	}
	switch_to(ready_after(number, sim_choose_next(count)));
}

static void
life(void)
{
	for (;;) {
		struct sim_thread *me = sim.thread;

		me->run(me->arg);
		if (me->self.gate != 0)
			sim_fail("a thread ended inside the gate");
		leave_cpu(me);
		me->state = SIM_DONE;
		sched.vain = 0;
		dispatch(me->number);
	}
}

/* See sim.h. */
bool
sim_run(void)
{
	sched.failed = false;
	sched.vain = 0;
	sim.forks = 0;
	sim.handlers = 0;
	if (sim.choosing)
		sim_begin();
	if (_setjmp(sched.driver) == 0) {
		struct sim_thread *first = ready_after(
		    sched.threads - 1, sim_choose_next(sched.threads));

		enter_cpu(first);
		resume(first);
	}
	/* Who did not end has no end to come back to. */
	for (unsigned i = 0; i < sched.threads; i++) {
		struct sim_thread *t = sim_slot(i);

		leave_cpu(t);
		if (t->state != SIM_DONE)
			t->made = false;
		t->state = SIM_DONE;
	}
	sched.threads = 0;
	return !sched.failed;
}

/* See sim.h. */
bool
sim_quietly(unsigned cpu, void (*run)(void *), void *arg)
{
	bool was = sim.choosing;
	bool good;

	sim.choosing = false;
	sim_thread(cpu, run, arg);
	good = sim_run();
	sim.choosing = was;
	return good;
}

/* See inner.h. */
void
sim_alone(void)
{
	for (unsigned i = 0; i < sched.threads; i++) {
		struct sim_thread *t = sim_slot(i);

		if (t == sim.thread)
			continue;
		leave_cpu(t);
		if (t->state != SIM_DONE)
			t->made = false;
		t->state = SIM_DONE;
	}
}

/* ---- sleeping ---- */

/* See inner.h. */
void
sim_sleep(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline)
{
	struct sim_thread *me = sim.thread;

	me->word = word;
	me->expected = expected;
	me->deadline = deadline;
	me->queued = sched.queued++;
	me->state = SIM_ASLEEP;
	sched.vain = 0;
	leave_cpu(me);
	dispatch(me->number);
}

/* See inner.h.  Who sleeps longest is woken first. */
void
sim_wake(_Atomic uint32_t *word, int count)
{
	while (count-- > 0) {
		struct sim_thread *first = NULL;

		for (unsigned i = 0; i < sched.threads; i++) {
			struct sim_thread *t = sim_slot(i);

			if (t->state == SIM_ASLEEP && t->word == word &&
			    (first == NULL || t->queued < first->queued))
				first = t;
		}
		if (first == NULL)
			return;
		first->state = SIM_READY;
		first->word = NULL;
	}
}

/* See inner.h.  Who polls may wait for one who sleeps. */
void
sim_give_way(void)
{
	struct sim_thread *me = sim.thread;

	if ((count_ready() == 1 || ++sched.vain % VAIN_TURNS == 0) &&
	    !pass_time() && sched.vain > VAIN_MAX)
		sim_fail("all give way, for ever");
	switch_to(ready_after(me->number, 0));
}

/* ---- points ---- */

/*
 * The choices at a point, by number: see sim.h.  0 is always there.
 */
static bool
can_interrupt(const struct sim_thread *me)
{
	if (me->handling || sim.choices.calm)
		return false;
	if (sim.choices.handlers != 0 && sim.handlers == sim.choices.handlers)
		return false;
	return me->inside || sim.choices.handler != NULL;
}

/* See inner.h. */
unsigned
sim_options(enum sim_point kind)
{
	const struct sim_thread *me = sim.thread;
	unsigned count = count_ready();

	count += can_interrupt(me);
	if (kind == POINT_STEP && sim.choices.move)
		count += sim.machine.cpus - 1;
	if (kind == POINT_MAY_FAIL && sim.choices.refuse)
		count++;
	return count;
}

static void
interrupt(struct sim_thread *me)
{
	bool inside = me->inside;

	if (sim.choices.handler != NULL) {
		me->inside = false;
		me->handling = true;
		sim.handlers++;
		sim.choices.handler();
		me->handling = false;
	}
	me->inside = inside;
	me->aborted = inside;
}

/* True: refused. */
static bool
happen(enum sim_point kind, unsigned choice)
{
	struct sim_thread *me = sim.thread;
	unsigned others = count_ready() - 1;

	if (choice <= others) {
		switch_to(ready_after(me->number, choice - 1));
		return false;
	}
	choice -= others + 1;
	if (can_interrupt(me) && choice-- == 0) {
		interrupt(me);
		return false;
	}
	if (kind == POINT_STEP && sim.choices.move &&
	    choice < sim.machine.cpus - 1) {
		move(me, (me->cpu + 1 + choice) % sim.machine.cpus);
		return false;
	}
	if (kind == POINT_MAY_FAIL && sim.choices.refuse && choice == 0)
		return true;
	sim_fail("the schedule has a choice that is none");
}

/* See inner.h. */
bool
sim_point(enum sim_point kind)
{
	struct sim_thread *me = sim.thread;
	unsigned choice;

	if (!sim.choosing || me == NULL)
		return false;
	if (me->spinning && kind <= POINT_PLAIN) {
		if (me->seen == sim.epoch)
			return false;
		me->seen = sim.epoch;
	} else
		me->spinning = false;
	if (sim_points() > sim.choices.points)
		sim_fail("no end");
	choice = sim_choose(kind);
	return choice != 0 && happen(kind, choice);
}

/* See sequence.h. */
void
sim_relax(void)
{
	if (sim.thread == NULL)
		return;
	sim.thread->spinning = true;
	sim.thread->seen = sim.epoch;
}

/* See sim.h. */
void
sim_plant(enum sim_fault fault)
{
	sim.fault = fault;
}
