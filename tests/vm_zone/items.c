/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * items - what vm_zones hand out: sizes, zeros, order, and what stays
 */
#include "vm_zone/common.h"

#define COUNT 3000
#define DEPTH 1000 /* less than caches hold */

static unsigned char *items[COUNT];

static struct uma_vm_zone_stats
numbers(vm_zone_t z)
{
	struct uma_vm_zone_stats s;

	uma_vm_zone_stats(z, &s);
	return s;
}

static void
take(vm_zone_t z, int count)
{
	for (int i = 0; i < count; i++) {
		items[i] = sure_vm_zalloc(z);
		REQUIRE(items[i] != NULL);
	}
}

static void
give(vm_zone_t z, int count)
{
	for (int i = 0; i < count; i++)
		zfree(z, items[i]);
}

static int
by_address(const void *left, const void *right)
{
	const unsigned char *const *l = left;
	const unsigned char *const *r = right;

	return (*l > *r) - (*l < *r);
}

/* All of the rounded size can be used, at an address that is a multiple. */
TEST(sizes_are_rounded_up_to_32)
{
	static const int sizes[] = { 1, 31, 32, 33, 100, 128, 1000, 4097, 40000,
		200001 };

	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		int count = sizes[s] > 5000 ? 20 : COUNT;
		int rounded = (sizes[s] + 31) / 32 * 32;
		vm_zone_t z = zinit("rounded", sizes[s], 0, 0, 0);
		bool apart = true;
		bool aligned = true;

		REQUIRE(z != NULL);
		CHECK_EQ(z->zsize, rounded);
		take(z, count);
		qsort(items, (size_t)count, sizeof items[0], by_address);
		for (int i = 0; i < count; i++) {
			aligned = aligned && (uintptr_t)items[i] % 32 == 0;
			apart = apart &&
				(i == 0 || items[i] - items[i - 1] >= rounded);
			memset(items[i], 0xff, (size_t)rounded);
		}
		CHECK(aligned);
		CHECK(apart);
		give(z, count);
		zdestroy(z);
	}
}

/*
 * Zeros at first; later what the last user left, whole.  There are no more
 * items than are taken, so that each is seen again.
 */
TEST(memory_is_zeroed_once)
{
	vm_zone_t z = zinit("once", 96, COUNT, ZONE_INTERRUPT, 0);
	bool zeros = true;
	bool kept = true;

	take(z, COUNT);
	for (int i = 0; i < COUNT; i++) {
		zeros = zeros && all_bytes(items[i], 96, 0);
		pattern_fill(items[i], 96, (uint64_t)(uintptr_t)items[i]);
	}
	CHECK(zeros);
	for (int round = 0; round < 3; round++) {
		give(z, COUNT);
		uma_reclaim();
		take(z, COUNT);
		for (int i = 0; i < COUNT; i++)
			kept = kept && pattern_holds(items[i], 96,
					   (uint64_t)(uintptr_t)items[i]);
		CHECK(kept);
	}
	give(z, COUNT);
	zdestroy(z);
}

/* Memory that came from a destroyed zone is zeroed as well. */
TEST(a_later_zone_gets_zeros_too)
{
	for (int round = 0; round < 5; round++) {
		vm_zone_t z = zinit("later", 4000, 0, 0, 0);
		bool zeros = true;

		take(z, 200);
		for (int i = 0; i < 200; i++) {
			zeros = zeros && all_bytes(items[i], 4000, 0);
			memset(items[i], 0xa5, 4000);
		}
		CHECK(zeros);
		give(z, 200);
		zdestroy(z);
	}
}

TEST(the_item_freed_last_comes_next)
{
	vm_zone_t z = zinit("order", 64, 0, 0, 0);
	bool same = true;

	if (HOSTILE)
		SKIP("now and then a free finds no cache");
	take(z, COUNT);
	for (int round = 0; round < 100; round++) {
		unsigned char *was = items[round * 7];

		zfree(z, was);
		items[round * 7] = zalloc(z);
		same = same && items[round * 7] == was;
	}
	CHECK(same);
	/* A whole stack of them. */
	give(z, DEPTH);
	for (int i = DEPTH - 1; i >= 0; i--) {
		void *item = zalloc(z);

		same = same && item == items[i];
		items[i] = item;
	}
	CHECK(same);
	give(z, COUNT);
	zdestroy(z);
}

/* The old pairs are one: what one hands out the other takes back. */
TEST(both_spellings_serve_one_zone)
{
	vm_zone_t z = zinit("spelling", 64, 0, 0, 0);
	void *(*take_it)(vm_zone_t) = zalloci;
	void *item = take_it(z);

	REQUIRE(item != NULL);
	zfree(z, item);
	item = zalloc(z);
	zfreei(z, item);
	CHECK_EQ(numbers(z).requests, 2);
	CHECK_EQ(numbers(z).used, 0);
	zdestroy(z);
}

