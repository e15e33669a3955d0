/* SPDX-License-Identifier: BSD-2-Clause */
/* How slabs come and go: see keg.h. */
#include "keg/inner.h"
#include "port/port.h"

/* At most this is backed at a time, beyond the item asked for. */
#define POPULATE_MAX GRANULE

static enum supply_kind
kind_of(const struct keg *keg)
{
	return keg->nofree ? SUPPLY_NOFREE : SUPPLY_NORMAL;
}

/* Reserve the right to add items: how many, 0 at the limit. */
static uint32_t
reserve_items(struct keg *keg)
{
	uint32_t limit = keg->layout.items;
	bool inside = gate_enter();

	/*
	 * A limited keg is counted under the lock only; who is refused by the
	 * gate waits for another moment.
	 */
	if (!inside) {
		if (keg->items_max != 0 || keg->frozen)
			return 0;
		__atomic_add_fetch(&keg->items, limit, __ATOMIC_RELAXED);
		return limit;
	}
	lock_take(&keg->lock);
	if (keg->frozen)
		limit = 0;
	else if (keg->items_max != 0)
		limit = (uint32_t)min_size(limit, keg->items_max - keg->items);
	__atomic_add_fetch(&keg->items, limit, __ATOMIC_RELAXED);
	lock_drop(&keg->lock);
	gate_leave();
	return limit;
}

static void
unreserve_items(struct keg *keg, uint32_t limit)
{
	__atomic_sub_fetch(&keg->items, limit, __ATOMIC_RELAXED);
}

/* A private supplier's memory, checked; handed back if it is no good. */
static void *
take_private(struct keg *keg, int wait, uint8_t *pflag)
{
	size_t bytes = keg->layout.slab_bytes;
	size_t align = max_size(port_page_bytes(), keg->layout.align);
	void *memory;

	*pflag = UMA_SLAB_PRIV;
	memory = keg->allocf(keg->zone, (int)bytes, pflag, wait);
	if (memory == NULL)
		return NULL;
	if ((uintptr_t)memory % align == 0 && port_mapped(memory, bytes))
		return memory;
	if (keg->freef != NULL)
		keg->freef(memory, (int)bytes, *pflag);
	return NULL;
}

/* The next part of the object.  The reservation of items made it ours. */
static void *
take_object(struct keg *keg)
{
	size_t at = __atomic_fetch_add(
	    &keg->object_at, keg->layout.slab_bytes, __ATOMIC_RELAXED);

	return keg->object + at;
}

static void *
take_supply(struct keg *keg, uint8_t *pflag, size_t *ready)
{
	struct supply_run run;
	bool inside = gate_enter();
	bool ok = supply_take(&run, keg->layout.slab_bytes / GRANULE,
	    max_size(GRANULE, keg->layout.align), kind_of(keg),
	    inside ? META_NORMAL : META_EMERGENCY);

	if (inside)
		gate_leave();
	if (!ok)
		return NULL;
	*pflag = run.boot ? UMA_SLAB_BOOT : UMA_SLAB_KMEM;
	*ready = run.boot ? keg->layout.slab_bytes : 0;
	return run.base;
}

static void
give_memory(struct keg *keg, void *memory, uint8_t pflag)
{
	size_t bytes = keg->layout.slab_bytes;
	bool inside;

	if (keg->object != NULL)
		return;
	if (keg->allocf != NULL) {
		if (keg->freef != NULL)
			keg->freef(memory, (int)bytes, pflag);
		return;
	}
	inside = gate_enter();
	supply_give(
	    memory, bytes / GRANULE, inside ? META_NORMAL : META_EMERGENCY);
	if (inside)
		gate_leave();
}

/* A header for memory, and both into the page map.  NULL without room. */
static struct slab *
describe(struct keg *keg, void *memory, uint32_t limit)
{
	size_t header_bytes =
	    max_size(PAGEMAP_ALIGN, slab_header_bytes(&keg->layout, keg->raw));
	size_t bytes = keg->layout.slab_bytes;
	bool inside = gate_enter();
	enum meta_how how = inside ? META_NORMAL : META_EMERGENCY;
	struct slab *s = meta_take(header_bytes, how);
	pagemap_entry entry;
	bool ok = false;

	if (s != NULL) {
		slab_format(s, &keg->layout, keg, memory, limit, keg->raw);
		s->bin = BIN_UNLINKED;
		entry = pagemap_make(keg->allocf != NULL ? 0 : keg->id, s);
		ok = keg->allocf != NULL
			 ? pagemap_set_pages(memory, bytes, entry, how)
			 : pagemap_set(memory, bytes, entry, how);
		if (!ok)
			meta_give(s, header_bytes, how);
	}
	if (inside)
		gate_leave();
	return ok ? s : NULL;
}

