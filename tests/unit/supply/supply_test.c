/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supply keeps of free memory, and for how long; and what is left when
 * a lock or memory for a header is refused it.
 */
#include "harness.h"

#include <sys/resource.h>

#include "lock/lock.h"
#include "meta/meta.h"
#include "port/port.h"
#include "sanitized.h"
#include "supply/supply.h"
#include "unit/supply/calls.h"

#define FLOOR  ((size_t)8 << 20)
#define COUNT  512u /* granules of a swing, four times the floor */
#define SWING  ((size_t)COUNT * GRANULE)
#define HOLES  64u
#define PERIOD UINT64_C(600000000) /* a little more than one */

bool __real_port_forget(void *addr, size_t bytes);
bool __wrap_port_forget(void *addr, size_t bytes);
uint64_t __wrap_port_tick_ns(void);
void *__real_port_reserve(size_t bytes, size_t align);
void *__wrap_port_reserve(size_t bytes, size_t align);
void *__real_port_map(size_t bytes, size_t align);
void *__wrap_port_map(size_t bytes, size_t align);
void __real_port_unmap(void *addr, size_t bytes);
void __wrap_port_unmap(void *addr, size_t bytes);
void *__real_meta_take(size_t bytes, enum meta_how how);
void *__wrap_meta_take(size_t bytes, enum meta_how how);
void __real_meta_give(void *memory, size_t bytes, enum meta_how how);
void __wrap_meta_give(void *memory, size_t bytes, enum meta_how how);
bool __real_lock_take(struct lock *l);
bool __wrap_lock_take(struct lock *l);
void __real_lock_drop(struct lock *l);
void __wrap_lock_drop(struct lock *l);

static size_t forgotten; /* bytes */
static uint64_t now = PERIOD;
static struct supply_run runs[COUNT];

/* What the supply has from elsewhere, and which one is refused; 0: none. */
static size_t mapped; /* bytes, without those of the headers */
static int headers;
static bool in_meta;
static unsigned refuse_header;
static unsigned refuse_lock;
static bool refuse_forget;
static const void *locked;     /* nothing from here on, of 64 MiB, goes */
static bool refuse_lock_again; /* where it was dropped to forget something */

bool
__wrap_port_forget(void *addr, size_t bytes)
{
	if (refuse_forget ||
	    (locked != NULL && (uintptr_t)addr - (uintptr_t)locked < (size_t)64
									 << 20))
		return false;
	forgotten += bytes;
	if (refuse_lock_again)
		refuse_lock = 1;
	return __real_port_forget(addr, bytes);
}

void *
__wrap_port_reserve(size_t bytes, size_t align)
{
	mapped += bytes;
	return __real_port_reserve(bytes, align);
}

void *
__wrap_port_map(size_t bytes, size_t align)
{
	mapped += in_meta ? 0 : bytes;
	return __real_port_map(bytes, align);
}

void
__wrap_port_unmap(void *addr, size_t bytes)
{
	mapped -= bytes;
	__real_port_unmap(addr, bytes);
}

void *
__wrap_meta_take(size_t bytes, enum meta_how how)
{
	void *header;

	if (refuse_header != 0 && --refuse_header == 0)
		return NULL;
	headers++;
	in_meta = true;
	header = __real_meta_take(bytes, how);
	in_meta = false;
	return header;
}

void
__wrap_meta_give(void *memory, size_t bytes, enum meta_how how)
{
	headers--;
	__real_meta_give(memory, bytes, how);
}

static int held;

/* As during another thread's fork. */
bool
__wrap_lock_take(struct lock *l)
{
	bool taken =
	    (refuse_lock == 0 || --refuse_lock != 0) && __real_lock_take(l);

	held += taken;
	return taken;
}

/* One of who did not take it would be another thread's. */
void
__wrap_lock_drop(struct lock *l)
{
	CHECK(held > 0);
	held--;
	__real_lock_drop(l);
}

uint64_t
__wrap_port_tick_ns(void)
{
	return now;
}

static void
take(struct supply_run *run, size_t count)
{
	REQUIRE(calls_take(run, count, 0));
}

