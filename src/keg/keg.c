/* SPDX-License-Identifier: BSD-2-Clause */
#include "keg/keg.h"

#include "keg/inner.h"
#include "port/port.h"
#include "watch/watch.h"

/* Idle slabs that stay: one, and this part of all. */
#define IDLE_PART 8

/*
 * With a gap behind each item; and one more item's room at the start, if the
 * first would begin where the slab does: see watch.h.
 */
void
keg_shape(struct keg *keg, size_t item_bytes, size_t align, size_t gap)
{
	struct slab_layout *l = &keg->layout;

	slab_layout_choose(l, item_bytes + gap, align);
	if (gap != 0 && l->lead == 0 && l->items == 1) {
		l->slab_bytes += GRANULE;
		l->lead = GRANULE;
	} else if (gap != 0 && l->lead == 0) {
		l->items--;
		l->words = (uint32_t)div_up(l->items, BITS_PER_WORD);
		l->lead = l->stride;
	}
	l->item_bytes = item_bytes;
	keg->bin_reciprocal =
	    div_up((size_t)(BIN_FULL - 1) << BIN_SHIFT, l->items);
}

void
keg_start(struct keg *keg, size_t item_bytes, size_t align)
{
	keg_shape(keg, item_bytes, align, watch_gap);
	tally_set(&keg->populate_bytes, port_page_bytes());
	keg->back = true;
}

/* What take_free() returns when it may not wait for the lock. */
#define BLOCKED SIZE_MAX

/*
 * From listed slabs, fullest first; marked as slab_take() marks, and not plain
 * then.
 */
static size_t
take_free(struct keg *keg, void **out, size_t want, bool *plain)
{
	size_t n = 0;

	if (!lock_take(&keg->lock))
		return BLOCKED;
	keg_adopt_all(keg);
	for (unsigned bin = BIN_FULL - 1; n < want; bin--) {
		struct slab *s;

		while (n < want && (s = keg->bins[bin]) != NULL) {
			n += slab_take(s, &keg->layout, keg->raw, keg->back,
			    out + want - n, want - n, plain);
			keg_rebin(keg, s);
			if (s->bin == bin && s->free_count != 0)
				break;
		}
		if (bin == BIN_IDLE)
			break;
	}
	tally_move(&keg->free_items, -n);
	lock_drop(&keg->lock);
	if (unlikely(n < want))
		watch_move_down(out, out + want - n, n);
	return n;
}

/* Give back items that could not be backed, raw ones as raw. */
static void
give_unready(struct keg *keg, void *marked)
{
	void *item = (void *)((uintptr_t)marked & ~SLAB_MARKS);
	struct slab *s = pagemap_find(item);
	uint32_t i = slab_index(s, &keg->layout, item);

	if (!gate_lock(&keg->lock)) {
		/* It stays initialised rather than raw: make that true. */
		if (((uintptr_t)marked & SLAB_MARK_RAW) != 0)
			keg_init(keg, item);
		keg_give_late(keg, item);
		return;
	}
	/* Claimed where the gate refused, which it need not any more. */
	if (s->bin == BIN_UNLINKED)
		keg_adopt(keg, s);
	if (((uintptr_t)marked & SLAB_MARK_RAW) != 0)
		slab_raw_bits(s, &keg->layout)[i / BITS_PER_WORD] |=
		    UINT64_C(1) << (i % BITS_PER_WORD);
	if (slab_give(s, i))
		tally_move(&keg->free_items, 1);
	keg_rebin(keg, s);
	gate_unlock(&keg->lock);
}

/*
 * Whether an address lies in the slab that an item of this keg is in.  Slabs of
 * private suppliers may share a granule.
 */
UMA_FAST bool
is_near(const struct keg *keg, const void *item, const void *near)
{
	return ((uintptr_t)item ^ (uintptr_t)near) < GRANULE &&
	       keg->allocf == NULL;
}

