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
 * Prints medians of all turns: malloc-ns, malloc9-ns, and the difference of
 * two turns that follow each other.
 */
#include "harness.h"

#include <stdlib.h>

#include <uma/malloc9.h>

#define TURNS 1000
#define PAIRS 20000u

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
turn(void (*pairs)(size_t bytes), size_t bytes)
{
	uint64_t start = bench_ns(BENCH_ALONE);

	pairs(bytes);
	return (double)(bench_ns(BENCH_ALONE) - start) / PAIRS;
}

static int
compare(const void *a, const void *b)
{
	const double *left = a;
	const double *right = b;

	return (*left > *right) - (*left < *right);
}

static double
median(double *values)
{
	qsort(values, TURNS, sizeof(*values), compare);
	return values[TURNS / 2];
}

static void
pair_row(const struct row *row)
{
	static double plain[TURNS];
	static double typed[TURNS];
	static double more[TURNS];

	for (int i = 0; i < TURNS; i++) {
		plain[i] = turn(plain_pairs, row->item_bytes);
		typed[i] = turn(typed_pairs, row->item_bytes);
		more[i] = typed[i] - plain[i];
	}
	bench_print("malloc-ns", median(plain));
	bench_print("malloc9-ns", median(typed));
	bench_print("difference-ns", median(more));
}

static const struct row rows[] = {
	{ "pair-64", pair_row, 64, 1, false },
	{ "pair-1024", pair_row, 1024, 1, false },
	{ "pair-65536", pair_row, 65536, 1, false },
	{ "pair-1048576", pair_row, 1048576, 1, false },
	{ NULL, NULL, 0, 0, false },
};

int
main(int argc, char **argv)
{
	return bench_main(argc, argv, rows);
}
