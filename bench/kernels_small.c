/* SPDX-License-Identifier: BSD-2-Clause */
/* Small blocks in one thread. */
#include "kernels.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Places for blocks, refilled at random: short and churn differ in size. */
struct heap {
	void **blocks;
	size_t block_count;
	const uint32_t *sizes;
	uint64_t state;
	uint32_t turn;
};

static void heap_row(const struct row *row, size_t max);
static void heap_work(void *arg, uint64_t rounds);

void
short_row(const struct row *row)
{
	heap_row(row, 512);
}

void
churn_row(const struct row *row)
{
	heap_row(row, 4096);
}

static void
heap_row(const struct row *row, size_t max)
{
	struct heap heap = {
		.blocks = bench_pages(row->item_count * sizeof(void *)),
		.block_count = row->item_count,
		.sizes = kernel_sizes(16, max, true),
		.state = 88172645463325252u,
	};

	/* Full before the first look at the clock. */
	for (size_t i = 0; i < heap.block_count; i++)
		heap.blocks[i] = kernel_alloc(heap.sizes[i % KERNEL_SIZES]);
	kernel_print(bench_measure(heap_work, &heap, BENCH_ALONE));
}

static void
heap_work(void *arg, uint64_t rounds)
{
	struct heap *heap = arg;

	while (rounds-- > 0) {
		size_t i = bench_random(&heap->state) % heap->block_count;

		free(heap->blocks[i]);
		heap->blocks[i] =
		    kernel_alloc(heap->sizes[heap->turn++ % KERNEL_SIZES]);
	}
}

struct node {
	struct node *left;
	struct node *right;
	uint64_t value;
};

static void tree_work(void *arg, uint64_t rounds);
static struct node *tree_build(size_t count);
static uint64_t tree_sum(const struct node *node);
static void tree_free(struct node *node);

void
tree_row(const struct row *row)
{
	size_t count = row->item_count;
	double ns = bench_measure(tree_work, &count, BENCH_ALONE);

	kernel_print(ns / (double)count);
}

static void
tree_work(void *arg, uint64_t rounds)
{
	size_t count = *(size_t *)arg;

	while (rounds-- > 0) {
		struct node *root = tree_build(count);

		bench_need(tree_sum(root) == (uint64_t)count * 7,
		    "the tree was corrupted");
		tree_free(root);
	}
}

static struct node *
tree_build(size_t count)
{
	struct node *node;

	if (count == 0)
		return NULL;
	node = malloc(sizeof(*node));
	bench_need(node != NULL, "malloc returned NULL");
	node->value = 7;
	node->left = tree_build((count - 1) / 2);
	node->right = tree_build(count - 1 - (count - 1) / 2);
	return node;
}

static uint64_t
tree_sum(const struct node *node)
{
	if (node == NULL)
		return 0;
	return node->value + tree_sum(node->left) + tree_sum(node->right);
}

static void
tree_free(struct node *node)
{
	if (node == NULL)
		return;
	tree_free(node->left);
	tree_free(node->right);
	free(node);
}

/*
 * Fill with one mix of sizes, free most at random, fill the holes with the
 * other mix, free most again.  What stays pins memory that the other mix
 * cannot use as it is.
 */
struct fragment {
	void **blocks;
	uint32_t *bytes;
	size_t block_count;
	const uint32_t *sizes[2];
	uint64_t state;
	uint64_t live_bytes;
};

static void fragment_work(void *arg, uint64_t rounds);
static void fragment_fill(struct fragment *heap, const uint32_t *sizes);
static void fragment_free(struct fragment *heap);

void
fragment_row(const struct row *row)
{
	size_t count = row->item_count;
	struct fragment heap = {
		.blocks = bench_pages(count * sizeof(void *)),
		.bytes = bench_pages(count * sizeof(uint32_t)),
		.block_count = count,
		.sizes = { kernel_sizes(16, 512, false),
		    kernel_sizes(256, 4096, false) },
		.state = 88172645463325252u,
	};
	uint64_t before = bench_resident();
	double ns = bench_measure(fragment_work, &heap, BENCH_ALONE);
	/* Three of four blocks die between two fillings. */
	double allocs = 2.0 * 0.75 * (double)count;

	kernel_print(ns / allocs);
	bench_print("resident",
	    (double)(bench_resident() - before) / (double)heap.live_bytes);
}

static void
fragment_work(void *arg, uint64_t rounds)
{
	struct fragment *heap = arg;

	while (rounds-- > 0) {
		for (size_t mix = 0; mix < 2; mix++) {
			fragment_fill(heap, heap->sizes[mix]);
			fragment_free(heap);
		}
	}
}

static void
fragment_fill(struct fragment *heap, const uint32_t *sizes)
{
	for (size_t i = 0; i < heap->block_count; i++) {
		if (heap->blocks[i] != NULL)
			continue;
		heap->bytes[i] =
		    sizes[bench_random(&heap->state) % KERNEL_SIZES];
		heap->blocks[i] = kernel_alloc(heap->bytes[i]);
		heap->live_bytes += heap->bytes[i];
	}
}

static void
fragment_free(struct fragment *heap)
{
	for (size_t i = 0; i < heap->block_count; i++) {
		if (bench_random(&heap->state) % 4 == 0)
			continue;
		free(heap->blocks[i]);
		heap->blocks[i] = NULL;
		heap->live_bytes -= heap->bytes[i];
	}
}
