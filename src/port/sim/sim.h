/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/sim - a machine in one thread, whose schedule is a number
 *
 * Why it is here.  A race that needs two instructions of one CPU between two
 * of another is met by no storm of threads, and cannot be met twice.  Here
 * the rooms themselves, unchanged, run on CPUs that are played one after the
 * other: who goes next, who is preempted, moved, interrupted or refused memory
 * is a choice, and a run is the list of its choices.
 *
 *	rooms ---- port.h ----> memory, waking, clock, barrier
 *	  |------- arch.h ----> the sequences, step by step
 *	  '------- __tsan_* --> every access to memory that they make
 *	                            |
 *	                         a point: go on, or what else?
 *
 * The rooms are compiled with the calls that -fsanitize=thread plants before
 * each access; hooks.c is what they call.  So no source knows of this.
 *
 * A point is where something else may happen than that the thread goes on:
 * before each atomic access, each step of a sequence and within each call of
 * the port; plain accesses too if asked.  There can happen, by number,
 *	another thread goes on; it preempts who is current on its CPU
 *	a signal: the sequence is aborted, the handler runs if there is one
 *	the thread moves to another CPU (at steps of sequences)
 *	the system refuses (at calls that may fail)
 * Threads that are current on their CPUs run side by side: going from one to
 * the other aborts nothing.  Who is preempted, moved or interrupted inside a
 * sequence is aborted, and whom the barrier finds there.
 *
 * What is searched.  All schedules with at most `bound` events that no thread
 * asked for; which of the ready threads goes on when one sleeps or ends is
 * free.  Or, from a seed, as many events as come.  "12:1,40:3" is a run: at
 * point 12 choice 1, at point 40 choice 3, all else goes on.
 *
 * What holds.
 *   1. The same choices give the same run, addresses included.
 *   2. All that the rooms write is noted, so that sim_rewind() undoes it.
 *   3. Time passes only when nobody is ready; if one then sleeps on a word
 *      that has changed, a wake-up was forgotten, and the run has failed.
 *   4. Memory is sequentially consistent: reordering is not simulated.
 *   5. An access to memory that is not mapped fails the run.
 *
 * What it may touch.  base and the C library.  Locks: there is one thread.
 */
#ifndef PORT_SIM_SIM_H
#define PORT_SIM_SIM_H

#include "base/base.h"
#include "port/port.h"
#include "port/sim/sequence.h"

#define SIM_THREADS_MAX 256u
#define SIM_CPUS_MAX    256u

struct sim_machine {
	unsigned cpus;
	unsigned domains; /* CPUs are dealt to them in equal, whole parts */
	enum port_rseq_kind kind;
	const char *options; /* as in UMA_OPTIONS; or NULL */
};

/* Build it.  Once in a process, before the library is used. */
void sim_build(const struct sim_machine *machine);

/* ---- threads ---- */

/* A thread on a CPU, ready to run.  Returns its number, from 0 on. */
unsigned sim_thread(unsigned cpu, void (*run)(void *), void *arg);

/*
 * Run all threads to their ends, by the choices of the schedule.
 * Returns:  false when the run failed: see sim_failure().
 */
UMA_NODISCARD bool sim_run(void);

/* Run a function in a thread on a CPU, with no choices. */
UMA_NODISCARD bool sim_quietly(unsigned cpu, void (*run)(void *), void *arg);

/* From a thread: which it is, where it is; fail the run. */
unsigned sim_self(void);
unsigned sim_cpu(void);
_Noreturn void sim_fail(const char *what);
const char *sim_failure(void);

/* Move the calling thread, as sched_setaffinity() does. */
void sim_move(unsigned cpu);

/*
 * Fork.  True in the child, in which the caller is the only thread: the others
 * stop for ever where they stand.  `child` chooses which of the two goes on.
 */
bool sim_fork(bool child);

/* Write a word of memory so that sim_rewind() undoes it. */
void sim_write(uint64_t *word, uint64_t value);

/* ---- schedules ---- */

struct sim_choices {
	unsigned bound;  /* of events in one run, when searching */
	uint64_t points; /* more than these, and a run has no end; 0: 2^20 */
	bool plain;      /* plain accesses are points, too */
	bool move;       /* threads are moved */
	bool refuse;     /* the system refuses */
	bool calm;       /* no signals */
	/* Runs on top of a thread that is interrupted; or NULL. */
	void (*handler)(void);
	unsigned handlers; /* at most so many in a run; 0: any number */
	/* If not NULL, of atomic accesses only those it says are points. */
	bool (*matters)(const void *address);
};

/* What was written since the mark is undone by each rewind. */
void sim_mark(void);
void sim_rewind(void);

/* The first of all schedules; and the next.  False: there is none. */
void sim_search(const struct sim_choices *choices);
UMA_NODISCARD bool sim_next(void);

/* One schedule, by its choices or from a seed: 1/2^n of the points events. */
void sim_replay(const struct sim_choices *choices, const char *schedule);
void sim_random(const struct sim_choices *choices, uint64_t seed, unsigned n);

/* The choices of the run so far, as far as there is room for them. */
void sim_schedule(char *text, size_t bytes);

/* Points passed in the last run. */
uint64_t sim_points(void);

/* ---- faults that tests plant ---- */

enum sim_fault {
	SIM_SOUND,
	SIM_NO_BARRIER,   /* the barrier aborts nobody */
	SIM_RESUME,       /* what should be aborted goes on */
	SIM_COMMIT_FIRST, /* a push commits, then stores the item */
	SIM_ARM_LATE,     /* the index is read before the section starts */
	SIM_FAULTS
};
void sim_plant(enum sim_fault fault);

/* ---- counting ---- */

/* A line is shared when another CPU wrote it last. */
struct sim_counts {
	uint64_t accesses; /* of the rooms and the sequences */
	uint64_t atomics;  /* of those, with a locked instruction */
	uint64_t shared;   /* of those, to lines that are shared */
	uint64_t remote;   /* of those, written last in another domain */
	uint64_t switches;
	uint64_t aborts;
};

/* Count from now on, or read. */
void sim_count(void);
void sim_counts(struct sim_counts *counts);

#endif /* PORT_SIM_SIM_H */
