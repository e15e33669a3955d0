/* SPDX-License-Identifier: BSD-2-Clause */
#include "supply/region.h"

#include "meta/meta.h"
#include "pagemap/pagemap.h"
#include "port/port.h"

/* Granules made accessible at a time. */
#define COMMIT_STEP HUGE_COUNT

#define MAPS 3

/* The bits of a word that lie in [at, end), which is not empty. */
UMA_FAST uint64_t
span(size_t at, size_t end)
{
	return UINT64_MAX >> (BITS_PER_WORD - (end - at))
				 << (at % BITS_PER_WORD);
}

/* Where the word of `at` ends, or `end`. */
UMA_FAST size_t
word_end(size_t at, size_t end)
{
	return min_size(round_down(at, BITS_PER_WORD) + BITS_PER_WORD, end);
}

/* The first bit of this value in [at, end), or `end`. */
UMA_FAST size_t
next(const uint64_t *map, size_t at, size_t end, bool value)
{
	const uint64_t flip = value ? 0 : UINT64_MAX;
	size_t w = at / BITS_PER_WORD;
	uint64_t word;

	if (at >= end)
		return end;
	word = (map[w] ^ flip) & UINT64_MAX << (at % BITS_PER_WORD);
	while (word == 0) {
		if (++w * BITS_PER_WORD >= end)
			return end;
		word = map[w] ^ flip;
	}
	return min_size(w * BITS_PER_WORD + lowest_bit(word), end);
}

/* One more than the last bit that is set in [at, end), or `at`. */
static size_t
last(const uint64_t *map, size_t at, size_t end)
{
	while (end > at) {
		size_t first = round_down(end - 1, BITS_PER_WORD);
		size_t from = max_size(first, at);
		uint64_t word = map[from / BITS_PER_WORD] & span(from, end);

		if (word != 0)
			return first + highest_bit(word) + 1;
		end = from;
	}
	return at;
}

/* Set or clear bits; returns how many of them changed. */
static size_t
put(uint64_t *map, size_t at, size_t count, bool value)
{
	size_t end = at + count;
	size_t changed = 0;

	for (size_t to; at < end; at = to) {
		uint64_t *word = &map[at / BITS_PER_WORD];
		uint64_t mask;

		to = word_end(at, end);
		mask = span(at, to);
		changed += count_bits((value ? ~*word : *word) & mask);
		*word = value ? *word | mask : *word & ~mask;
	}
	return changed;
}

static size_t
map_bytes(size_t count)
{
	return div_up(count, BITS_PER_WORD) * sizeof(uint64_t);
}

struct region *
region_new(void *base, size_t bytes)
{
	size_t count = bytes / GRANULE;
	struct region *r = meta_take(sizeof(*r), META_NORMAL);

	if (r == NULL)
		return NULL;
	r->used = meta_take(MAPS * map_bytes(count), META_NORMAL);
	if (r->used == NULL) {
		meta_give(r, sizeof(*r), META_NORMAL);
		return NULL;
	}
	r->dirty = r->used + map_bytes(count) / sizeof(uint64_t);
	r->backed = r->dirty + map_bytes(count) / sizeof(uint64_t);
	r->base = base;
	r->count = count;
	r->free_count = count;
	return r;
}

void
region_delete(struct region *r)
{
	meta_give(r->used, MAPS * map_bytes(r->count), META_NORMAL);
	meta_give(r, sizeof(*r), META_NORMAL);
}

void
region_append(struct region **list, struct region *r)
{
	while (*list != NULL)
		list = &(*list)->next;
	*list = r;
}

/* No free run of so many granules begins below `at`. */
static void
raise_hints(struct region *r, size_t count, size_t at)
{
	for (size_t i = count; i <= REGION_HINTS && r->hints[i] < at; i++)
		r->hints[i] = (uint32_t)at;
}

/* One of so many begins at `at`. */
static void
lower_hints(struct region *r, size_t count, size_t at)
{
	size_t i = min_size(count, REGION_HINTS);

	for (; i > 0 && r->hints[i] > at; i--)
		r->hints[i] = (uint32_t)at;
}

/*
 * These granules became free, and are one run with their neighbours.  Of one
 * that was longer before than there are hints these know already.
 */
static void
join_run(struct region *r, size_t at, size_t count)
{
	size_t end = at + count;
	size_t most = min_size(end + REGION_HINTS, r->count);
	size_t from = last(r->used, at - min_size(at, REGION_HINTS), at);

	lower_hints(r, next(r->used, end, most, true) - from, from);
}

/* The lowest free run, or REGION_NONE. */
static size_t
find(const struct region *r, size_t count, size_t align)
{
	size_t step = align / GRANULE;
	size_t base = (uintptr_t)r->base / GRANULE;
	size_t at = r->hints[min_size(count, REGION_HINTS)];
	size_t end;

	for (;;) {
		at = next(r->used, at, r->count, false);
		at = round_up(base + at, step) - base;
		if (at >= r->count || count > r->count - at)
			return REGION_NONE;
		end = next(r->used, at, at + count, true);
		if (end == at + count)
			return at;
		at = end + 1;
	}
}

