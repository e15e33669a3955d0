/* SPDX-License-Identifier: BSD-2-Clause */
#include "supply/region.h"

#include "meta/meta.h"
#include "pagemap/pagemap.h"
#include "port/port.h"

/* Granules made accessible at a time. */
#define COMMIT_STEP ((size_t)32)

static bool
get(const uint64_t *map, size_t i)
{
	return (map[i / BITS_PER_WORD] >> (i % BITS_PER_WORD) & 1) != 0;
}

/* Set or clear bits; returns how many of them changed. */
static size_t
put(uint64_t *map, size_t at, size_t count, bool value)
{
	size_t changed = 0;

	for (size_t i = at; i < at + count; i++) {
		uint64_t bit = UINT64_C(1) << (i % BITS_PER_WORD);
		uint64_t *word = &map[i / BITS_PER_WORD];

		changed += ((*word & bit) != 0) != value;
		*word = value ? *word | bit : *word & ~bit;
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
	r->used = meta_take(2 * map_bytes(count), META_NORMAL);
	if (r->used == NULL) {
		meta_give(r, sizeof(*r), META_NORMAL);
		return NULL;
	}
	r->dirty = r->used + map_bytes(count) / sizeof(uint64_t);
	r->base = base;
	r->count = count;
	r->free_count = count;
	return r;
}

void
region_delete(struct region *r)
{
	meta_give(r->used, 2 * map_bytes(r->count), META_NORMAL);
	meta_give(r, sizeof(*r), META_NORMAL);
}

void
region_insert(struct region **list, struct region *r)
{
	while (*list != NULL && (*list)->base < r->base)
		list = &(*list)->next;
	r->next = *list;
	*list = r;
}

/* The lowest free run, or REGION_NONE. */
static size_t
find(const struct region *r, size_t count, size_t align)
{
	size_t step = align / GRANULE;
	size_t at = r->hint;
	size_t n;

	while (at + count <= r->count) {
		size_t skew = ((uintptr_t)r->base / GRANULE + at) % step;

		if (skew != 0) {
			at += step - skew;
			continue;
		}
		if (at % BITS_PER_WORD == 0 &&
		    r->used[at / BITS_PER_WORD] == UINT64_MAX) {
			at += BITS_PER_WORD;
			continue;
		}
		for (n = 0; n < count && !get(r->used, at + n); n++)
			;
		if (n == count)
			return at;
		at += n + 1;
	}
	return REGION_NONE;
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
static bool
claim(struct region *r, size_t at, size_t count)
{
	size_t dirty = 0;

	for (size_t i = at; i < at + count; i++)
		dirty += get(r->dirty, i);
	put(r->used, at, count, true);
	put(r->dirty, at, count, false);
	r->dirty_count -= dirty;
	r->free_count -= count;
	if (at == r->hint)
		r->hint = at + count;
	return dirty != 0;
}

size_t
region_take(struct region *r, size_t count, size_t align, bool *dirty)
{
	size_t at;

	if (r->free_count < count)
		return REGION_NONE;
	at = find(r, count, align);
	if (at == REGION_NONE || !commit(r, at + count))
		return REGION_NONE;
	*dirty = claim(r, at, count);
	return at;
}

bool
region_take_at(struct region *r, size_t at, size_t count)
{
	if (at + count > r->count)
		return false;
	for (size_t i = at; i < at + count; i++) {
		if (get(r->used, i))
			return false;
	}
	if (!commit(r, at + count))
		return false;
	(void)claim(r, at, count);
	return true;
}

size_t
region_take_dirty(struct region *r, size_t max, size_t *count)
{
	size_t end = r->committed;

	if (r->dirty_count == 0)
		return REGION_NONE;
	while (end > 0 && !get(r->dirty, end - 1)) {
		size_t word = (end - 1) / BITS_PER_WORD;

		end = r->dirty[word] == 0 ? word * BITS_PER_WORD : end - 1;
	}
	*count = 0;
	while (*count < max && *count < end && get(r->dirty, end - *count - 1))
		(*count)++;
	if (*count == 0)
		return REGION_NONE;
	(void)claim(r, end - *count, *count);
	return end - *count;
}

void
region_give(struct region *r, size_t at, size_t count)
{
	size_t was_used = put(r->used, at, count, false);

	UMA_ASSERT(was_used == count);
	r->free_count += was_used;
	r->dirty_count += put(r->dirty, at, count, true);
	r->hint = min_size(r->hint, at);
}

void
region_cleaned(struct region *r, size_t at, size_t count)
{
	r->dirty_count -= put(r->dirty, at, count, false);
}
