/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * near.h - what module.c gives to unload.c: hits of its own, of both kinds
 */
#ifndef TESTS_NEAR_NEAR_H
#define TESTS_NEAR_NEAR_H

#include <uma/uma.h>

struct near_pair {
	const char *name;
	void *(*alloc)(uma_zone_t zone, int wait);
	void (*free)(uma_zone_t zone, void *item);
};

/* The module's own names of each; the last has no name. */
typedef const struct near_pair *near_pairs(void);
near_pairs near_module_pairs;

#endif /* TESTS_NEAR_NEAR_H */
