/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * introspect.c - what glibc's malloc tells of itself and lets one set
 *
 * glibc's words for memory fit a heap of zones like this:
 *
 *	arena     slabs of the malloc zones, and free runs kept for reuse
 *	uordblks  the part of arena in the program's hands
 *	fordblks  the rest: uordblks + fordblks == arena, always
 *	keepcost  the free runs: the part of fordblks that goes back first
 *	hblks     blocks above the size classes, in number
 *	hblkhd    and in bytes; no part of arena
 *	ordblks   free items in the slabs, in number
 *
 * There are no fast bins and no arenas to choose, so the rest is zero.
 */
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include <uma/stats.h>

#include "libc/libc.h"

/* Typed zones of the program are not malloc's: a walk leaves them out. */
static void
add_zone(const struct uma_zone_stats *zone, void *arg)
{
	struct mallinfo2 *sum = arg;

	if ((zone->flags & UMA_ZONE_MALLOC) == 0)
		return;
	sum->arena += zone->slab_bytes;
	sum->uordblks += zone->used_items * zone->item_bytes;
	sum->ordblks += zone->free_items;
}

UMA_EXPORT struct mallinfo2
mallinfo2(void)
{
	struct mallinfo2 sum = { 0 };
	struct uma_stats all;

	uma_stats(&all);
	uma_stats_walk(add_zone, &sum);
	sum.arena += all.cached_bytes;
	sum.keepcost = all.cached_bytes;
	sum.hblks = all.large_allocs - all.large_frees;
	sum.hblkhd = all.large_bytes;

	/* Each zone is read at a moment of its own while others allocate. */
	sum.uordblks = min_size(sum.uordblks, sum.arena - sum.keepcost);
	sum.fordblks = sum.arena - sum.uordblks;
	return sum;
}

/* What does not fit the old structure is shown as the most it can say. */
static int
clamp(size_t n)
{
	return n > INT_MAX ? INT_MAX : (int)n;
}

UMA_EXPORT struct mallinfo
mallinfo(void)
{
	struct mallinfo2 m = mallinfo2();

	return (struct mallinfo){
		.arena = clamp(m.arena),
		.ordblks = clamp(m.ordblks),
		.hblks = clamp(m.hblks),
		.hblkhd = clamp(m.hblkhd),
		.uordblks = clamp(m.uordblks),
		/* The sum of the two holds for the clamped numbers too. */
		.fordblks = clamp(m.arena) - clamp(m.uordblks),
		.keepcost = clamp(m.keepcost),
	};
}

/* Bytes that can be resident, whoever holds them. */
static uint64_t
held_bytes(const struct uma_stats *s)
{
	return s->slab_bytes + s->large_bytes + s->cached_bytes;
}

/*
 * There is no top of a heap to leave `pad` bytes on: all unused memory goes.
 */
UMA_EXPORT int
malloc_trim(size_t pad)
{
	struct uma_stats before;
	struct uma_stats after;

	(void)pad;
	uma_stats(&before);
	uma_reclaim();
	uma_stats(&after);
	return held_bytes(&after) < held_bytes(&before) ||
	       after.mapped_bytes < before.mapped_bytes;
}

struct sizes {
	FILE *out;
	size_t below; /* the largest item of the zone before */
};

static void
print_zone(const struct uma_zone_stats *zone, void *arg)
{
	struct sizes *sizes = arg;
	size_t bytes = zone->item_bytes;

	if ((zone->flags & UMA_ZONE_MALLOC) == 0)
		return;
	if (zone->free_items != 0) {
		fprintf(sizes->out,
		    "  <size from=\"%zu\" to=\"%zu\" total=\"%zu\" "
		    "count=\"%zu\"/>\n",
		    sizes->below + 1, bytes, (size_t)zone->free_items * bytes,
		    (size_t)zone->free_items);
	}
	sizes->below = bytes;
}

/* No peak is kept: the largest size known is the one of now. */
static void
print_system(FILE *out, size_t bytes)
{
	fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n", bytes);
	fprintf(out, "<system type=\"max\" size=\"%zu\"/>\n", bytes);
	fprintf(out, "<aspace type=\"total\" size=\"%zu\"/>\n", bytes);
	fprintf(out, "<aspace type=\"mprotect\" size=\"%zu\"/>\n", bytes);
}

static void
print_total(FILE *out, const char *type, size_t count, size_t bytes)
{
	fprintf(out, "<total type=\"%s\" count=\"%zu\" size=\"%zu\"/>\n", type,
	    count, bytes);
}

UMA_EXPORT int
malloc_info(int options, FILE *out)
{
	struct mallinfo2 m;
	struct sizes sizes = { .out = out };

	/* glibc returns the error; its manual says that errno has it. */
	if (options != 0)
		return errno = EINVAL;
	m = mallinfo2();
	fprintf(out, "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n");
	uma_stats_walk(print_zone, &sizes);
	fprintf(out, "</sizes>\n");
	print_total(out, "fast", 0, 0);
	print_total(out, "rest", m.ordblks, m.fordblks);
	print_system(out, m.arena);
	fprintf(out, "</heap>\n");
	print_total(out, "fast", 0, 0);
	print_total(out, "rest", m.ordblks, m.fordblks);
	print_total(out, "mmap", m.hblks, m.hblkhd);
	print_system(out, m.arena + m.hblkhd);
	fprintf(out, "</malloc>\n");
	return 0;
}

static void
print_line(const char *what, size_t n)
{
	fprintf(stderr, "%-16s = %10zu\n", what, n);
}

UMA_EXPORT void
malloc_stats(void)
{
	struct mallinfo2 m = mallinfo2();

	fprintf(stderr, "Arena 0:\n");
	print_line("system bytes", m.arena);
	print_line("in use bytes", m.uordblks);
	fprintf(stderr, "Total (incl. mmap):\n");
	print_line("system bytes", m.arena + m.hblkhd);
	print_line("in use bytes", m.uordblks + m.hblkhd);
	print_line("mmap regions", m.hblks);
	print_line("mmap bytes", m.hblkhd);
}

/*
 * Nothing here has a counterpart in this library.  Programs that set a knob
 * check that glibc knew it, so a known one is accepted, whatever its value.
 */
UMA_EXPORT int
mallopt(int param, int value)
{
	(void)value;
	switch (param) {
	case M_MXFAST:
	case M_NLBLKS:
	case M_GRAIN:
	case M_KEEP:
	case M_TRIM_THRESHOLD:
	case M_TOP_PAD:
	case M_MMAP_THRESHOLD:
	case M_MMAP_MAX:
	case M_CHECK_ACTION:
	case M_PERTURB:
	case M_ARENA_TEST:
	case M_ARENA_MAX:
		return 1;
	default:
		return 0;
	}
}
