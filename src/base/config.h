/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/config.h - every build choice, its default, its range
 *
 * Each is always defined and is tested with `if`, not `#if`: the compiler
 * reads both branches in every build and drops one.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#ifndef UMA_CHECKED
#define UMA_CHECKED 0 /* the library's own asserts */
#endif
#ifndef UMA_HOSTILE
#define UMA_HOSTILE 0 /* tiny constants, refused supply: for tests */
#endif

/* Items in the largest bucket: the per-CPU word has eight bits for them. */
#define UMA_BUCKET_MAX (UMA_HOSTILE ? 2 : 254)

_Static_assert(UMA_CHECKED == 0 || UMA_CHECKED == 1, "0 or 1");
_Static_assert(UMA_HOSTILE == 0 || UMA_HOSTILE == 1, "0 or 1");

#endif /* BASE_CONFIG_H */
