/* SPDX-License-Identifier: BSD-2-Clause */
/* How slabs come and go: see keg.h. */
#include "keg/inner.h"
#include "port/port.h"
#include "watch/watch.h"

/* Between attempts to back part of an object. */
#define BACK_MIN_NS UINT64_C(1000000)
#define BACK_MAX_NS UINT64_C(64000000)

/*
 * What is backed at a time, beyond the item asked for: a part of what the keg
 * has, within these.
 */
#define POPULATE_PART 8
#define POPULATE_FEW  ((size_t)8192)
#define POPULATE_MAX  GRANULE

static enum supply_kind
kind_of(const struct keg *keg)
{
	return keg->nofree ? SUPPLY_NOFREE : SUPPLY_NORMAL;
}

/*
 * Reserve the right to add items: how many becomes the limit of the slab.
 * False at the keg's limit.  A limited keg is counted under its lock, so who is
 * refused by the gate must come again.
 *
 * Of an object the next place is the slab's from here on.  Nothing can fail
 * behind this then, so none is given back, and the one that ends early is the
 * last.
 */
static bool
reserve_items(
    struct keg *keg, struct keg_work *work, struct slab *s, enum meta_how how)
{
	size_t limit = keg->layout.items;

	if (!meta_lock_take(&keg->lock, how)) {
		if (keg->object != NULL || keg_is_frozen(keg))
			return false;
		tally_add(&keg->making, limit);
		work->making = limit;
		s->limit = (uint32_t)limit;
		return true;
	}
	if (keg_is_frozen(keg))
		limit = 0;
	else if (keg->object != NULL)
		limit =
		    min_size(limit, keg->items_max - tally_get(&keg->items) -
					tally_get(&keg->making));
	tally_add(&keg->making, limit);
	work->making = limit;
	s->limit = (uint32_t)limit;
	if (limit != 0 && keg->object != NULL) {
		s->base = keg->object + keg->object_at;
		keg->object_at += keg->layout.slab_bytes;
		UMA_ASSERT(keg->object_at <= keg->object_bytes);
	}
	lock_drop(&keg->lock);
	return limit != 0;
}

static void
unreserve_items(struct keg *keg, struct keg_work *work)
{
	tally_add(&keg->making, -work->making);
	work->making = 0;
}

