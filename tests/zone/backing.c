/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backing - which pages stand behind items, and when they go back
 */
#include "zone/common.h"

#include <sys/mman.h>

#define BURST 40000

static void *items[BURST];

static bool
page_is_backed(uintptr_t address)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	unsigned char in_memory = 0;

	REQUIRE(mincore((void *)(address & ~(page - 1)), 1, &in_memory) == 0);
	return (in_memory & 1) != 0;
}

/* How many of the item's pages have memory behind them. */
static size_t
backed_pages(const void *item, size_t bytes)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = (uintptr_t)item + bytes;
	size_t count = 0;

	for (uintptr_t at = (uintptr_t)item & ~(page - 1); at < end; at += page)
		count += page_is_backed(at);
	return count;
}

static size_t
all_pages(const void *item, size_t bytes)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t)item / page;

	return ((uintptr_t)item + bytes - 1) / page - first + 1;
}

static void
backed_before_touched(int size, unsigned flags, int count, int prealloc)
{
	uma_zone_t zone = uma_zcreate(
	    "backed", size, NULL, NULL, NULL, NULL, 7, (uint16_t)flags);
	size_t bytes = (size_t)size;

	REQUIRE(zone != NULL);
	uma_prealloc(zone, prealloc);
	for (int i = 0; i < count; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		CHECK_EQ(
		    backed_pages(items[i], bytes), all_pages(items[i], bytes));
	}
	for (int i = 0; i < count; i++)
		uma_zfree(zone, items[i]);
	zone_end(zone);
}

TEST(items_are_backed_when_handed_out)
{
	backed_before_touched(1000, 0, 500, 0);
	backed_before_touched(16384, 0, 100, 0);
	backed_before_touched(16384, 0, 100, 100);
	backed_before_touched(1 << 20, 0, 8, 0);
	backed_before_touched(16384, UMA_ZONE_NOFREE, 50, 0);
}

TEST(items_are_backed_again_after_reclaim)
{
	uma_zone_t zone = zone_make("again", 16384, 7);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++) {
			items[i] = uma_zalloc(zone, M_WAITOK);
			CHECK_EQ(backed_pages(items[i], 16384),
			    all_pages(items[i], 16384));
		}
		for (int i = 0; i < 200; i++)
			uma_zfree(zone, items[i]);
		uma_reclaim();
	}
	zone_end(zone);
}

/* Large items, so that what is backed beside them does not matter. */
TEST(pageable_items_are_not)
{
	uma_zone_t zone = uma_zcreate("pageable", 1 << 20, NULL, NULL, NULL,
	    NULL, 4095, UMA_ZONE_PAGEABLE);
	size_t backed = 0;
	size_t rss = rss_bytes();

	REQUIRE(zone != NULL);
	uma_prealloc(zone, 10);
	for (int i = 0; i < 64; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		backed += backed_pages(items[i], 1 << 20);
	}
	CHECK(backed < all_pages(items[0], 1 << 20) * 8);
	CHECK(rss_bytes() - rss < (size_t)8 << 20);
	for (int i = 0; i < 64; i++) {
		pattern_fill(items[i], 1 << 20, (uint64_t)i);
		CHECK_EQ(backed_pages(items[i], 1 << 20),
		    all_pages(items[i], 1 << 20));
	}
	for (int i = 0; i < 64; i++) {
		CHECK(pattern_holds(items[i], 1 << 20, (uint64_t)i));
		uma_zfree(zone, items[i]);
	}
	zone_end(zone);
}

/* ---- reclaim ---- */

struct share {
	uma_zone_t zone;
	int from;
	int to;
};

static void
take_share(void *arg)
{
	const struct share *s = arg;

	for (int i = s->from; i < s->to; i++) {
		items[i] = uma_zalloc(s->zone, M_WAITOK);
		memset(items[i], 1, 4096);
	}
}

static void
give_share(void *arg)
{
	const struct share *s = arg;

	for (int i = s->from; i < s->to; i++)
		uma_zfree(s->zone, items[i]);
}

/* Take and give BURST items on two CPUs; how far RSS rose above `rss`. */
static size_t
burst(uma_zone_t zone, size_t rss)
{
	struct share a = { zone, 0, BURST / 2 };
	struct share b = { zone, BURST / 2, BURST };
	int other = cpu_pin(1) ? 1 : 0;
	size_t high;

	run_on_cpu(0, take_share, &a);
	run_on_cpu(other, take_share, &b);
	high = rss_bytes();
	/* Crosswise, so that each CPU's cache holds the other's items. */
	run_on_cpu(0, give_share, &b);
	run_on_cpu(other, give_share, &a);
	return high > rss ? high - rss : 0;
}

TEST(reclaim_gives_a_burst_back)
{
	uma_zone_t zone = zone_make("burst", 4096, 7);
	size_t rss = rss_bytes();
	size_t high = burst(zone, rss);

	CHECK(high >= (size_t)BURST * 4096 / 10 * 9);
	CHECK(zone_numbers(zone).cached_items > 0);
	uma_reclaim();
	CHECK_EQ(zone_numbers(zone).cached_items, 0);
	CHECK_EQ(zone_numbers(zone).free_items, 0);
	CHECK_EQ(zone_numbers(zone).slab_bytes, 0);
	if (!SANITIZED && rss_bytes() > rss)
		CHECK(rss_bytes() - rss < high / 10);
	burst(zone, 0);
	zone_end(zone);
}

