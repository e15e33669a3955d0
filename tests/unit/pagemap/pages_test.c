/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pages_test.c - entries that two make at once, and those that are refused
 *
 * Method: the linker puts a wrapper in front of meta_take(), which both leaves
 * and tables of pages come from.  There another thread's work is done, between
 * the moment where one is missed and the one where it is entered.
 */
#include "harness.h"

#include "pagemap/pagemap.h"

void *__real_meta_take(size_t bytes, enum meta_how how);
void *__wrap_meta_take(size_t bytes, enum meta_how how);

/* Three spans of leaves, far from what the system maps. */
#define SPAN (GRANULE << PAGEMAP_LEAF_BITS)
static char *const base = (char *)(16 * SPAN);

/* Taken for a table of pages, each would have room. */
static struct header {
	enum pagemap_kind kind;
	void *zeros[40];
} slab = { PAGEMAP_SLAB, { NULL } }, other = { PAGEMAP_SLAB, { NULL } },
  large = { PAGEMAP_LARGE, { NULL } }, block = { PAGEMAP_BLOCK, { NULL } };

static size_t page;
static void (*beside)(void);
static bool no_memory;
static unsigned taken;
static void *last;

void *
__wrap_meta_take(size_t bytes, enum meta_how how)
{
	void (*now)(void) = beside;

	beside = NULL;
	if (now != NULL)
		now();
	taken++;
	last = no_memory ? NULL : __real_meta_take(bytes, how);
	return last;
}

/* The first leaf of all is there from the start. */
static void
start(void)
{
	page = port_page_bytes();
	pagemap_open(NULL);
	REQUIRE(pagemap_set(base, GRANULE, &slab, 0, META_NORMAL));
	CHECK_EQ(taken, 0);
}

static void
set_other_granule(void)
{
	CHECK(pagemap_set(
	    base + SPAN + GRANULE, GRANULE, &other, 0, META_NORMAL));
}

TEST(two_make_one_leaf)
{
	start();
	beside = set_other_granule;
	CHECK(pagemap_set(base + SPAN, GRANULE, &slab, 0, META_NORMAL));
	CHECK_EQ(taken, 2);
	CHECK(pagemap_find(base + SPAN) == &slab);
	CHECK(pagemap_find(base + SPAN + GRANULE) == &other);
}

static void
set_other_page(void)
{
	CHECK(pagemap_set_pages(
	    base + GRANULE + page, page, &other, META_NORMAL));
}

TEST(two_make_one_table)
{
	void *unneeded;

	start();
	beside = set_other_page;
	CHECK(pagemap_set_pages(base + GRANULE, page, &slab, META_NORMAL));
	CHECK_EQ(taken, 2);
	unneeded = last;
	CHECK(pagemap_find(base + GRANULE) == &slab);
	CHECK(pagemap_find(base + GRANULE + page) == &other);
	CHECK(pagemap_find(base + GRANULE + 2 * page) == NULL);
	CHECK(pagemap_set_pages(base + 2 * GRANULE, page, &slab, META_NORMAL));
	CHECK(last == unneeded);
	pagemap_clear_pages(base + GRANULE, page);
	CHECK(pagemap_find(base + GRANULE) == NULL);
	CHECK(pagemap_find(base + GRANULE + page) == &other);
}

/* A whole slab is entered where pages are about to be. */
static void
set_whole(void)
{
	CHECK(pagemap_set(base + GRANULE, GRANULE, &other, 0, META_NORMAL));
}

TEST(a_slab_came_first)
{
	start();
	beside = set_whole;
	CHECK(!pagemap_set_pages(base + GRANULE, page, &slab, META_NORMAL));
	CHECK(pagemap_find(base + GRANULE) == &other);
	CHECK(!pagemap_set_pages(base, page, &slab, META_NORMAL));
	CHECK(pagemap_find(base) == &slab);
}

TEST(a_page_of_another)
{
	start();
	CHECK(pagemap_set_pages(
	    base + GRANULE + 2 * page, page, &other, META_NORMAL));
	CHECK(!pagemap_set_pages(base + GRANULE, 4 * page, &slab, META_NORMAL));
	CHECK(pagemap_find(base + GRANULE) == NULL);
	CHECK(pagemap_find(base + GRANULE + page) == NULL);
	CHECK(pagemap_find(base + GRANULE + 2 * page) == &other);
	CHECK(pagemap_find(base + GRANULE + 3 * page) == NULL);
}

