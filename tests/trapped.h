/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Step by step: with the processor's trap flag set each instruction of the
 * calling thread raises SIGTRAP.  On x86-64 alone.
 */
#ifndef TESTS_TRAPPED_H
#define TESTS_TRAPPED_H

#if defined(__x86_64__)
#define TRAPPED 1

/* What a handler clears in uc_mcontext.gregs[REG_EFL] to end it. */
#define TRAP_FLAG 0x100ll

/* Set or cleared beyond the red zone. */
static inline void
trap_each(bool on)
{
	if (on)
		__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
				 "pushfq\n\t"
				 "orq $0x100, (%%rsp)\n\t"
				 "popfq\n\t"
				 "leaq 128(%%rsp), %%rsp" ::
				     : "memory", "cc");
	else
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
