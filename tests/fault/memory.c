/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory - the system refuses memory, and later has some again
 *
 * RLIMIT_AS refuses address space, RLIMIT_DATA refuses to make pages
 * writable: between them they reach every request for memory.  Large items
 * of PAGEABLE zones use up addresses without using up the machine.
 */
#include "zone/common.h"

#define MIB  ((size_t)1 << 20)
#define MOST 100000

static void *items[MOST];

static size_t
statm_bytes(int field)
{
	unsigned long pages[7] = { 0 };
	FILE *f = fopen("/proc/self/statm", "r");

	REQUIRE(f != NULL);
	for (int i = 0; i < 7; i++)
		REQUIRE(fscanf(f, "%lu", &pages[i]) == 1);
	fclose(f);
	return pages[field] * (size_t)sysconf(_SC_PAGESIZE);
}

/* Allow `more` bytes beyond what the process has now. */
static void
limit(int resource, size_t more)
{
	struct rlimit r;
	/* The kernel's own sum of writable pages is the sixth field. */
	size_t now = statm_bytes(resource == RLIMIT_AS ? 0 : 5);

	REQUIRE(getrlimit((__rlimit_resource_t)resource, &r) == 0);
	r.rlim_cur = now + more;
	REQUIRE(setrlimit((__rlimit_resource_t)resource, &r) == 0);
}

static void
no_limit(int resource)
{
	struct rlimit r;

	REQUIRE(getrlimit((__rlimit_resource_t)resource, &r) == 0);
	r.rlim_cur = r.rlim_max;
	REQUIRE(setrlimit((__rlimit_resource_t)resource, &r) == 0);
}

static uma_zone_t
pageable(const char *name, int size)
{
	uma_zone_t zone = uma_zcreate(
	    name, size, NULL, NULL, NULL, NULL, 4095, UMA_ZONE_PAGEABLE);

	REQUIRE(zone != NULL);
	return zone;
}

/* Take until NULL; how many.  Writes only each item's ends. */
static int
take_until_null(uma_zone_t zone, size_t bytes)
{
	int count = 0;

	errno = 0;
	while (count < MOST &&
	       (items[count] = uma_zalloc(zone, M_NOWAIT)) != NULL) {
		memset(items[count], count & 0xff, 8);
		memset((char *)items[count] + bytes - 8, count & 0xff, 8);
		count++;
	}
	CHECK_EQ(errno, 0);
	REQUIRE(count < MOST);
	return count;
}

static void
all_hold(int count, size_t bytes)
{
	bool good = true;

	for (int i = 0; i < count; i++)
		good = good &&
		       all_bytes(items[i], 8, (unsigned char)(i & 0xff)) &&
		       all_bytes((char *)items[i] + bytes - 8, 8,
			   (unsigned char)(i & 0xff));
	CHECK(good);
}

static void
give(uma_zone_t zone, int from, int to)
{
	for (int i = from; i < to; i++)
		uma_zfree(zone, items[i]);
}

/* Failing takes nothing away, and the end of the shortage is the end of it. */
static void
fails_and_recovers(int resource, int size)
{
	uma_zone_t zone = pageable("short", size);
	size_t bytes = (size_t)size;
	struct uma_zone_stats s;
	int count;

	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	limit(resource, 24 * MIB);
	count = take_until_null(zone, bytes);
	s = zone_numbers(zone);
	CHECK_EQ(s.used_items, count);
	CHECK_EQ(s.fails, 1);
	CHECK_EQ(s.allocs - s.frees, count);
	for (int i = 0; i < 100; i++)
		CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	CHECK_EQ(zone_numbers(zone).fails, 101);
	CHECK_EQ(zone_numbers(zone).slab_bytes, s.slab_bytes);
	all_hold(count, bytes);
	/* One free is one allocation. */
	REQUIRE(count > 0);
	uma_zfree(zone, items[0]);
	items[0] = uma_zalloc(zone, M_NOWAIT);
	REQUIRE(items[0] != NULL);
	memset(items[0], 0, 8);
	memset((char *)items[0] + bytes - 8, 0, 8);
	no_limit(resource);
	REQUIRE((items[count] = uma_zalloc(zone, M_NOWAIT)) != NULL);
	all_hold(count, bytes);
	give(zone, 0, count + 1);
	zone_end(zone);
}

TEST_TIME(no_addresses, 60)
{
	if (HOSTILE)
		SKIP("NULL does not mean that memory is short");
	fails_and_recovers(RLIMIT_AS, 1 << 20);
}

TEST_TIME(no_addresses_for_huge_items, 60)
{
	fails_and_recovers(RLIMIT_AS, 50 << 20);
}

