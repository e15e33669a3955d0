/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - one traced thread: its memory, registers and breakpoints
 *
 * Anything that cannot be explained ends the program with a message.
 */
#ifndef TESTS_RSEQ_TRACE_H
#define TESTS_RSEQ_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

extern pid_t traced;

__attribute__((noreturn, format(printf, 1, 2))) void trace_die(
    const char *format, ...);

/*
 * Start a program stopped before its first instruction.  It dies with us.
 */
void trace_start(char *const argv[]);

void trace_read(uintptr_t from, void *to, size_t bytes);
void trace_write(uintptr_t to, const void *from, size_t bytes);

uintptr_t trace_register(const char *name);
void trace_go_to(uintptr_t address);

/* Breakpoints: all are taken out when one of them is hit. */
void trace_plant(uintptr_t address);
void trace_clear(void);

/*
 * Run, with a signal delivered unless it is 0, to the next breakpoint.
 *
 * Returns:  the address of a planted breakpoint, to which the thread is set
 *           back; 0 for a checkpoint, one that the program brought along.
 */
uintptr_t trace_run(int signo);

/* Have the stopped thread make a system call; `gadget`: `syscall; int3`. */
long trace_system_call(
    uintptr_t gadget, long number, long a, long b, long c, long d);

#endif /* TESTS_RSEQ_TRACE_H */
