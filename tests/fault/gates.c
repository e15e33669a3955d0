/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gates - every place that asks the gate, or takes a lock, refused
 *
 * The gate refuses a handler that interrupted its own thread, and everyone
 * while another thread forks; a lock is given up during such a fork.  Which of
 * the places that ask meets it is a matter of luck elsewhere.  Here the linker
 * puts wrappers in front of the four functions, and each place, known by the
 * address that it is called from, is refused: at its first, its second, its
 * middle and its last time, once and some times in a row, as during a fork and
 * as in a handler.  A run is what it is in enumerate.c.
 */
#include "harness.h"

#include <pthread.h>
#include <sys/mman.h>
#include <uma/stats.h>
#include <uma/uma.h>
#include <uma/vm_zone.h>

#include "cpus.h"
#include "fault/request.h"
#include "fault/scenario.h"
#include "hostile.h"
#include "lock/lock.h"
#include "meta/meta.h"
#include "percpu/percpu.h"
#include "port/port.h"
#include "sanitized.h"
#include "zone/zone.h"

enum {
	PLACES = 400,
	IN_A_ROW = 7,
	/* A life takes longer there: one place in so many. */
	STRIDE = HOSTILE            ? 5
		 : SLOWLY_SANITIZED ? 4
				    : 1,
	TIMES = 4,
	/* So many ask, and a few more. */
	FORK_PLACES = 75,
	HANDLER_PLACES = 42,
	INSIDE = 2 /* see src/lock/gate.c */
};

struct place {
	const void *site;
	unsigned calls;
	bool is_lock;
};

struct plan {
	const void *site; /* NULL: any */
	unsigned time;    /* the number of the call that is refused; 0: none */
	unsigned count;
	bool fork; /* or in a handler, where locks are not asked for */
};

/* Shared with the child. */
static struct report {
	struct place places[PLACES];
	unsigned refused;
	char why[WHY_BYTES];
} * report;

static struct plan plan;
static unsigned all_calls;
static unsigned left;
static bool forking;
static bool counting;

/* What the linker makes of the names; and the start of this program. */
extern const char __ehdr_start;
bool __real_gate_enter(void);
bool __wrap_gate_enter(void);
enum meta_how __wrap_meta_enter(void);
bool __real_gate_forking(void);
bool __wrap_gate_forking(void);
bool __real_lock_take(struct lock *l);
bool __wrap_lock_take(struct lock *l);

static struct place *
place_of(const void *site)
{
	for (unsigned i = 0; i < PLACES; i++) {
		struct place *p = &report->places[i];

		if (p->site == NULL)
			p->site = site;
		if (p->site == site)
			return p;
	}
	scenario_wrong("more than %d places", PLACES);
}

static bool
refuse(const void *site, bool is_lock)
{
	struct place *p;
	unsigned calls;

	if (!counting)
		return false;
	p = place_of(site);
	p->is_lock = is_lock;
	p->calls++;
	all_calls++;
	calls = plan.site == NULL   ? all_calls
		: plan.site == site ? p->calls
				    : 0;
	if (calls != 0 && calls == plan.time)
		left = plan.count;
	forking = left != 0 && plan.fork;
	if (left == 0 || (is_lock && !plan.fork))
		return false;
	left--;
	request_log.refused++;
	return true;
}

/* What a handler sees; nothing asks from inside here. */
static void
be_inside(bool inside)
{
	static unsigned before;
	static bool is_inside;

	if (inside == is_inside)
		return;
	if (inside)
		before = port_self()->gate;
	port_self()->gate = inside ? INSIDE : before;
	is_inside = inside;
}

static bool
enter(const void *site)
{
	bool refused = refuse(site, false);

	be_inside(refused && !plan.fork);
	return !refused && __real_gate_enter();
}

bool
__wrap_gate_enter(void)
{
	return enter(__builtin_return_address(0));
}

/* It asks for its caller. */
enum meta_how
__wrap_meta_enter(void)
{
	return enter(__builtin_return_address(0)) ? META_NORMAL
						  : META_EMERGENCY;
}

bool
__wrap_lock_take(struct lock *l)
{
	return !refuse(__builtin_return_address(0), true) &&
	       __real_lock_take(l);
}

