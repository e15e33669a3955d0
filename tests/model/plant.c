/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plant - defects put between the player and the library
 *
 * The linker sends the player's calls through here.  MODEL_PLANT names the
 * one defect that is active; see plants_test.py.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <uma/malloc9.h>
#include <uma/stats.h>
#define UMA_VM_ZONE_PREFIXED
#include <uma/vm_zone.h>

#include "model/reference.h"

/* What the linker makes of the names. */
void *__real_uma_zalloc(uma_zone_t zone, int wait);
void *__wrap_uma_zalloc(uma_zone_t zone, int wait);
void *__real_uma_zalloc_arg(uma_zone_t zone, void *arg, int wait);
void *__wrap_uma_zalloc_arg(uma_zone_t zone, void *arg, int wait);
void __real_uma_zfree(uma_zone_t zone, void *item);
void __wrap_uma_zfree(uma_zone_t zone, void *item);
int __real_uma_zdestroy(uma_zone_t zone, int wait);
int __wrap_uma_zdestroy(uma_zone_t zone, int wait);
void __real_uma_prealloc(uma_zone_t zone, int count);
void __wrap_uma_prealloc(uma_zone_t zone, int count);
void __real_uma_reclaim(void);
void __wrap_uma_reclaim(void);
void __real_uma_zone_stats(uma_zone_t zone, struct uma_zone_stats *out);
void __wrap_uma_zone_stats(uma_zone_t zone, struct uma_zone_stats *out);
uma_zone_t __real_uma_zcreate(const char *name, int size, uma_ctor ctor,
    uma_dtor dtor, uma_init uminit, uma_fini fini, int align, uint16_t flags);
uma_zone_t __wrap_uma_zcreate(const char *name, int size, uma_ctor ctor,
    uma_dtor dtor, uma_init uminit, uma_fini fini, int align, uint16_t flags);
void *__real_inlined_zalloc(uma_zone_t zone, int wait);
void *__wrap_inlined_zalloc(uma_zone_t zone, int wait);
void __real_inlined_zfree(uma_zone_t zone, void *item);
void __wrap_inlined_zfree(uma_zone_t zone, void *item);
void *__real_uma_malloc(size_t size, struct malloc_type *type, int flags);
void *__wrap_uma_malloc(size_t size, struct malloc_type *type, int flags);
void *__real_uma_realloc(
    void *block, size_t size, struct malloc_type *type, int flags);
void *__wrap_uma_realloc(
    void *block, size_t size, struct malloc_type *type, int flags);
void __real_uma_mfree(void *block, struct malloc_type *type);
void __wrap_uma_mfree(void *block, struct malloc_type *type);
vm_zone_t __real_uma_vm_zinit(
    const char *name, int size, int nentries, int flags, int zalloc);
vm_zone_t __wrap_uma_vm_zinit(
    const char *name, int size, int nentries, int flags, int zalloc);
void *__real_uma_vm_zalloc(vm_zone_t zone);
void *__wrap_uma_vm_zalloc(vm_zone_t zone);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
size_t __real_malloc_usable_size(void *block);
size_t __wrap_malloc_usable_size(void *block);

static int
is_planted(const char *defect)
{
	const char *planted = getenv("MODEL_PLANT");

	return planted != NULL && strcmp(planted, defect) == 0;
}

/* True every n-th time that it is asked about a defect that is planted. */
static int
is_due(const char *defect, unsigned n)
{
	static unsigned asked;

	return is_planted(defect) && ++asked % n == 0;
}

void *
__wrap_uma_zalloc(uma_zone_t zone, int wait)
{
	static char *last;
	static uma_zone_t last_zone;
	char *item;

	if (is_due("twice", 40) && zone == last_zone)
		return last;
	if (is_due("null", 200) && (wait & M_NOWAIT) != 0)
		return NULL;
	if (is_planted("not zeroed") && wait != 0)
		wait &= ~M_ZERO;
	if (is_planted("no wait"))
		wait = (wait & ~M_WAITOK) | M_NOWAIT;
	item = __real_uma_zalloc(zone, wait);
	if (item != NULL && is_due("misaligned", 50))
		return item + 1;
	if (item != NULL && last != NULL && is_due("written to", 60))
		last[0]++;
	last = item;
	last_zone = zone;
	return item;
}

void *
__wrap_uma_zalloc_arg(uma_zone_t zone, void *arg, int wait)
{
	return __real_uma_zalloc_arg(
	    zone, is_planted("no arg") ? NULL : arg, wait);
}

