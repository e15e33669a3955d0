/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h - what every zone holds, as numbers
 *
 * Counters are exact: allocations, frees and cached items are derived from
 * the words that the hit itself commits, and none is lost.  A snapshot taken
 * while other threads work reads each CPU at a moment of its own during the
 * call, and leaves out the few items that are just then being moved between
 * layers; taken while the zone is at rest it is exact in all.
 */
#ifndef UMA_STATS_H
#define UMA_STATS_H

#include <uma/uma.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One zone.  `struct_bytes` is what the library wrote.  A release that adds
 * fields does so at the end and under a new symbol version.
 */
struct uma_zone_stats {
	size_t struct_bytes;
	char name[64];
	uint64_t item_bytes;   /* as asked at creation */
	uint64_t limit_items;  /* 0 for none */
	uint64_t used_items;   /* in users' hands */
	uint64_t free_items;   /* cached, in the depot, and free in slabs */
	uint64_t cached_items; /* the part of free_items above the slabs */
	uint64_t allocs;
	uint64_t frees;
	uint64_t fails;
	uint64_t sleeps;
	uint64_t xdomain;
	uint64_t misses;     /* that the CPU's bucket at hand could not serve */
	uint64_t slab_bytes; /* address space held in slabs */
	uint64_t flags;      /* UMA_ZONE_* */
};

/* The whole library. */
struct uma_stats {
	size_t struct_bytes;
	uint64_t zones;
	uint64_t mapped_bytes; /* address space taken from the system */
	uint64_t slab_bytes;   /* in slabs of zones */
	uint64_t large_bytes;  /* in large and huge blocks of malloc */
	uint64_t cached_bytes; /* free runs kept dirty for reuse */
	uint64_t meta_bytes;   /* the library's own structures */
	uint64_t large_allocs; /* large and huge blocks handed out, ever */
	uint64_t large_frees;
	uint64_t emergencies; /* allocations served by the emergency source */
	int percpu_mode;      /* 0 generic, 1 rseq by CPU, 2 rseq by mm_cid */
	unsigned percpu_slots;
};

/*
 * uma_stats_walk - call `each` for every live zone, in order of number
 *
 * That is the order of creation until numbers of dead zones are used again.
 *
 * Context:  thread-safe; no lock is held around `each`, which may call the
 *           library but must not destroy the zone it is shown.
 */
UMA_EXPORT void uma_stats_walk(
    void (*each)(const struct uma_zone_stats *zone, void *arg), void *arg);

/* uma_zone_stats - one zone's numbers. */
UMA_EXPORT void uma_zone_stats(uma_zone_t zone, struct uma_zone_stats *out);

/* uma_stats - the library's numbers. */
UMA_EXPORT void uma_stats(struct uma_stats *out);

/*
 * uma_stats_print - write the table of all zones to a file descriptor
 *
 * The layout is that of FreeBSD's `vmstat -z`, byte for byte.
 *
 * Context:  allocates nothing; safe in a signal handler.
 */
UMA_EXPORT void uma_stats_print(int fd);

#ifdef __cplusplus
}
#endif

#endif /* UMA_STATS_H */
