/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static const struct row rows[] = {
	{ "short", short_row, 0, 64, false },
	{ "churn", churn_row, 0, 100000, false },
	{ "tree", tree_row, 0, 65535, false },
	{ "fragment", fragment_row, 0, 50000, false },
	{ "grow", grow_row, 0, 0, false },
	{ "zeroed", zeroed_row, 0, 0, false },
	{ "large", large_row, 0, 16, false },
	{ "cross", cross_row, 0, 256, false },
	{ "storm", storm_row, 0, 64, false },
	{ NULL, NULL, 0, 0, false },
};

int
main(int argc, char **argv)
{
	return bench_main(argc, argv, rows);
}

void
kernel_print(double ns)
{
	bench_print("ns", ns);
	bench_print("peak-mib", (double)bench_peak_rss() / (1024.0 * 1024.0));
}

void *
kernel_alloc(size_t bytes)
{
	char *block = malloc(bytes);

	bench_need(block != NULL, "malloc returned NULL");
	block[0] = 1;
	block[bytes - 1] = 1;
	return block;
}

const uint32_t *
kernel_sizes(size_t min, size_t max, bool is_skewed)
{
	uint32_t *sizes = bench_pages(KERNEL_SIZES * sizeof(*sizes));
	uint64_t state = 2463534242u;
	unsigned doublings = 0;

	while (min << (doublings + 1) <= max)
		doublings++;
	for (size_t i = 0; i < KERNEL_SIZES; i++) {
		unsigned doubling = 0;
		size_t base;

		if (is_skewed) {
			while (doubling + 1 < doublings &&
			       bench_random(&state) % 2 == 0)
				doubling++;
		} else {
			doubling = (unsigned)(bench_random(&state) % doublings);
		}
		base = min << doubling;
		sizes[i] = (uint32_t)(base + bench_random(&state) % base);
	}
	return sizes;
}