/* Use much, and free it; returns how much of it was forgotten. */
static size_t
swing(void)
{
	size_t was = forgotten;

	for (size_t i = 0; i < COUNT; i++)
		take(&runs[i], 1);
	for (size_t i = 0; i < COUNT; i++)
		calls_give(runs[i].base, 1, GRANULE);
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
		calls_give(run.base, 1, GRANULE);
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

	for (int i = 0; i < 15; i++) {
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
		calls_give(runs[i].base, 1, GRANULE);
	CHECK_EQ(supply_dirty_bytes(), HOLES * GRANULE);
}

/* As a block that grows beside what was freed: the process does not. */
TEST(what_does_not_fit_goes_before_the_process_grows)
{
	struct supply_run run;

	make_holes();
	take(&run, 16);
	CHECK_EQ(forgotten, 16 * GRANULE);
	CHECK_EQ(supply_dirty_bytes(), (HOLES - 16) * GRANULE);
	/* A block that grows in place counts the same. */
	REQUIRE(gate_enter());
	CHECK(supply_extend(run.base, 16, 16));
	gate_leave();
	CHECK_EQ(forgotten, 32 * GRANULE);
}

/* As much as it grows by, though one call could forget more. */
TEST(what_goes_is_no_more_than_what_comes)
{
	struct supply_run free;
	struct supply_run run;

	take(&free, 60);
	take(&run, 1);
	calls_give(free.base, 60, 0);
	REQUIRE(gate_enter());
	CHECK(supply_extend(run.base, 1, 2));
	gate_leave();
	CHECK_EQ(forgotten, 2 * GRANULE);
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
		take(&run, 16);
		calls_give(run.base, 16, 16 * GRANULE);
		for (size_t k = 0; k < HOLES; k++)
			take(&holes[k], 1);
		for (size_t k = 0; k < HOLES; k++)
			calls_give(holes[k].base, 1, GRANULE);
	}
	CHECK_EQ(forgotten, was);
	CHECK(was <= 4 * HOLES * GRANULE);
}

/* Nor do they go each time that something beside them grows by a little. */
TEST(what_is_wanted_again_is_kept_while_something_grows)
{
	struct supply_run grows;
	struct supply_run run;

	make_holes();
	for (size_t i = 0; i < 1000; i++) {
		take(&run, 15);
		take(&grows, 16);
		calls_give(run.base, 15, 15 * GRANULE);
	}
	CHECK(forgotten <= 4 * HOLES * GRANULE);
	/* And what was once regretted does not keep all that is freed later. */
	for (size_t i = 1; i < 2 * HOLES; i += 2)
		calls_give(runs[i].base, 1, GRANULE);
	CHECK(supply_dirty_bytes() <= FLOOR + 4 * HOLES * GRANULE);
}

/* Runs that fill the first region nearly, and lie in the second. */
static struct supply_run first;
static struct supply_run second;

static void
take_two_regions(void)
{
	size_t was;

	take(&first, 1000);
	was = supply_mapped_bytes();
	take(&second, 1000);
	CHECK(supply_mapped_bytes() > was);
}

static void
give_two_regions(void)
{
	calls_give(first.base, 1000, 0);
	calls_give(second.base, 1000, 0);
}

/* So that what is kept is what is taken first. */
TEST(the_oldest_region_is_used_first_and_forgotten_last)
{
	struct supply_run run;

	take_two_regions();
	give_two_regions();
	CHECK(supply_dirty_bytes() > FLOOR / 2);
	CHECK(supply_dirty_bytes() <= FLOOR);
	take(&run, 1);
	CHECK(run.base == first.base);
	CHECK_EQ(run.dirty, GRANULE);
}

/* As what is locked: all else goes, of the older regions too. */
TEST(what_cannot_be_forgotten_is_in_nobodys_way)
{
	take_two_regions();
	locked = second.base;
	give_two_regions();
	calls_trim();
	take(&first, 1);
	CHECK_EQ(first.dirty, 0);
}

/* Nor one of its own region. */
TEST(what_is_below_what_cannot_be_forgotten_goes)
{
	struct supply_run low;
	struct supply_run mid;
	struct supply_run high;

	take(&low, 8);
	take(&mid, 900);
	take(&high, 8);
	locked = high.base;
	calls_give(low.base, 8, 0);
	calls_give(high.base, 8, 0);
	calls_trim();
	CHECK_EQ(supply_dirty_bytes(), 8 * GRANULE);
	take(&low, 8);
	CHECK_EQ(low.dirty, 0);
}

