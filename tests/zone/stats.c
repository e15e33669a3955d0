/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats - the numbers add up, quiet and under load, and print as vmstat -z
 */
#include "zone/common.h"

#include <inttypes.h>
#include <sys/mman.h>

#define COUNT 1000

static void *items[COUNT];

static void
adds_up(const struct uma_zone_stats *s)
{
	CHECK_EQ(s->allocs - s->frees, s->used_items);
	CHECK(s->cached_items <= s->free_items);
	CHECK((s->used_items + s->free_items) * s->item_bytes <= s->slab_bytes);
}

TEST(quiet)
{
	uma_zone_t zone = zone_make("quiet", 500, 7);
	struct uma_zone_stats s = zone_numbers(zone);

	CHECK(s.struct_bytes >= sizeof s);
	CHECK(strcmp(s.name, "quiet") == 0);
	CHECK_EQ(s.item_bytes, 500);
	CHECK_EQ(s.limit_items, 0);
	CHECK_EQ(s.flags, 0);
	CHECK_EQ(s.used_items + s.free_items + s.cached_items, 0);
	CHECK_EQ(s.allocs + s.frees + s.fails + s.sleeps, 0);
	CHECK_EQ(s.slab_bytes, 0);
	for (int i = 0; i < COUNT; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		s = zone_numbers(zone);
		CHECK_EQ(s.used_items, i + 1);
		CHECK_EQ(s.allocs, i + 1);
		CHECK_EQ(s.frees, 0);
		adds_up(&s);
	}
	for (int i = 0; i < COUNT; i++) {
		uma_zfree(zone, items[i]);
		s = zone_numbers(zone);
		CHECK_EQ(s.used_items, COUNT - 1 - i);
		CHECK_EQ(s.frees, i + 1);
		CHECK(s.free_items >= (uint64_t)(i + 1));
		adds_up(&s);
	}
	CHECK(s.misses > 0);
	CHECK(HOSTILE || s.misses < 2 * COUNT);
	zone_end(zone);
}

/* Counts per zone, not per thread or CPU that happened to do the work. */
static void *
pairs(void *arg)
{
	uma_zone_t zone = arg;

	for (int i = 0; i < 50000; i++)
		uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	return NULL;
}

TEST(exact_after_threads)
{
	uma_zone_t zone = zone_make("exact", 64, 7);
	pthread_t t[6];
	struct uma_zone_stats s;

	for (int i = 0; i < 6; i++)
		t[i] = thread_start(pairs, zone);
	for (int i = 0; i < 6; i++)
		thread_join(t[i]);
	s = zone_numbers(zone);
	CHECK_EQ(s.allocs, 300000);
	CHECK_EQ(s.frees, 300000);
	CHECK_EQ(s.used_items, 0);
	uma_reclaim();
	s = zone_numbers(zone);
	CHECK_EQ(s.allocs, 300000);
	CHECK_EQ(s.frees, 300000);
	CHECK_EQ(s.used_items, 0);
	zone_end(zone);
}

/* ---- under load ---- */

#define HELD 60

static _Atomic int stop;

static void *
load(void *arg)
{
	uma_zone_t zone = arg;
	void *hold[HELD] = { NULL };
	uint64_t seed = (uintptr_t)hold;

	while (atomic_load(&stop) == 0) {
		void **slot = &hold[dice(&seed) % HELD];

		uma_zfree(zone, *slot);
		*slot = uma_zalloc(zone, M_NOWAIT);
	}
	for (int i = 0; i < HELD; i++)
		uma_zfree(zone, hold[i]);
	return NULL;
}

/*
 * Many snapshots under load: counters go forward, and nothing is used more
 * than threads can hold.
 */
static void
watch(uma_zone_t zone, uint64_t all, int snapshots)
{
	uint64_t allocs = 0;
	uint64_t frees = 0;
	bool whole = true;
	bool forward = true;
	bool differs = true;
	bool bounded = true;
	bool cached = true;

	for (int i = 0; i < snapshots; i++) {
		struct uma_zone_stats s = zone_numbers(zone);

		differs = differs && s.allocs - s.frees == s.used_items;
		bounded = bounded && s.used_items <= 4 * HELD;
		cached = cached && s.cached_items <= s.free_items;
		forward = forward && s.allocs >= allocs && s.frees >= frees;
		whole = whole && (all == 0 || s.used_items + s.free_items <=
						  all + 4 * HELD);
		allocs = s.allocs;
		frees = s.frees;
		if (i % 1000 == 500)
			uma_reclaim();
	}
	CHECK(differs);
	CHECK(cached);
	/*
	 * An owner that was preempted is read as it stands, without its load
	 * bucket: generic mode.
	 */
	CHECK(bounded || library_numbers().percpu_mode == 0);
	CHECK(forward || library_numbers().percpu_mode == 0);
	CHECK(whole);
}