static bool
commit(struct region *r, size_t end)
{
	size_t to =
	    min_size(max_size(end, round_up(end, COMMIT_STEP)), r->count);

	if (end <= r->committed)
		return true;
	if (!port_commit(r->base + r->committed * GRANULE,
		(to - r->committed) * GRANULE)) {
		to = end;
		if (!port_commit(r->base + r->committed * GRANULE,
			(to - r->committed) * GRANULE))
			return false;
	}
	r->committed = to;
	return true;
}

/* The run is free and committed: make it used. */
static struct region_hold
claim(struct region *r, size_t at, size_t count)
{
	size_t end = at + count;
	struct region_hold hold = { 0, count };

	for (size_t from = at, to; from < end; from = to) {
		size_t w = from / BITS_PER_WORD;
		size_t first = w * BITS_PER_WORD;
		uint64_t mask;
		uint64_t dirty;
		uint64_t bare;

		to = word_end(from, end);
		mask = span(from, to);
		dirty = r->dirty[w] & mask;
		bare = ~r->backed[w] & mask;
		if (dirty != 0) {
			hold.dirty = first + highest_bit(dirty) + 1 - at;
			r->dirty_count -=
			    dirty == mask ? to - from : count_bits(dirty);
		}
		if (bare != 0)
			hold.backed = min_size(
			    hold.backed, first + lowest_bit(bare) - at);
		r->dirty[w] &= ~mask;
		r->backed[w] &= ~mask;
		r->used[w] |= mask;
	}
	r->reached = max_size(r->reached, end);
	r->free_count -= count;
	return hold;
}

size_t
region_take(
    struct region *r, size_t count, size_t align, struct region_hold *hold)
{
	size_t at;

	if (r->free_count < count)
		return REGION_NONE;
	at = find(r, count, align);
	/* Alignment leaves runs out that are long enough. */
	if (align == GRANULE)
		raise_hints(r, count, at == REGION_NONE ? r->count : at);
	if (at == REGION_NONE || !commit(r, at + count))
		return REGION_NONE;
	*hold = claim(r, at, count);
	return at;
}

bool
region_take_at(
    struct region *r, size_t at, size_t count, struct region_hold *hold)
{
	if (count > r->count - at ||
	    next(r->used, at, at + count, true) != at + count)
		return false;
	if (!commit(r, at + count))
		return false;
	*hold = claim(r, at, count);
	return true;
}

size_t
region_take_dirty(struct region *r, size_t before, size_t max, size_t *count)
{
	size_t end;
	size_t start;

	if (r->dirty_count == 0)
		return REGION_NONE;
	/* What is clean and free in between may be forgotten once more. */
	end = last(r->dirty, 0, min_size(before, r->committed));
	if (end == 0)
		return REGION_NONE;
	start = last(r->used, 0, end);
	if (end - start > max)
		start = end - max;
	start = next(r->dirty, start, end, true);
	*count = end - start;
	(void)claim(r, start, *count);
	return start;
}

void
region_give(struct region *r, size_t at, size_t count, size_t backed)
{
	size_t end = at + count;

	for (size_t from = at, to; from < end; from = to) {
		size_t w = from / BITS_PER_WORD;
		uint64_t mask;

		to = word_end(from, end);
		mask = span(from, to);
		UMA_ASSERT((r->used[w] & mask) == mask);
		r->used[w] &= ~mask;
		r->dirty[w] |= mask;
	}
	put(r->backed, at, backed, true);
	r->free_count += count;
	r->dirty_count += count;
	join_run(r, at, count);
}

void
region_cleaned(struct region *r, size_t at, size_t count)
{
	r->dirty_count -= put(r->dirty, at, count, false);
}

size_t
region_open(struct region *r, size_t at, size_t count)
{
	size_t first = (at + count - 1) / HUGE_COUNT * HUGE_COUNT;
	size_t end = at + count;
	size_t rest = first + HUGE_COUNT - end;

	if (first < at || count >= HUGE_COUNT || r->reached != end ||
	    r->committed < first + HUGE_COUNT)
		return REGION_NONE;
	r->dirty_count += put(r->dirty, end, rest, true);
	r->reached = end + rest;
	return first;
}

void
region_backed(struct region *r, size_t at)
{
	size_t w = at / BITS_PER_WORD;
	uint64_t free;

	_Static_assert(BITS_PER_WORD % HUGE_COUNT == 0, "all in one word");
	free = ~r->used[w] & span(at, at + HUGE_COUNT);
	r->dirty_count += count_bits(free & ~r->dirty[w]);
	r->dirty[w] |= free;
	r->backed[w] |= free;
}
