/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch - the words that C cannot say, one folder for each kind of CPU
 *
 * Why it is here.  The hit of the per-CPU cache is a restartable sequence: the
 * kernel guarantees that it runs to its one commit store without being
 * preempted, migrated or interrupted by a signal, or starts afresh.  Only
 * assembler can say that.
 *
 * A per-CPU record starts with
 *	+0  word   {count:8, capacity:8, allocs:48}
 *	+8  slots  the array of the bucket that count and capacity speak of
 * and the record of CPU `i` is `caches + (i << ARCH_CPU_SHIFT)`.
 *
 *	pop:   fail if not registered; fail if count == 0
 *	       item = slots[count - 1]; commit word + 2^16 - 1
 *	push:  fail if not registered; fail if count == capacity
 *	       fail if count > 0 and slots[count - 1] == item
 *	       slots[count] = item; commit word + 1
 *	own:   fail if not registered; fail if the word is owned
 *	       commit word = token
 *
 * A counter is one word of such a record: 0 before its first use, its top bit
 * set while it counts in the bits below, anything else while it is owned.
 *
 *	add:   fail if not registered; fail if word + step has no top bit
 *	       commit word + step
 *	claim: fail if not registered; fail if the word is owned
 *	       commit word = token
 *
 * so that a first use, an owner and a carry out of the counter all fail by
 * the one test that an addition makes for nothing.
 *
 * "Fail" leaves everything as it was; being aborted by the kernel is a failure
 * like any other: the caller decides whether to try again, so that no loop
 * here can live for ever under a debugger.  An empty bucket's slots[-1] is
 * its header and equals no item.
 *
 * arch/generic has the same functions, which always fail; arch/sim plays them
 * step by step for the simulated port.
 *
 * And one word to valgrind, arch_valgrind(): a request and its five arguments,
 * answered by valgrind if the process runs under it, else by `otherwise`.  So
 * it is always where the sequence is not written.
 */
#ifndef PORT_ARCH_ARCH_H
#define PORT_ARCH_ARCH_H

#include <uma/sequence.h>

#include "base/base.h"

#define ARCH_CPU_SHIFT UMA_CPU_SHIFT

/* Where the thread's struct rseq and its index lie, from the thread pointer. */
struct arch_rseq {
	intptr_t area;
	intptr_t index;
};

#if defined(UMA_SIM)
#include "port/arch/sim/cpu.h"
#include "port/arch/sim/rseq.h"
#include "port/arch/generic/valgrind.h"
#elif defined(__x86_64__)
#include "port/arch/x86_64/cpu.h"
#include "port/arch/x86_64/rseq.h"
#include "port/arch/x86_64/valgrind.h"
#elif defined(__aarch64__) && defined(__LP64__)
#include "port/arch/aarch64/cpu.h"
#include "port/arch/aarch64/rseq.h"
#include "port/arch/generic/valgrind.h"
#else
#include "port/arch/generic/cpu.h"
#include "port/arch/generic/rseq.h"
#include "port/arch/generic/valgrind.h"
#endif

/*
 * Whether n < *limit, for a limit that is 0 until all that it stands for was
 * stored, and then set with release.  Compilers fold a plain load into the
 * comparison, and an atomic one they do not.
 */
UMA_FAST bool
arch_is_below(size_t n, const size_t *limit)
{
	if (!ARCH_LOADS_IN_ORDER || UMA_THREAD_SANITIZED)
		return n < __atomic_load_n(limit, __ATOMIC_ACQUIRE);
	if (unlikely(n >= *limit))
		return false;
	atomic_signal_fence(memory_order_acquire);
	return true;
}

#endif /* PORT_ARCH_ARCH_H */