/* What was there is not what was forgotten. */
TEST(only_clean_memory_is_regretted)
{
	struct supply_run run;

	(void)swing();
	for (int i = 0; i < 100; i++) {
		take(&run, FLOOR / 2 / GRANULE);
		calls_give(run.base, FLOOR / 2 / GRANULE, 0);
	}
	now += 10 * PERIOD;
	CHECK(swing() >= SWING - 2 * FLOOR);
}

/* By 1 MiB, and by an eighth of what it was. */
TEST(growth_is_told_once)
{
	struct supply_run run;

	take(&run, 16);
	CHECK(supply_look_due());
	take(&run, 15);
	CHECK(!supply_look_due());
	take(&run, 1);
	CHECK(supply_look_due());
	CHECK(!supply_look_due());
	take(&run, 1024 - 32);
	CHECK(supply_look_due());
	take(&run, 127);
	CHECK(!supply_look_due());
	/* What was there before is no growth. */
	calls_give(run.base, 127, 0);
	take(&run, 127);
	CHECK(!supply_look_due());
	take(&run, 1);
	CHECK(supply_look_due());
}

TEST(time_is_told_too)
{
	struct supply_run run;

	pass(1);
	CHECK(supply_look_due());
	for (int i = 0; i < 6; i++) {
		now += UINT64_C(60000000);
		take(&run, 1);
		calls_give(run.base, 1, 0);
		CHECK_EQ(supply_look_due(), i % 2 != 0);
		CHECK(!supply_look_due());
	}
}

TEST(backed_memory_is_known_to_be)
{
	struct supply_run run;
	void *base;

	calls_trim();
	take(&run, 8);
	CHECK_EQ(run.dirty, 0);
	CHECK_EQ(run.backed, 0);
	base = run.base;
	calls_give(base, 8, 3 * GRANULE + 1);
	take(&run, 5);
	CHECK(run.base == base);
	CHECK_EQ(run.dirty, 5 * GRANULE);
	CHECK_EQ(run.backed, 3 * GRANULE);
	/* What it is given back with counts, not what it was. */
	calls_give(base, 5, 0);
	take(&run, 8);
	CHECK_EQ(run.dirty, 8 * GRANULE);
	CHECK_EQ(run.backed, 0);
	calls_give(base, 8, 8 * GRANULE);
	calls_trim();
	take(&run, 8);
	CHECK_EQ(run.dirty, 0);
	CHECK_EQ(run.backed, 0);
	calls_give(base, 8, 0);
}

/* Without the gate the run is given late, and keeps what is known of it. */
TEST(backed_memory_that_comes_late_is_too)
{
	struct supply_run run;
	struct supply_run other;
	void *base;

	calls_trim();
	take(&run, 2);
	base = run.base;
	supply_give(base, 2, GRANULE, META_EMERGENCY);
	take(&other, 1);
	CHECK(other.base == base);
	CHECK_EQ(other.backed, GRANULE);
	take(&run, 1);
	CHECK_EQ(run.backed, 0);
	CHECK_EQ(run.dirty, GRANULE);
	calls_give(other.base, 1, 0);
	calls_give(run.base, 1, 0);
}

/* ---- refused ---- */

/* Of a new region neither the addresses nor the first header are lost. */
TEST(a_region_without_headers_leaves_nothing)
{
	struct supply_run run;

	for (unsigned header = 1; header <= 2; header++) {
		refuse_header = header;
		CHECK(!calls_take(&run, 1, 0));
		CHECK_EQ(refuse_header, 0);
		CHECK_EQ(headers, 0);
		CHECK_EQ(mapped, 0);
		CHECK_EQ(supply_mapped_bytes(), 0);
	}
	take(&run, 1);
	CHECK_EQ(headers, 2);
	CHECK_EQ(mapped, supply_mapped_bytes());
	calls_give(run.base, 1, 0);
}

/* It lies in no region, and goes back at once or by who comes next. */
TEST(a_run_without_the_lock_is_a_mapping)
{
	struct supply_run run;
	struct supply_run other;
	size_t was;

	take(&run, 1);
	was = mapped;
	for (int late = 0; late < 2; late++) {
		refuse_lock = 1;
		take(&other, 3);
		CHECK_EQ(other.dirty, 0);
		CHECK_EQ(mapped, was + 3 * GRANULE);
		CHECK_EQ(supply_mapped_bytes(), was);
		refuse_lock = late != 0 ? 1 : 0;
		calls_give(other.base, 3, 0);
		/* The next one with the lock takes in what came late. */
		CHECK_EQ(mapped, late != 0 ? was + 3 * GRANULE : was);
	}
	calls_give(run.base, 1, 0);
	CHECK_EQ(mapped, was);
}