TEST_TIME(no_writable_pages, 60)
{
	if (HOSTILE)
		SKIP("NULL does not mean that memory is short");
	fails_and_recovers(RLIMIT_DATA, 1 << 20);
}

/* Memory given back under the limit serves other zones under the limit. */
TEST_TIME(memory_moves_between_zones, 60)
{
	uma_zone_t a = pageable("a", 1 << 20);
	uma_zone_t b = pageable("b", 3 << 20);
	void *item;
	int count;

	if (HOSTILE)
		SKIP("NULL does not mean that memory is short");
	uma_zfree(b, uma_zalloc(b, M_WAITOK));
	limit(RLIMIT_AS, 24 * MIB);
	count = take_until_null(a, MIB);
	REQUIRE(count > 10);
	give(a, 0, count);
	uma_reclaim();
	item = uma_zalloc(b, M_NOWAIT);
	CHECK(item != NULL);
	uma_zfree(b, item);
	uma_reclaim();
	CHECK(take_until_null(a, MIB) >= count - 8);
	no_limit(RLIMIT_AS);
}

/* ---- zones ---- */

/* Creation needs memory too: NULL, and everything else goes on. */
TEST_TIME(no_memory_for_a_zone, 100)
{
	static uma_zone_t zones[MOST];
	uma_zone_t hog = pageable("hog", 1 << 20);
	uint64_t before = library_numbers().zones;
	int count = 0;
	int hogs;

	uma_zfree(hog, uma_zalloc(hog, M_WAITOK));
	limit(RLIMIT_AS, 4 * MIB);
	hogs = take_until_null(hog, MIB);
	while (count < MOST) {
		zones[count] =
		    uma_zcreate("small", 64, NULL, NULL, NULL, NULL, 7, 0);
		if (zones[count] == NULL)
			break;
		count++;
	}
	CHECK_EQ(library_numbers().zones, before + (unsigned)count);
	no_limit(RLIMIT_AS);
	give(hog, 0, hogs);
	for (int i = 0; i < count; i++)
		zone_end(zones[i]);
	zone_end(hog);
	CHECK_EQ(library_numbers().zones, before - 1);
	zone_end(zone_make("again", 64, 7));
	if (count == MOST)
		SKIP("creation does not reach the limit");
}

TEST_TIME(no_memory_for_first_items, 60)
{
	static uma_zone_t zones[200];
	uma_zone_t hog = pageable("hog", 1 << 20);
	int hogs;
	int nulls = 0;

	for (int i = 0; i < 200; i++)
		zones[i] = zone_make("first", 60000, 7);
	limit(RLIMIT_AS, 2 * MIB);
	hogs = take_until_null(hog, MIB);
	for (int i = 0; i < 200; i++) {
		void *item = uma_zalloc(zones[i], M_NOWAIT);

		nulls += item == NULL;
		uma_zfree(zones[i], item);
	}
	CHECK(nulls > 0);
	no_limit(RLIMIT_AS);
	give(hog, 0, hogs);
	for (int i = 0; i < 200; i++) {
		uma_zfree(zones[i], uma_zalloc(zones[i], M_WAITOK));
		zone_end(zones[i]);
	}
}

/* ---- waiting ---- */

struct waiter {
	uma_zone_t zone;
	_Atomic int begun;
	_Atomic int released;
};

static void *
wait_for_memory(void *arg)
{
	struct waiter *w = arg;
	void *item;

	while (atomic_load(&w->begun) == 0)
		sched_yield();
	atomic_store(&w->begun, 2);
	item = uma_zalloc(w->zone, M_WAITOK);
	CHECK(item != NULL);
	CHECK(atomic_load(&w->released) == 1);
	return item;
}

static void
begin(struct waiter *w)
{
	atomic_store(&w->begun, 1);
	while (atomic_load(&w->begun) != 2)
		sched_yield();
	/* Most likely it sleeps now; if not, it is served at once. */
	nap_us(20000);
}

TEST_TIME(waits_for_a_free_in_its_zone, 60)
{
	struct waiter w = { pageable("wait", 1 << 20), 0, 0 };
	pthread_t t;
	void *item;
	int count;

	if (HOSTILE)
		SKIP("NULL does not mean that memory is short");
	t = thread_start(wait_for_memory, &w);
	limit(RLIMIT_AS, 24 * MIB);
	count = take_until_null(w.zone, MIB);
	REQUIRE(count > 0);
	begin(&w);
	atomic_store(&w.released, 1);
	uma_zfree(w.zone, items[count - 1]);
	item = thread_join(t);
	uma_zfree(w.zone, item);
	give(w.zone, 0, count - 1);
	no_limit(RLIMIT_AS);
	zone_end(w.zone);
}

