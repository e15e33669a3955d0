/* SPDX-License-Identifier: BSD-2-Clause */
/* The waiting section of rseq_test.h on aarch64. */
#ifndef PORT_ARCH_AARCH64_RSEQ_TEST_H
#define PORT_ARCH_AARCH64_RSEQ_TEST_H

static __attribute__((noinline)) enum rseq_test_end
rseq_test_spin(void *area, _Atomic uint32_t *inside, _Atomic uint32_t *word,
    uint32_t round, uint64_t spins)
{
	/* The signature: see <uma/sequence.h>. */
	__asm__ goto(".pushsection __rseq_cs, \"aw\"\n\t"
		     ".balign 32\n"
		     "1:\t.long 0, 0\n\t"
		     ".quad 2f, 3f - 2f, 4f\n\t"
		     ".popsection\n\t"
		     "adrp x9, 1b\n\t"
		     "add x9, x9, #:lo12:1b\n\t"
		     "str x9, [%[area], #8]\n"
		     "2:\tmov x9, %[spins]\n\t"
		     "str %w[round], [%[inside]]\n"
		     "5:\tldr w10, [%[word]]\n\t"
		     "cmp w10, %w[round]\n\t"
		     "b.eq %l[saw]\n\t"
		     "yield\n\t"
		     "subs x9, x9, #1\n\t"
		     "b.ne 5b\n"
		     "3:\tb 6f\n\t"
		     ".inst 0xd428bc00\n"
		     "4:\tb %l[aborted]\n"
		     "6:"
		     :
		     : [area] "r"(area), [inside] "r"(inside), [word] "r"(word),
		     [round] "r"(round), [spins] "r"(spins)
		     : "x9", "x10", "memory", "cc"
		     : saw, aborted);
	return RSEQ_TEST_SPUN;
aborted:
	return RSEQ_TEST_ABORTED;
saw:
	return RSEQ_TEST_SAW;
}

#endif /* PORT_ARCH_AARCH64_RSEQ_TEST_H */
