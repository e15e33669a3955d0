/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of supply: one reserved range and its bitmaps. */
#ifndef SUPPLY_REGION_H
#define SUPPLY_REGION_H

#include "base/base.h"

/* Of huge pages where pages have 4 KiB. */
#define REGION_ALIGN ((size_t)2 << 20)
#define HUGE_COUNT   (REGION_ALIGN / GRANULE)

#define REGION_NONE  SIZE_MAX
#define REGION_HINTS 32u

struct region {
	struct region *next; /* a younger one */
	char *base;
	size_t count;     /* granules */
	size_t committed; /* granules from the base on that may be touched */
	/*
	 * No free run of at least i granules begins below hints[i]; the last
	 * one is for all that is longer.  They grow with i.
	 */
	uint32_t hints[REGION_HINTS + 1];
	size_t reached; /* no granule from it on was ever used */
	size_t free_count;
	size_t dirty_count; /* free and dirty */
	bool boot;
	uint64_t *used;
	uint64_t *dirty;
	uint64_t *backed; /* of the dirty ones */
};

/* What a run's granules hold, from its first one on. */
struct region_hold {
	size_t dirty;  /* behind so many all are clean */
	size_t backed; /* so many are backed */
};

/* Describe a reserved range.  NULL without memory. */
struct region *region_new(void *base, size_t bytes);
/* Forget the description; the range is the caller's. */
void region_delete(struct region *r);
void region_append(struct region **list, struct region *r);

/*
 * Take the lowest free run of `count` granules at `align` bytes; commit it.
 * Returns its index, or REGION_NONE.
 */
size_t region_take(
    struct region *r, size_t count, size_t align, struct region_hold *hold);

/* Take exactly these; false if one is not free or beyond the end. */
bool region_take_at(
    struct region *r, size_t at, size_t count, struct region_hold *hold);

/*
 * Take the highest free dirty granules below one, and the free ones between
 * them, at most `max` in all.
 */
size_t region_take_dirty(
    struct region *r, size_t before, size_t max, size_t *count);

/* Give a run back, dirty, the first `backed` of its granules backed. */
void region_give(struct region *r, size_t at, size_t count, size_t backed);

/*
 * Open the granules of a huge page that a run, which was just taken, is the
 * first in and ends in: the rest of them is dirty.  Returns the first one's
 * index; REGION_NONE if the run is not the first, or larger.
 */
size_t region_open(struct region *r, size_t at, size_t count);

/* All that is free of the huge page at `at` is dirty, and backed. */
void region_backed(struct region *r, size_t at);

/* A free run reads as zeros. */
void region_cleaned(struct region *r, size_t at, size_t count);

#endif /* SUPPLY_REGION_H */
