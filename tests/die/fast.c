/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fast.c - the crimes that the inlined hit does not look for
 *
 * They are seen when the item reaches its slab: here by uma_reclaim().
 */
#include "zone/common.h"

#include <uma/fast.h>

static void
free_and_reclaim(uma_zone_t zone, void *item)
{
	uma_fast_zfree(zone, item);
	uma_reclaim();
}

TEST(what_the_hit_gives_the_slab_checks)
{
	uma_zone_t zone = zone_make("fast", 64, 7);
	uma_zone_t same = zone_make("same", 64, 7);
	char *item = uma_fast_zalloc(zone, M_WAITOK);
	char *foreign = uma_fast_zalloc(same, M_WAITOK);
	static char nowhere[64];

	uma_fast_zfree(zone, uma_fast_zalloc(zone, M_WAITOK));
	DIES(free_and_reclaim(zone, nowhere),
	    "uma: uma_zfree: foreign pointer: ptr %p zone \"fast\"",
	    (void *)nowhere);
	/* An address that no granule but the first has. */
	DIES(free_and_reclaim(zone, (char *)(uintptr_t)8),
	    "uma: uma_zfree: foreign pointer: ptr %p zone \"fast\"",
	    (void *)(uintptr_t)8);
	DIES(free_and_reclaim(zone, foreign),
	    "uma: uma_zfree: item of another zone: ptr %p zone \"fast\"",
	    (void *)foreign);
	DIES(free_and_reclaim(zone, item + 8),
	    "uma: uma_zfree: pointer into an item: ptr %p zone \"fast\"",
	    (void *)(item + 8));
	uma_fast_zfree(same, foreign);
	uma_fast_zfree(zone, item);
	zone_end(same);
	zone_end(zone);
}

/* On one CPU: elsewhere it would be on top of nothing. */
TEST(a_double_free_on_top_is_seen_at_once)
{
	uma_zone_t zone = zone_make("twice", 64, 7);
	void *others[ZONE_OTHERS];
	void *first;

	REQUIRE(cpu_pin(0));
	first = zone_take_warm(zone, others);
	uma_fast_zfree(zone, first);
	DIES(uma_fast_zfree(zone, first),
	    "uma: uma_zfree: double free: ptr %p zone \"twice\"", first);
	for (int i = 0; i < ZONE_OTHERS; i++)
		uma_fast_zfree(zone, others[i]);
	zone_end(zone);
}

TEST(a_program_of_another_layout_stops_at_once)
{
	DIES(uma_fast_check(UMA_FAST_ABI + 1),
	    "uma: uma_fast_check: program was built for another libuma");
	uma_fast_check(UMA_FAST_ABI);
}

TEST_MAIN
