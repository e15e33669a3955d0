/* SPDX-License-Identifier: BSD-2-Clause */
/* The waiting section of rseq_test.h on x86-64. */
#ifndef PORT_ARCH_X86_64_RSEQ_TEST_H
#define PORT_ARCH_X86_64_RSEQ_TEST_H

static __attribute__((noinline)) enum rseq_test_end
rseq_test_spin(void *area, _Atomic uint32_t *inside, _Atomic uint32_t *word,
    uint32_t round, uint64_t spins)
{
	/*
	 * The four bytes before the abort address are the signature that the
	 * kernel asks for, as the operand of an instruction that traps.
	 */
	__asm__ goto(".pushsection __rseq_cs, \"aw\"\n\t"
		     ".balign 32\n"
		     "1:\t.long 0, 0\n\t"
		     ".quad 2f, 3f - 2f, 4f\n\t"
		     ".popsection\n\t"
		     "leaq 1b(%%rip), %%rax\n\t"
		     "movq %%rax, 8(%[area])\n"
		     "2:\tmovq %[spins], %%rcx\n\t"
		     "movl %[round], (%[inside])\n"
		     "5:\tcmpl (%[word]), %[round]\n\t"
		     "je %l[saw]\n\t"
		     "pause\n\t"
		     "decq %%rcx\n\t"
		     "jnz 5b\n"
		     "3:\tjmp 6f\n\t"
		     ".byte 0x0f, 0xb9, 0x3d\n\t"
		     ".long 0x53053053\n"
		     "4:\tjmp %l[aborted]\n"
		     "6:"
		     :
		     : [area] "r"(area), [inside] "r"(inside), [word] "r"(word),
		     [round] "r"(round), [spins] "r"(spins)
		     : "rax", "rcx", "memory", "cc"
		     : saw, aborted);
	return RSEQ_TEST_SPUN;
aborted:
	return RSEQ_TEST_ABORTED;
saw:
	return RSEQ_TEST_SAW;
}

#endif /* PORT_ARCH_X86_64_RSEQ_TEST_H */
