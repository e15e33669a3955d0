/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc9.c - what counting by type costs: uma_malloc() beside malloc()
 *
 * Both take and give one block, turn about in one process, so that a busy
 * machine slows both.  Preload the drop-in malloc, or the C library's is
 * measured:
 *
 *	LD_PRELOAD=.../libuma_malloc.so.1 bench-malloc9 pair-64
 *
 * Prints the best of all turns: malloc-ns, malloc9-ns and their difference.
 */
#include "harness.h"

#include <stdlib.h>

#include <uma/malloc9.h>

#define TURNS 300
#define PAIRS 200000u

static UMA_MALLOC_DEFINE(M_BENCH, "bench", "what is measured");

static void
typed_pairs(size_t bytes)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		void *block = uma_malloc(bytes, M_BENCH, M_WAITOK);

		bench_keep(block);
		uma_mfree(block, M_BENCH);
	}
}

static void
plain_pairs(size_t bytes)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		void *block = malloc(bytes);

		bench_keep(block);
		free(block);
	}
}

static double
turn(void (*pairs)(size_t bytes), size_t bytes, double best)
{
	uint64_t start = bench_ns(BENCH_ALONE);
	double ns;

	pairs(bytes);
	ns = (double)(bench_ns(BENCH_ALONE) - start) / PAIRS;
	return ns < best ? ns : best;
}

static void
pair_row(const struct row *row)
{
	double typed = 1e9;
	double plain = 1e9;

	for (int i = 0; i < TURNS; i++) {
		typed = turn(typed_pairs, row->item_bytes, typed);
		plain = turn(plain_pairs, row->item_bytes, plain);
	}
	bench_print("malloc-ns", plain);
	bench_print("malloc9-ns", typed);
	bench_print("difference-ns", typed - plain);
}

static const struct row rows[] = {
	{ "pair-64", pair_row, 64, 1, false },
	{ "pair-1024", pair_row, 1024, 1, false },
	{ NULL, NULL, 0, 0, false },
};

int
main(int argc, char **argv)
{
	return bench_main(argc, argv, rows);
}
