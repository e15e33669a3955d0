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

/*
 * The number of what programs know of the library's layout, by <uma/fast.h> and
 * by what -luma links into them.  The library's soname changes with it.
 */
#define UMA_FAST_ABI 3u /* libuma.so.1 */

/* The record of CPU i is at caches + (i << UMA_CPU_SHIFT). */
#define UMA_CPU_SHIFT 14
#define UMA_CPU_BYTES 16384 /* the same, for a multiplication */

#ifdef __cplusplus
extern "C" {
#endif

/* The start of a zone: what the inlined code reads. */
struct uma_fast_zone {
	uint32_t zone_private[4];
	uintptr_t caches; /* records, or ones that always miss */
	uint64_t zone_hit;
	intptr_t area;  /* of the thread's struct rseq, from its pointer */
	intptr_t index; /* of the CPU's index, likewise */
};

/* Stops the process unless `version` is the library's. */
UMA_EXPORT void uma_fast_check(uint32_t version);

/* Whatever the compiler thinks of its size: a call costs what a hit does. */
#define UMA_ALWAYS_INLINE static __inline__ __attribute__((__always_inline__))

/* The number behind a name, as text for the assembler. */
#define UMA_TEXT(number)  UMA_TEXT_(number)
#define UMA_TEXT_(number) #number

#if defined(__x86_64__) && defined(__GNUC__)

#define UMA_HAS_SEQUENCES 1

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
 *
 * `?` puts both sections into the group of the function, if it is in one: of an
 * inline function of C++ the linker keeps one copy, and drops the others whole.
 */
#define UMA_RSEQ_BEGIN							\
	".pushsection __rseq_cs, \"aw?\"\n\t"				\
	".balign 32\n"							\
	"777:\n\t"							\
	".long 0, 0\n\t"						\
	".quad 771f, 772f - 771f, 774f\n\t"				\
	".popsection\n\t"						\
	".pushsection __rseq_failure, \"ax?\"\n\t"			\
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
	"imull $" UMA_TEXT(UMA_CPU_BYTES) ", %%fs:(%[index]), %k[rec]\n\t" \
	"addq %[caches], %[rec]\n\t"					\
	"movq (%[rec]), %[word]\n\t"

#define UMA_RSEQ_COMMIT(what)						\
	"movq " what ", (%[rec])\n"					\
	"772:\n\t"
/* clang-format on */

/* Pop an item of this CPU's record; NULL for a miss. */
UMA_ALWAYS_INLINE void *
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
UMA_ALWAYS_INLINE int
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
	    : [rec] "=&r"(rec), [word] "=&d"(word), [count] "=&r"(count),
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

/* The kernel may look at the descriptor later than this code is loaded. */
UMA_ALWAYS_INLINE void
uma_fast_leave(intptr_t area)
{
	__asm__ volatile("movq $0, %%fs:8(%0)" ::"r"(area) : "memory");
}

#elif defined(__aarch64__) && defined(__LP64__) && defined(__GNUC__)

#define UMA_HAS_SEQUENCES 1

/* clang-format off */
/*
 * As on x86-64, but for three things.  The signature is an instruction, which
 * has one byte order where data has two.  It and the abort label are in the
 * function's own section, behind all else, so that conditional branches reach
 * them in programs of any size; they go on to the failure from there.  And the
 * word is loaded with acquire: who makes a record live may be on another CPU,
 * and the slots must not be read before the word that speaks of them.
 */
#define UMA_RSEQ_BEGIN							\
	".pushsection __rseq_cs, \"aw?\"\n\t"				\
	".balign 32\n"							\
	"777:\n\t"							\
	".long 0, 0\n\t"						\
	".quad 771f, 772f - 771f, 774f\n\t"				\
	".popsection\n\t"						\
	".subsection 1\n\t"						\
	".inst 0xd428bc00\n"						\
	"774:\n\t"							\
	"b %l[fail]\n\t"						\
	".previous\n\t"							\
	"adrp %[rec], 777b\n\t"						\
	"add %[rec], %[rec], #:lo12:777b\n\t"				\
	"str %[rec], [%[area], #8]\n"					\
	"771:\n\t"							\
	"ldr %w[word], [%[area], #4]\n\t"				\
	"cmp %w[word], #0\n\t"						\
	"b.lt 774b\n\t"							\
	"ldr %w[rec], [%[tp], %[index]]\n\t"				\
	"add %[rec], %[caches], %[rec], lsl #" UMA_TEXT(UMA_CPU_SHIFT) "\n\t"\
	"ldar %[word], [%[rec]]\n\t"

#define UMA_RSEQ_COMMIT(what)						\
	"str " what ", [%[rec]]\n"					\
	"772:\n\t"
/* clang-format on */

/* Pop an item of this CPU's record; NULL for a miss. */
UMA_ALWAYS_INLINE void *
uma_fast_pop(uintptr_t caches, intptr_t area, intptr_t index)
{
	char *tp = (char *)__builtin_thread_pointer();
	uintptr_t rec;
	uintptr_t slots;
	uint64_t word;
	uint64_t top;

	/* clang-format off */
	__asm__ goto volatile(
	    UMA_RSEQ_BEGIN
	    "tst %[word], #0xff\n\t"
	    "b.eq 774b\n\t"
	    "sub %[word], %[word], #1\n\t"
	    "ldr %[slots], [%[rec], #8]\n\t"
	    "and %[top], %[word], #0xff\n\t"
	    "ldr %[slots], [%[slots], %[top], lsl #3]\n\t"
	    "add %[word], %[word], #16, lsl #12\n\t"
	    UMA_RSEQ_COMMIT("%[word]")
	    : [rec] "=&r"(rec), [word] "=&r"(word), [top] "=&r"(top),
	      [slots] "=&r"(slots)
	    : [caches] "r"(caches), [area] "r"(tp + area), [tp] "r"(tp),
	      [index] "r"(index)
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
UMA_ALWAYS_INLINE int
uma_fast_push(uintptr_t caches, intptr_t area, intptr_t index, void *item)
{
	char *tp = (char *)__builtin_thread_pointer();
	uintptr_t rec;
	uintptr_t slots;
	uint64_t word;
	uint64_t count;

	/* clang-format off */
	__asm__ goto volatile(
	    UMA_RSEQ_BEGIN
	    "ubfx %[count], %[word], #8, #8\n\t"
	    "cmp %w[count], %w[word], uxtb\n\t"
	    "b.eq 774b\n\t"
	    "ldr %[slots], [%[rec], #8]\n\t"
	    "and %[count], %[word], #0xff\n\t"
	    "add %[slots], %[slots], %[count], lsl #3\n\t"
	    "ldur %[count], [%[slots], #-8]\n\t"
	    "cmp %[count], %[item]\n\t"
	    "b.eq 774b\n\t"
	    "str %[item], [%[slots]]\n\t"
	    "add %[word], %[word], #1\n\t"
	    UMA_RSEQ_COMMIT("%[word]")
	    : [rec] "=&r"(rec), [word] "=&r"(word), [count] "=&r"(count),
	      [slots] "=&r"(slots)
	    : [caches] "r"(caches), [area] "r"(tp + area), [tp] "r"(tp),
	      [index] "r"(index), [item] "r"(item)
	    : "memory", "cc"
	    : fail);
	/* clang-format on */
	return 1;
fail:
	return 0;
}

/* As on x86-64. */
UMA_ALWAYS_INLINE void
uma_fast_leave(intptr_t area)
{
	char *tp = (char *)__builtin_thread_pointer();

	__asm__ volatile("str xzr, [%0, #8]" ::"r"(tp + area) : "memory");
}

#endif /* which machine */

#if defined(UMA_HAS_SEQUENCES)

/* The two in code that may be unloaded: the kernel keeps nothing of it. */
UMA_ALWAYS_INLINE void *
uma_fast_take(uintptr_t caches, intptr_t area, intptr_t index)
{
	void *item = uma_fast_pop(caches, area, index);

	uma_fast_leave(area);
	return item;
}

UMA_ALWAYS_INLINE int
uma_fast_put(uintptr_t caches, intptr_t area, intptr_t index, void *item)
{
	int pushed = uma_fast_push(caches, area, index, item);

	uma_fast_leave(area);
	return pushed;
}

#endif

#ifdef __cplusplus
}
#endif

#endif /* UMA_SEQUENCE_H */
