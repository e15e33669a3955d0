/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sequence.h - the restartable sequences of the hit, and the layout they know
 *
 * Part of <uma/fast.h>, and of the library itself; not for direct use.  What
 * each does is described, in words that hold for every kind of CPU, in the
 * library's src/port/arch/arch.h.
 */
#ifndef UMA_SEQUENCE_H
#define UMA_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

#ifndef UMA_EXPORT
#if defined(__GNUC__)
#define UMA_EXPORT __attribute__((visibility("default")))
#else
#define UMA_EXPORT
#endif
#endif

#define UMA_FAST_ABI 1u

/* The record of CPU i is at caches + (i << UMA_CPU_SHIFT). */
#define UMA_CPU_SHIFT 14

#ifdef __cplusplus
extern "C" {
#endif

/* What the inlined code reads, and the layout that the library has. */
struct uma_fast_abi {
	intptr_t area;  /* of the thread's struct rseq, from its pointer */
	intptr_t index; /* of the CPU's index, likewise */
	uint32_t version;
};

UMA_EXPORT extern struct uma_fast_abi uma_fast_abi;

/* The start of a zone. */
struct uma_fast_zone {
	uint32_t zone_private[4];
	uintptr_t caches; /* records, or ones that always miss */
};

/* Stops the process unless `version` is the library's. */
UMA_EXPORT void uma_fast_check(uint32_t version);

#if defined(__x86_64__) && defined(__GNUC__)

/* The number behind a name, as text for the assembler. */
#define UMA_TEXT(number)  UMA_TEXT_(number)
#define UMA_TEXT_(number) #number

/* clang-format off */
/*
 * The shape of a restartable sequence: a descriptor {version 0, flags 0,
 * start, length, abort} in a section of its own; its address stored into
 * rseq_cs; the sequence; one 8-byte commit store as its last instruction; and,
 * out of line, the abort label behind the signature that the kernel demands,
 * encoded as an undefined instruction so that nothing runs into it unnoticed.
 *
 * The sign of cpu_id is checked inside, in the area whose rseq_cs was set: a
 * thread whose registration was taken away fails closed.
 */
#define UMA_RSEQ_BEGIN							\
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
	"jmp %l[fail]\n\t"						\
	".popsection\n\t"						\
	"leaq 777b(%%rip), %[rec]\n\t"					\
	"movq %[rec], %%fs:8(%[area])\n"				\
	"771:\n\t"							\
	"cmpl $0, %%fs:4(%[area])\n\t"					\
	"jl %l[fail]\n\t"						\
	"movl %%fs:(%[index]), %k[rec]\n\t"				\
	"shlq $" UMA_TEXT(UMA_CPU_SHIFT) ", %[rec]\n\t"		\
	"addq %[caches], %[rec]\n\t"					\
	"movq (%[rec]), %[word]\n\t"

#define UMA_RSEQ_COMMIT(what)						\
	"movq " what ", (%[rec])\n"					\
	"772:\n\t"
/* clang-format on */

/* Pop an item of this CPU's record; NULL for a miss. */
static __inline__ void *
uma_fast_pop(uintptr_t caches, intptr_t area, intptr_t index)
{
	uintptr_t rec;
	uintptr_t slots;
	uint64_t word;
	uint64_t count;

	/* clang-format off */
	__asm__ goto volatile(
	    UMA_RSEQ_BEGIN
	    "testb %b[word], %b[word]\n\t"
	    "jz %l[fail]\n\t"
	    "movzbl %b[word], %k[count]\n\t"
	    "movq 8(%[rec]), %[slots]\n\t"
	    "movq -8(%[slots],%[count],8), %[slots]\n\t"
	    "addq $0xffff, %[word]\n\t"
	    UMA_RSEQ_COMMIT("%[word]")
	    : [rec] "=&r"(rec), [word] "=&q"(word), [count] "=&r"(count),
	      [slots] "=&a"(slots)
	    : [caches] "rm"(caches), [area] "r"(area), [index] "r"(index)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	if (slots == 0)
		__builtin_unreachable(); /* no item is NULL */
	return (void *)slots;
fail:
	return NULL;
}

/* Push an item on this CPU's record; 0 for a miss. */
static __inline__ int
uma_fast_push(uintptr_t caches, intptr_t area, intptr_t index, void *item)
{
	uintptr_t rec;
	uintptr_t slots;
	uint64_t word;
	uint64_t count;

	/* clang-format off */
	__asm__ goto volatile(
	    UMA_RSEQ_BEGIN
	    "cmpb %b[word], %h[word]\n\t"
	    "je %l[fail]\n\t"
	    "movzbl %b[word], %k[count]\n\t"
	    "movq 8(%[rec]), %[slots]\n\t"
	    "cmpq %[item], -8(%[slots],%[count],8)\n\t"
	    "je %l[fail]\n\t"
	    "movq %[item], (%[slots],%[count],8)\n\t"
	    "incq %[word]\n\t"
	    UMA_RSEQ_COMMIT("%[word]")
	    : [rec] "=&r"(rec), [word] "=&a"(word), [count] "=&r"(count),
	      [slots] "=&r"(slots)
	    : [caches] "rm"(caches), [area] "r"(area), [index] "r"(index),
	      [item] "r"(item)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	return 1;
fail:
	return 0;
}

#endif /* __x86_64__ */

#ifdef __cplusplus
}
#endif

#endif /* UMA_SEQUENCE_H */
