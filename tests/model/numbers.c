/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's counters, compared with the reference's own. */
#include "model/reference.h"

#define EXPECT(zone, left, right) \
	expect(zone, #left, (long long)(left), (long long)(right))

/* What the library had before the first step. */
static struct {
	uint64_t zones;
	long blocks;
} base;

static void
expect(int zone, const char *what, long long is, long long should)
{
	if (is != should)
		play_fail(
		    "zone %d: %s is %lld, not %lld", zone, what, is, should);
}

struct uma_zone_stats
numbers_of(const struct play_zone *z)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	uma_zone_stats(z->handle, &s);
	return s;
}

/* ---- the whole library ---- */

struct walk {
	uint64_t zones;
	uint64_t slab_bytes;
	long blocks;
	unsigned ours;
	unsigned after; /* zones of ours that came before an older one */
};

/* Names end in the number of creation. */
static void
visit(const struct uma_zone_stats *s, void *arg)
{
	static unsigned long last;
	struct walk *w = arg;
	unsigned long number = 0;

	w->zones++;
	w->slab_bytes += s->slab_bytes;
	if ((s->flags & UMA_ZONE_MALLOC) != 0)
		w->blocks += (long)s->used_items;
	if (strncmp(s->name, "model ", 6) != 0)
		return;
	for (const char *c = s->name + 6; *c != '\0'; c++)
		number = number * 10 + (unsigned long)(*c - '0');
	w->after += w->ours++ != 0 && number == last;
	last = number;
}

static struct walk
walk_all(void)
{
	struct walk w = { 0 };

	uma_stats_walk(visit, &w);
	return w;
}

static long
blocks_now(const struct walk *w)
{
	struct uma_stats all = { .struct_bytes = sizeof all };

	uma_stats(&all);
	return w->blocks + (long)(all.large_allocs - all.large_frees);
}

void
numbers_start(void)
{
	struct walk w = walk_all();

	base.zones = w.zones - w.ours - types_zones();
	base.blocks = blocks_now(&w) - blocks_live();
}

void
numbers_check_all(void)
{
	struct uma_stats all = { .struct_bytes = sizeof all };
	struct walk w = walk_all();
	uint64_t ours = 0;

	for (int i = 0; i < PLAY_ZONES; i++) {
		if (play_zones[i].handle == NULL)
			continue;
		numbers_check(i);
		ours++;
	}
	uma_stats(&all);
	EXPECT(-1, w.ours, ours);
	EXPECT(-1, w.after, 0);
	EXPECT(-1, all.zones, base.zones + ours + types_zones());
	EXPECT(-1, w.zones, all.zones);
	EXPECT(-1, w.slab_bytes, all.slab_bytes);
	if (play_preloaded && !play_booting)
		EXPECT(-1, blocks_now(&w),
		    base.blocks + blocks_live() + types_live());
}

/* ---- one zone at rest ---- */

/* Items that saw init are those handed out, those cached, and some free. */
static void
check_inits(int zone, const struct uma_zone_stats *s)
{
	const struct play_zone *z = &play_zones[zone];
	long ready = z->inits - z->finis;

	if ((z->made.flags & UMA_ZONE_ZINIT) != 0)
		EXPECT(zone, z->inits, 0);
	else if (callbacks_follow(z) &&
		 (ready < (long)(s->used_items + s->cached_items) ||
		     ready > (long)(s->used_items + s->free_items)))
		play_fail("zone %d: %ld items saw init and no fini: used %llu, "
			  "cached %llu, free %llu",
		    zone, ready, (unsigned long long)s->used_items,
		    (unsigned long long)s->cached_items,
		    (unsigned long long)s->free_items);
}

/* All slabs of a zone hold the same number of items, unless it is limited. */
static void
check_slabs(int zone, const struct uma_zone_stats *s)
{
	struct play_zone *z = &play_zones[zone];
	uint64_t items = s->used_items + s->free_items;

	if (z->object) {
		if (items > (uint64_t)z->capacity)
			play_fail("zone %d: %llu items, limit %ld", zone,
			    (unsigned long long)items, z->capacity);
		return;
	}
	if (z->slab_bytes == 0)
		return;
	EXPECT(zone, items * z->slab_bytes, s->slab_bytes * z->slab_items);
}

void
numbers_check(int zone)
{
	const struct play_zone *z = &play_zones[zone];
	struct uma_zone_stats s = numbers_of(z);
	unsigned both = WITH_CTOR | WITH_DTOR;

	EXPECT(zone, s.struct_bytes, sizeof s);
	EXPECT(zone, s.item_bytes, z->made.size);
	EXPECT(zone, s.flags, z->made.flags);
	EXPECT(zone, s.limit_items, z->limit);
	EXPECT(zone, s.used_items, z->live);
	EXPECT(zone, s.allocs, z->allocs);
	EXPECT(zone, s.frees, z->frees);
	EXPECT(zone, s.fails, z->fails);
	if (s.cached_items > s.free_items)
		play_fail("zone %d: more cached than free", zone);
	if (!z->refused && !HOSTILE)
		EXPECT(zone, s.sleeps, 0);
	if ((z->made.kind & WITH_CTOR) != 0)
		EXPECT(zone, z->ctors, z->allocs);
	if ((z->made.kind & WITH_DTOR) != 0)
		EXPECT(zone, z->dtors, z->frees);
	if ((z->made.kind & both) == both)
		EXPECT(zone, z->ctors - z->dtors, z->live);
	check_inits(zone, &s);
	check_slabs(zone, &s);
}

/*
 * After an allocation: free items in slabs come before new slabs.  The first
 * slab ever tells how many items the others will have.
 */
void
numbers_after_take(int zone, const struct uma_zone_stats *before)
{
	struct play_zone *z = &play_zones[zone];
	struct uma_zone_stats s = numbers_of(z);

	if (before->free_items > before->cached_items &&
	    s.slab_bytes > before->slab_bytes)
		play_fail("zone %d grew with %llu items free in slabs", zone,
		    (unsigned long long)(before->free_items -
					 before->cached_items));
	if (before->slab_bytes == 0 && z->slab_bytes == 0 && !z->object) {
		z->slab_bytes = s.slab_bytes;
		z->slab_items = s.used_items + s.free_items;
	}
}

/* After a reclaim: nothing is cached, and only what must stay stays. */
void
numbers_check_reclaimed(void)
{
	for (int i = 0; i < PLAY_ZONES; i++) {
		const struct play_zone *z = &play_zones[i];
		unsigned keep = UMA_ZONE_NOFREE | UMA_ZONE_STATIC;
		struct uma_zone_stats s;

		if (z->handle == NULL)
			continue;
		s = numbers_of(z);
		EXPECT(i, s.cached_items, 0);
		if (z->live != 0 || (z->made.flags & keep) != 0 || z->object ||
		    (z->made.kind & (WITH_ALLOCF | WITH_FREEF)) ==
			WITH_ALLOCF ||
		    z->boot)
			continue;
		EXPECT(i, s.slab_bytes, 0);
		EXPECT(i, s.free_items, 0);
		if (callbacks_follow(z))
			EXPECT(i, z->inits, z->finis);
	}
}
