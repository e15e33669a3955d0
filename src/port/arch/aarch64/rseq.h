/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sequences of arch.h on aarch64.  Their shape, and the two that are also
 * inlined into users, are in <uma/sequence.h>; why they are right on a CPU
 * that reorders memory, in docs/design/percpu.md.
 */
#ifndef PORT_ARCH_AARCH64_RSEQ_H
#define PORT_ARCH_AARCH64_RSEQ_H

#include <uma/sequence.h>

#define ARCH_HAS_RSEQ (!UMA_THREAD_SANITIZED)

/* See arch.h.  Returns NULL on failure. */
UMA_FAST void *
arch_pop(uintptr_t caches, const struct arch_rseq *rseq)
{
	return uma_fast_pop(caches, rseq->area, rseq->index);
}

/* See arch.h. */
UMA_FAST bool
arch_push(uintptr_t caches, const struct arch_rseq *rseq, void *item)
{
	return uma_fast_push(caches, rseq->area, rseq->index, item) != 0;
}

/* See arch.h.  A word is owned if its top bit is set and count, capacity 0. */
UMA_FAST bool
arch_own(uintptr_t caches, const struct arch_rseq *rseq, uint64_t token,
    uintptr_t *record, uint64_t *word_out)
{
	char *tp = (char *)__builtin_thread_pointer();
	uintptr_t rec;
	uint64_t word;

	/* clang-format off */
	__asm__ goto volatile(
	    UMA_RSEQ_BEGIN
	    "tbz %[word], #63, 775f\n\t"
	    "tst %[word], #0xffff\n\t"
	    "b.eq 774b\n"
	    "775:\n\t"
	    UMA_RSEQ_COMMIT("%[token]")
	    : [rec] "=&r"(rec), [word] "=&r"(word)
	    : [caches] "r"(caches), [area] "r"(tp + rseq->area),
	      [tp] "r"(tp), [index] "r"(rseq->index), [token] "r"(token)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	*record = rec;
	*word_out = word;
	return true;
fail:
	return false;
}

/* See arch.h. */
UMA_FAST bool
arch_add(uintptr_t counters, const struct arch_rseq *rseq, uint64_t step)
{
	char *tp = (char *)__builtin_thread_pointer();
	uintptr_t rec;
	uint64_t word;

	/* clang-format off */
	__asm__ goto volatile(
	    UMA_RSEQ_BEGIN
	    "adds %[word], %[word], %[step]\n\t"
	    "b.pl 774b\n\t"
	    UMA_RSEQ_COMMIT("%[word]")
	    : [rec] "=&r"(rec), [word] "=&r"(word)
	    : [caches] "r"(counters), [area] "r"(tp + rseq->area),
	      [tp] "r"(tp), [index] "r"(rseq->index), [step] "r"(step)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	return true;
fail:
	return false;
}

/* See arch.h.  Owned: not 0, and the top bit is clear. */
UMA_FAST bool
arch_claim(uintptr_t counters, const struct arch_rseq *rseq, uint64_t token,
    uintptr_t *counter, uint64_t *word_out)
{
	char *tp = (char *)__builtin_thread_pointer();
	uintptr_t rec;
	uint64_t word;

	/* clang-format off */
	__asm__ goto volatile(
	    UMA_RSEQ_BEGIN
	    "cmp %[word], #0\n\t"
	    "b.gt 774b\n\t"
	    UMA_RSEQ_COMMIT("%[token]")
	    : [rec] "=&r"(rec), [word] "=&r"(word)
	    : [caches] "r"(counters), [area] "r"(tp + rseq->area),
	      [tp] "r"(tp), [index] "r"(rseq->index), [token] "r"(token)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	*counter = rec;
	*word_out = word;
	return true;
fail:
	return false;
}

#endif /* PORT_ARCH_AARCH64_RSEQ_H */