/* Do what the marks ask for.  Returns how many items are ready. */
static size_t
make_ready(struct keg *keg, void **items, size_t count)
{
	size_t ready = 0;
	struct slab *s = NULL;
	const void *near = NULL;

	for (size_t i = 0; i < count; i++) {
		uintptr_t marks = (uintptr_t)items[i] & SLAB_MARKS;
		char *item = (char *)items[i] - marks;

		if (marks == 0) {
			items[ready++] = item;
			continue;
		}
		if ((marks & SLAB_MARK_UNBACKED) != 0) {
			if (s == NULL || !is_near(keg, item, near))
				s = pagemap_find(item);
			near = item;
			if (!slab_is_backed(s, &keg->layout, item) &&
			    !keg_back(keg, s, item)) {
				tally_add(&keg->refusals, 1);
				give_unready(keg, items[i]);
				continue;
			}
		}
		if ((marks & SLAB_MARK_RAW) != 0)
			keg_init(keg, item);
		items[ready++] = item;
	}
	return ready;
}

/* Claim an item of the emergency slab, or of a new one. */
static bool
claim(struct keg *keg, struct keg_work *work, void **out, int wait)
{
	struct slab *s;
	struct slab *none = NULL;
	enum meta_how how;
	uint32_t i;

	/* acquire, pairs with the exchange below. */
	s = atomic_load_explicit(&keg->emergency, memory_order_acquire);
	if (s != NULL) {
		/* relaxed: the index alone is what it gives. */
		i = atomic_fetch_add_explicit(
		    &s->claim, 1, memory_order_relaxed);
		if (i < s->limit)
			goto claimed;
		none = s;
		/* A used-up slab goes to the list; one thread puts it there. */
		if (atomic_compare_exchange_strong_explicit(&keg->emergency,
			&none, NULL, memory_order_acq_rel,
			memory_order_relaxed))
			keg_list(keg, s);
	}
	how = meta_enter();
	s = keg_make(keg, work, wait, false, &how);
	meta_leave(how);
	if (s == NULL)
		return false;
	i = 0;
	atomic_store_explicit(&s->claim, 1, memory_order_relaxed);
	none = NULL;
	/* release: publishes the slab. */
	if (!atomic_compare_exchange_strong_explicit(&keg->emergency, &none, s,
		memory_order_acq_rel, memory_order_relaxed))
		keg_list(keg, s);
	work->making = 0;
claimed:
	out[0] = (char *)slab_item(s, &keg->layout, i) +
		 (keg->raw ? SLAB_MARK_RAW : 0) +
		 (keg->back ? SLAB_MARK_UNBACKED : 0);
	return true;
}

static size_t
take_emergency(struct keg *keg, void **out, int wait)
{
	struct keg_work work;
	bool ok;

	keg_begin(keg, &work);
	/*
	 * seq_cst, pairs with detach_idle(): a slab seen in
	 * keg->emergency after this is not disposed of before it ends.
	 */
	atomic_fetch_add_explicit(&keg->claimers, 1, memory_order_seq_cst);
	work.claimers = 1;
	ok = claim(keg, &work, out, wait);
	atomic_fetch_sub_explicit(&keg->claimers, 1, memory_order_seq_cst);
	keg_end(&work);
	if (!ok)
		return 0;
	atomic_fetch_add_explicit(&keg->emergencies, 1, memory_order_relaxed);
	return make_ready(keg, out, 1);
}

size_t
keg_take(struct keg *keg, void **out, size_t want, int wait)
{
	enum meta_how how;
	size_t n;
	bool plain = true;

	if (unlikely(!atomic_load_explicit(&keg->used, memory_order_relaxed)))
		/* release, pairs with keg_is_used(). */
		atomic_store_explicit(&keg->used, true, memory_order_release);
	how = meta_enter();
	do
		n = how == META_NORMAL ? take_free(keg, out, want, &plain)
				       : BLOCKED;
	while (n == 0 && keg_grow(keg, wait, false, &how));
	meta_leave(how);
	if (n == BLOCKED)
		return take_emergency(keg, out, wait);
	return plain ? n : make_ready(keg, out, n);
}

