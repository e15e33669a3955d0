/* SPDX-License-Identifier: BSD-2-Clause */
/* What the supply keeps of free memory, and for how long. */
#include "harness.h"

#include "lock/lock.h"
#include "port/port.h"
#include "supply/supply.h"

#define FLOOR  ((size_t)32 << 20)
#define COUNT  2048u /* granules of a swing, four times the floor */
#define SWING  ((size_t)COUNT * GRANULE)
#define HOLES  256u
#define HUGE   ((size_t)2 << 20)
#define PAGES  (HUGE / GRANULE)
#define PERIOD UINT64_C(600000000) /* a little more than one */

bool __real_port_forget(void *addr, size_t bytes);
bool __wrap_port_forget(void *addr, size_t bytes);
bool __real_port_populate(void *addr, size_t bytes);
bool __wrap_port_populate(void *addr, size_t bytes);
void __wrap_port_huge(void *addr, size_t bytes, bool wanted);
uint64_t __wrap_port_tick_ns(void);

static size_t forgotten; /* bytes */
static uint64_t now = PERIOD;
static struct supply_run runs[COUNT];

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
} huge;

bool
__wrap_port_populate(void *addr, size_t bytes)
{
	if (!huge.wanted)
		return __real_port_populate(addr, bytes);
	CHECK(addr == huge.at);
	huge.populated = bytes;
	huge.count++;
	return !huge.refused && __real_port_populate(addr, bytes);
}

void
__wrap_port_huge(void *addr, size_t bytes, bool wanted)
{
	CHECK(bytes % HUGE == 0);
	huge.at = addr;
	huge.wanted = wanted;
}

uint64_t
__wrap_port_tick_ns(void)
{
	return now;
}

static size_t filled; /* what the taker says */

static void
take(struct supply_run *run, size_t count)
{
	bool ok;

	REQUIRE(gate_enter());
	supply_trust(true);
	ok = supply_take(
	    run, count, GRANULE, filled, SUPPLY_NORMAL, META_NORMAL);
	supply_trust(false);
	gate_leave();
	REQUIRE(ok);
}

static void
give(void *base, size_t count, size_t backed)
{
	REQUIRE(gate_enter());
	supply_give(base, count, backed, META_NORMAL);
	gate_leave();
}

static void
trim(void)
{
	REQUIRE(gate_enter());
	supply_trim();
	gate_leave();
}

/* Use much, and free it; returns how much of it was forgotten. */
static size_t
swing(void)
{
	size_t was = forgotten;

	for (size_t i = 0; i < COUNT; i++)
		take(&runs[i], 1);
	for (size_t i = 0; i < COUNT; i++)
		give(runs[i].base, 1, GRANULE);
	return forgotten - was;
}

/* Time passes, and a little is used and freed. */
static void
pass(unsigned periods)
{
	struct supply_run run;

	while (periods-- > 0) {
		now += PERIOD;
		take(&run, 1);
		give(run.base, 1, GRANULE);
	}
}

TEST(what_is_freed_once_goes_at_once)
{
	CHECK(swing() >= SWING - FLOOR);
	CHECK(supply_dirty_bytes() <= FLOOR);
}

/* However long it goes on: none of it lies free for a whole period. */
TEST(what_is_taken_again_is_kept)
{
	size_t was;

	for (int i = 0; i < 10; i++) {
		now += PERIOD;
		(void)swing();
	}
	was = forgotten;
	for (int i = 0; i < 20; i++) {
		now += PERIOD;
		(void)swing();
	}
	CHECK(forgotten - was <= 20 * GRANULE);
	CHECK(supply_dirty_bytes() >= SWING - FLOOR);
	CHECK(supply_dirty_bytes() <= SWING + GRANULE);
}

/* A page fault now and then costs less than the memory. */
TEST(what_is_taken_much_later_is_not)
{
	for (int i = 0; i < 10; i++) {
		CHECK(swing() >= SWING - 2 * FLOOR);
		now += 10 * PERIOD;
	}
}

