/* SPDX-License-Identifier: BSD-2-Clause */
#include "zones.h"

#include <stddef.h>

/* Every kind of row of one size; both orders of freeing, small and large. */
#define BURST(bytes, count) \
	{ "burst/" #bytes "/" #count "/lifo", burst_row, bytes, count, \
		false }, \
	{ \
		"burst/" #bytes "/" #count "/random", burst_row, bytes, count, \
		    true \
	}
#define ALONE(bytes) \
	{ "pair/" #bytes, pair_row, bytes, 1, false }, BURST(bytes, 1000), \
	    BURST(bytes, 100000), \
	    { "constructed/" #bytes "/1", constructed_row, bytes, 1, false }, \
	{ \
		"constructed/" #bytes "/1000", constructed_row, bytes, 1000, \
		    false \
	}
/* burst/.../100/lifo is what threads/.../100 is measured against. */
#define TOGETHER(bytes) \
	{ "burst/" #bytes "/100/lifo", burst_row, bytes, 100, false }, \
	    { "threads/" #bytes "/100", threads_row, bytes, 100, false }, \
	{ \
		"threads/" #bytes "/1000", threads_row, bytes, 1000, false \
	}
#define HANDOFF(bytes) \
	{ \
		"handoff/" #bytes, handoff_row, bytes, 0, false \
	}
#define MASS(bytes, count) \
	{ "fresh/" #bytes, fresh_row, bytes, count, false }, \
	{ \
		"giveback/" #bytes, giveback_row, bytes, count, false \
	}
#define TAIL(name, bytes, count, is_random) \
	{ \
		"tail/" name, tail_row, bytes, count, is_random \
	}
#define LIFE(name, used) \
	{ \
		"life/" name, life_row, 64, used, false \
	}

static const struct row rows[] = {
	ALONE(16),
	ALONE(64),
	ALONE(256),
	ALONE(1024),
	ALONE(4096),
	TOGETHER(16),
	TOGETHER(64),
	TOGETHER(256),
	TOGETHER(1024),
	TOGETHER(4096),
#if PEER_SHARES
	HANDOFF(16),
	HANDOFF(64),
	HANDOFF(256),
	HANDOFF(1024),
	HANDOFF(4096),
#endif
#if PEER_GROWS
	MASS(16, 1000000),
	MASS(64, 1000000),
	MASS(256, 1000000),
	MASS(1024, 1000000),
	MASS(4096, 250000), /* a GiB is enough */
	{ "giveback/64/random", giveback_row, 64, 1000000, true },
	{ "giveback/1024/random", giveback_row, 1024, 1000000, true },
	{ "giveback/4096/random", giveback_row, 4096, 250000, true },
#endif
	TAIL("pair/64", 64, 1, false),
	TAIL("churn/64", 64, 10000, true),
	TAIL("swing/64", 64, 20000, false),
	TAIL("churn/1024", 1024, 10000, true),
	TAIL("swing/1024", 1024, 20000, false),
	TAIL("swing/4096", 4096, 5000, false),
#if PEER_CLOSES
	LIFE("unused", 0),
	LIFE("used", 1),
	{ "life/100000", many_row, 64, 100000, false },
#endif
	{ NULL, NULL, 0, 0, false },
};

int
main(int argc, char **argv)
{
	return bench_main(argc, argv, rows);
}
