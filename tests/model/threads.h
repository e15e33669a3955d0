/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.h - what threads.c shares with typed.c
 *
 * An item carries its stamp in its first word, so whoever gets hold of it can
 * tell whether it is whole.
 */
#ifndef TESTS_MODEL_THREADS_H
#define TESTS_MODEL_THREADS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { THREADS_SLOTS = 400 }; /* of each zone, and type */

struct worker {
	pthread_t thread;
	uint64_t seed;
	unsigned number;
	uint64_t serial;
};

/* Write a new stamp over an item; see that it is as it was written. */
void threads_sign(struct worker *w, void *item, size_t bytes);
void threads_verify(const void *item, size_t bytes, const char *name);
void threads_expect(const char *name, const char *what, long is, long should);

/*
 * Put an item of a kind into a slot that all threads share, or take and give
 * the one that is there.
 */
void threads_use_slot(struct worker *w, _Atomic(void *) *slot, unsigned kind,
    void *(*take_one)(struct worker *w, unsigned kind),
    void (*give_one)(struct worker *w, unsigned kind, void *item));

/* malloc(9) and vm_zone(9), in any thread between the first and the last. */
void typed_start(void);
void typed_use_block(struct worker *w);
void typed_use_item(struct worker *w);
/* Nobody else does anything now. */
void typed_check_at_rest(void);
void typed_end(void);

#endif /* TESTS_MODEL_THREADS_H */
