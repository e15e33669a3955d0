/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot - starting by hand from boot memory, and by itself at the first use
 *
 * Each test is a process in which nothing has used the library yet.
 */
#include "zone/common.h"

#define BOOT_BYTES ((size_t)UMA_SLAB_SIZE * UMA_BOOT_PAGES)
#define COUNT      (HOSTILE ? 60 : 1000)

static _Alignas(65536) char boot[BOOT_BYTES + 65536];
static void *hash[256];
static void *items[1000];

static bool
in_boot_memory(const char *start, const void *item, size_t bytes)
{
	const char *at = item;

	return at >= start && at + bytes <= start + BOOT_BYTES;
}

/* Items of several zones lie in the boot memory and are nobody else's. */
static void
zones_work_in(const char *start, uma_zone_t *zone)
{
	bool good = true;

	for (int i = 0; i < 4; i++)
		zone[i] = zone_make("boot", 40 + i * 100, 7);
	for (int i = 0; i < COUNT; i++) {
		size_t bytes = (size_t)(40 + i % 4 * 100);

		items[i] = sure_zalloc(zone[i % 4], M_NOWAIT | M_ZERO);
		REQUIRE(items[i] != NULL);
		good = good && in_boot_memory(start, items[i], bytes) &&
		       all_bytes(items[i], bytes, 0);
		pattern_fill(items[i], bytes, (uint64_t)i);
	}
	CHECK(good);
}

static void
items_hold(uma_zone_t *zone)
{
	bool good = true;

	for (int i = 0; i < COUNT; i++)
		good = good && pattern_holds(items[i],
				   (size_t)(40 + i % 4 * 100), (uint64_t)i);
	CHECK(good);
	for (int i = 0; i < COUNT; i++)
		uma_zfree(zone[i % 4], items[i]);
}

static void
start_by_hand(char *start)
{
	uma_zone_t zone[4];
	uma_zone_t after;
	bool outside = false;

	memset(start, 0xa5, BOOT_BYTES);
	uma_startup(start);
	zones_work_in(start, zone);
	memset(hash, 0x5a, sizeof hash);
	uma_startup2(hash, sizeof hash / sizeof hash[0]);
	CHECK(all_bytes(hash, sizeof hash, 0));
	items_hold(zone);
	/* Now there is more memory than the boot memory. */
	after = zone_make("after", 65536, 7);
	for (int i = 0; i < 100; i++) {
		items[i] = sure_zalloc(after, M_NOWAIT);
		REQUIRE(items[i] != NULL);
		pattern_fill(items[i], 65536, (uint64_t)i);
		outside = outside || !in_boot_memory(start, items[i], 1);
	}
	CHECK(outside);
	for (int i = 0; i < 100; i++) {
		CHECK(pattern_holds(items[i], 65536, (uint64_t)i));
		uma_zfree(after, items[i]);
	}
	uma_reclaim();
	for (int i = 0; i < 4; i++)
		zone_end(zone[i]);
	zone_end(after);
}

TEST(by_hand)
{
	start_by_hand(boot);
}

/* Nothing is said about how the boot memory is aligned. */
TEST(by_hand_on_a_page)
{
	start_by_hand(boot + 4096);
}

TEST(by_hand_on_any_address)
{
	start_by_hand(boot + 24);
}

/* The boot memory ends: NULL, and no byte beyond it is touched. */
TEST(boot_memory_ends)
{
	static void *item[4096];
	uma_zone_t zone;
	int count = 0;

	memset(boot + BOOT_BYTES, 0x3c, 65536);
	uma_startup(boot);
	zone = zone_make("fill", 4096, 7);
	while (count < 4096 &&
	       (item[count] = uma_zalloc(zone, M_NOWAIT)) != NULL) {
		CHECK(in_boot_memory(boot, item[count], 4096));
		pattern_fill(item[count], 4096, (uint64_t)count);
		count++;
	}
	CHECK(count >= (HOSTILE ? 64 : 128));
	CHECK(count <= 512);
	CHECK(zone_numbers(zone).fails >= 1);
	CHECK(all_bytes(boot + BOOT_BYTES, 65536, 0x3c));
	uma_startup2(hash, 256);
	CHECK(sure_zalloc(zone, M_NOWAIT) != NULL);
	for (int i = 0; i < count; i++)
		CHECK(pattern_holds(item[i], 4096, (uint64_t)i));
}

/* Boot memory is never given back to the system, but is used again. */
/* Structures too, until the system may be asked. */
TEST(boot_memory_for_zones_ends)
{
	enum { MANY = 100000 };
	int count = 0;

	uma_startup(boot);
	while (count < MANY &&
	       uma_zcreate("many", 64, NULL, NULL, NULL, NULL, 7, 0) != NULL)
		count++;
	harness_say("# %d zones\n", count);
	CHECK(count >= 100 && count < MANY);
	CHECK(
	    uma_zcreate("one more", 64, NULL, NULL, NULL, NULL, 7, 0) == NULL);
	uma_startup2(NULL, 1);
	CHECK(
	    uma_zcreate("one more", 64, NULL, NULL, NULL, NULL, 7, 0) != NULL);
}

TEST(boot_memory_survives_reclaim)
{
	uma_zone_t zone[4];

	uma_startup(boot);
	zones_work_in(boot, zone);
	uma_startup2(hash, 256);
	items_hold(zone);
	uma_reclaim();
	/* Every page of it can still be read and written. */
	for (size_t i = 0; i < sizeof boot; i += 4096) {
		volatile char *at = &boot[i];

		*at = *at;
	}
	for (int i = 0; i < 4; i++) {
		void *item = uma_zalloc(zone[i], M_WAITOK);

		memset(item, 1, 40);
		uma_zfree(zone[i], item);
		zone_end(zone[i]);
	}
}

/* ---- by itself ---- */

static pthread_barrier_t line;

static void *
first_use(void *arg)
{
	uintptr_t n = (uintptr_t)arg;
	uma_zone_t zone;
	void *mine[50];

	pthread_barrier_wait(&line);
	zone = zone_make("first", (int)(32 + n), 7);
	for (int i = 0; i < 50; i++) {
		mine[i] = uma_zalloc(zone, M_WAITOK);
		pattern_fill(mine[i], 32 + n, n * 100 + (unsigned)i);
	}
	for (int i = 0; i < 50; i++) {
		CHECK(pattern_holds(mine[i], 32 + n, n * 100 + (unsigned)i));
		uma_zfree(zone, mine[i]);
	}
	zone_end(zone);
	return NULL;
}

static void
eight_at_once(void)
{
	pthread_t t[8];

	REQUIRE(pthread_barrier_init(&line, NULL, 8) == 0);
	for (uintptr_t i = 0; i < 8; i++)
		t[i] = thread_start(first_use, (void *)i);
	for (int i = 0; i < 8; i++)
		thread_join(t[i]);
}

/* In many processes, as each can only start once. */
TEST(eight_threads_at_once)
{
	for (int round = 0; round < 60; round++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			eight_at_once();
			_exit(atomic_load(&harness.failures) != 0);
		}
		REQUIRE(waitpid(child, &status, 0) == child);
		CHECK_EQ(status, 0);
	}
}

TEST(first_use_is_reclaim)
{
	uma_reclaim();
	zone_end(zone_make("next", 64, 7));
}

TEST(first_use_is_statistics)
{
	struct uma_stats s = library_numbers();

	CHECK_EQ(s.large_bytes, 0);
	zone_end(zone_make("next", 64, 7));
}

TEST_MAIN