TEST(what_lies_free_goes_with_time)
{
	for (int i = 0; i < 10; i++) {
		now += PERIOD;
		(void)swing();
	}
	pass(3);
	CHECK(supply_dirty_bytes() <= SWING / 2);
	pass(60);
	CHECK(supply_dirty_bytes() <= 2 * GRANULE);
	/* And so does the reason to keep it. */
	CHECK(swing() >= SWING - FLOOR - FLOOR / 4);
}

/* So many holes of one granule each, and none elsewhere. */
static void
make_holes(void)
{
	for (size_t i = 0; i < 2 * HOLES; i++)
		take(&runs[i], 1);
	for (size_t i = 0; i < 2 * HOLES; i += 2)
		give(runs[i].base, 1, GRANULE);
	CHECK_EQ(supply_dirty_bytes(), HOLES * GRANULE);
}

/* As a block that grows beside what was freed: the process does not. */
TEST(what_does_not_fit_goes_before_the_process_grows)
{
	struct supply_run run;

	make_holes();
	take(&run, 64);
	CHECK_EQ(forgotten, 64 * GRANULE);
	CHECK_EQ(supply_dirty_bytes(), (HOLES - 64) * GRANULE);
	/* A block that grows in place counts the same. */
	REQUIRE(gate_enter());
	CHECK(supply_extend(run.base, 64, 64));
	gate_leave();
	CHECK_EQ(forgotten, 128 * GRANULE);
}

/* If the holes are wanted again, they are kept from then on. */
TEST(what_is_wanted_again_is_kept_beside_what_does_not_fit)
{
	static struct supply_run holes[HOLES];
	struct supply_run run;
	size_t was = 0;

	make_holes();
	for (int i = 0; i < 10; i++) {
		was = forgotten;
		take(&run, 64);
		give(run.base, 64, 64 * GRANULE);
		for (size_t k = 0; k < HOLES; k++)
			take(&holes[k], 1);
		for (size_t k = 0; k < HOLES; k++)
			give(holes[k].base, 1, GRANULE);
	}
	CHECK_EQ(forgotten, was);
	CHECK(was <= 64 * GRANULE);
}

TEST(backed_memory_is_known_to_be)
{
	struct supply_run run;
	void *base;

	trim();
	take(&run, 8);
	CHECK_EQ(run.dirty, 0);
	CHECK_EQ(run.backed, 0);
	base = run.base;
	give(base, 8, 3 * GRANULE + 1);
	take(&run, 5);
	CHECK(run.base == base);
	CHECK_EQ(run.dirty, 5 * GRANULE);
	CHECK_EQ(run.backed, 3 * GRANULE);
	/* What it is given back with counts, not what it was. */
	give(base, 5, 0);
	take(&run, 8);
	CHECK_EQ(run.dirty, 8 * GRANULE);
	CHECK_EQ(run.backed, 0);
	give(base, 8, 8 * GRANULE);
	trim();
	take(&run, 8);
	CHECK_EQ(run.dirty, 0);
	CHECK_EQ(run.backed, 0);
	give(base, 8, 0);
}

/* Without the gate the run is given late, and keeps what is known of it. */
TEST(backed_memory_that_comes_late_is_too)
{
	struct supply_run run;
	struct supply_run other;
	void *base;

	trim();
	take(&run, 2);
	base = run.base;
	supply_give(base, 2, GRANULE, META_EMERGENCY);
	take(&other, 1);
	CHECK(other.base == base);
	CHECK_EQ(other.backed, GRANULE);
	take(&run, 1);
	CHECK_EQ(run.backed, 0);
	CHECK_EQ(run.dirty, GRANULE);
	give(other.base, 1, 0);
	give(run.base, 1, 0);
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
	trim();
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
	give(run.base, 1, GRANULE);
	trim();
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
	CHECK_EQ(supply_dirty_bytes(), 0);
	take(&run, 1);
	CHECK_EQ(run.backed, 0);
}

TEST_MAIN