/* nentries is a limit only with ZONE_INTERRUPT. */
TEST(entries_alone_are_no_limit)
{
	vm_zone_t z = zinit("no limit", 64, 10, ZONE_WAIT, 3);

	CHECK_EQ(z->zmax, 0);
	CHECK_EQ(z->zflags, 0);
	CHECK_EQ(z->zalloc, 3);
	CHECK(strcmp(z->zname, "no limit") == 0);
	take(z, COUNT);
	CHECK_EQ(numbers(z).used, COUNT);
	give(z, COUNT);
	CHECK_EQ(numbers(z).used, 0);
	zdestroy(z);
}

/* Pages of a zone are its own until it goes. */
TEST(memory_is_never_given_back)
{
	vm_zone_t z = zinit("kept", 2048, 0, 0, 0);
	size_t before, after;
	bool mine = true;
	static unsigned char *first[COUNT];

	take(z, COUNT);
	memcpy(first, items, sizeof first);
	qsort(first, COUNT, sizeof first[0], by_address);
	for (int i = 0; i < COUNT; i++)
		memset(items[i], 1, 2048);
	before = rss_bytes();
	give(z, COUNT);
	uma_reclaim();
	after = rss_bytes();
	CHECK(after + (1 << 20) > before);
	CHECK(numbers(z).free >= COUNT);
	for (int i = 0; i < COUNT; i++)
		mine = mine && all_bytes(first[i], 2048, 1);
	CHECK(mine);
	zdestroy(z);
}

/* A structure of the program's own, and again after its end. */
TEST(static_structures)
{
	static struct vm_zone store;

	for (int round = 0; round < 3; round++) {
		CHECK_EQ(zinitna(&store, NULL, "static", 50, 0, 0, 1), 1);
		CHECK_EQ(store.zsize, 64);
		take(&store, 100);
		give(&store, 100);
		zdestroy(&store);
	}
	CHECK_EQ(_zinit(&store, NULL, "first", 50, 10, ZONE_INTERRUPT, 1), 1);
	CHECK_EQ(store.zmax, 10);
	zdestroy(&store);
}

/* Without address space: no zone, and none is left over. */
TEST(no_address_space)
{
	static struct vm_zone store;
	struct rlimit limit = { 0, 0 };
	struct uma_stats was;
	vm_zone_t z;

	if (SANITIZED)
		SKIP("a sanitizer needs more addresses");
	z = zinit("first", 64, 0, 0, 0);
	zfree(z, sure_vm_zalloc(z));
	was = library_numbers();
	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = (rlim_t)64 << 30;
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	for (int i = 0; i < 50; i++) {
		CHECK(
		    zinit("huge", 1 << 20, 1 << 20, ZONE_INTERRUPT, 0) == NULL);
		CHECK_EQ(zinitna(&store, NULL, "huge", 1 << 30, INT32_MAX,
			     ZONE_INTERRUPT, 0),
		    0);
	}
	CHECK_EQ(library_numbers().zones, was.zones);
	CHECK_EQ(store.zstate, 0);
	CHECK_EQ(zinitna(&store, NULL, "small", 100, 5, ZONE_INTERRUPT, 0), 1);
	zdestroy(&store);
	zfree(z, sure_vm_zalloc(z));
	zdestroy(z);
}

/* A zone without limit ends where memory does; errno is left alone. */
TEST(no_memory)
{
	struct rlimit limit;
	void **list = NULL;
	void **item;
	vm_zone_t z = zinit("grows", 1 << 20, 0, 0, 0);

	if (SANITIZED)
		SKIP("a sanitizer needs more addresses");
	REQUIRE(z != NULL);
	zfree(z, sure_vm_zalloc(z));
	REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = (rlim_t)512 << 20;
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	errno = EXDEV;
	while ((item = zalloc(z)) != NULL) {
		*item = list;
		list = item;
	}
	CHECK_EQ(errno, EXDEV);
	while ((item = list) != NULL) {
		list = *item;
		zfree(z, item);
	}
	zdestroy(z);
}

TEST(zones_come_and_go)
{
	struct uma_stats was;

	for (int i = 0; i < 3000; i++) {
		vm_zone_t z = zinit(
		    "passing", 100, 20, i % 2 == 0 ? ZONE_INTERRUPT : 0, 0);

		REQUIRE(z != NULL);
		take(z, 20);
		give(z, 20);
		zdestroy(z);
		if (i == 1000)
			was = library_numbers();
	}
	CHECK_EQ(library_numbers().zones, was.zones);
	CHECK(library_numbers().meta_bytes <= was.meta_bytes + 65536);
	CHECK(library_numbers().mapped_bytes <= was.mapped_bytes);
}

/* The kernel's start, which has nothing to do here. */
TEST(start_functions_exist)
{
	vm_zone_init();
	vm_zone_init2();
}

TEST_MAIN
