/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets huge pages of the supply, and what becomes of the rest of one. */
#include "harness.h"

#include "lock/lock.h"
#include "port/port.h"
#include "supply/supply.h"
#include "unit/supply/calls.h"

#define HUGE  ((size_t)2 << 20)
#define PAGES (HUGE / GRANULE)

bool __real_port_forget(void *addr, size_t bytes);
bool __wrap_port_forget(void *addr, size_t bytes);
bool __real_port_populate(void *addr, size_t bytes);
bool __wrap_port_populate(void *addr, size_t bytes);
void __wrap_port_huge(void *addr, size_t bytes, bool wanted);

static size_t forgotten; /* bytes */
static size_t filled;    /* what the taker says */

bool
__wrap_port_forget(void *addr, size_t bytes)
{
	forgotten += bytes;
	return __real_port_forget(addr, bytes);
}

/* The last wish, and what was populated under it. */
static struct {
	char *at;
	bool wanted;
	size_t populated;
	unsigned count;
	bool refused;
	bool others; /* take the rest meanwhile, and it is forgotten */
} huge;

bool
__wrap_port_populate(void *addr, size_t bytes)
{
	if (!huge.wanted)
		return __real_port_populate(addr, bytes);
	CHECK(addr == huge.at);
	huge.populated = bytes;
	huge.count++;
	if (huge.others) {
		struct supply_run run;

		/* Inside the gate, as the one who asked. */
		REQUIRE(supply_take(
		    &run, PAGES - 1, GRANULE, 0, SUPPLY_NORMAL, META_NORMAL));
		CHECK(run.base == huge.at + GRANULE);
		supply_give(run.base, PAGES - 1, 0, META_NORMAL);
		supply_trim();
		CHECK_EQ(supply_dirty_bytes(), 0);
	}
	return !huge.refused && __real_port_populate(addr, bytes);
}

void
__wrap_port_huge(void *addr, size_t bytes, bool wanted)
{
	/* What the library keeps small pages for is of other sizes. */
	if (bytes != HUGE)
		return;
	huge.at = addr;
	huge.wanted = wanted;
}

static void
take(struct supply_run *run, size_t count)
{
	REQUIRE(calls_take(run, count, filled));
}

/* Take one by one until a new 2 MiB begins, and that one. */
static struct supply_run
take_first(void)
{
	struct supply_run run;

	filled = 1;
	do
		take(&run, 1);
	while ((uintptr_t)run.base % HUGE != 0);
	return run;
}

TEST(a_huge_page_comes_with_the_first_small_run)
{
	struct supply_run first;
	struct supply_run run;
	size_t dirty;

	supply_thp(SUPPLY_THP_ALWAYS);
	first = take_first();
	CHECK_EQ(huge.populated, HUGE);
	CHECK(!huge.wanted);
	CHECK(huge.at == first.base);
	CHECK_EQ(first.dirty, 0);
	CHECK_EQ(first.backed, GRANULE);
	/* The rest is counted, so that it is forgotten if nobody takes it. */
	dirty = supply_dirty_bytes();
	CHECK_EQ(dirty, HUGE - GRANULE);
	huge.count = 0;
	for (size_t i = 1; i < PAGES; i++) {
		take(&run, 1);
		CHECK(run.base == (char *)first.base + i * GRANULE);
		CHECK_EQ(run.backed, GRANULE);
	}
	CHECK_EQ(huge.count, 0);
	CHECK_EQ(supply_dirty_bytes(), 0);
	CHECK_EQ(forgotten, 0);
	(void)take_first();
	CHECK_EQ(huge.count, 1);
	calls_trim();
	CHECK_EQ(forgotten, HUGE - GRANULE);
}

/* Take until a huge page comes, and no more than this; returns how many. */
static size_t
take_until_huge(size_t most, size_t part)
{
	struct supply_run run;
	size_t used = 0;

	huge.count = 0;
	while (huge.count == 0 && used < most) {
		filled = ++used / part;
		take(&run, 1);
	}
	return used;
}

TEST(none_comes_to_a_small_heap)
{
	size_t used = take_until_huge(4096, 1);

	/* The library's own runs count for a little. */
	CHECK(used <= 1024 + PAGES);
	CHECK(used > 1024 - 2 * PAGES);
	supply_thp(SUPPLY_THP_NEVER);
	CHECK_EQ(take_until_huge(256, 1), 256);
	CHECK_EQ(huge.count, 0);
}

TEST(none_comes_to_who_has_little_of_a_large_heap)
{
	CHECK_EQ(take_until_huge(2048, 3), 2048);
	CHECK_EQ(huge.count, 0);
}

TEST(none_comes_to_what_may_stay_untouched)
{
	struct supply_run run;

	supply_thp(SUPPLY_THP_ALWAYS);
	(void)take_first();
	take(&run, PAGES - 1);
	huge.count = 0;
	filled = 0;
	take(&run, 1);
	CHECK((uintptr_t)run.base % HUGE == 0);
	CHECK_EQ(huge.count, 0);
	CHECK_EQ(run.backed, 0);
	/* What was used before is not asked for again. */
	run = take_first();
	CHECK_EQ(huge.count, 1);
	calls_give(run.base, 1, GRANULE);
	calls_trim();
	take(&run, 1);
	CHECK_EQ(huge.count, 1);
}

TEST(a_huge_page_refused_is_no_matter)
{
	struct supply_run run;

	supply_thp(SUPPLY_THP_ALWAYS);
	huge.refused = true;
	run = take_first();
	CHECK(huge.count != 0);
	CHECK(!huge.wanted);
	CHECK_EQ(run.backed, 0);
	/* Part of it may be there. */
	CHECK_EQ(supply_dirty_bytes(), HUGE - GRANULE);
	take(&run, 1);
	CHECK_EQ(run.backed, 0);
}

/* Whoever is first there time and again asks once. */
TEST(a_huge_page_is_asked_for_once)
{
	struct supply_run run;
	void *base;

	supply_thp(SUPPLY_THP_ALWAYS);
	run = take_first();
	base = run.base;
	huge.count = 0;
	for (int i = 0; i < 10; i++) {
		calls_give(base, 1, GRANULE);
		take(&run, 1);
		CHECK(run.base == base);
	}
	CHECK_EQ(huge.count, 0);
}

/* Slabs of three granules: one begins before the 2 MiB that it ends in. */
TEST(a_run_that_reaches_into_it_opens_it)
{
	struct supply_run run;
	char *end;

	supply_thp(SUPPLY_THP_ALWAYS);
	(void)take_first();
	huge.count = 0;
	do
		take(&run, 3);
	while (huge.count == 0);
	end = (char *)run.base + 3 * GRANULE;
	CHECK((uintptr_t)end % HUGE != 0);
	CHECK((uintptr_t)end % HUGE < 3 * GRANULE);
	CHECK(huge.at == end - (uintptr_t)end % HUGE);
}

/* What others do meanwhile with the rest of it leaves nothing uncounted. */
TEST(the_rest_is_dirty_whatever_happened_meanwhile)
{
	supply_thp(SUPPLY_THP_ALWAYS);
	huge.others = true;
	(void)take_first();
	CHECK_EQ(supply_dirty_bytes(), HUGE - GRANULE);
}

TEST_MAIN
