/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enumerate - every request to the system refused, one after the other
 *
 * A run is a process: the scenario with something refused, its end with
 * nothing refused, and the whole scenario once more, in which then nothing may
 * fail.  The core and the port are linked in, with wrappers between them.
 */
#include "harness.h"

#include <sys/mman.h>
#include <uma/stats.h>
#include <uma/uma.h>
#include <uma/vm_zone.h>

#include "fault/request.h"
#include "fault/scenario.h"
#include "heap/heap.h"
#include "hostile.h"
#include "model/stamp.h"
#include "sanitized.h"

enum {
	/* A life takes longer there: one point in so many. */
	STRIDE = HOSTILE            ? 5
		 : SLOWLY_SANITIZED ? 4
				    : 1,
	PAIRS = 500 / STRIDE,
	REPEATS = 10,
	SETTLED = 6, /* buckets grow with use until then */
	SHORTAGE = 9,
	PROBE_BYTES = 65536,
	PROBES = 8192
};

struct run {
	unsigned plan[REQUEST_PLANS];
	unsigned from;
	unsigned to;
};

/* Shared with the child. */
static struct report {
	unsigned points;
	unsigned refused;
	char last[REQUEST_NAME_BYTES];
	char why[WHY_BYTES];
} * report;

static void
live(const void *arg)
{
	const struct run *run = arg;

	request_log.last = report->last;
	memcpy(request_log.plan, run->plan, sizeof request_log.plan);
	request_log.from = run->from;
	request_log.to = run->to;
	/* Who waits needs an end of the shortage. */
	scenario_use(run->from == 0 || run->to != 0);
	report->points = request_log.count;
	report->refused = request_log.refused;
	if (request_log.last != NULL)
		snprintf(
		    report->last, sizeof report->last, "%s", request_log.last);
	memset(request_log.plan, 0, sizeof request_log.plan);
	request_log.from = 0;
	scenario_end();
}

/* Whether all was well. */
static bool
watch(const struct run *run)
{
	memset(report, 0, sizeof *report);
	if (scenario_apart(live, run))
		return true;
	harness_say("#   refused %u and %u, or all from %u on (%s): %s\n",
	    run->plan[0], run->plan[1], run->from, report->last, report->why);
	return false;
}

/* How many requests there are when nothing is refused. */
static unsigned
count_points(void)
{
	const struct run none = { { 0 }, 0, 0 };

	report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(report != MAP_FAILED);
	scenario_why = report->why;
	REQUIRE(watch(&none));
	REQUIRE(report->refused == 0);
	REQUIRE(report->points > 50);
	return report->points;
}

static void
refuse_each(unsigned stride)
{
	unsigned points;
	unsigned bad = 0;

	points = count_points();
	for (unsigned n = 1; n <= points; n += stride) {
		const struct run run = { { n }, 0, 0 };

		bad += !watch(&run);
		CHECK(report->refused == 1 || bad != 0);
	}
	harness_say("# %u fault points, %u runs\n", points,
	    (points + stride - 1) / stride);
	CHECK_EQ(bad, 0);
}

TEST_TIME(each_once, 300)
{
	refuse_each(1);
}

TEST_TIME(some_while_idle_zones_are_looked_for, 300)
{
	request_log.looks = true;
	refuse_each(3 * STRIDE);
}

TEST_TIME(all_from_each_on, 300)
{
	unsigned points;
	unsigned bad = 0;

	points = count_points();
	for (unsigned n = 1; n <= points; n += STRIDE) {
		const struct run run = { { 0 }, n, 0 };

		bad += !watch(&run);
	}
	harness_say("# %u fault points, %u runs\n", points,
	    (points + STRIDE - 1) / STRIDE);
	CHECK_EQ(bad, 0);
}

/* A shortage that ends while a call waits for its end. */
TEST_TIME(some_from_each_on, 300)
{
	unsigned points;
	unsigned bad = 0;

	points = count_points();
	for (unsigned n = 1; n <= points; n += STRIDE) {
		const struct run run = { { 0 }, n, n + SHORTAGE - 1 };

		bad += !watch(&run);
	}
	harness_say("# %u fault points, %u runs\n", points,
	    (points + STRIDE - 1) / STRIDE);
	CHECK_EQ(bad, 0);
}

