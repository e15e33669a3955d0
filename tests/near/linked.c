/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linked.c - what -luma links into a program is the program's own
 *
 * Also by hand: cc -Iinclude -Itests tests/near/linked.c -Lbuild/src -luma
 */
#include "zone/common.h"

#include <dlfcn.h>

TEST(the_hits_are_the_programs_and_all_else_the_librarys)
{
	void *(*alloc)(uma_zone_t zone, int wait);
	void (*give)(uma_zone_t zone, void *item);
	void *symbol = dlsym(RTLD_DEFAULT, "uma_zalloc");

	memcpy(&alloc, &symbol, sizeof alloc);
	symbol = dlsym(RTLD_DEFAULT, "uma_zfree");
	memcpy(&give, &symbol, sizeof give);
	REQUIRE(alloc != NULL && give != NULL);
	CHECK(alloc != uma_zalloc);
	CHECK(give != uma_zfree);
	symbol = dlsym(RTLD_DEFAULT, "uma_zalloc_arg");
	CHECK(memcmp(&symbol,
		  &(void *(*[])(uma_zone_t, void *, int)){ uma_zalloc_arg }[0],
		  sizeof symbol) == 0);
}

/* One zone, by both, in every order. */
TEST(both_kinds_of_hit_are_one_zones)
{
	void *(*alloc[2])(uma_zone_t zone, int wait) = { uma_zalloc };
	void (*give[2])(uma_zone_t zone, void *item) = { uma_zfree };
	uma_zone_t zone = zone_make("both", 64, 7);
	struct uma_zone_stats s = { .struct_bytes = sizeof s };
	void *symbol = dlsym(RTLD_DEFAULT, "uma_zalloc");
	void *items[1000];

	memcpy(&alloc[1], &symbol, sizeof symbol);
	symbol = dlsym(RTLD_DEFAULT, "uma_zfree");
	memcpy(&give[1], &symbol, sizeof symbol);
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < 1000; i++) {
			items[i] = alloc[(i + round) % 2](zone, M_WAITOK);
			memset(items[i], i, 64);
		}
		uma_zone_stats(zone, &s);
		CHECK_EQ(s.used_items, 1000);
		for (int i = 0; i < 1000; i++) {
			CHECK_EQ(*(unsigned char *)items[i], (unsigned char)i);
			give[(i + round / 2) % 2](zone, items[i]);
		}
	}
	uma_zone_stats(zone, &s);
	CHECK_EQ(s.used_items, 0);
	CHECK_EQ(s.allocs, 8000);
	CHECK_EQ(s.frees, 8000);
	zone_end(zone);
}

TEST_MAIN
