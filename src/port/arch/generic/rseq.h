/* SPDX-License-Identifier: BSD-2-Clause */
/* The sequences of arch.h on a CPU that has none: they always fail. */
#ifndef PORT_ARCH_GENERIC_RSEQ_H
#define PORT_ARCH_GENERIC_RSEQ_H

#define ARCH_HAS_RSEQ 0

UMA_FAST void *
arch_pop(uintptr_t caches, const struct arch_rseq *rseq)
{
	(void)caches;
	(void)rseq;
	return NULL;
}

UMA_FAST bool
arch_push(uintptr_t caches, const struct arch_rseq *rseq, void *item)
{
	(void)caches;
	(void)rseq;
	(void)item;
	return false;
}

UMA_FAST bool
arch_own(uintptr_t caches, const struct arch_rseq *rseq, uint64_t token,
    uintptr_t *record, uint64_t *word)
{
	(void)caches;
	(void)rseq;
	(void)token;
	(void)record;
	(void)word;
	return false;
}

UMA_FAST bool
arch_add(uintptr_t counters, const struct arch_rseq *rseq, uint64_t step)
{
	(void)counters;
	(void)rseq;
	(void)step;
	return false;
}

UMA_FAST bool
arch_claim(uintptr_t counters, const struct arch_rseq *rseq, uint64_t token,
    uintptr_t *counter, uint64_t *word)
{
	(void)counters;
	(void)rseq;
	(void)token;
	(void)counter;
	(void)word;
	return false;
}

#endif /* PORT_ARCH_GENERIC_RSEQ_H */
