/* SPDX-License-Identifier: BSD-2-Clause */
/* Growing, zeroed and large blocks in one thread. */
#include "kernels.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define PAGE_BYTES   4096
#define BUFFER_COUNT 16
#define BUFFER_START 32
#define BUFFER_END   (512 * 1024)
#define SLOT_COUNT   4

static void grow_work(void *arg, uint64_t rounds);
static size_t grow_all(char **buffers, size_t bytes);
static void zeroed_work(void *arg, uint64_t rounds);
static void large_work(void *arg, uint64_t rounds);

void
grow_row(const struct row *row)
{
	double steps = 0;
	double ns;

	(void)row;
	for (size_t bytes = BUFFER_START; bytes < BUFFER_END;
	     bytes += bytes / 2)
		steps++;
	ns = bench_measure(grow_work, NULL, BENCH_ALONE);
	kernel_print(ns / (steps * BUFFER_COUNT));
}

static void
grow_work(void *arg, uint64_t rounds)
{
	(void)arg;
	while (rounds-- > 0) {
		char *buffers[BUFFER_COUNT] = { NULL };
		size_t bytes = BUFFER_START;

		while (bytes < BUFFER_END)
			bytes = grow_all(buffers, bytes);
		for (size_t i = 0; i < BUFFER_COUNT; i++)
			free(buffers[i]);
	}
}

/* One step of every buffer; returns the next step's size. */
static size_t
grow_all(char **buffers, size_t bytes)
{
	size_t old = bytes == BUFFER_START ? 0 : bytes - bytes / 3;

	for (size_t i = 0; i < BUFFER_COUNT; i++) {
		char *grown = realloc(buffers[i], bytes);

		bench_need(grown != NULL, "realloc returned NULL");
		bench_need(old == 0 || grown[0] == (char)i,
		    "realloc lost what was in the block");
		grown[0] = (char)i;
		for (size_t at = old; at < bytes; at += PAGE_BYTES)
			grown[at] = (char)i;
		grown[bytes - 1] = (char)i;
		buffers[i] = grown;
	}
	return bytes + bytes / 2;
}

struct slots {
	char *blocks[16];
	size_t block_count;
	const uint32_t *sizes;
	uint64_t state;
	uint32_t turn;
};

void
zeroed_row(const struct row *row)
{
	struct slots slots = {
		.block_count = SLOT_COUNT,
		.sizes = kernel_sizes(256 * 1024, 4096 * 1024, false),
		.state = 88172645463325252u,
	};

	(void)row;
	kernel_print(bench_measure(zeroed_work, &slots, BENCH_ALONE));
}

static void
zeroed_work(void *arg, uint64_t rounds)
{
	struct slots *slots = arg;

	while (rounds-- > 0) {
		size_t bytes = slots->sizes[slots->turn++ % KERNEL_SIZES];
		size_t i = bench_random(&slots->state) % slots->block_count;
		char *block;

		free(slots->blocks[i]);
		block = calloc(1, bytes);
		bench_need(block != NULL, "calloc returned NULL");
		for (size_t at = 0; at < bytes; at += PAGE_BYTES) {
			bench_need(block[at] == 0, "calloc did not clear");
			if (at % (4 * PAGE_BYTES) == 0)
				block[at] = 1;
		}
		slots->blocks[i] = block;
	}
}

void
large_row(const struct row *row)
{
	struct slots slots = {
		.block_count = row->item_count,
		.sizes = kernel_sizes(64 * 1024, 16 * 1024 * 1024, true),
		.state = 88172645463325252u,
	};

	kernel_print(bench_measure(large_work, &slots, BENCH_ALONE));
}

static void
large_work(void *arg, uint64_t rounds)
{
	struct slots *slots = arg;

	while (rounds-- > 0) {
		size_t bytes = slots->sizes[slots->turn++ % KERNEL_SIZES];
		size_t i = bench_random(&slots->state) % slots->block_count;
		char *block;

		free(slots->blocks[i]);
		block = kernel_alloc(bytes);
		for (size_t at = 0; at < bytes; at += 16 * PAGE_BYTES)
			block[at] = 1;
		slots->blocks[i] = block;
	}
}