/* An idle slab is no more of this keg, but in this thread's hand. */
static void
detach(struct keg *keg, struct slab *s) UMA_REQUIRES(&keg->lock)
{
	struct port_self *self = port_self();

	keg_take_out(keg, s);
	s->next = self->leaving;
	self->leaving = s;
	tally_add(&keg->leaving, s->limit);
}

/* Idle slabs beyond those that stay. */
static void
detach_idle(struct keg *keg, size_t keep) UMA_REQUIRES(&keg->lock)
{
	struct slab *next;

	if (keg->idle <= keep || keg_keeps_slabs(keg) ||
	    tally_get(&keg->filling) != 0)
		return;
	/* seq_cst, pairs with take_emergency(). */
	if (atomic_load_explicit(&keg->claimers, memory_order_seq_cst) != 0)
		return;
	for (struct slab *s = keg->bins[BIN_IDLE];
	     s != NULL && keg->idle > keep; s = next) {
		next = s->next;
		if (!slab_is_idle(s) || (s->pflag & UMA_SLAB_BOOT) != 0)
			continue;
		detach(keg, s);
	}
}

/*
 * The slab of an item that comes back.  Inlined frees look at nothing, so what
 * comes here may still be anything: die of what is not this keg's.
 */
static struct slab *
slab_for(struct keg *keg, void *item, const char *function)
{
	struct slab *s = pagemap_find(item);

	if (s == NULL || !pagemap_is_slab(s->kind))
		uma_crime(function, "foreign pointer", item, keg->name);
	if (s->keg != keg)
		uma_crime(function, "item of another zone", item, keg->name);
	return s;
}

/*
 * An item whose bit is set: of an emergency slab it was claimed, which the bits
 * do not say before the slab is adopted.  Of any other it is a crime.
 */
static void
give_claimed(struct keg *keg, struct slab *s, void *item, uint32_t i,
    const char *function) UMA_REQUIRES(&keg->lock)
{
	bool claimed = s->bin == BIN_UNLINKED;

	if (claimed)
		keg_adopt(keg, s);
	if (!claimed || !slab_set_free(s, i))
		uma_crime(function, "double free", item, keg->name);
}

/*
 * Set the bit of each.  A header that has this keg's address in its place is a
 * slab's.  Slabs of private suppliers may share a granule: there no item is in
 * the granule of the one before.
 */
static void
give_all(struct keg *keg, void **items, size_t count, const char *function)
    UMA_REQUIRES(&keg->lock)
{
	const uint64_t reciprocal = keg->layout.reciprocal;
	const size_t lead = keg->layout.lead;
	const uintptr_t shared = keg->allocf == NULL ? 0 : UINTPTR_MAX;
	struct pagemap_walk walk = { SIZE_MAX, NULL };
	uintptr_t granule = UINTPTR_MAX;
	uintptr_t first = 0;
	struct slab *s = NULL;

	for (void **at = items; at != items + count; at++) {
		uintptr_t item = (uintptr_t)*at;
		uint32_t i;

		if (item >> GRANULE_BITS != granule) {
			s = pagemap_walk(&walk, *at);
			if (unlikely(s == NULL) || unlikely(s->keg != keg))
				s = slab_for(keg, *at, function);
			first = (uintptr_t)s->base + lead;
			granule = item >> GRANULE_BITS | shared;
		}
		if (s == NULL)
			__builtin_unreachable(); /* no item has that granule */
		i = slab_index_at(reciprocal, item - first);
		if (i >= s->limit)
			uma_crime(
			    function, "pointer into an item", *at, keg->name);
		if (unlikely(!slab_set_free(s, i)))
			give_claimed(keg, s, *at, i, function);
		if (++s->free_count >= s->moves_at)
			keg_rebin(keg, s);
	}
}

