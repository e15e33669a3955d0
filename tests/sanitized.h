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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#elif !defined(__has_feature)
enum { SANITIZED = 0 };
#elif __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

#if defined(__SANITIZE_ADDRESS__)
enum { ADDRESS_SANITIZED = 1 };
#elif !defined(__has_feature)
enum { ADDRESS_SANITIZED = 0 };
#elif __has_feature(address_sanitizer)
enum { ADDRESS_SANITIZED = 1 };
#else
enum { ADDRESS_SANITIZED = 0 };
#endif

/*
 * Under these two a run takes ten times as long and more: who counts runs by
 * the hundred makes fewer, and says how many.
 */
#if defined(__SANITIZE_THREAD__)
enum { SLOWLY_SANITIZED = 1 };
#elif !defined(__has_feature)
enum { SLOWLY_SANITIZED = 0 };
#elif __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
enum { SLOWLY_SANITIZED = 1 };
#else
enum { SLOWLY_SANITIZED = 0 };
#endif

#endif /* TESTS_SANITIZED_H */
