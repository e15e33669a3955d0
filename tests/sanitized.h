/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sanitized.h - whether a sanitizer is built in
 *
 * It takes addresses by the terabyte, and pages for every page that is
 * touched.  A test of limits or of what is resident skips there, or leaves out
 * what it cannot know; programs that are about nothing else are left out by
 * their meson.build.
 */
#ifndef TESTS_SANITIZED_H
#define TESTS_SANITIZED_H

/* gcc says it by a macro of its own, clang as a feature. */
#ifdef __has_feature
#define SANITIZED_FOR(feature) __has_feature(feature)
#else
#define SANITIZED_FOR(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZED_FOR(address_sanitizer)
enum { ADDRESS_SANITIZED = 1, SLOWLY_SANITIZED = 0 };
#elif defined(__SANITIZE_THREAD__) || SANITIZED_FOR(thread_sanitizer) || \
    SANITIZED_FOR(memory_sanitizer)
/*
 * A run takes ten times as long and more: who counts runs by the hundred makes
 * fewer, and says how many.
 */
enum { ADDRESS_SANITIZED = 0, SLOWLY_SANITIZED = 1 };
#else
enum { ADDRESS_SANITIZED = 0, SLOWLY_SANITIZED = 0 };
#endif

enum { SANITIZED = ADDRESS_SANITIZED || SLOWLY_SANITIZED };

#endif /* TESTS_SANITIZED_H */
