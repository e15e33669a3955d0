/* SPDX-License-Identifier: BSD-2-Clause */
/* Which slab is on which list: see keg.h. */
#include "keg/inner.h"

static void
unlink_from(struct keg *keg, struct slab *s) UMA_REQUIRES(&keg->lock)
{
	if (s->bin == BIN_IDLE)
		keg->idle--;
	if (s->prev != NULL)
		s->prev->next = s->next;
	else if (keg->bins[s->bin] == s)
		keg->bins[s->bin] = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->next = NULL;
	s->prev = NULL;
}

/* With how many free items a slab leaves this list, as items come back. */
static uint32_t
moves_at(const struct keg *keg, const struct slab *s, unsigned bin)
{
	size_t fewest_used;

	if (bin == BIN_IDLE)
		return UINT32_MAX;
	if (bin == BIN_FULL)
		return 1;
	/* The bin is 1 + used * 8 / items: see keg_bin(). */
	fewest_used =
	    div_up((size_t)(bin - 1) * keg->layout.items, BIN_FULL - 1);
	return s->limit + 1 - (uint32_t)max_size(fewest_used, 1);
}

/* Full slabs are on no list. */
UMA_SLOW static void
link_in(struct keg *keg, struct slab *s, unsigned bin) UMA_REQUIRES(&keg->lock)
{
	s->bin = (uint8_t)bin;
	s->moves_at = moves_at(keg, s, bin);
	s->prev = NULL;
	s->next = NULL;
	if (bin == BIN_IDLE)
		keg->idle++;
	if (bin == BIN_FULL)
		return;
	s->next = keg->bins[bin];
	if (s->next != NULL)
		s->next->prev = s;
	keg->bins[bin] = s;
}

void
keg_take_out(struct keg *keg, struct slab *s)
{
	unlink_from(keg, s);
	tally_move(&keg->slabs, (size_t)-1);
	tally_move(&keg->free_items, -(size_t)s->limit);
	tally_move(&keg->items, -(size_t)s->limit);
}

void
keg_move(struct keg *keg, struct slab *s, unsigned bin)
{
	unlink_from(keg, s);
	link_in(keg, s, bin);
}

void
keg_rebin(struct keg *keg, struct slab *s)
{
	unsigned bin = keg_bin(keg, s);

	if (bin != s->bin)
		keg_move(keg, s, bin);
}

/* Count a slab in that is linked for the first time; merge its late frees. */
void
keg_adopt(struct keg *keg, struct slab *s)
{
	uint32_t free_count;
	void *twice;

	if (s->bin == BIN_UNLINKED) {
		struct slab *same = s;

		/*
		 * It may be listed and still be the one to claim from.  Who
		 * has seen it there is a claimer: seq_cst, pairs with
		 * take_emergency().
		 */
		atomic_compare_exchange_strong_explicit(&keg->emergency, &same,
		    NULL, memory_order_seq_cst, memory_order_relaxed);
		slab_close_claims(s, &keg->layout, keg->raw);
		tally_add(&keg->making, -(size_t)s->limit);
		tally_move(&keg->items, s->limit);
		tally_move(&keg->slabs, 1);
		tally_move(&keg->free_items, s->free_count);
		link_in(keg, s, keg_bin(keg, s));
	}
	free_count = s->free_count;
	slab_merge(s, &keg->layout, &twice);
	if (twice != NULL)
		uma_crime(keg->free_name, "double free", twice, keg->name);
	tally_move(&keg->free_items, (size_t)s->free_count - free_count);
	keg_rebin(keg, s);
}

/*
 * Whether an idle slab may be claimed from: one of several, or it would be
 * missed; not where items may be raw, as a claimer cannot tell; not of a keg
 * that has to find all of its items.
 */
static bool
may_lend(struct keg *keg, struct slab *s) UMA_REQUIRES(&keg->lock)
{
	if (!keg_keeps_slabs(keg) || keg->raw || keg->object != NULL ||
	    keg->idle < 2 || keg_is_frozen(keg))
		return false;
	/*
	 * seq_cst, pairs with take_emergency(): who comes later cannot have
	 * seen it as it was claimed from before.
	 */
	return slab_is_idle(s) &&
	       atomic_load_explicit(&keg->claimers, memory_order_seq_cst) == 0;
}

/*
 * Where slabs stay, each emergency would make one that does: let an idle one be
 * claimed from, which is on its way in from then on.
 */
static void
lend(struct keg *keg) UMA_REQUIRES(&keg->lock)
{
	struct slab *s = keg->bins[BIN_IDLE];
	struct slab *none = NULL;

	if (!may_lend(keg, s))
		return;
	/* relaxed: nobody sees it but by the exchange. */
	atomic_store_explicit(&s->claim, 0, memory_order_relaxed);
	if (!atomic_compare_exchange_strong_explicit(&keg->emergency, &none, s,
		memory_order_seq_cst, memory_order_relaxed))
		return;
	keg_take_out(keg, s);
	s->bin = BIN_UNLINKED;
	tally_add(&keg->making, s->limit);
}

void
keg_adopt_all(struct keg *keg)
{
	/* acquire, pairs with claim()'s publishing of the slab. */
	struct slab *s =
	    atomic_load_explicit(&keg->emergency, memory_order_acquire);
	struct slab *next;

	/* relaxed: what is claimed a moment later is for the next one. */
	if (unlikely(s != NULL) && !keg_is_frozen(keg) &&
	    atomic_load_explicit(&s->claim, memory_order_relaxed) == 0)
		s = NULL;
	/* relaxed: a hint; the exchange orders. */
	if (likely(s == NULL && atomic_load_explicit(
				    &keg->late, memory_order_relaxed) == NULL))
		return;
	if (s != NULL)
		keg_adopt(keg, s);
	/* acquire, pairs with keg_list(). */
	s = atomic_exchange_explicit(&keg->late, NULL, memory_order_acquire);
	for (; s != NULL; s = next) {
		next = s->late_next;
		/*
		 * seq_cst, pairs with the exchange in keg_list(): who finds it
		 * set has set its late bit before, and we merge after this.
		 */
		atomic_store_explicit(&s->listed, 0, memory_order_seq_cst);
		keg_adopt(keg, s);
	}
	lend(keg);
}

void
keg_list(struct keg *keg, struct slab *s)
{
	/* seq_cst: see keg_adopt_all(). */
	if (atomic_exchange_explicit(&s->listed, 1, memory_order_seq_cst) != 0)
		return;
	s->late_next = atomic_load_explicit(&keg->late, memory_order_relaxed);
	/* release: publishes the slab and its link. */
	while (!atomic_compare_exchange_weak_explicit(&keg->late, &s->late_next,
	    s, memory_order_release, memory_order_relaxed))
		;
}
