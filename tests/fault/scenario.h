/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario.h - one program's life; what it leaves out docs/testing.md says
 *
 * Every call may end as its contract says: NULL is right only when a request
 * was refused during that very call.  The first thing that is not right ends
 * the process with status 1 and a reason in scenario_why.
 */
#ifndef TESTS_FAULT_SCENARIO_H
#define TESTS_FAULT_SCENARIO_H

#include <stdbool.h>

enum { WHY_BYTES = 200 };

extern char *scenario_why;

/* `patient`: calls that wait for memory are among them. */
void scenario_use(bool patient);
/* Give back all that is left; nothing may remain.  Without faults. */
void scenario_end(void);

/* A life takes so many seconds at most. */
enum { SCENARIO_SECONDS = 100 };

/*
 * Have a child live `life(run)`, which ends the scenario itself, and then use
 * it once more with nothing refused: as many zones must be left.
 *
 * Returns:  whether all was well; if not a signal is told, and scenario_why
 *           has what else it was: it must be shared with the child.
 */
bool scenario_apart(void (*life)(const void *run), const void *run);

/* What the parts of a scenario share. */
void scenario_wrong(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));
/* Nothing fails by itself: something was refused since `before`. */
void scenario_must_have_been_refused(unsigned before, const char *what);
void scenario_use_blocks(void);
void scenario_give_blocks(void);
void scenario_use_types(bool patient);
void scenario_give_types(void);
/* Zones that stay: one with boot items cannot be destroyed. */
unsigned scenario_zones_kept(void);

#endif /* TESTS_FAULT_SCENARIO_H */
