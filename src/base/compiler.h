/* SPDX-License-Identifier: BSD-2-Clause */
/* base/compiler.h - the words that only gcc and clang know */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

/* Read at the definition: the path everyone takes, or the other one. */
#define UMA_FAST static inline __attribute__((always_inline))
#define UMA_SLOW __attribute__((noinline, cold))
/* A function that is little more than a hit: it begins a line of the cache. */
#define UMA_HIT  __attribute__((aligned(CACHE_LINE)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define UMA_NODISCARD __attribute__((warn_unused_result))

/* Visible outside the shared library. */
#ifndef UMA_EXPORT
#define UMA_EXPORT __attribute__((visibility("default")))
#endif

/*
 * Lock facts, checked by clang -Wthread-safety; nothing elsewhere.  It does not
 * look into a function that tries or keeps, only at its callers.
 */
#if defined(__clang__)
#define UMA_TSA(x) __attribute__((x))
#else
#define UMA_TSA(x)
#endif
#define UMA_LOCKABLE(name) UMA_TSA(capability(name))
#define UMA_ACQUIRES(...)  UMA_TSA(acquire_capability(__VA_ARGS__))
#define UMA_TRIES(...)     UMA_TSA(try_acquire_capability(__VA_ARGS__))
#define UMA_RELEASES(...)  UMA_TSA(release_capability(__VA_ARGS__))
#define UMA_REQUIRES(...)  UMA_TSA(requires_capability(__VA_ARGS__))

/* Called with the lock, which it still has if it returns `value`. */
#define UMA_KEEPS(value, lock) UMA_RELEASES(lock) UMA_TRIES(value, lock)

/* A field, by a lock that is declared before its structure. */
#define UMA_GUARDED(lock) UMA_TSA(guarded_by(lock))
/* By one that comes before it in the same structure: clang 14 finds no such. */
#if defined(__clang__) && __clang_major__ >= 19
#define UMA_GUARDED_BESIDE(lock) UMA_TSA(guarded_by(lock))
#else
#define UMA_GUARDED_BESIDE(lock)
#endif

/* The comment above says why, behind `unchecked:`; check-tidy wants it. */
#define UMA_UNCHECKED_LOCKS UMA_TSA(no_thread_safety_analysis)

#define CACHE_LINE 64

/* Whether a sanitizer of threads is built in, which sees no assembler. */
#if defined(__SANITIZE_THREAD__)
#define UMA_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UMA_THREAD_SANITIZED 1
#endif
#endif
#ifndef UMA_THREAD_SANITIZED
#define UMA_THREAD_SANITIZED 0
#endif

/*
 * A relaxed load of a word that does not change while its value matters.
 * Compilers fold a plain load into the instruction that uses it, and an atomic
 * one they do not; the thread sanitizer wants to be told.
 */
#if UMA_THREAD_SANITIZED
#define load_settled(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#else
#define load_settled(p) (*(p))
#endif

#endif /* BASE_COMPILER_H */