TEST(trim_without_the_lock_does_nothing)
{
	struct supply_run run;

	take(&run, 8);
	calls_give(run.base, 8, 0);
	refuse_lock = 1;
	calls_trim();
	CHECK_EQ(forgotten, 0);
	CHECK_EQ(supply_dirty_bytes(), 8 * GRANULE);
	calls_trim();
	CHECK_EQ(forgotten, 8 * GRANULE);
	CHECK_EQ(supply_dirty_bytes(), 0);
}

TEST(a_run_without_the_lock_does_not_grow)
{
	struct supply_run run;

	take(&run, 1);
	REQUIRE(gate_enter());
	refuse_lock = 1;
	CHECK(!supply_extend(run.base, 1, 1));
	CHECK(supply_extend(run.base, 1, 1));
	gate_leave();
	calls_give(run.base, 2, 0);
	CHECK_EQ(supply_dirty_bytes(), 2 * GRANULE);
}

/*
 * Who cannot have the lock back when something is forgotten leaves that for the
 * next one, who finds a word of his in it: it is not clean.
 */
TEST(what_is_forgotten_without_the_lock_comes_back)
{
	struct supply_run run;
	void *base;
	size_t was;

	take(&run, 8);
	base = run.base;
	calls_give(base, 8, 8 * GRANULE);
	refuse_lock_again = true;
	calls_trim();
	refuse_lock_again = false;
	CHECK_EQ(refuse_lock, 0);
	CHECK_EQ(supply_dirty_bytes(), 0);
	take(&run, 8);
	CHECK(run.base == base);
	CHECK_EQ(run.dirty, 8 * GRANULE);
	CHECK_EQ(run.backed, 0);
	calls_give(base, 8, 0);
	/* The same at every give, and with much. */
	refuse_lock_again = true;
	(void)swing();
	refuse_lock_again = false;
	refuse_lock = 0;
	was = supply_mapped_bytes();
	/* What is used is counted right: so much is still too much. */
	CHECK(swing() >= SWING - FLOOR);
	CHECK(supply_dirty_bytes() <= FLOOR);
	CHECK_EQ(supply_mapped_bytes(), was);
}

/* As under mlockall(): nothing of a region is left that is gone. */
TEST(what_cannot_be_forgotten_goes_with_its_region)
{
	const struct rlimit limit = { (rlim_t)1 << 40, (rlim_t)1 << 40 };
	struct supply_run run;

	if (SANITIZED)
		SKIP("a sanitizer has more addresses than the limit");
	take(&run, 8);
	calls_give(run.base, 8, 0);
	refuse_forget = true;
	calls_trim();
	CHECK_EQ(supply_dirty_bytes(), 8 * GRANULE);
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	calls_trim();
	CHECK_EQ(supply_mapped_bytes(), 0);
	CHECK_EQ(supply_dirty_bytes(), 0);
}

/* Its header is larger than what the free lists of headers are for. */
TEST(a_region_of_a_gigabyte_goes_with_its_header)
{
	const struct rlimit limit = { (rlim_t)1 << 40, (rlim_t)1 << 40 };
	size_t count = ((size_t)1 << 30) / GRANULE;
	size_t was = supply_mapped_bytes();
	struct supply_run run;
	void *header;
	size_t meta;

	if (SANITIZED)
		SKIP("a sanitizer has more addresses than the limit");
	take(&run, count);
	calls_give(run.base, count, 0);
	meta = meta_bytes();
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	calls_trim();
	CHECK(supply_mapped_bytes() <= was);
	/* Three bits for each granule. */
	CHECK(meta - meta_bytes() >= 3 * count / 8);
	REQUIRE(gate_enter());
	for (size_t bytes = 32; bytes <= 4096; bytes += 32) {
		header = meta_take(bytes, META_NORMAL);
		REQUIRE(header != NULL);
		memset(header, 1, bytes);
	}
	gate_leave();
}

TEST_MAIN
