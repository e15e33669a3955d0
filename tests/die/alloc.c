/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc - crimes of taking an item and of destroying a zone
 *
 * Each crime is tried on a cold zone and on one whose cache would hit: the
 * short way through the hit must not skip a check.
 */
#include "zone/common.h"

#include <limits.h>
#include <sys/mman.h>

/* Both functions, with the name each has to give. */
#define BOTH_DIE(zone, flags, rule, ...) \
	do { \
		DIES(uma_zalloc(zone, flags), "uma: uma_zalloc: " rule, \
		    __VA_ARGS__); \
		DIES(uma_zalloc_arg(zone, NULL, flags), \
		    "uma: uma_zalloc_arg: " rule, __VA_ARGS__); \
	} while (0)

static void
flags_die(uma_zone_t zone)
{
	static const int both[] = { 3, 3 | M_ZERO };
	static const int unknown[] = { M_NOWAIT | 0x4, M_WAITOK | 0x8,
		M_NOWAIT | 0x80, M_WAITOK | M_ZERO | 0x200,
		M_NOWAIT | 0x40000000, M_WAITOK | INT_MIN };

	for (size_t i = 0; i < sizeof both / sizeof both[0]; i++)
		BOTH_DIE(zone, both[i],
		    "both M_NOWAIT and M_WAITOK: zone \"%s\"", "flags");
	BOTH_DIE(zone, M_ZERO, "neither M_NOWAIT nor M_WAITOK: zone \"%s\"",
	    "flags");
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		BOTH_DIE(zone, unknown[i], "unknown wait flags: zone \"%s\"",
		    "flags");
}

TEST(wait_flags)
{
	uma_zone_t zone = zone_make("flags", 64, 7);

	flags_die(zone);
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	flags_die(zone);
	zone_end(zone);
}

TEST(good_wait_flags)
{
	static const int good[] = { 0, M_WAITOK, M_NOWAIT, M_WAITOK | M_ZERO,
		M_NOWAIT | M_ZERO };
	uma_zone_t zone = zone_make("flags", 64, 7);

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		void *item = uma_zalloc(zone, good[i]);

		REQUIRE(item != NULL);
		uma_zfree(zone, item);
	}
	zone_end(zone);
}

/* All functions that are handed `handle`, which is no zone. */
static void
handle_dies(void *handle, const char *rule, void *item)
{
	uma_zone_t zone = handle;

	DIES(uma_zalloc(zone, M_NOWAIT), "uma: uma_zalloc: %s: ptr %p", rule,
	    handle);
	DIES(uma_zalloc_arg(zone, NULL, M_WAITOK | M_ZERO),
	    "uma: uma_zalloc_arg: %s: ptr %p", rule, handle);
	DIES(uma_zfree(zone, item), "uma: uma_zfree: %s: ptr %p", rule, handle);
	DIES(uma_zfree_arg(zone, item, NULL), "uma: uma_zfree_arg: %s: ptr %p",
	    rule, handle);
	DIES(uma_zdestroy(zone, M_NOWAIT), "uma: uma_zdestroy: %s: ptr %p",
	    rule, handle);
	DIES(uma_zdestroy(zone, M_WAITOK), "uma: uma_zdestroy: %s: ptr %p",
	    rule, handle);
}

TEST(null_zone)
{
	uma_zone_t zone = zone_make("good", 64, 7);
	void *item = uma_zalloc(zone, M_WAITOK);

	DIES(uma_zalloc(NULL, M_NOWAIT), "uma: uma_zalloc: not a zone");
	DIES(uma_zalloc_arg(NULL, NULL, M_NOWAIT),
	    "uma: uma_zalloc_arg: not a zone");
	DIES(uma_zfree(NULL, item), "uma: uma_zfree: not a zone");
	DIES(uma_zfree_arg(NULL, item, NULL), "uma: uma_zfree_arg: not a zone");
	DIES(uma_zdestroy(NULL, M_NOWAIT), "uma: uma_zdestroy: not a zone");
	uma_zfree(zone, item);
	zone_end(zone);
}

TEST(null_zone_in_a_fresh_process)
{
	int x;

	DIES(uma_zalloc(NULL, M_NOWAIT), "uma: uma_zalloc: not a zone");
	DIES(uma_zfree(NULL, &x), "uma: uma_zfree: not a zone");
}

/* Memory that can be read but holds no zone: seen off the hit path. */
TEST(zone_that_is_something_else)
{
	static _Alignas(4096) char zeros[16384];
	static _Alignas(4096) char ones[16384];
	uma_zone_t zone = zone_make("good", 64, 7);
	char *wrong[] = { zeros, ones, (char *)zone + 8, (char *)zone + 64 };

	memset(ones, 0xff, sizeof ones);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		uma_zone_t handle = (void *)wrong[i];

		DIES(uma_zdestroy(handle, M_NOWAIT),
		    "uma: uma_zdestroy: not a zone: ptr %p", (void *)handle);
		DIES(uma_prealloc(handle, 1),
		    "uma: uma_prealloc: not a zone: ptr %p", (void *)handle);
	}
	zone_end(zone);
}

TEST(destroyed_zone)
{
	uma_zone_t cold = zone_make("cold", 64, 7);
	uma_zone_t warm = zone_make("warm", 64, 7);
	uma_zone_t other = zone_make("other", 64, 7);
	void *item = uma_zalloc(other, M_WAITOK);

	uma_zfree(warm, uma_zalloc(warm, M_WAITOK));
	zone_end(cold);
	handle_dies(cold, "zone was destroyed", item);
	zone_end(warm);
	handle_dies(warm, "zone was destroyed", item);
	uma_zfree(other, item);
	CHECK_EQ(uma_zdestroy(other, M_WAITOK), 0);
	handle_dies(other, "zone was destroyed", item);
}

TEST(destroy_wait_flags)
{
	static const int waits[] = { M_ZERO, 4, 0x80, 0x1000 };
	uma_zone_t zone = zone_make("wait", 64, 7);

	for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
		DIES(uma_zdestroy(zone, waits[i]),
		    "uma: uma_zdestroy: wait is neither M_NOWAIT nor "
		    "M_WAITOK: zone \"wait\"");
	zone_end(zone);
}

TEST_MAIN