/* Run init on every item of a slab that nobody else knows. */
static void
init_all(struct keg *keg, struct slab *s)
{
	const struct slab_layout *l = &keg->layout;

	if (!keg->raw)
		return;
	for (uint32_t i = 0; i < s->limit; i++) {
		if (keg->init != NULL)
			keg->init(slab_item(s, l, i), (int)l->item_bytes);
		slab_raw_bits(s, l)[i / BITS_PER_WORD] &=
		    ~(UINT64_C(1) << (i % BITS_PER_WORD));
	}
}

static void
undescribe(struct keg *keg, struct slab *s)
{
	size_t header_bytes =
	    max_size(PAGEMAP_ALIGN, slab_header_bytes(&keg->layout, keg->raw));
	bool inside;

	if (keg->allocf != NULL)
		pagemap_clear_pages(s->base, keg->layout.slab_bytes);
	else
		pagemap_clear(s->base, keg->layout.slab_bytes);
	inside = gate_enter();
	meta_give(s, header_bytes, inside ? META_NORMAL : META_EMERGENCY);
	if (inside)
		gate_leave();
}

/* A slab that is not linked yet; `ready`: all its items initialised. */
struct slab *
keg_make(struct keg *keg, int wait, bool ready)
{
	uint32_t limit = reserve_items(keg);
	uint8_t pflag = UMA_SLAB_KMAP;
	size_t backed = 0;
	struct slab *s = NULL;
	void *memory;

	if (limit == 0)
		return NULL;
	if (keg->object != NULL)
		memory = take_object(keg);
	else if (keg->allocf != NULL)
		memory = take_private(keg, wait, &pflag);
	else
		memory = take_supply(keg, &pflag, &backed);
	if (memory != NULL) {
		s = describe(keg, memory, limit);
		if (s == NULL)
			give_memory(keg, memory, pflag);
	}
	if (s == NULL) {
		unreserve_items(keg, limit);
		return NULL;
	}
	s->pflag = pflag;
	atomic_store_explicit(&s->ready, backed, memory_order_relaxed);
	if (!ready)
		return s;
	if (keg->back &&
	    !keg_back(keg, s,
		s->base + keg->layout.slab_bytes - keg->layout.stride)) {
		undescribe(keg, s);
		give_memory(keg, memory, pflag);
		unreserve_items(keg, limit);
		return NULL;
	}
	init_all(keg, s);
	return s;
}

bool
keg_grow(struct keg *keg, int wait, bool ready)
{
	struct slab *s = keg_make(keg, wait, ready);

	if (s == NULL)
		return false;
	if (!gate_enter()) {
		keg_list(keg, s);
		return true;
	}
	lock_take(&keg->lock);
	keg_adopt(keg, s);
	lock_drop(&keg->lock);
	gate_leave();
	return true;
}

/* Back a slab up to the end of an item, and some way beyond. */
bool
keg_back(struct keg *keg, struct slab *s, const char *item)
{
	/* relaxed: racing threads at worst back the same pages twice. */
	size_t from = atomic_load_explicit(&s->ready, memory_order_relaxed);
	size_t page = port_page_bytes();
	size_t end =
	    round_up((size_t)(item - s->base) + keg->layout.stride, page);
	size_t step = __atomic_load_n(&keg->populate_bytes, __ATOMIC_RELAXED);
	size_t to;

	if (end <= from)
		return true;
	to = min_size(max_size(end, from + step), keg->layout.slab_bytes);
	if (!port_populate(s->base + from, to - from))
		return false;
	while (from < to &&
	       !atomic_compare_exchange_weak_explicit(&s->ready, &from, to,
		   memory_order_relaxed, memory_order_relaxed))
		;
	if (step < POPULATE_MAX)
		__atomic_store_n(
		    &keg->populate_bytes, 2 * step, __ATOMIC_RELAXED);
	return true;
}

/* Items in reverse, those that saw init. */
static void
fini_all(struct keg *keg, struct slab *s)
{
	const struct slab_layout *l = &keg->layout;

	if (keg->fini == NULL)
		return;
	for (uint32_t i = s->limit; i-- > 0;) {
		uint64_t raw = slab_raw_bits(s, l)[i / BITS_PER_WORD];

		if ((raw >> (i % BITS_PER_WORD) & 1) == 0)
			keg->fini(slab_item(s, l, i), (int)l->item_bytes);
	}
}

void
keg_dispose(struct keg *keg, struct slab *list)
{
	struct slab *next;

	for (struct slab *s = list; s != NULL; s = next) {
		void *memory = s->base;
		uint8_t pflag = s->pflag;
		uint32_t limit = s->limit;

		next = s->next;
		fini_all(keg, s);
		undescribe(keg, s);
		give_memory(keg, memory, pflag);
		unreserve_items(keg, limit);
	}
}
