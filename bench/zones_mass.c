/* SPDX-License-Identifier: BSD-2-Clause */
/* A million objects: what fresh memory costs and what becomes of it. */
#include "zones.h"

#if PEER_GROWS

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define MIB (1024.0 * 1024.0)

struct mass {
	struct peer peer;
	size_t item_count;
	void **items;
	uint64_t rss_before;
};

static double mass_alloc(struct mass *mass, const struct row *row);
static double mass_mib(const struct mass *mass);

void
fresh_row(const struct row *row)
{
	struct mass mass;
	double ns = mass_alloc(&mass, row);
	double live = (double)row->item_bytes * (double)row->item_count;

	bench_print("ns", ns);
	bench_print("resident", mass_mib(&mass) * MIB / live);
}

void
giveback_row(const struct row *row)
{
	const uint32_t *order =
	    row->is_random ? bench_shuffled(row->item_count) : NULL;
	struct mass mass;

	(void)mass_alloc(&mass, row);
	bench_print("live-mib", mass_mib(&mass));
	for (size_t i = 0; i < mass.item_count; i++)
		peer_free(mass.peer, mass.items[order == NULL ? i : order[i]]);
	bench_print("freed-mib", mass_mib(&mass));
	sleep(1);
	bench_print("idle-mib", mass_mib(&mass));
	/* Some peers only give back when somebody asks them for something. */
	for (size_t i = 0; i < 1000; i++) {
		void *item = peer_alloc(mass.peer);

		bench_keep(item);
		peer_free(mass.peer, item);
	}
	bench_print("woken-mib", mass_mib(&mass));
}

/* Returns nanoseconds for each object, a pool's filling included. */
static double
mass_alloc(struct mass *mass, const struct row *row)
{
	uint64_t start;

	mass->item_count = row->item_count;
	mass->items = bench_pages(row->item_count * sizeof(void *));
	peer_start();
	mass->rss_before = bench_resident();
	start = bench_ns(BENCH_ALONE);
	mass->peer = peer_open(row->item_bytes, row->item_count, NULL);
	for (size_t i = 0; i < mass->item_count; i++) {
		uint64_t *item = peer_alloc(mass->peer);

		bench_need(item != NULL, "no memory for a million objects");
		*item = i;
		mass->items[i] = item;
	}
	return (double)(bench_ns(BENCH_ALONE) - start) /
	       (double)mass->item_count;
}

/* What the objects added to the process. */
static double
mass_mib(const struct mass *mass)
{
	uint64_t now = bench_resident();

	return now > mass->rss_before ? (double)(now - mass->rss_before) / MIB
				      : 0.0;
}

#endif /* PEER_GROWS */
