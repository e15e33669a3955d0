/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linked.c - what -luma links into a program is the program's own
 *
 * Also by hand: cc -Iinclude -Itests tests/near/linked.c -Lbuild/src -luma
 */
#include "zone/common.h"

#include <uma/sequence.h>

#include "library.h"

static _Atomic uint32_t checked;

/* In the place of the library's: who is linked with the hits asks at load. */
void
uma_fast_check(uint32_t version)
{
	atomic_store(&checked, version);
}

TEST(the_layout_is_compared_at_load)
{
	CHECK_EQ(atomic_load(&checked), UMA_FAST_ABI);
}

TEST(the_hits_are_the_programs_and_all_else_the_librarys)
{
	struct library library = library_find();
	void *(*arg)(uma_zone_t zone, void *arg, int wait) = uma_zalloc_arg;
	void *symbol = dlsym(RTLD_DEFAULT, "uma_zalloc_arg");

	REQUIRE(library.zalloc != NULL && library.zfree != NULL);
	CHECK(library.zalloc != uma_zalloc);
	CHECK(library.zfree != uma_zfree);
	CHECK(memcmp(&symbol, &arg, sizeof symbol) == 0);
}

/* One zone, by both, in every order. */
TEST(both_kinds_of_hit_are_one_zones)
{
	enum { ITEMS = 1000 };
	struct library library = library_find();
	void *(*alloc[])(
	    uma_zone_t zone, int wait) = { uma_zalloc, library.zalloc };
	void (*give[])(
	    uma_zone_t zone, void *item) = { uma_zfree, library.zfree };
	uma_zone_t zone = zone_make("both", 64, 7);
	struct uma_zone_stats s = { .struct_bytes = sizeof s };
	unsigned char *items[ITEMS];

	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < ITEMS; i++) {
			items[i] = alloc[(i + round) % 2](zone, M_WAITOK);
			memset(items[i], i, 64);
		}
		uma_zone_stats(zone, &s);
		CHECK_EQ(s.used_items, ITEMS);
		for (int i = 0; i < ITEMS; i++) {
			CHECK_EQ(items[i][0], (unsigned char)i);
			give[(i + round / 2) % 2](zone, items[i]);
		}
	}
	uma_zone_stats(zone, &s);
	CHECK_EQ(s.used_items, 0);
	CHECK_EQ(s.allocs, 8 * ITEMS);
	CHECK_EQ(s.frees, 8 * ITEMS);
	zone_end(zone);
}

TEST_MAIN
