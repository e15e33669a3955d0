/* SPDX-License-Identifier: BSD-2-Clause */
/* A record's two buckets, while its CPU's thread owns it: see zone.h. */
#include "zone/inner.h"

unsigned
zone_bucket_items(struct uma_zone *zone)
{
	return atomic_load_explicit(&zone->bucket_items, memory_order_relaxed);
}

/*
 * Twice as many, but no more than this part of the zone's items: one that only
 * grows would have more in its caches than it uses of them.
 */
#define BUCKET_PART 4

/* relaxed: racing misses may count as one. */
void
zone_bucket_more(struct uma_zone *zone)
{
	unsigned items = zone_bucket_items(zone);
	size_t most = min_size(
	    zone->bucket_items_max, tally_get(&zone->keg.items) / BUCKET_PART);

	if (items < most)
		atomic_store_explicit(&zone->bucket_items,
		    (unsigned)min_size(2 * items, most), memory_order_relaxed);
}

static void
add_moved(struct cache *c, int64_t items)
{
	/* relaxed: one writer, the owner. */
	atomic_store_explicit(&c->moved,
	    atomic_load_explicit(&c->moved, memory_order_relaxed) + items,
	    memory_order_relaxed);
}

static unsigned
spare_count(const struct cache *c)
{
	return atomic_load_explicit(&c->spare_count, memory_order_relaxed);
}

static void
set_spare(struct cache *c, struct bucket *b, unsigned count)
{
	c->spare = b;
	atomic_store_explicit(&c->spare_count, count, memory_order_relaxed);
}

static struct bucket *
load_of(const struct cache *c)
{
	return c->slots == NULL ? NULL : bucket_of(c->slots);
}

/* Load becomes spare with `count` items; spare becomes load.  Returns its. */
static unsigned
swap(struct cache *c, unsigned count, unsigned *capacity)
{
	struct bucket *load = load_of(c);
	unsigned other = spare_count(c);

	c->slots = c->spare->slots;
	*capacity = c->spare->capacity;
	set_spare(c, load, count);
	return other;
}

/* In generic mode hits come here too. */
static bool
is_miss(bool served_by_load)
{
	return !served_by_load || percpu_mode == PERCPU_RSEQ;
}

/* In hostile builds: as if another thread had the record just now. */
static bool
disowned(void)
{
	/* A spread that no pattern of calls can be in step with. */
	uint32_t mixed = ++port_self()->owns * UINT32_C(0x9E3779B9);

	if (mixed > UINT32_MAX / UMA_DISOWN_EVERY)
		return false;
	port_yield();
	return true;
}

/* Own the record of this CPU. */
static struct cache *
own(struct uma_zone *zone, uint64_t *word)
{
	if (UMA_HOSTILE && disowned())
		return NULL;
	return percpu_own(zone->caches, word);
}

void *
cache_pop(struct uma_zone *zone)
{
	void *item = NULL;
	uint64_t word;
	struct cache *c = own(zone, &word);
	unsigned count;
	unsigned capacity;

	if (c == NULL)
		return NULL;
	count = WORD_COUNT(word);
	capacity = WORD_CAPACITY(word);
	if (is_miss(count != 0))
		percpu_add(&c->misses, 1);
	if (count == 0 && spare_count(c) != 0)
		count = swap(c, 0, &capacity);
	if (count != 0) {
		item = c->slots[--count];
		c->slots[count] = NULL; /* a leak is to be seen */
		percpu_add(&c->allocs, 1);
	}
	percpu_release(c, count, capacity);
	return item;
}

bool
cache_install(struct uma_zone *zone, struct bucket *b, struct bucket **out)
{
	uint64_t word;
	struct cache *c = own(zone, &word);
	unsigned count = WORD_COUNT(word);
	unsigned capacity = WORD_CAPACITY(word);

	*out = b;
	if (c == NULL)
		return false;
	if (!zone_caching(zone)) {
		percpu_release(c, count, capacity);
		return false;
	}
	/* The item that went to the user counts as put in and popped. */
	percpu_add(&c->allocs, 1);
	add_moved(c, 1);
	if (count == 0) {
		struct bucket *load = load_of(c);

		*out = load;
		if (load != NULL) {
			load->count = 0;
			if (c->spare == NULL) {
				set_spare(c, load, 0);
				*out = NULL;
			}
		}
		c->slots = b->slots;
		count = b->count;
		capacity = b->capacity;
		add_moved(c, (int64_t)b->count);
	} else if (spare_count(c) == 0) {
		*out = c->spare;
		if (*out != NULL)
			(*out)->count = 0;
		set_spare(c, b, b->count);
		add_moved(c, (int64_t)b->count);
	}
	percpu_release(c, count, capacity);
	return true;
}

/* Make the load one with room, if it can be done.  Returns its count. */
static unsigned
make_room(struct cache *c, unsigned count, unsigned *capacity,
    struct bucket *empty, struct bucket **out)
{
	if (count < *capacity)
		return count;
	if (c->spare != NULL && spare_count(c) < c->spare->capacity)
		return swap(c, count, capacity);
	if (empty == NULL)
		return count;
	*out = c->spare;
	if (c->spare != NULL) {
		c->spare->count = spare_count(c);
		add_moved(c, -(int64_t)c->spare->count);
	}
	set_spare(c, load_of(c), count);
	c->slots = empty->slots;
	*capacity = empty->capacity;
	return 0;
}

enum cache_pushed
cache_push(struct uma_zone *zone, void *item, struct bucket *empty,
    struct bucket **out, const char *function)
{
	uint64_t word;
	/* The first try always owns: it sees double frees. */
	struct cache *c =
	    empty == NULL ? percpu_own(zone->caches, &word) : own(zone, &word);
	unsigned count = WORD_COUNT(word);
	unsigned capacity = WORD_CAPACITY(word);
	enum cache_pushed result = CACHE_FULL;

	*out = empty;
	if (c == NULL)
		return CACHE_OFF;
	if (!zone_caching(zone)) {
		percpu_release(c, count, capacity);
		return CACHE_OFF;
	}
	if (count != 0 && c->slots[count - 1] == item)
		uma_crime(function, "double free", item, zone->name);
	if (is_miss(count < capacity))
		percpu_add(&c->misses, 1);
	count = make_room(c, count, &capacity, empty, out);
	if (count < capacity) {
		c->slots[count++] = item;
		result = CACHE_PUSHED;
	}
	percpu_release(c, count, capacity);
	return result;
}

struct bucket *
cache_strip(struct cache *c, uint64_t word)
{
	struct bucket *load = load_of(c);
	struct bucket *list = c->spare;

	if (list != NULL) {
		list->count = spare_count(c);
		list->next = NULL;
		add_moved(c, -(int64_t)list->count);
	}
	if (load != NULL) {
		load->count = WORD_COUNT(word);
		load->next = list;
		add_moved(c, -(int64_t)load->count);
		list = load;
	}
	c->slots = NULL;
	set_spare(c, NULL, 0);
	return list;
}
