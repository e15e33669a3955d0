/* SPDX-License-Identifier: BSD-2-Clause */
/* Creating zones and fitting them out before use: see zone.h. */
#include "port/port.h"
#include "zone/inner.h"

#define FLAGS_2002 \
	(UMA_ZONE_PAGEABLE | UMA_ZONE_ZINIT | UMA_ZONE_STATIC | \
	    UMA_ZONE_OFFPAGE | UMA_ZONE_MALLOC | UMA_ZONE_NOFREE)

/*
 * A bucket starts with this many bytes of items and grows to that many; the
 * allowance of a record and a depot are at most so many bytes, and items.
 */
#define BUCKET_BYTES_FIRST ((size_t)2048)
#define BUCKET_BYTES_MAX   ((size_t)256 << 10)
#define BUCKET_ITEMS_FIRST 32u
#define KEPT_BYTES         ((size_t)4 << 20)
#define KEPT_ITEMS         2048u
#define BUCKET_ITEMS_LEAST 2u
#define DEPOT_BYTES        ((size_t)2 << 20)
#define DEPOT_ITEMS        2048u

void
zone_plan_2002(struct zone_plan *plan, int size, int align)
{
	const char *rule = NULL;

	if (size < 1 || (size_t)size > SLAB_ITEM_MAX)
		rule = "size not from 1 to 1073741824";
	else if (align < 0 || (size_t)align >= GRANULE ||
		 !is_pow2((size_t)align + 1))
		rule = "align is not a power of two less one, at most 65535";
	else if ((plan->flags & ~FLAGS_2002) != 0)
		rule = "unknown flags";
	if (rule != NULL)
		uma_crime("uma_zcreate", rule, NULL,
		    plan->name == NULL ? "?" : plan->name);
	plan->item_bytes = (size_t)size;
	plan->align = (size_t)align + 1;
}

static void
zero_init(void *mem, int size)
{
	__builtin_memset(mem, 0, (size_t)size);
}

static void
copy_name(char *to, size_t bytes, const char *from)
{
	size_t i = 0;

	for (; from != NULL && from[i] != '\0' && i < bytes - 1; i++)
		to[i] = from[i];
	if (from == NULL)
		to[i++] = '?';
	to[i] = '\0';
}

/*
 * A structure that was a zone before keeps its number, its state and its
 * count of walkers: one may just be looking whether it is alive.
 *
 * unchecked: nobody else has the rest of it.
 */
static void
wipe(struct uma_zone *zone) UMA_UNCHECKED_LOCKS
{
	size_t from = offsetof(struct uma_zone, fast);

	watch_zero(
	    (char *)zone + from, offsetof(struct uma_zone, walkers) - from);
	zone->last = &zone->first;
}

static void
size_caches(struct uma_zone *zone, size_t stride)
{
	size_t most = min_size(BUCKET_BYTES_MAX / stride, UMA_BUCKET_MAX);
	size_t first =
	    min_size(BUCKET_BYTES_FIRST / stride, BUCKET_ITEMS_FIRST);

	zone->bucket_items_max = (unsigned)max_size(most, BUCKET_ITEMS_LEAST);
	atomic_store_explicit(&zone->bucket_items,
	    (unsigned)min_size(
		max_size(first, BUCKET_ITEMS_LEAST), zone->bucket_items_max),
	    memory_order_relaxed);
	zone->kept_max = (unsigned)min_size(KEPT_BYTES / stride, KEPT_ITEMS);
	zone->depot_max = min_size(DEPOT_BYTES / stride, DEPOT_ITEMS);
}

/*
 * The records of a zone, or none: of items so large that two buckets, which a
 * record always may have, are more than it ought to.
 */
static void
take_caches(struct uma_zone *zone)
{
	size_t least = 2 * BUCKET_ITEMS_LEAST * zone->keg.layout.stride;

	if (zone->caches == 0 && least <= KEPT_BYTES)
		zone->caches = percpu_take(1);
}

/* What tells where an item starts in a slab's first granule; or 0. */
static uint32_t
magic_of(const struct slab_layout *l)
{
	if (l->slab_bytes == GRANULE)
		return pagemap_magic(l->stride);
	return l->items == 1 && l->lead == 0 ? pagemap_magic(GRANULE) : 0;
}

void
zone_aim_hit(struct uma_zone *zone)
{
	bool plain = zone->ctor == NULL && zone->dtor == NULL;
	const struct slab_layout *l = &zone->keg.layout;

	zone->fast = plain && percpu_mode == PERCPU_RSEQ && zone->caches != 0
			 ? zone->caches
			 : percpu_nothing();
	zone->rseq = percpu_rseq;
	zone->magic =
	    zone->keg.allocf == NULL && !zone->ends_early ? magic_of(l) : 0;
	if (zone->magic == 0)
		zone->keg.hit = 0;
	else if (zone->owner != 0)
		zone->keg.hit = pagemap_hit_make(zone->owner, zone->magic);
	else
		zone->keg.hit = pagemap_hit_make(zone->id, 0);
	zone->hit = zone->magic != 0 ? zone->keg.hit : ZONE_NO_HIT;
}

