/* SPDX-License-Identifier: BSD-2-Clause */
#include "zones.h"

#include <stddef.h>

#define MILLION 1000000

/* Rows of both orders of freeing. */
#define BURST(bytes, count) \
	{ "burst/" #bytes "/" #count "/lifo", burst_row, bytes, count, \
		false }, \
	{ \
		"burst/" #bytes "/" #count "/random", burst_row, bytes, count, \
		    true \
	}
#define PAIR(bytes) \
	{ \
		"pair/" #bytes, pair_row, bytes, 1, false \
	}
#define CONSTRUCTED(count) \
	{ \
		"constructed/" #count, constructed_row, 256, count, false \
	}
#define THREADS(count) \
	{ \
		"threads/64/" #count, threads_row, 64, count, false \
	}
#define HANDOFF(bytes) \
	{ \
		"handoff/" #bytes, handoff_row, bytes, 0, false \
	}
#define MASS(bytes) \
	{ "fresh/" #bytes, fresh_row, bytes, MILLION, false }, \
	{ \
		"giveback/" #bytes, giveback_row, bytes, MILLION, false \
	}

static const struct row rows[] = {
	PAIR(16),
	PAIR(64),
	PAIR(256),
	PAIR(1024),
	PAIR(4096),
	BURST(64, 100), /* what threads/64/100 is measured against */
	BURST(16, 1000),
	BURST(64, 1000),
	BURST(256, 1000),
	BURST(1024, 1000),
	BURST(4096, 1000),
	BURST(16, 100000),
	BURST(64, 100000),
	BURST(256, 100000),
	BURST(1024, 100000),
	CONSTRUCTED(1),
	CONSTRUCTED(1000),
	THREADS(100),
	THREADS(1000),
#if PEER_SHARES
	HANDOFF(64),
	HANDOFF(1024),
	HANDOFF(4096),
#endif
#if PEER_GROWS
	MASS(16),
	MASS(64),
	MASS(256),
	MASS(1024),
#endif
	{ NULL, NULL, 0, 0, false },
};

int
main(int argc, char **argv)
{
	return bench_main(argc, argv, rows);
}
