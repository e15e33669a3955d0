/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fast.h - the hit of a plain zone, inlined into its user
 *
 * uma_fast_zalloc() and uma_fast_zfree() do what uma_zalloc() and uma_zfree()
 * do, without the call while this CPU's cache serves.  What is given up: on
 * the hit the item is not looked up, so a foreign pointer, a pointer into an
 * item and an item of another zone are seen only when the item reaches its
 * slab.  A double free on top of the bucket is still seen.
 *
 * The code knows the first line of a zone and of a per-CPU record; a program
 * built for another layout than the library's stops at load with one line.
 * On other machines than x86-64 and aarch64 these are the plain calls.
 *
 * Context:  as the plain calls; safe in code that is dlclosed.
 * Cost:     some twenty instructions each, none locked; two written lines,
 *           three on a free.
 *
 * The zone must not be NULL.
 */
#ifndef UMA_FAST_H
#define UMA_FAST_H

#include <uma/sequence.h>
#include <uma/uma.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(UMA_HAS_SEQUENCES)

__attribute__((constructor, unused)) static void
uma_fast_start(void)
{
	uma_fast_check(UMA_FAST_ABI);
}

static __inline__ void *
uma_fast_zalloc(uma_zone_t zone, int wait)
{
	const struct uma_fast_zone *z =
	    (const struct uma_fast_zone *)(const void *)zone;
	void *item;

	if ((unsigned)wait > M_WAITOK)
		return uma_zalloc(zone, wait);
	item = uma_fast_take(z->caches, z->area, z->index);
	return __builtin_expect(item != NULL, 1) ? item
						 : uma_zalloc(zone, wait);
}

static __inline__ void
uma_fast_zfree(uma_zone_t zone, void *item)
{
	const struct uma_fast_zone *z =
	    (const struct uma_fast_zone *)(const void *)zone;
	int pushed =
	    item != NULL && uma_fast_put(z->caches, z->area, z->index, item);

	if (!__builtin_expect(pushed, 1))
		uma_zfree(zone, item);
}

#else /* other machines */

static __inline__ void *
uma_fast_zalloc(uma_zone_t zone, int wait)
{
	return uma_zalloc(zone, wait);
}

static __inline__ void
uma_fast_zfree(uma_zone_t zone, void *item)
{
	uma_zfree(zone, item);
}

#endif

#ifdef __cplusplus
}
#endif

#endif /* UMA_FAST_H */