/* What a zone is supplied with from a large block is that again. */
TEST(pages_of_a_large_block)
{
	start();
	REQUIRE(pagemap_set(base + GRANULE, GRANULE, &large, 0, META_NORMAL));
	CHECK(
	    pagemap_set_pages(base + GRANULE + page, page, &slab, META_NORMAL));
	CHECK(pagemap_find(base + GRANULE) == &large);
	CHECK(pagemap_find(base + GRANULE + page) == &slab);
	pagemap_clear_pages(base + GRANULE + page, page);
	CHECK(pagemap_find(base + GRANULE + page) == &large);
	pagemap_clear(base + GRANULE, GRANULE);
	CHECK(pagemap_find(base + GRANULE) == NULL);
}

/* The same, where the block is a slab of its own; it has no hit any more. */
TEST(pages_of_a_block_that_is_a_slab)
{
	start();
	pagemap_open(NULL);
	for (size_t second = 0; second < 2; second++) {
		char *at = (char *)pagemap_window.base + second * GRANULE;
		char *first = (char *)pagemap_window.base;

		REQUIRE(
		    pagemap_set(first, 2 * GRANULE, &block, 9, META_NORMAL));
		CHECK_EQ(pagemap_hit(&pagemap_window, first), 9);
		CHECK(pagemap_set_pages(at, page, &slab, META_NORMAL));
		CHECK_EQ(pagemap_hit(&pagemap_window, at), 0);
		CHECK(pagemap_find(at) == &slab);
		CHECK(pagemap_find(at + page) == &block);
		CHECK(!pagemap_set_pages(at, page, &other, META_NORMAL));
		pagemap_clear_pages(at, page);
		CHECK(pagemap_find(at) == &block);
		pagemap_clear(first, 2 * GRANULE);
		CHECK(pagemap_find(at) == NULL);
	}
}

/* However often pages are entered where whole granules come and go. */
TEST(tables_of_granules_that_change_hands)
{
	size_t bytes = 0;

	start();
	for (int i = 0; i < 10000; i++) {
		if (i == 100)
			bytes = meta_bytes();
		CHECK(pagemap_set_pages(
		    base + GRANULE + page, page, &slab, META_NORMAL));
		pagemap_clear_pages(base + GRANULE + page, page);
		CHECK(pagemap_set(
		    base + GRANULE, GRANULE, &other, 0, META_NORMAL));
		CHECK(pagemap_find(base + GRANULE + page) == &other);
		pagemap_clear(base + GRANULE, GRANULE);
	}
	CHECK_EQ(meta_bytes(), bytes);
}

TEST(without_memory)
{
	start();
	no_memory = true;
	CHECK(!pagemap_set_pages(base + GRANULE, page, &slab, META_NORMAL));
	CHECK(pagemap_find(base + GRANULE) == NULL);
	CHECK(!pagemap_set_pages(base + SPAN, page, &slab, META_NORMAL));
	/* The last granule of one leaf, and the first of none. */
	CHECK(!pagemap_set(
	    base + SPAN - GRANULE, 2 * GRANULE, &slab, 0, META_NORMAL));
	CHECK(pagemap_find(base + SPAN - GRANULE) == NULL);
	CHECK(pagemap_find(base + SPAN) == NULL);
	CHECK(pagemap_hold_leaf(META_NORMAL) == NULL);
}

TEST(beyond_all_addresses)
{
	char *wild = (char *)((uintptr_t)1 << 48);

	start();
	CHECK(!pagemap_set(wild, GRANULE, &slab, 0, META_NORMAL));
	CHECK(!pagemap_set_pages(wild, page, &slab, META_NORMAL));
	CHECK_EQ(taken, 0);
}

/* One that was held for nothing is the next one's; two are one too many. */
TEST(held_leaves)
{
	void *a, *b, *was;
	size_t bytes;

	start();
	a = was = pagemap_hold_leaf(META_NORMAL);
	bytes = meta_bytes();
	b = pagemap_hold_leaf(META_NORMAL);
	REQUIRE(a != NULL && b != NULL && a != b);
	CHECK(meta_bytes() > bytes);
	pagemap_set_held(base + GRANULE, &slab, &a);
	CHECK(a == was);
	pagemap_drop_leaf(a);
	pagemap_drop_leaf(b);
	CHECK(!port_mapped(b, page));
	CHECK_EQ(meta_bytes(), bytes);
	CHECK(pagemap_hold_leaf(META_NORMAL) == was);
	pagemap_set_held(base + SPAN, &other, &was);
	CHECK(was == NULL);
	pagemap_drop_leaf(NULL);
	CHECK(pagemap_find(base + GRANULE) == &slab);
	CHECK(pagemap_find(base + SPAN) == &other);
}

TEST_MAIN
