/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * many - what a zone costs that is made and destroyed, and 100,000 at once
 */
#include "zone/common.h"

#include <sys/mman.h>

/* A hostile library refuses each third slab, which makes it look at all. */
#define MANY (HOSTILE ? 1000 : 100000)
/* A destroyed zone's structure rests until 64 more have died. */
#define REST 65
#define FEW  (HOSTILE ? 1000 : 3000)
#define SOME (HOSTILE ? 1000 : 20000)

static uma_zone_t zones[MANY];
static uint64_t *items[MANY];

static uma_zone_t
make(int number)
{
	char name[32];

	snprintf(name, sizeof name, "zone %d", number);
	return zone_make(name, 64, 7);
}

/* Pages that this thread touched for the first time. */
static long
pages_touched(void)
{
	struct rusage used;

	REQUIRE(getrusage(RUSAGE_THREAD, &used) == 0);
	return used.ru_minflt;
}

/* A third of the zones of a chunk share their pages with used ones. */
static void
use_every_third(int count)
{
	for (int i = 0; i < count; i += 3)
		uma_zfree(zones[i], uma_zalloc(zones[i], M_WAITOK));
}

TEST(a_creation_touches_less_than_a_page)
{
	long before;
	long each;
	long most = 0;

	zone_end(make(-1));
	memset(zones, 1, FEW * sizeof zones[0]);
	before = pages_touched();
	for (int i = 0; i < FEW; i++) {
		each = pages_touched();
		zones[i] = make(i);
		each = pages_touched() - each;
		most = each > most ? each : most;
	}
	/* A structure is a quarter of a page or less. */
	CHECK(pages_touched() - before <= FEW / 2);
	/* It, a chunk of records, and one of the registry, at the very most. */
	CHECK(most <= 3);
	use_every_third(FEW);
	for (int i = 0; i < FEW; i++)
		zone_end(zones[i]);
}

TEST(a_structure_is_used_again)
{
	long before;
	uint64_t meta;

	for (int i = 0; i < 4 * REST; i++)
		zone_end(make(i));
	before = pages_touched();
	meta = library_numbers().meta_bytes;
	for (int i = 0; i < FEW; i++)
		zone_end(make(i));
	CHECK_EQ(pages_touched() - before, 0);
	CHECK_EQ(library_numbers().meta_bytes, meta);
}

/* A zone is written by the child when it is used there, not before. */
TEST(a_fork_copies_no_zone)
{
	struct rusage used;
	pid_t child;
	int status;

	for (int i = 0; i < SOME; i++)
		zones[i] = make(i);
	use_every_third(SOME);
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		/* Of the program itself a few pages, of zones 4,000. */
		getrusage(RUSAGE_SELF, &used);
		_exit(used.ru_minflt > 500);
	}
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	uma_zfree(zones[0], uma_zalloc(zones[0], M_WAITOK));
	for (int i = 0; i < SOME; i++)
		zone_end(zones[i]);
}

/* Whether a page is in memory without touching it. */
static bool
is_resident(const void *page)
{
	unsigned char in;
	uintptr_t start = (uintptr_t)page & ~(uintptr_t)4095;

	REQUIRE(mincore((void *)start, 4096, &in) == 0);
	return (in & 1) != 0;
}

/* Lines of /proc/self/maps. */
static int
mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int lines = 0;
	int c;

	REQUIRE(f != NULL);
	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines;
}

/* All live at once, an item of each in hand, no two the same. */
static void
fill(void)
{
	for (int i = 0; i < MANY; i++)
		zones[i] = make(i);
	for (int i = 0; i < MANY; i++) {
		items[i] = uma_zalloc(zones[i], M_WAITOK);
		REQUIRE(items[i] != NULL);
		*items[i] = (uint64_t)i;
	}
}

static void
check_and_empty(void)
{
	for (int i = 0; i < MANY; i += 997) {
		struct uma_zone_stats s = zone_numbers(zones[i]);
		char name[32];

		snprintf(name, sizeof name, "zone %d", i);
		CHECK(strcmp(s.name, name) == 0);
		CHECK_EQ(s.used_items, 1);
		CHECK_EQ(s.allocs, 1);
	}
	for (int i = 0; i < MANY; i++) {
		if (!CHECK_EQ(*items[i], i))
			break;
		uma_zfree(zones[i], items[i]);
	}
	/* Out of order, so that numbers and records come back scattered. */
	for (int i = 0; i < MANY; i++)
		zone_end(zones[(int)((long)i * 7919 % MANY)]);
}

TEST_TIME(a_hundred_thousand_at_once, 100)
{
	uint64_t live;
	uint64_t meta;
	size_t rss;

	/* The first one of a process brings malloc's. */
	zone_end(make(-1));
	live = library_numbers().zones;
	fill();
	CHECK_EQ(library_numbers().zones, live + MANY);
	CHECK(mappings() < 4000);
	check_and_empty();
	CHECK_EQ(library_numbers().zones, live);
	uma_reclaim();
	CHECK_EQ(library_numbers().cached_bytes, 0);
	/* The pages of the items, and every page of their slabs, are gone. */
	for (int i = 0; i < MANY; i += 97)
		CHECK(!is_resident(items[i]));
	/* The library's own structures stay, and are all there is need for. */
	rss = rss_bytes();
	meta = library_numbers().meta_bytes;
	fill();
	check_and_empty();
	uma_reclaim();
	/* 64 more structures rest than the first time. */
	CHECK(library_numbers().meta_bytes <= meta + (64 << 10));
	CHECK(rss_bytes() < rss + ((size_t)4 << 20));
}

TEST_MAIN