static void
identities(unsigned flags, int prealloc)
{
	uma_zone_t zone = uma_zcreate(
	    "load", 2000, NULL, NULL, NULL, NULL, 7, (uint16_t)flags);
	uint64_t all = 0;
	pthread_t t[4];

	REQUIRE(zone != NULL);
	if (prealloc > 0) {
		uma_prealloc(zone, prealloc);
		all = zone_numbers(zone).free_items;
	}
	atomic_store(&stop, 0);
	for (int i = 0; i < 4; i++)
		t[i] = thread_start(load, zone);
	watch(zone, all, 10000);
	atomic_store(&stop, 1);
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	CHECK_EQ(zone_numbers(zone).used_items, 0);
	if (all != 0)
		CHECK_EQ(zone_numbers(zone).free_items, all);
	zone_end(zone);
}

TEST(identities_under_load)
{
	identities(0, 0);
}

TEST(identities_of_a_fixed_zone_under_load)
{
	identities(UMA_ZONE_STATIC | UMA_ZONE_NOFREE, 200);
}

/* ---- the walk ---- */

struct seen {
	int count;
	char names[20][64];
};

static void
see(const struct uma_zone_stats *s, void *arg)
{
	struct seen *seen = arg;
	uma_zone_t zone;

	/* No lock is held: the library may be used. */
	zone = zone_make("inside", 64, 7);
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	zone_end(zone);
	if (strncmp(s->name, "walk", 4) == 0 && seen->count < 20)
		memcpy(seen->names[seen->count++], s->name, 64);
}

TEST(walk_in_order_of_creation)
{
	uma_zone_t zone[10];
	struct seen seen = { 0 };
	char name[64];
	int at = 0;

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "walk%d", i);
		zone[i] = zone_make(name, 64 + i, 7);
	}
	zone_end(zone[3]);
	uma_stats_walk(see, &seen);
	REQUIRE(seen.count == 9);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "walk%d", i);
		if (i != 3)
			CHECK(strcmp(seen.names[at++], name) == 0);
	}
	for (int i = 0; i < 10; i++)
		if (i != 3)
			zone_end(zone[i]);
}

static void
add_up_slabs(const struct uma_zone_stats *s, void *arg)
{
	struct uma_stats *sum = arg;

	sum->slab_bytes += s->slab_bytes;
	sum->zones++;
}

TEST(library_is_the_sum_of_its_zones)
{
	uma_zone_t zone[5];
	struct uma_stats sum = { 0 };
	struct uma_stats all;

	for (int i = 0; i < 5; i++) {
		zone[i] = zone_make("sum", 1000 << i, 7);
		for (int n = 0; n < 50; n++)
			items[i * 50 + n] = uma_zalloc(zone[i], M_WAITOK);
	}
	uma_stats_walk(add_up_slabs, &sum);
	all = library_numbers();
	CHECK_EQ(all.zones, sum.zones);
	CHECK_EQ(all.slab_bytes, sum.slab_bytes);
	CHECK(all.mapped_bytes >= all.slab_bytes + all.meta_bytes);
	CHECK(all.percpu_mode >= 0 && all.percpu_mode <= 2);
	CHECK(all.percpu_slots >= 1);
	for (int i = 0; i < 5; i++) {
		for (int n = 0; n < 50; n++)
			uma_zfree(zone[i], items[i * 50 + n]);
		zone_end(zone[i]);
	}
}

TEST(options_choose_generic)
{
	const char *options = getenv("UMA_OPTIONS");

	if (options == NULL || strcmp(options, "percpu:generic") != 0)
		SKIP("not run with UMA_OPTIONS=percpu:generic");
	CHECK_EQ(library_numbers().percpu_mode, 0);
}

/* ---- the table, against a formatter of our own ---- */