TEST_TIME(waits_for_memory_of_another_zone, 60)
{
	struct waiter w = { pageable("wait", 1 << 20), 0, 0 };
	uma_zone_t hog = pageable("hog", 1 << 20);
	pthread_t t;
	void *mine[1000];
	void *item;
	int own = 0;
	int count;

	if (HOSTILE)
		SKIP("NULL does not mean that memory is short");
	t = thread_start(wait_for_memory, &w);
	limit(RLIMIT_AS, 24 * MIB);
	count = take_until_null(hog, MIB);
	REQUIRE(count > 8);
	/* What its own zone still finds it must not wait for. */
	while (own < 1000 && (mine[own] = uma_zalloc(w.zone, M_NOWAIT)) != NULL)
		own++;
	begin(&w);
	atomic_store(&w.released, 1);
	give(hog, 0, count);
	uma_reclaim();
	item = thread_join(t);
	no_limit(RLIMIT_AS);
	uma_zfree(w.zone, item);
	for (int i = 0; i < own; i++)
		uma_zfree(w.zone, mine[i]);
	zone_end(w.zone);
	zone_end(hog);
}

/* ---- little from the start ---- */

/* A process that never had more than 64 MiB of addresses. */
TEST_TIME(starts_with_64_mib, 60)
{
	struct rlimit r;
	uma_zone_t zone;
	int count;

	if (HOSTILE)
		SKIP("NULL does not mean that memory is short");
	REQUIRE(getrlimit(RLIMIT_AS, &r) == 0);
	r.rlim_cur = 64 * MIB;
	REQUIRE(setrlimit(RLIMIT_AS, &r) == 0);
	zone = zone_make("modest", 1024, 7);
	count = take_until_null(zone, 1024);
	harness_say("# %d KiB of 65536 in items\n", count);
	CHECK(count >= 16 * 1024);
	all_hold(count, 1024);
	give(zone, 0, count);
	uma_reclaim();
	CHECK(take_until_null(zone, 1024) >= count / 10 * 9);
}

/* With next to nothing, the first use fails in an orderly way or works. */
TEST_TIME(starts_with_next_to_nothing, 60)
{
	for (size_t room = 0; room <= 16 * MIB; room += MIB / 2) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			uma_zone_t zone;

			limit(RLIMIT_AS, room);
			zone = uma_zcreate(
			    "tiny", 64, NULL, NULL, NULL, NULL, 7, 0);
			if (zone != NULL) {
				items[0] = uma_zalloc(zone, M_NOWAIT);
				uma_zfree(zone, items[0]);
			}
			no_limit(RLIMIT_AS);
			zone = zone_make("tiny", 64, 7);
			items[0] = uma_zalloc(zone, M_WAITOK);
			memset(items[0], 1, 64);
			uma_zfree(zone, items[0]);
			_exit(atomic_load(&harness.failures) != 0);
		}
		REQUIRE(waitpid(child, &status, 0) == child);
		if (!CHECK_EQ(status, 0))
			harness_say("#   with %zu KiB\n", room / 1024);
	}
}

/* ---- what stays right while requests fail now and then ---- */

static _Atomic int stop;

static void *
churn(void *arg)
{
	uma_zone_t zone = arg;
	unsigned char *hold[40] = { NULL };
	uint64_t seed = (uintptr_t)hold;

	while (atomic_load(&stop) == 0) {
		uint32_t slot = dice(&seed) % 40;

		if (hold[slot] == NULL) {
			hold[slot] = uma_zalloc(zone, M_NOWAIT);
			if (hold[slot] != NULL)
				pattern_fill(
				    hold[slot], 30000, (uintptr_t)&hold[slot]);
		} else {
			CHECK(pattern_holds(
			    hold[slot], 30000, (uintptr_t)&hold[slot]));
			uma_zfree(zone, hold[slot]);
			hold[slot] = NULL;
		}
	}
	for (int i = 0; i < 40; i++)
		uma_zfree(zone, hold[i]);
	return NULL;
}

TEST_TIME(shortage_comes_and_goes, 100)
{
	uma_zone_t zone = zone_make("churn", 30000, 7);
	uma_zone_t hog = pageable("hog", 1 << 20);
	pthread_t t[3];
	int count;

	for (int i = 0; i < 3; i++)
		t[i] = thread_start(churn, zone);
	for (int round = 0; round < 20; round++) {
		limit(RLIMIT_AS, MIB);
		count = take_until_null(hog, MIB);
		uma_reclaim();
		nap_us(5000);
		no_limit(RLIMIT_AS);
		give(hog, 0, count);
		uma_reclaim();
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < 3; i++)
		thread_join(t[i]);
	CHECK_EQ(zone_numbers(zone).used_items, 0);
	zone_end(zone);
	zone_end(hog);
}

TEST_MAIN
