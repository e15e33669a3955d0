/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * supplier - page suppliers of the caller's: good ones and bad ones
 *
 * A supplier here keeps a list of all it gave.  Its freeing function looks
 * each run up: it must come back once, with the same size and flags.
 */
#include "zone/common.h"
#include <uma/malloc9.h>

#include <sys/mman.h>

#define RUNS  4096
#define COUNT 3000

enum mode {
	GOOD,
	NOTHING,     /* NULL */
	MISALIGNED,  /* not on a page */
	OVERLAPPING, /* what another zone has */
	UNMAPPED,    /* no memory at all */
	SHORT,       /* the last page is missing */
	AGAIN,       /* the same run a second time */
};

static enum mode mode;
static struct run {
	char *at;
	int size;
	uint8_t pflag;
	int given;
	int returned;
} runs[RUNS];
static int run_count;
static int last_wait;
static int strange_frees;
static uma_zone_t expected_zone;
static int strange_zones;
static char *taken; /* an address that belongs to another zone */
static void *items[COUNT];

static size_t
page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Pages in the middle of nowhere: aligned to a page and to nothing more. */
static char *
odd_pages(size_t bytes)
{
	size_t page = page_bytes();
	char *at = mmap(NULL, bytes + 2 * 65536, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(at != MAP_FAILED);
	at = (char *)(((uintptr_t)at + 65535) & ~(uintptr_t)65535) + page;
	REQUIRE(mprotect(at, bytes, PROT_READ | PROT_WRITE) == 0);
	return at;
}

static char *
bad_pages(size_t bytes)
{
	char *at = odd_pages(bytes);

	switch (mode) {
	case MISALIGNED:
		return at + 8;
	case OVERLAPPING:
		return taken;
	case UNMAPPED:
		munmap(at, bytes);
		return at;
	case SHORT:
		munmap(at + bytes - page_bytes(), page_bytes());
		return at;
	case AGAIN:
		return runs[0].at;
	default:
		return NULL;
	}
}

static void *
allocf(uma_zone_t zone, int size, uint8_t *pflag, int wait)
{
	struct run *run = &runs[run_count];

	strange_zones += zone != expected_zone;
	last_wait = wait;
	if (mode == NOTHING)
		return NULL;
	REQUIRE(run_count < RUNS && size > 0);
	run->at =
	    mode == GOOD ? odd_pages((size_t)size) : bad_pages((size_t)size);
	run->size = size;
	run->pflag = (uint8_t)(run_count % 4 << 6 | UMA_SLAB_PRIV);
	run->given = 1;
	*pflag = run->pflag;
	run_count++;
	return run->at;
}

/* The memory itself stays, so that an access after the return is seen. */
static void
freef(void *item, int size, uint8_t pflag)
{
	for (int i = run_count - 1; i >= 0; i--) {
		struct run *run = &runs[i];

		if (run->at != item || run->returned == run->given)
			continue;
		strange_frees += run->size != size || run->pflag != pflag;
		run->returned++;
		return;
	}
	strange_frees++;
}

static int
runs_out(void)
{
	int out = 0;

	for (int i = 0; i < run_count; i++)
		out += runs[i].given - runs[i].returned;
	return out;
}

static uma_zone_t
supplied_zone(const char *name, int size, int align, bool with_freef)
{
	uma_zone_t zone = zone_make(name, size, align);

	uma_zone_set_allocf(zone, allocf);
	if (with_freef)
		uma_zone_set_freef(zone, freef);
	expected_zone = zone;
	return zone;
}

static bool
lies_in_a_run(const void *item, size_t bytes)
{
	const char *at = item;

	for (int i = 0; i < run_count; i++)
		if (at >= runs[i].at && at + bytes <= runs[i].at + runs[i].size)
			return true;
	return false;
}

static void
round_trip(int size, int align, int count)
{
	uma_zone_t zone = supplied_zone("supplied", size, align, true);
	size_t bytes = (size_t)size;
	bool good = true;

	for (int i = 0; i < count; i++) {
		items[i] = uma_zalloc(zone, M_NOWAIT);
		REQUIRE(items[i] != NULL);
		good = good && lies_in_a_run(items[i], bytes) &&
		       ((uintptr_t)items[i] & (uintptr_t)align) == 0;
		pattern_fill(items[i], bytes, (uint64_t)i);
	}
	CHECK(good);
	CHECK(run_count > 0);
	for (int i = 0; i < count; i++) {
		good = good && pattern_holds(items[i], bytes, (uint64_t)i);
		uma_zfree(zone, items[i]);
	}
	CHECK(good);
	uma_reclaim();
	CHECK_EQ(runs_out(), 0);
	CHECK_EQ(zone_numbers(zone).slab_bytes, 0);
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	zone_end(zone);
	CHECK_EQ(runs_out(), 0);
	CHECK_EQ(strange_frees, 0);
	CHECK_EQ(strange_zones, 0);
}

/* Memory on any page boundary will do, and each item is found again. */
TEST(pages_come_and_go)
{
	round_trip(64, 7, COUNT);
	round_trip(100, 3, COUNT);
	round_trip(1000, 63, 500);
	round_trip(4096, 4095, 100);
	round_trip(30000, 7, 20);
	round_trip(200000, 7, 5);
}

TEST(wait_is_passed_on)
{
	uma_zone_t zone = supplied_zone("wait", 20000, 7, true);
	void *a;
	void *b;

	a = uma_zalloc(zone, M_NOWAIT);
	CHECK((last_wait & M_NOWAIT) != 0 && (last_wait & M_WAITOK) == 0);
	uma_zfree(zone, a);
	uma_reclaim();
	last_wait = 0;
	b = uma_zalloc(zone, M_WAITOK);
	CHECK((last_wait & M_WAITOK) != 0 && (last_wait & M_NOWAIT) == 0);
	uma_zfree(zone, b);
	zone_end(zone);
}

TEST(without_freef_slabs_stay)
{
	uma_zone_t zone = supplied_zone("keep", 1000, 7, false);
	uint64_t bytes;
	int had;

	for (int i = 0; i < 500; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	for (int i = 0; i < 500; i++)
		uma_zfree(zone, items[i]);
	bytes = zone_numbers(zone).slab_bytes;
	had = run_count;
	uma_reclaim();
	CHECK_EQ(zone_numbers(zone).slab_bytes, bytes);
	for (int i = 0; i < 500; i++)
		items[i] = uma_zalloc(zone, M_WAITOK);
	CHECK_EQ(run_count, had);
	for (int i = 0; i < 500; i++) {
		CHECK(lies_in_a_run(items[i], 1000));
		uma_zfree(zone, items[i]);
	}
	zone_end(zone);
}

TEST(prealloc_asks_the_supplier)
{
	uma_zone_t zone = supplied_zone("prealloc", 1000, 7, true);

	uma_prealloc(zone, 300);
	CHECK(run_count > 0);
	CHECK(zone_numbers(zone).free_items >= 300);
	zone_end(zone);
	CHECK_EQ(runs_out(), 0);
}

/* A block of a mapping's own has all of the granule that the page map has. */
TEST(nobody_is_beside_a_small_mapped_block)
{
	size_t granule = 65536;
	char *block =
	    uma_malloc_aligned(4096, (size_t)4 << 20, uma_m_temp, M_WAITOK);

	for (size_t at = granule / 2; at <= granule; at += granule / 2) {
		void *memory = mmap(block + at, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		CHECK(at == granule || memory != block + at);
		if (memory != MAP_FAILED)
			munmap(memory, 4096);
	}
	uma_mfree(block, uma_m_temp);
}

/* ---- bad suppliers ---- */

/* The failure is clean, and the zone works when its supplier does again. */
static void
fails_cleanly(enum mode bad, int size)
{
	uma_zone_t zone = supplied_zone("bad", size, 7, true);
	struct uma_zone_stats before = zone_numbers(zone);
	struct uma_zone_stats after;

	mode = bad;
	for (int i = 0; i < 5; i++)
		CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	after = zone_numbers(zone);
	CHECK_EQ(after.used_items, before.used_items);
	CHECK_EQ(after.free_items, before.free_items);
	CHECK_EQ(after.slab_bytes, before.slab_bytes);
	CHECK_EQ(after.allocs, before.allocs);
	CHECK_EQ(after.frees, before.frees);
	CHECK_EQ(after.fails, before.fails + 5);
	CHECK_EQ(strange_frees, 0);
	CHECK_EQ(runs_out(), 0);
	mode = GOOD;
	for (int i = 0; i < 20; i++) {
		REQUIRE((items[i] = uma_zalloc(zone, M_NOWAIT)) != NULL);
		pattern_fill(items[i], (size_t)size, (uint64_t)i);
	}
	/* Refused again while it holds good slabs: those are not disturbed. */
	mode = bad;
	for (int i = 20; i < 200; i++)
		items[i] = uma_zalloc(zone, M_NOWAIT);
	for (int i = 0; i < 20; i++)
		CHECK(pattern_holds(items[i], (size_t)size, (uint64_t)i));
	for (int i = 0; i < 200; i++)
		uma_zfree(zone, items[i]);
	CHECK_EQ(zone_numbers(zone).used_items, 0);
	mode = GOOD;
	zone_end(zone);
	CHECK_EQ(runs_out(), 0);
	CHECK_EQ(strange_frees, 0);
}

TEST(null)
{
	fails_cleanly(NOTHING, 1000);
	fails_cleanly(NOTHING, 100000);
}

TEST(misaligned)
{
	fails_cleanly(MISALIGNED, 1000);
	fails_cleanly(MISALIGNED, 100000);
}

TEST(overlapping)
{
	uma_zone_t owner = zone_make("owner", 65536, 65535);

	taken = uma_zalloc(owner, M_WAITOK);
	pattern_fill(taken, 65536, 99);
	fails_cleanly(OVERLAPPING, 1000);
	CHECK(pattern_holds(taken, 65536, 99));
	fails_cleanly(OVERLAPPING, 20000);
	CHECK(pattern_holds(taken, 65536, 99));
	uma_zfree(owner, taken);
	zone_end(owner);
}

/* Overlapping a part only: the last page before another zone's slab. */
TEST(overlapping_partly)
{
	uma_zone_t first = supplied_zone("first", 1000, 7, true);
	void *item = uma_zalloc(first, M_WAITOK);
	uma_zone_t zone;

	taken = runs[0].at - page_bytes();
	REQUIRE(mprotect(taken, page_bytes(), PROT_READ | PROT_WRITE) == 0);
	mode = OVERLAPPING;
	zone = supplied_zone("second", 1000, 7, true);
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	taken = runs[0].at + page_bytes();
	REQUIRE(mprotect(runs[0].at + runs[0].size, page_bytes(),
		    PROT_READ | PROT_WRITE) == 0);
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	CHECK_EQ(zone_numbers(zone).slab_bytes, 0);
	uma_zfree(first, item);
	zone_end(zone);
	zone_end(first);
	CHECK_EQ(runs_out(), 0);
	CHECK_EQ(strange_frees, 0);
}

TEST(unmapped)
{
	fails_cleanly(UNMAPPED, 1000);
	fails_cleanly(UNMAPPED, 100000);
}

TEST(short_by_a_page)
{
	fails_cleanly(SHORT, 1000);
	fails_cleanly(SHORT, 100000);
}

TEST(the_same_run_twice)
{
	uma_zone_t zone = supplied_zone("again", 1000, 7, true);
	struct uma_zone_stats first;
	int count = 0;

	items[count++] = uma_zalloc(zone, M_NOWAIT);
	REQUIRE(items[0] != NULL);
	first = zone_numbers(zone);
	mode = AGAIN;
	while (count < COUNT &&
	       (items[count] = uma_zalloc(zone, M_NOWAIT)) != NULL) {
		pattern_fill(items[count], 1000, (uint64_t)count);
		count++;
	}
	CHECK(count < COUNT);
	CHECK_EQ(zone_numbers(zone).slab_bytes, first.slab_bytes);
	CHECK_EQ(zone_numbers(zone).used_items, count);
	CHECK_EQ(zone_numbers(zone).free_items, 0);
	for (int i = 1; i < count; i++)
		CHECK(pattern_holds(items[i], 1000, (uint64_t)i));
	for (int i = 0; i < count; i++)
		uma_zfree(zone, items[i]);
	zone_end(zone);
	CHECK_EQ(runs_out(), 0);
	CHECK_EQ(strange_frees, 0);
}

/* ---- two zones in pages that alternate ---- */

static char *arena;
static size_t arena_used;
static uma_zone_t owners[RUNS];

static void *
from_arena(uma_zone_t zone, int size, uint8_t *pflag, int wait)
{
	struct run *run = &runs[run_count];

	(void)wait;
	REQUIRE(run_count < RUNS);
	run->at = arena + arena_used;
	run->size = size;
	*pflag = run->pflag = UMA_SLAB_PRIV;
	run->given = 1;
	owners[run_count++] = zone;
	arena_used += (size_t)size;
	REQUIRE(arena_used <= (size_t)64 << 20);
	return run->at;
}

static uma_zone_t
owner_of(const void *item)
{
	const char *at = item;

	for (int i = 0; i < run_count; i++)
		if (at >= runs[i].at && at < runs[i].at + runs[i].size)
			return owners[i];
	return NULL;
}

TEST(neighbours)
{
	uma_zone_t zone[3];
	bool good = true;

	arena = odd_pages((size_t)64 << 20);
	for (int i = 0; i < 3; i++) {
		zone[i] = zone_make("neighbour", 200 + 300 * i, 7);
		uma_zone_set_allocf(zone[i], from_arena);
		uma_zone_set_freef(zone[i], freef);
	}
	for (int i = 0; i < COUNT; i++) {
		items[i] = uma_zalloc(zone[i % 3], M_WAITOK);
		good = good && owner_of(items[i]) == zone[i % 3];
		pattern_fill(
		    items[i], (size_t)(200 + 300 * (i % 3)), (uint64_t)i);
	}
	CHECK(good);
	for (int i = 0; i < COUNT; i++) {
		good = good && pattern_holds(items[i],
				   (size_t)(200 + 300 * (i % 3)), (uint64_t)i);
		uma_zfree(zone[i % 3], items[i]);
	}
	CHECK(good);
	for (int i = 0; i < 3; i++)
		zone_end(zone[i]);
	CHECK_EQ(runs_out(), 0);
	CHECK_EQ(strange_frees, 0);
}

TEST_MAIN
