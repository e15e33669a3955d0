/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc9 - the kernel's malloc: the heap's blocks, counted by purpose
 *
 * Why it is here.  Who asks for memory says what it is for, so that anyone can
 * ask later who holds it.  The price must be a store, not a lock: so each type
 * has counters by CPU, which the percpu room keeps exact.
 *
 *	malloc_type      the user's object: in the list of registered types
 *	   |             ks_classes, ks_counters: what a hit reads
 *	   v ks_ledger
 *	ledger           in the library's memory, for ever; made at first use
 *	   |- records    counters by CPU, of all blocks
 *	   |- rest       counters of what could not be counted there: while
 *	                 another owns the CPU's counter, or there is none yet
 *	   `- classes, greatest sample, a copy of the name
 *
 * A hit is one test (has this type used this class before?) and then the
 * heap's hit and percpu_hit().  The test fails for whatever needs thought: a
 * type that is new, not registered, without counters; and for every type in
 * debug mode, where its bits are never set.
 *
 * In debug mode the last 8 bytes of a block say which ledger it is of.
 *
 * What holds.
 *   1. Every block handed out is counted once in, every block taken back once
 *      out, by the bytes that the heap gave for it; records + rest = all.
 *   2. An operation writes the counters of the type it was given and of no
 *      other, whatever type its block is of.
 *   3. A ledger is never unmapped: a walk needs no lock and finds at worst the
 *      name of a type that is gone, and then leaves it out.
 *
 * Locks.  One, for the list of types, the unused ledgers and the samples of
 * readers; outside all others, and nothing is taken under it.
 * What it may touch.  base port lock percpu meta heap.
 */
#ifndef MALLOC9_MALLOC9_H
#define MALLOC9_MALLOC9_H

#include <uma/malloc9.h>

#include "base/base.h"

/* Blocks remember their type.  Set before the first block, or never. */
extern bool malloc9_debug;

/* M_EXEC is allowed.  Set as the library starts. */
extern bool malloc9_exec;

#endif /* MALLOC9_MALLOC9_H */