TEST(reclaim_keeps_what_is_in_use)
{
	uma_zone_t zone = zone_make("keep", 4096, 7);
	int kept = 0;

	for (int i = 0; i < 2000; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		pattern_fill(items[i], 4096, (uint64_t)i);
	}
	for (int i = 0; i < 2000; i++)
		if (i % 100 != 0)
			uma_zfree(zone, items[i]);
	uma_reclaim();
	CHECK_EQ(zone_numbers(zone).cached_items, 0);
	CHECK_EQ(zone_numbers(zone).used_items, 20);
	for (int i = 0; i < 2000; i += 100) {
		kept += pattern_holds(items[i], 4096, (uint64_t)i);
		uma_zfree(zone, items[i]);
	}
	CHECK_EQ(kept, 20);
	zone_end(zone);
}

TEST(nofree_keeps_its_slabs)
{
	uma_zone_t zone = uma_zcreate(
	    "nofree", 4096, NULL, NULL, NULL, NULL, 7, UMA_ZONE_NOFREE);
	uint64_t bytes;
	bool same = true;

	REQUIRE(zone != NULL);
	for (int i = 0; i < 1000; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		pattern_fill(items[i], 4096, (uint64_t)i);
	}
	for (int i = 0; i < 1000; i++)
		uma_zfree(zone, items[i]);
	bytes = zone_numbers(zone).slab_bytes;
	uma_reclaim();
	CHECK_EQ(zone_numbers(zone).slab_bytes, bytes);
	CHECK_EQ(zone_numbers(zone).cached_items, 0);
	CHECK(zone_numbers(zone).free_items >= 1000);
	/* The memory of such a zone may be read for ever. */
	for (int i = 0; i < 1000; i++)
		same = same && pattern_holds(items[i], 4096, (uint64_t)i);
	CHECK(same);
	for (int i = 0; i < 1000; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	CHECK_EQ(zone_numbers(zone).slab_bytes, bytes);
	for (int i = 0; i < 1000; i++)
		uma_zfree(zone, items[i]);
	zone_end(zone);
}

TEST(reclaim_with_nothing_there)
{
	uint64_t bytes;

	uma_reclaim();
	bytes = library_numbers().slab_bytes;
	zone_end(zone_make("cold", 64, 7));
	uma_reclaim();
	uma_reclaim();
	CHECK_EQ(library_numbers().slab_bytes, bytes);
}

/* The process's sum of a field of its mappings, in KiB. */
static long
mappings_kib(const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[4096];
	long sum = 0;

	REQUIRE(f != NULL);
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, field, strlen(field)) == 0)
			sum += strtol(line + strlen(field), NULL, 10);
	}
	fclose(f);
	return sum;
}

/* The line that a file of the kernel has on huge pages. */
static bool
thp_file(const char *name, char *text, int bytes)
{
	char path[128];
	FILE *f;
	bool ok;

	snprintf(
	    path, sizeof path, "/sys/kernel/mm/transparent_hugepage/%s", name);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	ok = fgets(text, bytes, f) != NULL;
	fclose(f);
	return ok;
}

static bool
gives_huge_pages(void)
{
	char text[128];

	return thp_file("hpage_pmd_size", text, sizeof text) &&
	       strtol(text, NULL, 10) == 2L << 20 &&
	       thp_file("enabled", text, sizeof text) &&
	       strstr(text, "[never]") == NULL;
}

/* A large heap has them, a small one has not, and they go when it is freed. */
TEST(huge_pages_of_a_large_zone)
{
	enum { BYTES = 4096, LARGE = 40000, SMALL = 8000 };
	uma_zone_t zone = zone_make("large", BYTES, 7);
	long before = mappings_kib("Rss:");

	for (int i = 0; i < SMALL; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	CHECK_EQ(mappings_kib("AnonHugePages:"), 0);
	for (int i = SMALL; i < LARGE; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	if (gives_huge_pages() && !HOSTILE)
		CHECK(mappings_kib("AnonHugePages:") >=
		      LARGE * (BYTES / 1024) / 4);
	for (int i = 0; i < LARGE; i++)
		uma_zfree(zone, items[i]);
	uma_reclaim();
	CHECK(mappings_kib("AnonHugePages:") <= 2 * 2048);
	CHECK(mappings_kib("Rss:") - before <= 4096);
	zone_end(zone);
}

/* Of a zone that only grows; one bucket may have room for more than asked. */
TEST(little_rests_in_caches)
{
	uma_zone_t zone = zone_make("grows", 1024, UMA_ALIGN_PTR);

	REQUIRE(cpu_pin(0));
	for (int i = 0; i < 2000; i++) {
		struct uma_zone_stats now;

		REQUIRE(uma_zalloc(zone, M_WAITOK) != NULL);
		now = zone_numbers(zone);
		CHECK(i < 100 || now.cached_items <=
				     (now.used_items + now.free_items) / 4);
	}
}

TEST_MAIN
