/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile.h - whether the library was built to be hostile
 *
 * A hostile build (src/base/config.h) has slabs of three items and refuses
 * memory that there is, but never twice in a row to one thread, and never to
 * malloc: whoever must have an item asks again.
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#if defined(UMA_HOSTILE) && UMA_HOSTILE
enum { HOSTILE = 1 };
#else
enum { HOSTILE = 0 };
#endif

#endif /* TESTS_HOSTILE_H */
