/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of port/sim: what its files share.  See sim.h. */
#ifndef PORT_SIM_INNER_H
#define PORT_SIM_INNER_H

#include <setjmp.h>
#include <ucontext.h>

#include "port/sim/sim.h"

/* Everything lies where it lay before, so that a run can be repeated. */
#define SLOTS_AT   ((uintptr_t)0x100000000000)
#define SLOT_BYTES ((size_t)256 << 10)
#define ARENA_AT   ((uintptr_t)0x200000000000)
#define PAGE       ((size_t)4096)

/* What the kernel shares with a thread, as far as the sequences know it. */
struct sim_area {
	uint32_t cpu_id_start;
	int32_t cpu_id;
	uint64_t section;
	uint32_t flags;
	uint32_t node_id;
	uint32_t mm_cid;
};

enum sim_state { SIM_DONE, SIM_READY, SIM_ASLEEP };

/* At the upper end of its stack. */
struct sim_thread {
	alignas(CACHE_LINE) struct sim_area area;
	struct port_self self;
	unsigned number;
	unsigned cpu;
	enum sim_state state;
	bool made;     /* has a place to go on from */
	bool current;  /* on its CPU */
	bool inside;   /* a sequence */
	bool aborted;  /* and will notice at its next step */
	bool handling; /* a signal */
	bool spinning; /* and nothing was written since `seen` */
	uint64_t seen;
	_Atomic uint32_t *word; /* that it sleeps on, or NULL */
	uint32_t expected;
	uint64_t queued;   /* who sleeps longest has the least */
	uint64_t deadline; /* 0: none */
	void (*run)(void *);
	void *arg;
	jmp_buf place;
	ucontext_t start;
};

/* ---- sched.c ---- */

struct sim_now {
	struct sim_machine machine;
	struct sim_thread *thread; /* that runs, or NULL */
	bool choosing;             /* points are points */
	bool counting;
	unsigned forks;    /* under way */
	unsigned handlers; /* that ran */
	uint64_t clock;
	uint64_t epoch; /* how often something was written */
	struct sim_choices choices;
	struct sim_counts counts;
	enum sim_fault fault;
};
extern struct sim_now sim;

enum sim_point {
	POINT_ATOMIC,
	POINT_PLAIN,
	POINT_STEP,
	POINT_CALL,
	POINT_MAY_FAIL
};

/* True: the call that may fail is refused. */
bool sim_point(enum sim_point kind);

/* Sleep until woken or, if not 0, that moment; `word` may be NULL. */
void sim_sleep(_Atomic uint32_t *word, uint32_t expected, uint64_t deadline);
void sim_wake(_Atomic uint32_t *word, int count);
void sim_give_way(void);
/* Abort every sequence that is under way on a CPU. */
void sim_abort_all(void);
/* All threads but this one are no more. */
void sim_alone(void);

struct sim_thread *sim_slot(unsigned number);

/* choose.c: the choice at a point; and who goes on, of so many. */
unsigned sim_choose(enum sim_point kind);
unsigned sim_choose_next(unsigned count);
/* How many choices there are at a point of this thread. */
unsigned sim_options(enum sim_point kind);
void sim_begin(void);

/* ---- memory.c ---- */

void sim_memory_build(void);

/* An access of the rooms: check it, and note what a write replaces. */
void sim_access(const void *address, size_t bytes, bool write);
void sim_note(const void *address, size_t bytes);

/* Of the threads' own stacks. */
UMA_FAST bool
sim_is_private(const void *address)
{
	return (uintptr_t)address - SLOTS_AT < SIM_THREADS_MAX * SLOT_BYTES;
}

#endif /* PORT_SIM_INNER_H */
