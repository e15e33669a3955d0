/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats - pulls the counters of all rooms into the public structures
 *
 * Why it is here.  Counters live where they are changed; the table that a user
 * reads is made here, without a lock and without memory.
 *
 * The table is that of FreeBSD's vmstat -z:
 *
 *	ITEM                   SIZE  LIMIT     USED     FREE      REQ ...
 *
 *	conn:                   448,   1000,      12,     132,  102040, ...
 *
 * What it may touch.  base port lock percpu meta supply keg zone heap.
 */
#ifndef STATS_STATS_H
#define STATS_STATS_H

#include <uma/stats.h>

#endif /* STATS_STATS_H */