static size_t
header_bytes(const struct keg *keg)
{
	return slab_header_bytes(&keg->layout, keg->raw);
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

static void *
take_supply(struct keg *keg, uint8_t *pflag, size_t *backed, enum meta_how how)
{
	size_t count = keg->layout.slab_bytes / GRANULE;
	size_t filled = keg->back ? (tally_get(&keg->slabs) + 1) * count : 0;
	struct supply_run run;

	if (!supply_take(&run, count, max_size(GRANULE, keg->layout.align),
		filled, kind_of(keg), how))
		return NULL;
	*pflag = run.boot ? UMA_SLAB_BOOT : UMA_SLAB_KMEM;
	*backed = run.backed;
	return run.base;
}

static void
give_memory(struct keg *keg, struct slab *s, enum meta_how *how)
{
	size_t bytes = keg->layout.slab_bytes;

	if (keg->object != NULL)
		return;
	if (keg->allocf == NULL) {
		supply_give(
		    s->base, bytes / GRANULE, tally_get(&s->ready), *how);
		return;
	}
	meta_leave(*how);
	watch_open(s->base, bytes, PORT_KEPT);
	if (keg->freef != NULL)
		keg->freef(s->base, (int)bytes, s->pflag);
	*how = meta_enter();
}

static bool
enter_map(struct keg *keg, struct slab *s, enum meta_how how)
{
	size_t bytes = keg->layout.slab_bytes;

	return keg->allocf != NULL
		   ? pagemap_set_pages(s->base, bytes, s, how)
		   : pagemap_set(s->base, bytes, s, keg->hit, how);
}

static void
leave_map(struct keg *keg, struct slab *s)
{
	if (keg->allocf != NULL)
		pagemap_clear_pages(s->base, keg->layout.slab_bytes);
	else
		pagemap_clear(s->base, keg->layout.slab_bytes);
}

void
keg_init(struct keg *keg, void *item)
{
	size_t bytes = keg->layout.item_bytes;

	if (keg->init == NULL)
		return;
	watch_open(item, bytes, PORT_FRESH);
	keg->init(item, (int)bytes);
	watch_close(item, bytes);
}

/* Run init on every item of a slab that nobody else knows. */
static void
init_all(struct keg *keg, struct slab *s)
{
	const struct slab_layout *l = &keg->layout;

	if (!keg->raw)
		return;
	for (uint32_t i = 0; i < s->limit; i++) {
		keg_init(keg, slab_item(s, l, i));
		slab_raw_bits(s, l)[i / BITS_PER_WORD] &=
		    ~(UINT64_C(1) << (i % BITS_PER_WORD));
	}
}

/* Memory for a slab, and where it came from. */
static void *
take_memory(struct keg *keg, const struct slab *s, int wait, uint8_t *pflag,
    size_t *backed, enum meta_how *how)
{
	void *memory;

	*pflag = UMA_SLAB_KMAP;
	*backed = 0;
	if (keg->object != NULL)
		return s->base;
	if (keg->allocf == NULL)
		return take_supply(keg, pflag, backed, *how);
	meta_leave(*how);
	memory = take_private(keg, wait, pflag);
	*how = meta_enter();
	return memory;
}

/* Part of an object cannot be given back: wait until it can be backed. */
static void
await_backing(struct keg *keg, struct slab *s, const char *item)
{
	uint64_t ns = BACK_MIN_NS;

	while (!keg_back(keg, s, item)) {
		port_sleep(ns);
		if (ns < BACK_MAX_NS)
			ns *= 2;
	}
}

/*
 * Everything that can fail for a slab whose header there is; in an object
 * nothing can, see zone_settle().
 */
static bool
furnish(struct keg *keg, struct slab *s, int wait, enum meta_how *how)
{
	uint8_t pflag;
	size_t backed;
	void *memory = take_memory(keg, s, wait, &pflag, &backed, how);

	if (memory == NULL)
		return false;
	s->kind = keg->kind;
	slab_format(s, &keg->layout, keg, memory, s->limit, keg->raw);
	s->bin = BIN_UNLINKED;
	s->pflag = pflag;
	tally_set(&s->ready, backed);
	if (enter_map(keg, s, *how))
		return true;
	give_memory(keg, s, how);
	return false;
}

/* Tell a tool of a slab that nobody else knows.  Outside the gate. */
static void
tell_of(struct keg *keg, struct slab *s,
    void (*tell)(const struct watch_slab *slab))
{
	const struct slab_layout *l = &keg->layout;
	struct watch_slab slab = { s->base, l->slab_bytes, slab_item(s, l, 0),
		l->stride, l->items };

	tell(&slab);
}

/* Back all of a slab; what is part of an object is waited for. */
static bool
back_all(struct keg *keg, struct slab *s)
{
	const char *last =
	    s->base + keg->layout.slab_bytes - keg->layout.stride;

	if (!keg->back)
		return true;
	if (keg->object == NULL)
		return keg_back(keg, s, last);
	await_backing(keg, s, last);
	return true;
}

/*
 * What is done outside the gate with a slab that nobody else knows.  False,
 * without its memory, if it is to be ready and cannot be backed.
 */
static bool
finish(struct keg *keg, struct slab *s, bool ready, enum meta_how *how)
{
	bool backed;

	if (!ready && likely(!watch_on))
		return true;
	meta_leave(*how);
	backed = !ready || back_all(keg, s);
	if (!backed)
		leave_map(keg, s);
	else if (unlikely(watch_on))
		tell_of(keg, s, watch_slab_made);
	if (backed && ready)
		init_all(keg, s);
	*how = meta_enter();
	if (!backed)
		give_memory(keg, s, how);
	return backed;
}

void
keg_begin(struct keg *keg, struct keg_work *work)
{
	struct port_self *self = port_self();

	*work = (struct keg_work){ .outer = self->work, .keg = keg };
	/* Handlers of this thread see it whole. */
	atomic_signal_fence(memory_order_release);
	self->work = work;
}

void
keg_end(const struct keg_work *work)
{
	port_self()->work = work->outer;
}

void
keg_fill(struct keg *keg, struct keg_work *work)
{
	keg_begin(keg, work);
	tally_add(&keg->filling, 1);
	work->filling = 1;
}

void
keg_filled(struct keg_work *work)
{
	tally_add(&work->keg->filling, (size_t)-1);
	keg_end(work);
}

/* A slab that is not linked yet; `ready`: all its items initialised. */
struct slab *
keg_make(struct keg *keg, struct keg_work *work, int wait, bool ready,
    enum meta_how *how)
{
	struct slab *s;

	/* A look, which spares a header; reserve_items() decides. */
	if (keg_is_complete(keg))
		return NULL;
	s = meta_take(header_bytes(keg), *how);
	if (s == NULL) {
		tally_add(&keg->refusals, 1);
		return NULL;
	}
	if (!reserve_items(keg, work, s, *how)) {
		meta_give(s, header_bytes(keg), *how);
		return NULL;
	}
	if (!furnish(keg, s, wait, how) || !finish(keg, s, ready, how)) {
		meta_give(s, header_bytes(keg), *how);
		unreserve_items(keg, work);
		tally_add(&keg->refusals, 1);
		return NULL;
	}
	return s;
}

bool
keg_grow(struct keg *keg, int wait, bool ready, enum meta_how *how)
{
	struct keg_work work;
	struct slab *s;

	keg_begin(keg, &work);
	s = keg_make(keg, &work, wait, ready, how);
	if (s != NULL && meta_lock_take(&keg->lock, *how)) {
		keg_adopt(keg, s);
		work.making = 0;
		lock_drop(&keg->lock);
	} else if (s != NULL)
		keg_list(keg, s);
	keg_end(&work);
	return s != NULL;
}

/* Whether nobody but the lock's holder has to do with a header. */
static bool
is_at_rest(struct keg *keg, struct slab *s) UMA_REQUIRES(&keg->lock)
{
	/* seq_cst, all three: as detach_idle() and slab_is_idle(). */
	return s->bin == BIN_FULL &&
	       atomic_load_explicit(&keg->claimers, memory_order_seq_cst) ==
		   0 &&
	       atomic_load_explicit(&s->pins, memory_order_seq_cst) == 0 &&
	       atomic_load_explicit(&s->listed, memory_order_seq_cst) == 0;
}

bool
keg_part(struct keg *keg, struct slab *s, void *header)
{
	bool parts;

	if (!lock_take(&keg->lock))
		return false;
	keg_adopt_all(keg);
	parts = is_at_rest(keg, s);
	if (parts) {
		tally_move(&keg->slabs, (size_t)-1);
		tally_move(&keg->items, -(size_t)s->limit);
	}
	lock_drop(&keg->lock);
	if (!parts)
		return false;
	pagemap_clear(s->base, keg->layout.slab_bytes);
	/* Its leaf is there. */
	if (!pagemap_set(s->base, GRANULE, header, 0, META_NORMAL))
		__builtin_unreachable();
	meta_give(s, header_bytes(keg), META_NORMAL);
	return true;
}

/* Back a slab up to the end of an item, and some way beyond. */
bool
keg_back(struct keg *keg, struct slab *s, const char *item)
{
	/* Racing threads at worst back the same pages twice. */
	size_t from = tally_get(&s->ready);
	size_t end = round_up(
	    (size_t)(item - s->base) + keg->layout.stride, port_page_bytes());
	size_t step = tally_get(&keg->populate_bytes);
	size_t most;
	size_t to;

	if (end <= from)
		return true;
	to = min_size(max_size(end, from + step), keg->layout.slab_bytes);
	if (!port_populate(s->base + from, to - from))
		return false;
	/* relaxed: who sees less backs it again. */
	while (from < to &&
	       !atomic_compare_exchange_weak_explicit(&s->ready, &from, to,
		   memory_order_relaxed, memory_order_relaxed))
		;
	most = max_size(POPULATE_FEW,
	    tally_get(&keg->slabs) * keg->layout.slab_bytes / POPULATE_PART);
	if (2 * step <= min_size(most, POPULATE_MAX))
		tally_set(&keg->populate_bytes, 2 * step);
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

		if ((raw >> (i % BITS_PER_WORD) & 1) != 0)
			continue;
		watch_open(slab_item(s, l, i), l->item_bytes, PORT_KEPT);
		keg->fini(slab_item(s, l, i), (int)l->item_bytes);
		watch_close(slab_item(s, l, i), l->item_bytes);
	}
}

struct slab *
keg_in_hand(void)
{
	return port_self()->leaving;
}

/*
 * A slab stays in hand while its items see fini.  What a callback or a handler
 * takes into its hand meanwhile is disposed of when that ends.
 */
void
keg_dispose(const struct slab *before)
{
	struct port_self *self = port_self();

	while (self->leaving != before) {
		struct slab *s = self->leaving;
		struct keg *keg = s->keg;
		uint32_t limit = s->limit;
		enum meta_how how;

		fini_all(keg, s);
		if (unlikely(watch_on))
			tell_of(keg, s, watch_slab_ended);
		leave_map(keg, s);
		how = meta_enter();
		give_memory(keg, s, &how);
		self->leaving = s->next;
		meta_give(s, header_bytes(keg), how);
		/*
		 * From here on the zone may go.  release, pairs with the load
		 * in take_apart(): what fini did is seen by who ends the zone.
		 * Inside, as a child that a handler forks counts what is in
		 * hand anew, and is told so by who stands here.
		 */
		atomic_fetch_sub_explicit(
		    &keg->leaving, limit, memory_order_release);
		meta_leave(how);
	}
}
