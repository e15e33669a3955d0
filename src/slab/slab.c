/* SPDX-License-Identifier: BSD-2-Clause */
#include "slab/slab.h"

size_t
slab_header_bytes(const struct slab_layout *l, bool raw)
{
	return sizeof(struct slab) +
	       (raw ? 3u : 2u) * (size_t)l->words * sizeof(uint64_t);
}

/* Set the lowest `count` of the bits. */
static void
fill(uint64_t *bits, uint32_t count)
{
	uint32_t whole = count / BITS_PER_WORD;

	for (uint32_t i = 0; i < whole; i++)
		bits[i] = UINT64_MAX;
	if (count % BITS_PER_WORD != 0)
		bits[whole] = (UINT64_C(1) << (count % BITS_PER_WORD)) - 1;
}

void
slab_format(struct slab *s, const struct slab_layout *l, struct keg *keg,
    void *base, uint32_t limit, bool raw)
{
	s->keg = keg;
	s->base = base;
	s->limit = limit;
	s->free_count = limit;
	/* relaxed: the header is published later. */
	atomic_store_explicit(
	    &s->claim, SLAB_CLAIM_CLOSED, memory_order_relaxed);
	fill(slab_free_bits(s), limit);
	if (raw)
		fill(slab_raw_bits(s, l), limit);
}

/* An item with the marks of the work its taker has with it. */
static void *
marked(struct slab *s, const struct slab_layout *l, uint32_t index, bool raw,
    bool back)
{
	char *item = slab_item(s, l, index);
	uint64_t bit = UINT64_C(1) << (index % BITS_PER_WORD);
	size_t end = (size_t)(item - s->base) + l->stride;
	uintptr_t marks = 0;
	uint64_t *word;

	if (raw) {
		word = &slab_raw_bits(s, l)[index / BITS_PER_WORD];
		if ((*word & bit) != 0)
			marks |= SLAB_MARK_RAW;
		*word &= ~bit;
	}
	/* relaxed: it only grows; an old value costs a system call. */
	if (back && end > tally_get(&s->ready))
		marks |= SLAB_MARK_UNBACKED;
	return item + marks;
}

/* Items of a word's bits that have no marks; what is left of the word. */
static uint64_t
take_plain(struct slab *s, const struct slab_layout *l, uint32_t first,
    uint64_t word, void ***end, size_t want)
{
	char *item = slab_item(s, l, first);
	void **at = *end;

	if (word == UINT64_MAX && want >= BITS_PER_WORD) {
		for (uint32_t i = 0; i < BITS_PER_WORD; i++, item += l->stride)
			*--at = item;
		word = 0;
	}
	for (; word != 0 && want > 0; word &= word - 1, want--)
		*--at = item + lowest_bit(word) * l->stride;
	*end = at;
	return word;
}

/* The same, with their marks. */
static uint64_t
take_marked(struct slab *s, const struct slab_layout *l, uint32_t first,
    uint64_t word, void ***end, size_t want, bool raw, bool back)
{
	for (; word != 0 && want > 0; word &= word - 1, want--)
		*--*end = marked(s, l, first + lowest_bit(word), raw, back);
	return word;
}

size_t
slab_take(struct slab *s, const struct slab_layout *l, bool raw, bool back,
    void **end, size_t want, bool *plain)
{
	uint64_t *bits = slab_free_bits(s);
	bool bare = !raw && (!back || tally_get(&s->ready) >= l->slab_bytes);
	void **at = end;
	uint32_t w = s->hint;

	for (; w < l->words && want > 0; w++) {
		void **before = at;

		bits[w] = bare ? take_plain(s, l, w * BITS_PER_WORD, bits[w],
				     &at, want)
			       : take_marked(s, l, w * BITS_PER_WORD, bits[w],
				     &at, want, raw, back);
		want -= (size_t)(before - at);
		if (bits[w] != 0)
			break;
	}
	*plain &= bare;
	s->hint = w;
	s->free_count -= (uint32_t)(end - at);
	return (size_t)(end - at);
}

bool
slab_give(struct slab *s, uint32_t index)
{
	if (index >= s->limit || !slab_set_free(s, index))
		return false;
	s->free_count++;
	return true;
}

void
slab_merge(struct slab *s, const struct slab_layout *l, void **twice)
{
	_Atomic uint64_t *late = slab_late_bits(s, l);
	uint64_t *bits = slab_free_bits(s);

	*twice = NULL;
	for (uint32_t w = 0; w < l->words; w++) {
		/* acquire, pairs with the fetch_or in keg_give_late(). */
		uint64_t word =
		    atomic_exchange_explicit(&late[w], 0, memory_order_acquire);

		if (word == 0)
			continue;
		if ((word & bits[w]) != 0)
			*twice = slab_item(s, l,
			    w * BITS_PER_WORD + lowest_bit(word & bits[w]));
		word &= ~bits[w];
		bits[w] |= word;
		s->free_count += count_bits(word);
		if (w < s->hint)
			s->hint = w;
	}
}

void
slab_close_claims(struct slab *s, const struct slab_layout *l, bool raw)
{
	/* relaxed: a claimer learns its index from this word alone. */
	uint32_t claimed = atomic_exchange_explicit(
	    &s->claim, SLAB_CLAIM_CLOSED, memory_order_relaxed);

	if (claimed >= SLAB_CLAIM_CLOSED)
		return;
	if (claimed > s->limit)
		claimed = s->limit;
	for (uint32_t i = 0; i < claimed; i++) {
		uint64_t bit = UINT64_C(1) << (i % BITS_PER_WORD);

		slab_free_bits(s)[i / BITS_PER_WORD] &= ~bit;
		if (raw)
			slab_raw_bits(s, l)[i / BITS_PER_WORD] &= ~bit;
	}
	s->free_count -= claimed;
}

bool
slab_is_idle(const struct slab *s)
{
	/*
	 * seq_cst, pairs with keg_give_late(): who has pinned the slab holds
	 * an item of it until after the pin is seen here.
	 */
	return s->free_count == s->limit &&
	       atomic_load_explicit(&s->pins, memory_order_seq_cst) == 0 &&
	       atomic_load_explicit(&s->listed, memory_order_seq_cst) == 0;
}