void
keg_give(struct keg *keg, void **items, size_t count, enum keg_idle idle,
    const char *function)
{
	if (!lock_take(&keg->lock)) {
		for (size_t n = 0; n < count; n++)
			keg_give_late(keg, items[n]);
		return;
	}
	keg_adopt_all(keg);
	give_all(keg, items, count, function);
	tally_move(&keg->free_items, count);
	if (idle == KEG_SHED)
		detach_idle(keg, 1 + tally_get(&keg->slabs) / IDLE_PART);
	lock_drop(&keg->lock);
}

void
keg_give_late(struct keg *keg, void *item)
{
	struct slab *s = slab_for(keg, item, keg->free_name);
	uint32_t i = slab_index(s, &keg->layout, item);
	uint64_t bit = UINT64_C(1) << (i % BITS_PER_WORD);
	uint64_t was;

	if (i >= s->limit)
		uma_crime(
		    keg->free_name, "pointer into an item", item, keg->name);
	/* seq_cst, pairs with slab_is_idle(): the item is not free yet. */
	atomic_fetch_add_explicit(&s->pins, 1, memory_order_seq_cst);
	/* release, pairs with slab_merge(): what was done to the item. */
	was = atomic_fetch_or_explicit(
	    &slab_late_bits(s, &keg->layout)[i / BITS_PER_WORD], bit,
	    memory_order_seq_cst);
	/* Nobody gets it before it was merged. */
	if ((was & bit) != 0)
		uma_crime(keg->free_name, "double free", item, keg->name);
	keg_list(keg, s);
	atomic_fetch_sub_explicit(&s->pins, 1, memory_order_seq_cst);
}

void
keg_return(struct keg *keg, void **items, size_t count, const char *function)
{
	const struct slab *before = keg_in_hand();

	if (count == 0)
		return;
	if (!gate_enter()) {
		for (size_t i = 0; i < count; i++)
			keg_give_late(keg, items[i]);
		return;
	}
	keg_give(keg, items, count, KEG_SHED, function);
	gate_leave();
	keg_dispose(before);
}

bool
keg_prealloc(struct keg *keg, int wait)
{
	enum meta_how how;
	bool grown;

	/* release, pairs with keg_is_used(). */
	atomic_store_explicit(&keg->used, true, memory_order_release);
	how = meta_enter();
	grown = keg_grow(keg, wait, true, &how);
	meta_leave(how);
	return grown;
}

/* Under the lock: detach_idle() sees this, or before that who fills it. */
void
keg_freeze(struct keg *keg)
{
	while (!gate_lock(&keg->lock))
		port_yield();
	atomic_store_explicit(&keg->frozen, true, memory_order_relaxed);
	gate_unlock(&keg->lock);
}

bool
keg_is_complete(struct keg *keg)
{
	return keg_is_frozen(keg) ||
	       (keg->object != NULL &&
		   tally_get(&keg->items) >= keg->items_max);
}

void
keg_trim(struct keg *keg)
{
	if (!lock_take(&keg->lock))
		return;
	keg_adopt_all(keg);
	detach_idle(keg, 0);
	lock_drop(&keg->lock);
}

/* Nobody had something of the keg under way, or left it listed. */
static bool
is_at_rest(const struct keg *keg)
{
	/* relaxed, all: no other thread is left. */
	return tally_get(&keg->making) == 0 && tally_get(&keg->leaving) == 0 &&
	       tally_get(&keg->filling) == 0 &&
	       atomic_load_explicit(&keg->claimers, memory_order_relaxed) ==
		   0 &&
	       atomic_load_explicit(&keg->late, memory_order_relaxed) == NULL;
}

/* What this thread has under way in a keg. */
static struct keg_work
own_work(const struct keg *keg)
{
	struct keg_work sum = { .outer = NULL };

	for (const struct keg_work *w = port_self()->work; w != NULL;
	     w = w->outer) {
		if (w->keg != keg)
			continue;
		sum.making += w->making;
		sum.filling += w->filling;
		sum.claimers += w->claimers;
	}
	return sum;
}