bool
__wrap_gate_forking(void)
{
	return forking || __real_gate_forking();
}

static void
stop_counting(void)
{
	counting = false;
	left = 0;
	forking = false;
	be_inside(false);
}

/* ---- runs ---- */

static void
live(const void *of_run)
{
	plan = *(const struct plan *)of_run;
	counting = true;
	scenario_use(true);
	scenario_end();
	stop_counting();
	report->refused = request_log.refused;
}

/* Whether all was well. */
static bool
watch(const struct plan *of_run)
{
	memset(report, 0, sizeof *report);
	if (scenario_apart(live, of_run))
		return true;
	/* For addr2line. */
	harness_say("#   +%#tx refused at its call %u, %u in a row, %s: %s\n",
	    (const char *)of_run->site - &__ehdr_start, of_run->time,
	    of_run->count, of_run->fork ? "fork" : "handler", report->why);
	return false;
}

static void
start_report(int sharing)
{
	report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE,
	    sharing | MAP_ANONYMOUS, -1, 0);
	REQUIRE(report != MAP_FAILED);
	scenario_why = report->why;
}

static unsigned
find_places(struct place *places)
{
	const struct plan none = { NULL, 0, 0, false };
	unsigned count = 0;

	start_report(MAP_SHARED);
	REQUIRE(watch(&none));
	REQUIRE(report->refused == 0);
	memcpy(places, report->places, sizeof report->places);
	while (places[count].site != NULL)
		count++;
	return count;
}

/* The times of one place; how many runs were bad. */
static unsigned
refuse_place(const struct place *place, unsigned count, bool fork)
{
	unsigned calls = place->calls;
	const unsigned times[TIMES] = { 1, 2, calls / 2, calls };
	unsigned bad = 0;

	for (int i = 0; i < TIMES; i++) {
		const struct plan of_run = { place->site, times[i], count,
			fork };

		if (times[i] > calls || (i > 0 && times[i] <= times[i - 1]))
			continue;
		bad += !watch(&of_run);
		/* Later ones may not come, on another CPU. */
		CHECK(report->refused != 0 || bad != 0 || i != 0);
	}
	return bad;
}

static void
refuse_all(unsigned count, bool fork)
{
	static struct place places[PLACES];
	unsigned bad = 0;
	unsigned n = find_places(places);
	unsigned asked = 0;
	unsigned tried = 0;

	for (unsigned i = 0; i < n; i++) {
		/* Some are only asked in the second life. */
		if (places[i].calls == 0 || (places[i].is_lock && !fork))
			continue;
		asked++;
		if (i % STRIDE != 0)
			continue;
		bad += refuse_place(&places[i], count, fork);
		tried++;
	}
	harness_say("# %u of %u, of %u places\n", tried, asked, n);
	CHECK(asked >= (fork ? FORK_PLACES : HANDLER_PLACES));
	CHECK_EQ(bad, 0);
}

TEST_TIME(a_fork_that_is_over_at_once, 300)
{
	refuse_all(1, true);
}

TEST_TIME(a_fork_that_takes_a_while, 300)
{
	request_log.looks = true;
	refuse_all(IN_A_ROW, true);
}

TEST_TIME(a_handler, 300)
{
	refuse_all(IN_A_ROW, false);
}

/* ---- single calls, each of whose questions is refused ---- */

enum { ITEMS = HOSTILE ? 60 : 3000, BYTES = 100 };

static uma_zone_t zone;
static void *items[ITEMS];

static void
take_and_give(int count)
{
	for (int i = 0; i < count; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		REQUIRE(items[i] != NULL);
	}
	for (int i = 0; i < count; i++)
		uma_zfree(zone, items[i]);
}

/* With items in load, in another bucket of the record and in the depot. */
static void
make_zone(void)
{
	zone = uma_zcreate("full", BYTES, NULL, NULL, NULL, NULL, 7, 0);
	REQUIRE(zone != NULL);
	take_and_give(ITEMS);
}

/* How many questions there are when number `time` is refused. */
static unsigned
questions(void (*what)(void), unsigned time, unsigned count, bool fork)
{
	plan = (struct plan){ NULL, time, count, fork };
	all_calls = 0;
	counting = true;
	what();
	stop_counting();
	return all_calls;
}

