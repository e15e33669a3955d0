/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * items.h - who holds which item
 *
 * A ledger tells who holds each item, so that an item in two places is seen
 * when it is taken or given; an item in no place is seen in the numbers.
 * All of it may be called in signal handlers.
 */
#ifndef TESTS_RSEQ_ITEMS_H
#define TESTS_RSEQ_ITEMS_H

#include "force.h"

#include <uma/malloc9.h>
#include <uma/stats.h>
#include <uma/uma.h>
#include <uma/vm_zone.h>

#define BLOCK_BYTES 1024 /* a class that nothing else here uses */

enum who { NOBODY, FIRST, HANDLER, HELPER };

extern struct shared *sh;

/* What this round is about: a zone, or the class of BLOCK_BYTES. */
extern uma_zone_t zone;
extern vm_zone_t vm_zone;
extern bool is_malloc;
extern bool is_typed;
extern struct malloc_type fresh[1]; /* a type of one use */
extern uint64_t used_before;        /* blocks of the class that are not ours */

/* The first thing that is wrong goes to the parent. */
void expect(bool ok, const char *why);

/* Enter in the ledger what was taken, and what is about to be freed. */
void took(void *item, enum who who);
void gives(void *item, enum who who);
void note_fresh(void *item);

/* Take and give by the plainest call; who is refused asks again: hostile.h. */
void *take(enum who who);
void *take_if_any(enum who who); /* NULL: none is left below the limit */
void give(void *item, enum who who);
void give_all(void);

long held(void);
long held_fresh(void);

/* The zone's, or the class's. */
struct uma_zone_stats numbers(void);

#endif /* TESTS_RSEQ_ITEMS_H */
