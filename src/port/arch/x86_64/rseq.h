/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sequences of arch.h on x86-64.
 *
 * Shape of each: a descriptor {version 0, flags 0, start, length, abort} in a
 * section of its own; its address stored into rseq_cs; the section proper; one
 * 8-byte commit store as its last instruction; and, out of line, the abort
 * label behind the signature that the kernel demands, encoded as an
 * undefined instruction (ud1) so that nothing can jump into it unnoticed.
 *
 * The sign of cpu_id is checked inside the section, in the area whose rseq_cs
 * was set: a thread whose registration was taken away fails closed.
 */
#ifndef PORT_ARCH_X86_64_RSEQ_H
#define PORT_ARCH_X86_64_RSEQ_H

#define ARCH_HAS_RSEQ 1

/* clang-format off */
#define RSEQ_BEGIN(name)						\
	".pushsection __rseq_cs, \"aw\"\n\t"				\
	".balign 32\n"							\
	"777:\n\t"							\
	".long 0, 0\n\t"						\
	".quad 771f, 772f - 771f, 774f\n\t"				\
	".popsection\n\t"						\
	".pushsection __rseq_failure, \"ax\"\n\t"			\
	".byte 0x0f, 0xb9, 0x3d\n\t"					\
	".long 0x53053053\n"						\
	"774:\n\t"							\
	"jmp %l[" name "]\n\t"						\
	".popsection\n\t"						\
	"leaq 777b(%%rip), %[rec]\n\t"					\
	"movq %[rec], %%fs:8(%[area])\n"				\
	"771:\n\t"							\
	"cmpl $0, %%fs:4(%[area])\n\t"					\
	"jl %l[" name "]\n\t"						\
	"movl %%fs:(%[index]), %k[rec]\n\t"				\
	"shlq $16, %[rec]\n\t"						\
	"addq %[caches], %[rec]\n\t"					\
	"movq (%[rec]), %[word]\n\t"

#define RSEQ_COMMIT(what)						\
	"movq " what ", (%[rec])\n"					\
	"772:\n\t"
/* clang-format on */

/* See arch.h.  Returns NULL on failure. */
UMA_FAST void *
arch_pop(uintptr_t caches, const struct arch_rseq *rseq)
{
	uintptr_t rec;
	uintptr_t slots;
	uint64_t word;
	uint64_t count;

	/* clang-format off */
	__asm__ goto volatile(
	    RSEQ_BEGIN("fail")
	    "testb %b[word], %b[word]\n\t"
	    "jz %l[fail]\n\t"
	    "movzbl %b[word], %k[count]\n\t"
	    "movq 8(%[rec]), %[slots]\n\t"
	    "movq -8(%[slots],%[count],8), %[slots]\n\t"
	    "addq $0xffff, %[word]\n\t"
	    RSEQ_COMMIT("%[word]")
	    : [rec] "=&r"(rec), [word] "=&q"(word), [count] "=&r"(count),
	      [slots] "=&a"(slots)
	    : [caches] "rm"(caches), [area] "r"(rseq->area),
	      [index] "r"(rseq->index)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	if (slots == 0)
		__builtin_unreachable(); /* no item is NULL */
	return (void *)slots;
fail:
	return NULL;
}

/* See arch.h. */
UMA_FAST bool
arch_push(uintptr_t caches, const struct arch_rseq *rseq, void *item)
{
	uintptr_t rec;
	uintptr_t slots;
	uint64_t word;
	uint64_t count;

	/* clang-format off */
	__asm__ goto volatile(
	    RSEQ_BEGIN("fail")
	    "cmpb %b[word], %h[word]\n\t"
	    "je %l[fail]\n\t"
	    "movzbl %b[word], %k[count]\n\t"
	    "movq 8(%[rec]), %[slots]\n\t"
	    "cmpq %[item], -8(%[slots],%[count],8)\n\t"
	    "je %l[fail]\n\t"
	    "movq %[item], (%[slots],%[count],8)\n\t"
	    "incq %[word]\n\t"
	    RSEQ_COMMIT("%[word]")
	    : [rec] "=&r"(rec), [word] "=&a"(word), [count] "=&r"(count),
	      [slots] "=&r"(slots)
	    : [caches] "rm"(caches), [area] "r"(rseq->area),
	      [index] "r"(rseq->index), [item] "r"(item)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	return true;
fail:
	return false;
}

/* See arch.h.  A word is owned if its top bit is set and count, capacity 0. */
UMA_FAST bool
arch_own(uintptr_t caches, const struct arch_rseq *rseq, uint64_t token,
    uintptr_t *record, uint64_t *word_out)
{
	uintptr_t rec;
	uint64_t word;

	/* clang-format off */
	__asm__ goto volatile(
	    RSEQ_BEGIN("fail")
	    "testq %[word], %[word]\n\t"
	    "jns 775f\n\t"
	    "testw %w[word], %w[word]\n\t"
	    "jz %l[fail]\n"
	    "775:\n\t"
	    RSEQ_COMMIT("%[token]")
	    : [rec] "=&r"(rec), [word] "=&q"(word)
	    : [caches] "rm"(caches), [area] "r"(rseq->area),
	      [index] "r"(rseq->index), [token] "r"(token)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	*record = rec;
	*word_out = word;
	return true;
fail:
	return false;
}

#undef RSEQ_BEGIN
#undef RSEQ_COMMIT

#endif /* PORT_ARCH_X86_64_RSEQ_H */
