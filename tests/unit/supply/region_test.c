/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region_test.c - the lowest free run, against a search of every granule
 *
 * Method: a region takes and gives at random, mostly small runs, so that it is
 * full of holes; what it finds is what a plain search from its start finds.
 */
#include "harness.h"

#include "supply/region.h"

#include "lock/lock.h"
#include "pagemap/pagemap.h"
#include "port/port.h"

enum { COUNT = 2048, RUNS = 1024, ROUNDS = 60000 };

static bool used[COUNT];

static struct {
	size_t at;
	size_t count;
} runs[RUNS];

static size_t
search(uintptr_t base, size_t count, size_t step)
{
	for (size_t at = 0; at + count <= COUNT; at++) {
		size_t n = 0;

		if ((base / GRANULE + at) % step != 0)
			continue;
		while (n < count && !used[at + n])
			n++;
		if (n == count)
			return at;
	}
	return REGION_NONE;
}

static void
mark(size_t at, size_t count, bool value)
{
	for (size_t i = 0; i < count; i++)
		used[at + i] = value;
}

/* Few are long, and of those some are longer than there are hints. */
static size_t
some_count(uint64_t random)
{
	if (random % 16 != 0)
		return 1 + random / 16 % 4;
	return 1 + random / 16 % (REGION_HINTS + 8);
}

static void
give(struct region *r, size_t i)
{
	mark(runs[i].at, runs[i].count, false);
	region_give(r, runs[i].at, runs[i].count, 0);
	runs[i].count = 0;
}

/* Whether it was as the search says. */
static bool
take(struct region *r, size_t i, uint64_t random)
{
	size_t step = random % 8 == 0 ? 4 : 1;
	size_t count = some_count(random / 8);
	size_t want = search((uintptr_t)r->base, count, step);
	struct region_hold hold;
	size_t at = region_take(r, count, step * GRANULE, &hold);

	if (at != REGION_NONE) {
		runs[i].at = at;
		runs[i].count = count;
		mark(at, count, true);
	}
	return at == want;
}

TEST(the_lowest_run_is_found)
{
	void *base = port_reserve((size_t)COUNT * GRANULE, REGION_ALIGN);
	uint64_t random = 88172645463325252u;
	struct region *r;

	REQUIRE(base != NULL && gate_enter());
	r = region_new(base, (size_t)COUNT * GRANULE);
	REQUIRE(r != NULL);
	for (int round = 0; round < ROUNDS; round++) {
		size_t i;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		i = random % RUNS;
		if (runs[i].count != 0)
			give(r, i);
		else if (!CHECK(take(r, i, random / RUNS)))
			break;
	}
	gate_leave();
}

TEST_MAIN