TEST_TIME(random_pairs, 300)
{
	unsigned points;
	const char *wanted = getenv("FAULT_PAIRS");
	unsigned pairs =
	    wanted == NULL ? PAIRS : (unsigned)strtoul(wanted, NULL, 10);
	/* Others in each mode: a thousand in all. */
	uint64_t seed = getenv("UMA_OPTIONS") == NULL ? 1 : 2;
	unsigned bad = 0;

	points = count_points();
	for (unsigned i = 0; i < pairs; i++) {
		unsigned n = 1 + stamp_below(&seed, points);
		/* Near each other more often than not. */
		unsigned after = stamp_below(&seed, 2) != 0 ? 8 : points;
		const struct run run = {
			{ n, n + 1 + stamp_below(&seed, after) }, 0, 0
		};

		bad += !watch(&run);
	}
	harness_say("# %u fault points, %u runs\n", points, pairs);
	CHECK_EQ(bad, 0);
}

/* The lowest descriptor that is not in use. */
static int
next_descriptor(void)
{
	int fd = dup(STDOUT_FILENO);

	close(fd);
	return fd;
}

/*
 * How many blocks fit into the addresses that the library has, when nothing
 * else is in use: what is lost is in their way.
 */
static unsigned
room_left(void)
{
	static void *blocks[PROBES];
	unsigned count = 0;
	unsigned fit;

	request_log.no_more = true;
	while (count < PROBES &&
	       (blocks[count] = uma_heap_alloc(PROBE_BYTES, HEAP_RAW)) != NULL)
		count++;
	request_log.no_more = false;
	fit = count;
	while (count > 0)
		uma_heap_free(blocks[--count], "free");
	uma_reclaim();
	return fit;
}

/* The same request refused in every life of a process: nothing piles up. */
static void
repeat(unsigned n)
{
	struct uma_stats all = { .struct_bytes = sizeof all };
	uint64_t settled = 0;
	unsigned room = 0;
	unsigned left = 0;
	long pages = 0;
	int descriptor = next_descriptor();

	scenario_why = report->why;
	request_log.last = report->last;
	alarm(SCENARIO_SECONDS);
	for (int life = 0; life < REPEATS; life++) {
		request_log.count = 0;
		request_log.plan[0] = n;
		scenario_use(true);
		report->points = request_log.count;
		request_log.plan[0] = 0;
		scenario_end();
		uma_reclaim();
		uma_stats(&all);
		left = room_left();
		if (life == SETTLED) {
			room = left;
			settled = all.meta_bytes;
			pages = request_log.pages;
		}
	}
	if (all.meta_bytes > settled)
		scenario_wrong("structures pile up");
	if (request_log.pages > pages)
		scenario_wrong("addresses pile up");
	if (left < room)
		scenario_wrong("lost memory piles up");
	if (next_descriptor() != descriptor)
		scenario_wrong("descriptors pile up");
	_exit(0);
}

TEST_TIME(nothing_piles_up, 300)
{
	unsigned points;
	unsigned bad = 0;
	unsigned n;

	points = count_points();
	/* Later lives need fewer requests: the last run tells how many. */
	for (n = 1; n <= points; n += STRIDE) {
		int status = 0;
		pid_t child = fork();

		REQUIRE(child >= 0);
		if (child == 0)
			repeat(n);
		REQUIRE(waitpid(child, &status, 0) == child);
		if (status != 0)
			harness_say("#   refused %u (%s): %s\n", n,
			    report->last, report->why);
		bad += status != 0;
		points = report->points;
	}
	harness_say(
	    "# %u fault points, %u runs\n", n - 1, (n - 1) / STRIDE * REPEATS);
	CHECK_EQ(bad, 0);
}

/* ---- and one call ---- */

/* It looks again where others may have the items: here nobody has. */
TEST(a_limited_zone_without_memory_gives_up)
{
	enum { LIMIT = 1000 };
	vm_zone_t zone = zinit("limited", 96, LIMIT, ZONE_INTERRUPT, 0);
	unsigned before;
	int count = 0;

	REQUIRE(zone != NULL);
	request_log.from = request_log.count + 1;
	while (count < LIMIT && zalloc(zone) != NULL)
		count++;
	CHECK(count < LIMIT);
	before = request_log.refused;
	CHECK(zalloc(zone) == NULL);
	CHECK(request_log.refused != before);
	CHECK(request_log.refused - before < LIMIT); /* a bucket */
	request_log.from = 0;
	CHECK(HOSTILE || zalloc(zone) != NULL);
}

TEST_MAIN
