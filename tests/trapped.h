/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Step by step: with the processor's trap flag set each instruction of the
 * calling thread raises SIGTRAP.  On x86-64 alone.
 */
#ifndef TESTS_TRAPPED_H
#define TESTS_TRAPPED_H

#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

#if defined(__x86_64__)
#define TRAPPED 1

#define TRAP_FLAG 0x100ll

/* What handlers have seen since it began. */
static volatile sig_atomic_t trap_steps;

/* In a handler: whether this is the step that is wanted, and then the last. */
static inline bool
trap_ends_at(long wanted, void *context)
{
	ucontext_t *c = context;

	if (++trap_steps != wanted)
		return false;
	c->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	return true;
}

/* Set or cleared beyond the red zone. */
static inline void
trap_each(bool on)
{
	if (on) {
		trap_steps = 0;
		__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
				 "pushfq\n\t"
				 "orq $0x100, (%%rsp)\n\t"
				 "popfq\n\t"
				 "leaq 128(%%rsp), %%rsp" ::
				     : "memory", "cc");
	} else
		__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
				 "pushfq\n\t"
				 "andq $~0x100, (%%rsp)\n\t"
				 "popfq\n\t"
				 "leaq 128(%%rsp), %%rsp" ::
				     : "memory", "cc");
}
#else
#define TRAPPED 0
#endif

#endif /* TESTS_TRAPPED_H */
