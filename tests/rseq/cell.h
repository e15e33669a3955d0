/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cell.h - one cell: a call, an instruction to stop at, an action
 */
#ifndef TESTS_RSEQ_CELL_H
#define TESTS_RSEQ_CELL_H

#include "force.h"
#include "hostile.h"
#include "sections.h"

#include <sched.h>

extern struct shared *sh;

extern const char *const scenario_names[SCENARIOS];
extern const char *const action_names[ACTIONS];

/* Where the worker runs, and where migration takes it. */
extern cpu_set_t home, away;

/* The cell under way. */
struct cell {
	enum scenario scenario;
	enum action action;
	const struct section *section;
	const struct section *first; /* committed before it, or NULL */
	uintptr_t record;
	int stop;
	bool done; /* the call has returned */
};
extern struct cell cell;

/*
 * How often a cell is tried that the call does not come by: of some hundred
 * events of a counter one folds it instead, and a hostile library goes past a
 * record as if another thread had it.
 */
enum { CELL_TRIES = HOSTILE ? 50 : 2 };

/* So many reschedules by chance in a row are none. */
enum { CELL_CHANCES = 50 };

/* BY_CHANCE: aborted by another reschedule than that of the stop. */
enum result { GOOD, BAD, BY_CHANCE, NOT_THERE };

/*
 * Run on to an instruction of a section, or past it.  GOOD: the worker stands
 * there.  Otherwise the call has returned: BY_CHANCE after this section was
 * aborted on the way, and the call went on as after a miss; NOT_THERE when it
 * did not come by.
 */
enum result cell_run_to(const struct section *section, uintptr_t stop);

/* The worker stands in phase SETTLED before and after. */
enum result cell_run(void);

/* Scenarios whose section is the second in which the call commits. */
bool cell_is_second(void);

/*
 * Whether the call commits in a section of the kind that its scenario is about.
 * In a hostile library it may own where else it hits: every second event of a
 * counter folds it, and who is refused a large block reclaims, and counts the
 * next one the long way.
 */
bool cell_is_about(const struct section *section);

/* Run to a checkpoint of the worker, which must be this one. */
void cell_await(enum phase phase, int signo);

/* Say what is wrong with the cell.  Returns false. */
bool cell_complain(const char *what);

#endif /* TESTS_RSEQ_CELL_H */
