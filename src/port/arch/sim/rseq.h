/* SPDX-License-Identifier: BSD-2-Clause */
/* The sequences of arch.h, played step by step: see port/sim/sequence.h. */
#ifndef PORT_ARCH_SIM_RSEQ_H
#define PORT_ARCH_SIM_RSEQ_H

#include "port/sim/sequence.h"

#define ARCH_HAS_RSEQ 1

/* See arch.h. */
UMA_FAST void *
arch_pop(uintptr_t caches, const struct arch_rseq *rseq)
{
	struct sim_outcome out;

	return sim_sequence(SIM_POP, caches, rseq, 0, &out) ? out.item : NULL;
}

/* See arch.h. */
UMA_FAST bool
arch_push(uintptr_t caches, const struct arch_rseq *rseq, void *item)
{
	struct sim_outcome out;

	return sim_sequence(SIM_PUSH, caches, rseq, (uintptr_t)item, &out);
}

/* See arch.h. */
UMA_FAST bool
arch_own(uintptr_t caches, const struct arch_rseq *rseq, uint64_t token,
    uintptr_t *record, uint64_t *word)
{
	struct sim_outcome out;

	if (!sim_sequence(SIM_OWN, caches, rseq, token, &out))
		return false;
	*record = out.record;
	*word = out.word;
	return true;
}

/* See arch.h. */
UMA_FAST bool
arch_add(uintptr_t counters, const struct arch_rseq *rseq, uint64_t step)
{
	struct sim_outcome out;

	return sim_sequence(SIM_ADD, counters, rseq, step, &out);
}

/* See arch.h. */
UMA_FAST bool
arch_claim(uintptr_t counters, const struct arch_rseq *rseq, uint64_t token,
    uintptr_t *counter, uint64_t *word)
{
	struct sim_outcome out;

	if (!sim_sequence(SIM_CLAIM, counters, rseq, token, &out))
		return false;
	*counter = out.record;
	*word = out.word;
	return true;
}

#endif /* PORT_ARCH_SIM_RSEQ_H */
