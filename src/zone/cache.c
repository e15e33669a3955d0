/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A record's buckets, while its CPU's thread owns it: see zone.h.
 *
 *	full: B B B  <->  load  <->  empty: B B
 *
 * A load without items trades places with a full bucket, one without room with
 * an empty one, so a CPU that frees what it took meets no other.  How much of
 * that a record keeps is found by trips that were for nothing: when a bucket
 * comes in after one was sent away, the allowance doubles.  A CPU that only
 * frees, or only takes, keeps one bucket beside load, as in the beginning.
 */
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
kept(const struct cache *c)
{
	return atomic_load_explicit(&c->kept, memory_order_relaxed);
}

static void
set_kept(struct cache *c, unsigned items)
{
	atomic_store_explicit(&c->kept, (uint16_t)items, memory_order_relaxed);
}

static bool
may_keep(const struct cache *c, unsigned items)
{
	return c->full == NULL || kept(c) + items <= c->allowance;
}

static void
put(struct bucket **list, struct bucket *b)
{
	b->next = *list;
	*list = b;
}

static struct bucket *
get(struct bucket **list)
{
	struct bucket *b = *list;

	*list = b->next;
	return b;
}

static void
put_full(struct cache *c, struct bucket *b)
{
	put(&c->full, b);
	set_kept(c, kept(c) + b->count);
}

static struct bucket *
get_full(struct cache *c)
{
	struct bucket *b = get(&c->full);

	set_kept(c, kept(c) - b->count);
	return b;
}

static struct bucket *
load_of(const struct cache *c)
{
	return c->slots == NULL ? NULL : bucket_of(c->slots);
}

/* Returns its count. */
static unsigned
set_load(struct cache *c, struct bucket *b, unsigned *capacity)
{
	c->slots = b->slots;
	*capacity = b->capacity;
	return b->count;
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

/* Load has no item, and another will be load. */
static void
put_empty(struct cache *c)
{
	struct bucket *load = load_of(c);

	load->count = 0;
	put(&c->empty, load);
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
	if (count == 0 && c->full != NULL) {
		put_empty(c);
		count = set_load(c, get_full(c), &capacity);
	}
	if (count != 0) {
		item = c->slots[--count];
		c->slots[count] = NULL; /* a leak is to be seen */
		percpu_add(&c->allocs, 1);
	}
	percpu_release(c, count, capacity);
	return item;
}

/* So that the compiler knows that it fits. */
#define ALLOWANCE_MASK 0x7fffu

/* Put in a bucket for a load without items.  Returns what has to leave. */
static struct bucket *
replace_load(struct uma_zone *zone, struct cache *c, struct bucket *b)
{
	bool grows = c->sent && c->allowance < zone->kept_max;
	struct bucket *load = load_of(c);
	unsigned more = 2u * c->allowance + b->capacity;

	c->sent = 0;
	if (grows)
		c->allowance =
		    (unsigned)min_size(more, zone->kept_max) & ALLOWANCE_MASK;
	if (load == NULL)
		return NULL;
	if (c->empty != NULL && !grows) {
		load->count = 0;
		return load;
	}
	put_empty(c);
	return NULL;
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
		*out = replace_load(zone, c, b);
		count = set_load(c, b, &capacity);
		add_moved(c, (int64_t)b->count);
	} else if (may_keep(c, b->count)) {
		*out = NULL;
		put_full(c, b);
		add_moved(c, (int64_t)b->count);
	}
	percpu_release(c, count, capacity);
	return true;
}

/* Keep a full load; what has to leave for it goes to `out`. */
static void
put_load(struct cache *c, unsigned count, struct bucket **out)
{
	struct bucket *load = load_of(c);

	if (load == NULL)
		return;
	load->count = count;
	if (!may_keep(c, count)) {
		*out = get_full(c);
		add_moved(c, -(int64_t)(*out)->count);
		c->sent = 1;
	}
	put_full(c, load);
}

/*
 * Make the load one with room, by `empty` or what the record has.  Returns its
 * count; one without room if it cannot be done.
 */
static unsigned
make_room(struct cache *c, unsigned count, unsigned *capacity,
    struct bucket *empty, struct bucket **out)
{
	if (count < *capacity)
		return count;
	*out = NULL;
	if (empty == NULL) {
		if (c->empty == NULL)
			return count;
		empty = get(&c->empty);
	}
	put_load(c, count, out);
	return set_load(c, empty, capacity);
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
	struct bucket *list = c->empty;

	if (c->slots != NULL) {
		load_of(c)->count = WORD_COUNT(word);
		put(&list, load_of(c));
	}
	while (c->full != NULL)
		put(&list, get_full(c));
	for (struct bucket *b = list; b != NULL; b = b->next)
		add_moved(c, -(int64_t)b->count);
	c->slots = NULL;
	c->empty = NULL;
	c->allowance = 0;
	c->sent = 0;
	return list;
}
