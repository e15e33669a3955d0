/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/arch/rseq_test.h - a critical section that only waits
 *
 * It says from within that it is there, then spins until another thread
 * changes a word.  A kernel that aborts sections never lets it see a change
 * that was made after it had to be aborted.
 */
#ifndef PORT_ARCH_RSEQ_TEST_H
#define PORT_ARCH_RSEQ_TEST_H

#include "base/base.h"

/*
 * rseq_test_spin(area, inside, word, round, spins): store `round` to *inside,
 * then spin while *word != round.
 *
 * Needs:    `area` is this thread's registered struct rseq; spins > 0.
 * Cost:     a few nanoseconds a spin.
 */
enum rseq_test_end {
	RSEQ_TEST_SPUN,    /* nothing happened: this proves nothing */
	RSEQ_TEST_ABORTED, /* the kernel restarted the section */
	RSEQ_TEST_SAW,     /* it saw the change and was not restarted */
};

#if defined(__x86_64__)
#include "port/arch/x86_64/rseq_test.h"
#elif defined(__aarch64__) && defined(__LP64__)
#include "port/arch/aarch64/rseq_test.h"
#else
#include "port/arch/generic/rseq_test.h"
#endif

#endif /* PORT_ARCH_RSEQ_TEST_H */