static void
refuse_each(void (*before)(void), void (*what)(void), bool fork)
{
	unsigned most;
	unsigned tried = 0;

	start_report(MAP_PRIVATE);
	before();
	most = questions(what, 0, 0, fork);
	for (unsigned count = 1; count <= IN_A_ROW; count += IN_A_ROW - 1) {
		for (unsigned time = 1; time <= most; time++, tried++) {
			before();
			(void)questions(what, time, count, fork);
		}
	}
	harness_say("# %u refusals\n", tried);
	CHECK(tried >= 10);
}

static void
destroy_now(void)
{
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

static void
destroy_patiently(void)
{
	CHECK_EQ(uma_zdestroy(zone, M_WAITOK), 0);
}

TEST_TIME(destroying_a_zone_with_full_caches, 120)
{
	refuse_each(make_zone, destroy_now, true);
	refuse_each(make_zone, destroy_patiently, true);
}

static void
check_reclaimed(void)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	uma_zone_stats(zone, &s);
	CHECK_EQ(s.used_items, 0);
	CHECK_EQ(s.allocs, s.frees);
	uma_reclaim();
	uma_zone_stats(zone, &s);
	CHECK_EQ(s.free_items, 0);
	destroy_now();
}

static void
make_zone_anew(void)
{
	if (zone != NULL)
		check_reclaimed();
	make_zone();
}

static void
reclaim(void)
{
	uma_reclaim();
}

/* What one reclaim had to leave, the next one finds. */
TEST_TIME(reclaiming, 120)
{
	if (HOSTILE)
		SKIP("records are found taken away");
	refuse_each(make_zone_anew, reclaim, true);
	refuse_each(make_zone_anew, reclaim, false);
	check_reclaimed();
}

/* Of fixed size, with all free items in the caches but one. */
static void
make_fixed_zone(void)
{
	if (zone != NULL)
		destroy_now();
	zone = uma_zcreate(
	    "fixed", 20000, NULL, NULL, NULL, NULL, 7, UMA_ZONE_STATIC);
	REQUIRE(zone != NULL);
	uma_prealloc(zone, 20);
	take_and_give(20);
}

static void
use_all(void)
{
	take_and_give(20);
}

TEST_TIME(taking_all_of_a_fixed_zone, 120)
{
	refuse_each(make_fixed_zone, use_all, true);
	refuse_each(make_fixed_zone, use_all, false);
	destroy_now();
}

/* ---- and the barrier ---- */

static vm_zone_t two_cpus;

static bool
is_in_two_caches(void)
{
	uintptr_t caches = two_cpus->zzone->caches;
	unsigned first = percpu_next(caches, 0);

	return percpu_next(caches, first + 1) < percpu_slots();
}

/*
 * Where CPUs have numbers of the process, two threads have to run at once, or
 * on two CPUs one soon after the other.  In generic mode two threads may share
 * a cache, and no barrier is needed.
 */
static void *
use_two_cpus(void *cpu)
{
	REQUIRE(cpu_pin(*(int *)cpu));
	do
		zfree(two_cpus, zalloc(two_cpus));
	while (percpu_mode == PERCPU_RSEQ && !is_in_two_caches());
	return NULL;
}

/* Two CPUs have a cache of it: none can be emptied without the barrier. */
TEST(a_barrier_denied_for_a_while_is_no_crime)
{
	int cpus[] = { 0, 1 };
	pthread_t other;

	if (!cpu_pin(1))
		SKIP("one CPU");
	two_cpus = zinit("two CPUs", BYTES, 0, 0, 0);
	REQUIRE(two_cpus != NULL);
	REQUIRE(pthread_create(&other, NULL, use_two_cpus, &cpus[1]) == 0);
	(void)use_two_cpus(&cpus[0]);
	REQUIRE(pthread_join(other, NULL) == 0);
	request_log.from = request_log.count + 1;
	zdestroy(two_cpus);
	CHECK(request_log.refused != 0 || percpu_mode != PERCPU_RSEQ);
}

TEST_MAIN