struct page {
	char text[65536];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void
page_add(struct page *p, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(
	    p->text + p->used, sizeof p->text - p->used, format, args);
	va_end(args);
	p->used += (size_t)n;
	REQUIRE(p->used < sizeof p->text);
}

static void
page_row(const struct uma_zone_stats *s, void *arg)
{
	char name[80];

	snprintf(name, sizeof name, "%s:", s->name);
	page_add(arg,
	    "%-20s %6" PRIu64 ", %6" PRIu64 ",%8" PRIu64 ",%8" PRIu64
	    ",%8" PRIu64 ",%4" PRIu64 ",%4" PRIu64 ",%4" PRIu64 "\n",
	    name, s->item_bytes, s->limit_items, s->used_items, s->free_items,
	    s->allocs, s->fails, s->sleeps, s->xdomain);
}

/* FreeBSD 13 runs FAIL and SLEEP together, and leaves a line empty. */
static void
page_expect(struct page *p)
{
	page_add(p, "%-20s %6s %6s %8s %8s %8s %8s%4s %4s\n\n", "ITEM", "SIZE",
	    "LIMIT", "USED", "FREE", "REQ", "FAIL", "SLEEP", "XDOMAIN");
	uma_stats_walk(page_row, p);
	page_add(p, "\n");
}

static void
page_read(struct page *p)
{
	int fd = memfd_create("page", 0);
	ssize_t n;

	REQUIRE(fd >= 0);
	uma_stats_print(fd);
	n = pread(fd, p->text, sizeof p->text - 1, 0);
	REQUIRE(n > 0);
	p->used = (size_t)n;
	p->text[n] = '\0';
	close(fd);
}

/* The rest of both lines from where they part. */
static void
page_say_difference(const char *want, const char *got)
{
	size_t same = 0;

	while (want[same] != '\0' && want[same] == got[same])
		same++;
	harness_say("#   after %zu bytes wanted \"%.*s\"\n", same,
	    (int)strcspn(want + same, "\n"), want + same);
	harness_say("#   and got \"%.*s\"; %zu and %zu bytes in all\n",
	    (int)strcspn(got + same, "\n"), got + same, strlen(want),
	    strlen(got));
}

TEST(table)
{
	static struct page want;
	static struct page got;
	uma_zone_t zone[4];

	zone[0] = zone_make("mbuf", 256, 7);
	zone[1] = zone_make("nineteen characters", 1 << 20, 7);
	zone[2] = zone_make("twenty and more chars", 8, 7);
	zone[3] = uma_zcreate("full", 1000, NULL, NULL, NULL, NULL, 7, 0);
	CHECK_EQ(uma_zone_set_obj(zone[3], NULL, 100), 1);
	for (int i = 0; i < 100; i++)
		items[i] = uma_zalloc(zone[3], M_NOWAIT);
	for (int i = 0; i < 12345; i++)
		CHECK(uma_zalloc(zone[3], M_NOWAIT) == NULL);
	for (int i = 100; i < 200; i++)
		items[i] = uma_zalloc(zone[0], M_NOWAIT);
	for (int i = 150; i < 200; i++)
		uma_zfree(zone[0], items[i]);
	page_expect(&want);
	page_read(&got);
	if (!CHECK(strcmp(want.text, got.text) == 0))
		page_say_difference(want.text, got.text);
	CHECK(strstr(got.text,
		  "\nfull:                  1000,    100,     100,       0,"
		  "     100,12345,   0,   0\n") != NULL);
	for (int i = 0; i < 100; i++)
		uma_zfree(zone[3], items[i]);
	for (int i = 100; i < 150; i++)
		uma_zfree(zone[0], items[i]);
	for (int i = 0; i < 4; i++)
		zone_end(zone[i]);
}

/* Whatever a zone is called, its row is one line without commands. */
TEST(a_name_is_no_command)
{
	static struct page got;
	uma_zone_t zone = zone_make("a\nb\033[31mc", 64, 7);

	page_read(&got);
	CHECK(strstr(got.text, "\na?b?[31mc: ") != NULL);
	zone_end(zone);
}

/* Whoever looks at zones does not hold them: one may end under its eyes. */
static void *
make_and_end(void *over)
{
	for (int i = 0; i < 20000; i++) {
		uma_zone_t zone = zone_make("short", 64, 7);

		uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
		zone_end(zone);
	}
	atomic_store((atomic_bool *)over, true);
	return NULL;
}

TEST(zones_end_beside_a_reader)
{
	atomic_bool over = false;
	struct uma_stats now;
	pthread_t t;

	if (SLOWLY_SANITIZED)
		SKIP("who looks that slowly sees a structure in another life");
	REQUIRE(pthread_create(&t, NULL, make_and_end, &over) == 0);
	while (!atomic_load(&over))
		uma_stats(&now);
	REQUIRE(pthread_join(t, NULL) == 0);
	uma_stats(&now);
	CHECK_EQ(now.slab_bytes, 0);
}

TEST_MAIN
