/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernels.h - what programs do with malloc, in small
 *
 * One program for all peers: the malloc is the one preloaded.  Every kernel
 * prints `ns` for its operation and `peak-mib`, the process's peak resident
 * memory.  The sequences of sizes and choices are the same in every run.
 */
#ifndef BENCH_KERNELS_H
#define BENCH_KERNELS_H

#include "harness.h"

/* Many small blocks that die young; one block allocated and one freed. */
void short_row(const struct row *row);
/* item_count blocks live for long while others come and go; as short. */
void churn_row(const struct row *row);
/* A binary tree of item_count nodes built, walked, torn down; a node. */
void tree_row(const struct row *row);
/* Holes of one mix of sizes refilled with another; one allocation. */
void fragment_row(const struct row *row);
/* Sixteen growing buffers; one realloc. */
void grow_row(const struct row *row);
/* calloc of 256 KiB to 4 MiB, all read, some written; one block. */
void zeroed_row(const struct row *row);
/* Blocks of 64 KiB to 16 MiB, sparsely written; one block. */
void large_row(const struct row *row);
/* Two threads free each other's blocks; one block. */
void cross_row(const struct row *row);
/* Threads that allocate a little and end, leaving blocks; one thread. */
void storm_row(const struct row *row);

/* kernel_print - print the results of a row. */
void kernel_print(double ns);

/* kernel_alloc - malloc, ending the program on NULL; both ends written. */
void *kernel_alloc(size_t bytes);

/*
 * kernel_sizes - a table of KERNEL_SIZES sizes from `min` to `max`
 *
 * All doublings of the size are equally frequent, or, skewed, each is half as
 * frequent as the one below it.
 */
#define KERNEL_SIZES 4096u
const uint32_t *kernel_sizes(size_t min, size_t max, bool is_skewed);

#endif /* BENCH_KERNELS_H */
