/* SPDX-License-Identifier: BSD-2-Clause */
/* What it takes to open and close a source, and to have many. */
#include "zones.h"

#if PEER_CLOSES

#include <stddef.h>
#include <stdint.h>

struct life {
	size_t item_bytes;
	bool is_used;
};

static void life_work(void *arg, uint64_t rounds);

void
life_row(const struct row *row)
{
	struct life life = { row->item_bytes, row->item_count != 0 };

	bench_print("ns", bench_measure(life_work, &life, BENCH_ALONE));
}

static void
life_work(void *arg, uint64_t rounds)
{
	const struct life life = *(struct life *)arg;

	while (rounds-- > 0) {
		struct peer peer = peer_open(life.item_bytes, 1, NULL);

		if (life.is_used)
			peer_free(peer, peer_alloc(peer));
		peer_close(peer);
	}
}

/* ns: opened, closed, and nothing else; used-ns: and one item of each. */
void
many_row(const struct row *row)
{
	struct peer *peers = bench_pages(row->item_count * sizeof(*peers));
	void **items = bench_pages(row->item_count * sizeof(*items));
	uint64_t rss = bench_resident();
	uint64_t start = bench_ns(BENCH_ALONE);
	uint64_t opened;
	uint64_t used;

	for (size_t i = 0; i < row->item_count; i++)
		peers[i] = peer_open(row->item_bytes, 1, NULL);
	opened = bench_ns(BENCH_ALONE) - start;
	bench_print("touched-bytes",
	    (double)(bench_resident() - rss) / (double)row->item_count);
	start = bench_ns(BENCH_ALONE);
	for (size_t i = 0; i < row->item_count; i++)
		items[i] = peer_alloc(peers[i]);
	for (size_t i = 0; i < row->item_count; i++)
		peer_free(peers[i], items[i]);
	used = bench_ns(BENCH_ALONE) - start;
	start = bench_ns(BENCH_ALONE);
	for (size_t i = 0; i < row->item_count; i++)
		peer_close(peers[i]);
	opened += bench_ns(BENCH_ALONE) - start;
	bench_print("ns", (double)opened / (double)row->item_count);
	bench_print("used-ns", (double)used / (double)row->item_count);
}

#endif /* PEER_CLOSES */
