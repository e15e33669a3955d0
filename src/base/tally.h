/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/tally.h - numbers that anyone may read at any time
 *
 * All are relaxed: a tally orders nothing.  tally_move() is for a writer
 * that is alone (it holds a lock, or owns the record); tally_add() for many.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

typedef _Atomic size_t tally;

static inline size_t
tally_get(const tally *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static inline void
tally_set(tally *n, size_t to)
{
	atomic_store_explicit(n, to, memory_order_relaxed);
}

/* A load and a store, no locked instruction. */
static inline void
tally_move(tally *n, size_t by)
{
	tally_set(n, tally_get(n) + by);
}

/* Returns what it was. */
static inline size_t
tally_add(tally *n, size_t by)
{
	return atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

#endif /* BASE_TALLY_H */
