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

#ifndef UMA_WATCH
#define UMA_WATCH 1 /* tools are told of items unless the user says not to */
#endif

/* Items in the largest bucket: the per-CPU word has eight bits for them. */
#define UMA_BUCKET_MAX (UMA_HOSTILE ? 2 : 254)

/*
 * What else a hostile build changes, so that what is rare happens all the
 * time.  tests/unit/base/hostile_test.c sees each of them take effect.
 *
 *	UMA_SLAB_ITEMS_MAX     items in the largest slab
 *	UMA_REFUSE_EVERY       supply_take() refuses one in so many of a thread
 *	UMA_DISOWN_EVERY       one miss in so many finds its record taken away
 *	UMA_WORD_ALLOCS_FIRST  where a word's count of allocations starts: two
 *	                       before the 48 bits wrap
 *	UMA_FREED_FIRST        where a zone's count of frees starts, likewise
 *	UMA_FOLD_EVENTS        what a counter of malloc(9) starts below its
 *	                       overflow, with one event in it
 *	UMA_PAUSE_MIN_NS       the first sleep of who waits for memory: refusals
 *	                       end by themselves
 */
#define UMA_SLAB_ITEMS_MAX    (UMA_HOSTILE ? 3u : UINT32_MAX)
#define UMA_REFUSE_EVERY      (UMA_HOSTILE ? 3u : UINT32_MAX)
#define UMA_DISOWN_EVERY      (UMA_HOSTILE ? 3u : UINT32_MAX)
#define UMA_WORD_ALLOCS_FIRST (UMA_HOSTILE ? (UINT64_C(1) << 48) - 2 : 0u)
#define UMA_FREED_FIRST       (UMA_HOSTILE ? UINT32_MAX - 1 : 0u)
#define UMA_FOLD_EVENTS       (UMA_HOSTILE ? 3u : 512u)
#define UMA_PAUSE_MIN_NS      (UMA_HOSTILE ? UINT64_C(1000) : UINT64_C(1000000))

_Static_assert(UMA_CHECKED == 0 || UMA_CHECKED == 1, "0 or 1");
_Static_assert(UMA_HOSTILE == 0 || UMA_HOSTILE == 1, "0 or 1");
_Static_assert(UMA_WATCH == 0 || UMA_WATCH == 1, "0 or 1");

#endif /* BASE_CONFIG_H */
