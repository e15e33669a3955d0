/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plant - defects put between the player and the library
 *
 * The linker sends the player's calls through here.  MODEL_PLANT names the
 * one defect that is active; see plants_test.py.
 */
#include <stdlib.h>
#include <string.h>
#include <uma/stats.h>
#include <uma/uma.h>

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
	int answer = __real_uma_zdestroy(zone, wait);

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