void
__wrap_uma_zfree(uma_zone_t zone, void *item)
{
	if (is_due("lost", 30))
		return;
	__real_uma_zfree(zone, item);
}

int
__wrap_uma_zdestroy(uma_zone_t zone, int wait)
{
	int answer = EWOULDBLOCK;

	if (wait == M_NOWAIT || !is_planted("waits for nobody"))
		answer = __real_uma_zdestroy(zone, wait);
	return is_planted("destroyed in use") ? 0 : answer;
}

void
__wrap_uma_prealloc(uma_zone_t zone, int count)
{
	if (!is_planted("too few") || count == 1)
		__real_uma_prealloc(zone, count);
}

void
__wrap_uma_reclaim(void)
{
	if (!is_planted("no reclaim"))
		__real_uma_reclaim();
}

void
__wrap_uma_zone_stats(uma_zone_t zone, struct uma_zone_stats *out)
{
	__real_uma_zone_stats(zone, out);
	if (is_planted("miscounted") && out->used_items > 60)
		out->used_items--;
	if (is_planted("no fails"))
		out->fails = 0;
}

uma_zone_t
__wrap_uma_zcreate(const char *name, int size, uma_ctor ctor, uma_dtor dtor,
    uma_init uminit, uma_fini fini, int align, uint16_t flags)
{
	if (is_planted("no fini"))
		fini = NULL;
	if (is_planted("no dtor"))
		dtor = NULL;
	if (is_planted("no pageable"))
		flags |= UMA_ZONE_PAGEABLE;
	if (is_planted("not static"))
		flags &= (uint16_t)~UMA_ZONE_STATIC;
	if (is_planted("small"))
		size = size > 64 ? size - 8 : size;
	return __real_uma_zcreate(
	    name, size, ctor, dtor, uminit, fini, align, flags);
}

/* ---- the inlined hits ---- */

void *
__wrap_inlined_zalloc(uma_zone_t zone, int wait)
{
	static void *last;
	static uma_zone_t last_zone;

	if (is_due("fast twice", 20) && zone == last_zone)
		return last;
	last = __real_inlined_zalloc(zone, wait);
	last_zone = zone;
	return last;
}

void
__wrap_inlined_zfree(uma_zone_t zone, void *item)
{
	if (!is_due("fast lost", 30))
		__real_inlined_zfree(zone, item);
}

/* ---- malloc(9) ---- */

void *
__wrap_uma_malloc(size_t size, struct malloc_type *type, int flags)
{
	return __real_uma_malloc(
	    size, is_planted("another type") ? uma_m_temp : type, flags);
}

/* What is copied lacks its last byte. */
static void
lose_tail(void *block, size_t was, size_t is)
{
	size_t kept = was < is ? was : is;

	if (block != NULL && kept != 0)
		((unsigned char *)block)[kept - 1] ^= 1;
}

void *
__wrap_uma_realloc(
    void *block, size_t size, struct malloc_type *type, int flags)
{
	size_t was = uma_malloc_usable_size(block);
	void *moved = __real_uma_realloc(block, size, type, flags);

	if (block != NULL && is_planted("typed tail"))
		lose_tail(moved, was, size);
	return moved;
}

void
__wrap_uma_mfree(void *block, struct malloc_type *type)
{
	if (!is_planted("typed lost"))
		__real_uma_mfree(block, type);
}

/* ---- vm_zone(9) ---- */

vm_zone_t
__wrap_uma_vm_zinit(
    const char *name, int size, int nentries, int flags, int zalloc)
{
	return __real_uma_vm_zinit(
	    name, size, nentries + is_planted("over the limit"), flags, zalloc);
}

void *
__wrap_uma_vm_zalloc(vm_zone_t zone)
{
	static void *last;
	static vm_zone_t last_zone;

	if (is_due("early reuse", 2) && zone == last_zone)
		return last;
	last = __real_uma_vm_zalloc(zone);
	last_zone = zone;
	return last;
}

/* ---- the malloc family ---- */

void *
__wrap_realloc(void *block, size_t size)
{
	size_t was = __real_malloc_usable_size(block);
	void *moved = __real_realloc(block, size);

	if (is_planted("tail"))
		lose_tail(moved, was, size);
	return moved;
}

size_t
__wrap_malloc_usable_size(void *block)
{
	size_t usable = __real_malloc_usable_size(block);

	return is_planted("less usable") ? usable / 2 : usable;
}
