/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/counter.h - numbers that anyone may read at any time
 *
 * All are relaxed: a counter orders nothing.  counter_move() is for a writer
 * that is alone (it holds a lock, or owns the record); counter_add() for many.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

typedef _Atomic size_t counter;

static inline size_t
counter_get(const counter *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static inline void
counter_set(counter *n, size_t to)
{
	atomic_store_explicit(n, to, memory_order_relaxed);
}

/* A load and a store, no locked instruction. */
static inline void
counter_move(counter *n, size_t by)
{
	counter_set(n, counter_get(n) + by);
}

/* Returns what it was. */
static inline size_t
counter_add(counter *n, size_t by)
{
	return atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

#endif /* BASE_COUNTER_H */