/* Items in this thread's hand. */
static size_t
own_leaving(const struct keg *keg)
{
	size_t sum = 0;

	for (const struct slab *s = port_self()->leaving; s != NULL;
	     s = s->next)
		sum += s->keg == keg ? s->limit : 0;
	return sum;
}

/* Items of an emergency slab that nobody has claimed from. */
static size_t
lent_items(const struct keg *keg)
{
	/* relaxed: no other thread is left. */
	const struct slab *s =
	    atomic_load_explicit(&keg->emergency, memory_order_relaxed);

	return s == NULL ? 0 : s->limit;
}

/*
 * Called when no other thread is left, so that the lock is free; in a handler
 * that interrupted its thread inside, nothing is known and all stays as it is.
 * A keg at rest is not written: its page stays shared with the parent.
 */
void
keg_fork_child(struct keg *keg)
{
	struct keg_work own;

	if (is_at_rest(keg) || !gate_lock(&keg->lock))
		return;
	own = own_work(keg);
	keg_adopt_all(keg);
	/* The places of slabs that others were making are nobody's. */
	if (keg->object != NULL)
		keg->items_max -= tally_get(&keg->making) - own.making;
	tally_set(&keg->making, own.making + lent_items(keg));
	tally_set(&keg->filling, own.filling);
	tally_set(&keg->leaving, own_leaving(keg));
	atomic_store_explicit(
	    &keg->claimers, own.claimers, memory_order_relaxed);
	gate_unlock(&keg->lock);
}

/* What is about to write a header is done in no time. */
void
keg_stop(struct keg *keg)
{
	struct slab *s;

	for (unsigned turns = 0;;) {
		if (!gate_lock(&keg->lock)) {
			port_give_way(&turns);
			continue;
		}
		atomic_store_explicit(&keg->frozen, true, memory_order_relaxed);
		keg_adopt_all(keg);
		while ((s = keg->bins[BIN_IDLE]) != NULL && slab_is_idle(s))
			detach(keg, s);
		gate_unlock(&keg->lock);
		if (s == NULL)
			return;
		port_give_way(&turns);
	}
}

size_t
keg_out(struct keg *keg)
{
	size_t out;

	if (!gate_lock(&keg->lock))
		return SIZE_MAX;
	keg_adopt_all(keg);
	out = tally_get(&keg->items) - tally_get(&keg->free_items);
	gate_unlock(&keg->lock);
	return out;
}

/* Read without the lock: a statistic must not wait for it in a handler. */
void
keg_read(struct keg *keg, size_t *free_items, size_t *bytes)
{
	*free_items = tally_get(&keg->free_items);
	*bytes = tally_get(&keg->slabs) * keg->layout.slab_bytes;
}

static _Atomic(struct keg_range *) ranges;

void
keg_range_add(struct keg_range *r)
{
	r->next = atomic_load_explicit(&ranges, memory_order_relaxed);
	/* release, pairs with keg_range_name(). */
	while (!atomic_compare_exchange_weak_explicit(
	    &ranges, &r->next, r, memory_order_release, memory_order_relaxed))
		continue;
}

const char *
keg_range_name(const void *address)
{
	/* acquire, pairs with keg_range_add(). */
	const struct keg_range *r =
	    atomic_load_explicit(&ranges, memory_order_acquire);

	for (; r != NULL; r = r->next)
		if ((uintptr_t)address - (uintptr_t)r->from < r->bytes)
			return r->name;
	return NULL;
}

void
keg_check_item(const struct keg *keg, const char *name, const void *item,
    const char *function)
{
	const struct slab *s = pagemap_find(item);
	const char *rule = NULL;

	if (s == NULL)
		rule = keg_range_name(item) != NULL ? "item of a boot zone"
						    : "foreign pointer";
	else if (!pagemap_is_slab(s->kind))
		rule = "block of malloc";
	else if (slab_index(s, &s->keg->layout, item) >= s->limit)
		rule = "pointer into an item";
	else if (s->keg != keg)
		rule = "item of another zone";
	if (rule != NULL)
		uma_crime(function, rule, item, name);
}