static void
fit_out(struct uma_zone *zone, const struct zone_plan *plan)
{
	struct keg *keg = &zone->keg;

	copy_name(zone->name, sizeof(zone->name), plan->name);
	zone->flags = plan->flags;
	zone->owner = plan->owner;
	zone->ctor = plan->ctor;
	zone->dtor = plan->dtor;
	atomic_store_explicit(
	    &zone->freed, UMA_FREED_FIRST, memory_order_relaxed);
	keg_start(keg, plan->item_bytes, plan->align);
	keg->id = zone->id;
	keg->zone = zone;
	keg->name = zone->name;
	keg->free_name =
	    (plan->flags & UMA_ZONE_MALLOC) != 0 ? "free" : "uma_zfree";
	keg->init =
	    (plan->flags & UMA_ZONE_ZINIT) != 0 ? zero_init : plan->init;
	keg->fini = plan->fini;
	keg->raw = keg->init != NULL || keg->fini != NULL;
	keg->kind =
	    (plan->flags & UMA_ZONE_MALLOC) != 0 && keg->layout.items == 1
		? PAGEMAP_BLOCK
		: PAGEMAP_SLAB;
	keg->back = (plan->flags & UMA_ZONE_PAGEABLE) == 0;
	keg->nofree = (plan->flags & UMA_ZONE_NOFREE) != 0;
	size_caches(zone, keg->layout.stride);
}

/*
 * A structure, and the gate entered; or NULL and not: without memory, or in a
 * handler that interrupted a miss.
 */
static struct uma_zone *
take_structure(void)
{
	struct uma_zone *zone;

	while (gate_insist()) {
		bool taken = registry_take(&zone);

		if (zone != NULL)
			return zone;
		gate_leave();
		if (taken)
			return NULL;
		port_yield();
	}
	return NULL;
}

struct uma_zone *
zone_make(const struct zone_plan *plan)
{
	struct uma_zone *zone = take_structure();

	if (zone == NULL)
		return NULL;
	wipe(zone);
	fit_out(zone, plan);
	zone->caches = plan->caches;
	if (percpu_mode != PERCPU_OFF)
		take_caches(zone);
	zone_aim_hit(zone);
	registry_publish(zone);
	gate_leave();
	return zone;
}

void
zone_open_caches(void)
{
	struct uma_zone *zone;

	for (uint32_t at = 0; (zone = registry_look(&at)) != NULL;) {
		if (!gate_enter())
			continue;
		take_caches(zone);
		zone_aim_hit(zone);
		gate_leave();
	}
}

static void
check_unused(struct uma_zone *zone, const char *function)
{
	zone_check(zone, function);
	if (keg_is_used(&zone->keg))
		uma_crime(function, "zone already in use", NULL, zone->name);
}

/* See uma.h. */
void
uma_zone_set_allocf(uma_zone_t zone, uma_alloc allocf)
{
	check_unused(zone, __func__);
	if (zone->keg.allocf == NULL && allocf != NULL)
		watch_pool_make(zone);
	else if (zone->keg.allocf != NULL && allocf == NULL)
		watch_pool_end(zone);
	zone->keg.allocf = allocf;
	zone_aim_hit(zone);
}

/* See uma.h. */
void
uma_zone_set_freef(uma_zone_t zone, uma_free freef)
{
	check_unused(zone, __func__);
	zone->keg.freef = freef;
}

/* See uma.h. */
void
uma_prealloc(uma_zone_t zone, int itemcnt)
{
	struct keg_work work;
	struct keg *keg;
	size_t slabs;

	zone_check(zone, __func__);
	keg = &zone->keg;
	if (itemcnt < 0)
		uma_crime(__func__, "negative item count", NULL, zone->name);
	slabs = div_up((size_t)itemcnt, keg->layout.items);
	/* relaxed: who sees it late empties what was not there. */
	atomic_store_explicit(&zone->ahead, true, memory_order_relaxed);
	keg_fill(keg, &work);
	for (unsigned round = 0; slabs != 0 && !keg_is_complete(keg);) {
		if (keg_prealloc(keg, M_WAITOK)) {
			slabs--;
			round = 0;
		} else if (!keg_is_complete(keg))
			zone_pause(zone, round++, __func__);
	}
	if ((zone->flags & UMA_ZONE_STATIC) != 0)
		keg_freeze(keg);
	keg_filled(&work);
}
