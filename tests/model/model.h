/* SPDX-License-Identifier: BSD-2-Clause */
/* model.h - sequences: made from a seed, watched, shortened, written down */
#ifndef TESTS_MODEL_MODEL_H
#define TESTS_MODEL_MODEL_H

#include <stdbool.h>
#include <stdio.h>

#include "model/play.h"

enum { STEPS_MAX = 100000 };

/* Fill `steps`; `blocks`: steps of the malloc family among them. */
void generate(struct step *steps, unsigned count, uint64_t seed, bool blocks);

/* What became of a child. */
struct verdict {
	bool good;
	unsigned step; /* how many were begun */
	unsigned long long operations;
	char why[sizeof((struct play_report *)0)->why];
};

/* Run a body in a process of its own, for so long at most. */
struct verdict watch(
    void (*body)(const void *arg), const void *arg, unsigned seconds);

/* Play the steps in a process of their own. */
struct verdict watch_steps(
    const struct step *steps, unsigned count, bool quiet);

/*
 * Shorten a sequence that fails to one of which no step can be left out, and
 * no number made simpler.  Returns its length.
 */
unsigned shrink(struct step *steps, unsigned count, unsigned seconds);

/* As a program in C, with the reason it is kept for. */
void print_program(
    FILE *to, const struct step *steps, unsigned count, const char *why);

/* Threads on shared zones, for some time, in a process of their own. */
struct verdict watch_threads(
    uint64_t seed, unsigned threads, unsigned seconds, bool blocks);

#endif /* TESTS_MODEL_MODEL_H */
