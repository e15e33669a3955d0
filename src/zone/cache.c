/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A record's buckets, while its CPU's thread owns it: see zone.h.
 *
 *	full: B B B  <->  load  <->  empty: B B
 *
 * A load without items trades places with a full bucket, or has half of it, one
 * without room with an empty one, so a CPU that frees what it took meets no
 * other.  How much of that a record keeps is found by trips that were for
 * nothing: when a bucket comes in after one was sent away, the allowance
 * doubles, and grows by that bucket.  A CPU that only frees, or only takes,
 * keeps one bucket beside load and learns nothing; who only frees forgets what
 * it learned before, too.
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
#define BUCKET_PART 8

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

/* To a list, from one: NULL is no bucket. */
static void
put(struct bucket **list, struct bucket *b)
{
	if (b == NULL)
		return;
	b->next = *list;
	*list = b;
}

static struct bucket *
get(struct bucket **list)
{
	struct bucket *b = *list;

	if (b != NULL)
		*list = b->next;
	return b;
}

static bool
may_keep(const struct cache *c, unsigned items)
{
	return c->full == NULL || kept(c) + items <= c->allowance;
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

/* Out of the record, with its items. */
static struct bucket *
lose_full(struct cache *c)
{
	struct bucket *b = get_full(c);

	add_moved(c, -(int64_t)b->count);
	return b;
}

static struct bucket *
load_of(const struct cache *c)
{
	return c->slots == NULL ? NULL : bucket_of(c->slots);
}

/* Load has no item, and another will be load. */
static void
put_empty(struct cache *c)
{
	struct bucket *load = load_of(c);

	if (load != NULL)
		load->count = 0;
	put(&c->empty, load);
}

/* Returns its count. */
static unsigned
set_load(struct cache *c, struct bucket *b, unsigned *capacity)
{
	c->slots = b->slots;
	*capacity = b->capacity;
	return b->count;
}

/* ---- how much a record keeps ---- */

/* All records of all zones may keep so much for each CPU. */
#define ALLOWED_BYTES ((size_t)8 << 20)

static tally allowed; /* bytes */

/* More only if all together stay below their end. */
static void
allow(struct uma_zone *zone, struct cache *c, size_t items)
{
	size_t stride = zone->keg.layout.stride;
	size_t bytes = items * stride - c->allowance * stride;

	if (items > c->allowance &&
	    tally_get(&allowed) + bytes > port_cpu_count() * ALLOWED_BYTES)
		return;
	if (bytes != 0)
		tally_add(&allowed, bytes);
	c->allowance = (uint16_t)items;
}

/* A bucket comes in; if one was sent away, both trips were for nothing. */
static void
learn(struct uma_zone *zone, struct cache *c, const struct bucket *b)
{
	size_t more = 2 * (size_t)c->allowance + b->capacity;

	if (c->sent != 0)
		allow(zone, c, min_size(more, zone->kept_max));
	c->sent = 0;
}

/* A full bucket leaves. */
static void
send_away(struct cache *c, struct bucket **out)
{
	struct bucket *b = lose_full(c);

	c->sent = (uint16_t)min_size(c->sent + b->count, UINT16_MAX);
	put(out, b);
}

/*
 * Make room for a full load among the full buckets.  Who sent twice what can be
 * kept, and took nothing in, only frees, or frees so much that what it keeps is
 * little of it: from then on two leave for one that comes, until one is left,
 * and the allowance is what is kept.
 */
static void
make_way(
    struct uma_zone *zone, struct cache *c, unsigned items, struct bucket **out)
{
	if (may_keep(c, items))
		return;
	send_away(c, out);
	if (c->sent <= 2 * zone->kept_max)
		return;
	if (c->full != NULL)
		send_away(c, out);
	allow(zone, c, min_size(c->allowance, kept(c)));
}

/* Whether who trades its buckets often asks for larger ones than this. */
static bool
outgrew(struct uma_zone *zone, const struct cache *c, const struct bucket *b)
{
	if (c->allowance == 0)
		return false;
	zone_bucket_more(zone);
	return b->capacity < zone_bucket_items(zone);
}

/* ---- the moves ---- */

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

/*
 * Who took fewer than this since the record last had an owner may free as many:
 * a load that is full, or empty, would soon trade places again.
 */
#define FEW_ALLOCS 8u

/*
 * Whether the load, which is empty, should have half of a full bucket.  Without
 * sequences every operation owns the record, and trading costs nothing more.
 */
static bool
turns_soon(const struct cache *c, uint64_t word)
{
	unsigned half = WORD_CAPACITY(word) / 2;

	return percpu_mode == PERCPU_RSEQ &&
	       WORD_ALLOCS(word) < min_size(half, FEW_ALLOCS) &&
	       c->full->count > half;
}

/* Half of its items to the load.  Returns how many. */
static unsigned
share_full(struct cache *c, unsigned capacity)
{
	struct bucket *b = c->full;
	unsigned n = (unsigned)min_size(b->count / 2, capacity);

	b->count -= n;
	set_kept(c, kept(c) - n);
	__builtin_memcpy(c->slots, b->slots + b->count, n * sizeof(void *));
	/* A leak is to be seen. */
	__builtin_memset(b->slots + b->count, 0, n * sizeof(void *));
	return n;
}

/* The load has no item, but the record has.  Returns its count then. */
UMA_SLOW static unsigned
next_load(struct cache *c, uint64_t word)
{
	unsigned capacity = WORD_CAPACITY(word);

	if (turns_soon(c, word))
		return share_full(c, capacity);
	put_empty(c);
	return set_load(c, get_full(c), &capacity);
}

void *
cache_pop(struct uma_zone *zone)
{
	void *item = NULL;
	uint64_t word;
	struct cache *c = own(zone, &word);
	unsigned count;
	unsigned capacity;
	bool missed;

	if (c == NULL)
		return NULL;
	count = WORD_COUNT(word);
	capacity = WORD_CAPACITY(word);
	missed = is_miss(count != 0);
	if (count == 0 && c->full != NULL) {
		count = next_load(c, word);
		capacity = bucket_of(c->slots)->capacity;
	}
	if (count != 0) {
		if (missed)
			percpu_add(&c->misses, 1);
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

	b->next = NULL;
	*out = b;
	if (c == NULL)
		return false;
	if (!zone_caching(zone)) {
		percpu_release(c, count, capacity);
		return false;
	}
	/* The item that went to the user counts as put in and popped. */
	percpu_add(&c->allocs, 1);
	percpu_add(&c->misses, 1);
	add_moved(c, 1);
	if (count == 0 || (b->count != 0 && may_keep(c, b->count))) {
		*out = NULL;
		put(out, get(&c->empty));
		add_moved(c, (int64_t)b->count);
		if (count == 0) {
			learn(zone, c, b);
			put_empty(c);
			count = set_load(c, b, &capacity);
		} else
			put_full(c, b);
	}
	percpu_release(c, count, capacity);
	return true;
}

/*
 * Make the load one with room, by a bucket in `out` or what the record has; a
 * much larger one gets the items, too.  Returns its count; one without room if
 * it cannot be done.
 */
static unsigned
make_room(struct uma_zone *zone, struct cache *c, unsigned count,
    unsigned *capacity, struct bucket **out)
{
	struct bucket *load = load_of(c);
	struct bucket *fresh = get(out);
	struct bucket *b = get(&c->empty);

	if (b != NULL && (fresh != NULL || outgrew(zone, c, b))) {
		put(out, b);
		b = NULL;
	}
	if (b == NULL)
		b = fresh;
	if (b == NULL)
		return count;
	if (load != NULL && load->capacity <= b->capacity / 2) {
		__builtin_memcpy(b->slots, c->slots, count * sizeof(void *));
		b->count = count;
		load->count = 0;
		put(out, load);
	} else if (load != NULL) {
		load->count = count;
		make_way(zone, c, count, out);
		put_full(c, load);
	}
	return set_load(c, b, capacity);
}

enum cache_pushed
cache_push(struct uma_zone *zone, void *item, struct bucket *fresh,
    struct bucket **out, const char *function)
{
	uint64_t word;
	/* The first try always owns: it sees double frees. */
	struct cache *c =
	    fresh == NULL ? percpu_own(zone->caches, &word) : own(zone, &word);
	unsigned count = WORD_COUNT(word);
	unsigned capacity = WORD_CAPACITY(word);
	enum cache_pushed result = CACHE_FULL;
	bool missed;

	*out = fresh;
	if (c == NULL)
		return CACHE_OFF;
	if (!zone_caching(zone)) {
		percpu_release(c, count, capacity);
		return CACHE_OFF;
	}
	if (count != 0 && c->slots[count - 1] == item)
		uma_crime(function, "double free", item, zone->name);
	missed = fresh != NULL || is_miss(count < capacity);
	if (count == capacity)
		count = make_room(zone, c, count, &capacity, out);
	if (count < capacity) {
		if (missed)
			percpu_add(&c->misses, 1);
		c->slots[count++] = item;
		result = CACHE_PUSHED;
	}
	percpu_release(c, count, capacity);
	return result;
}

struct bucket *
cache_strip(struct uma_zone *zone, struct cache *c, uint64_t word)
{
	struct bucket *load = load_of(c);
	struct bucket *list = c->empty;

	if (load != NULL) {
		load->count = WORD_COUNT(word);
		add_moved(c, -(int64_t)load->count);
	}
	put(&list, load);
	while (c->full != NULL)
		put(&list, lose_full(c));
	c->slots = NULL;
	c->empty = NULL;
	c->sent = 0;
	allow(zone, c, 0);
	return list;
}
