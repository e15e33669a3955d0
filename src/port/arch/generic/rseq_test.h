/* SPDX-License-Identifier: BSD-2-Clause */
/* The waiting section of rseq_test.h on a CPU that has none: no proof. */
#ifndef PORT_ARCH_GENERIC_RSEQ_TEST_H
#define PORT_ARCH_GENERIC_RSEQ_TEST_H

static enum rseq_test_end
rseq_test_spin(void *area, _Atomic uint32_t *inside, _Atomic uint32_t *word,
    uint32_t round, uint64_t spins)
{
	(void)area;
	(void)word;
	(void)spins;
	atomic_store_explicit(inside, round, memory_order_relaxed);
	return RSEQ_TEST_SPUN;
}

#endif /* PORT_ARCH_GENERIC_RSEQ_TEST_H */
