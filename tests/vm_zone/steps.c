/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steps.c - at no instruction is an item counted as out that is not
 *
 * zalloc() of a limited zone gives up when all items are out by the counts.  So
 * one that is counted as out while it is not makes it return NULL below the
 * limit, where another thread has the last item in its hands.
 *
 * Method: a call goes step by step, or stops at each write of a cache's word,
 * and the counts are read there; or the reading itself goes step by step, and
 * others give and take at one of its steps.
 */
#include "harness.h"

#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "cpus.h"
#include "lock/lock.h"
#include "percpu/percpu.h"
#include "trapped.h"
#include "vm_zone/vm_zone.h"
#include "zone/zone.h"

enum { LIMIT = 12, HAND = VM_ZONE_HAND };

static vm_zone_t zone;
static void *items[LIMIT];

static void
make(void (*handler)(int signo, siginfo_t *info, void *context))
{
	struct sigaction act = { .sa_sigaction = handler,
		.sa_flags = SA_SIGINFO };

	if (handler != NULL)
		REQUIRE(sigaction(SIGTRAP, &act, NULL) == 0);
	zone = uma_vm_zinit("steps", 100, LIMIT, ZONE_INTERRUPT, 0);
	REQUIRE(zone != NULL);
}

static pthread_t
start(void *(*body)(void *arg), void *arg)
{
	pthread_t t;

	REQUIRE(pthread_create(&t, NULL, body, arg) == 0);
	return t;
}

static void
end(pthread_t t)
{
	REQUIRE(pthread_join(t, NULL) == 0);
}

static void
take(int from, int to)
{
	for (int i = from; i < to; i++) {
		items[i] = uma_vm_zalloc(zone);
		REQUIRE(items[i] != NULL);
	}
}

static void
give(int from, int to)
{
	for (int i = from; i < to; i++)
		uma_vm_zfree(zone, items[i]);
}

static volatile sig_atomic_t wrong;
static volatile sig_atomic_t seen; /* what a test is about, at a step */

static int64_t
counted_out(void)
{
	struct zone_reading r;

	zone_read(zone->zzone, &r);
	return (int64_t)(r.allocs - r.frees);
}

/* ---- from the cache to the hand ---- */

static int64_t most;

/* What is read beside an owner, nobody believes. */
static void
watch_the_count(int signo, siginfo_t *info, void *context)
{
	struct zone_reading r;

	(void)signo;
	(void)info;
	(void)context;
	seen++;
	if (zone_read(zone->zzone, &r) && (int64_t)(r.allocs - r.frees) > most)
		most = (int64_t)(r.allocs - r.frees);
}

/* SIGTRAP after each write of this thread's to a word.  -1: not allowed. */
static int
trap_writes(const void *word)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_BREAKPOINT,
		.size = sizeof attr,
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)word,
		.bp_len = sizeof(uint64_t),
		.sample_period = 1,
		.sigtrap = 1,
		.remove_on_exec = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1 };

	return (int)syscall(
	    SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* As a handler that interrupts a miss: no item of other CPUs' caches. */
static void
take_from_the_hand(void **item)
{
	REQUIRE(gate_enter());
	*item = uma_vm_zalloc(zone);
	gate_leave();
	REQUIRE(*item != NULL);
}

static void *
take_it_elsewhere(void *item)
{
	REQUIRE(cpu_pin(1));
	take_from_the_hand(item);
	return NULL;
}

/* The word of the one cache that has some: its number need not be the CPU's. */
static const void *
word_with_items(void)
{
	uintptr_t caches = zone->zzone->caches;
	const void *found = NULL;

	for (unsigned cpu = percpu_next(caches, 0); cpu < percpu_slots();
	     cpu = percpu_next(caches, cpu + 1)) {
		struct cache *c = percpu_record(caches, cpu);

		if (WORD_COUNT(atomic_load(&c->word)) > 1)
			found = &c->word;
	}
	return found;
}

/*
 * Two items out, and the hand got one from the cache of this CPU.  False where
 * a preemption took the calls another way, which those in a hit do.
 */
static bool
fill_from_the_cache(void)
{
	bool as_planned;
	void *elsewhere;
	void *here;
	int event;

	make(watch_the_count);
	take(0, LIMIT);
	give(0, LIMIT);
	end(start(take_it_elsewhere, &elsewhere));
	as_planned = counted_out() == 1 && word_with_items() != NULL &&
		     vm_zone_hand_items(zone) == VM_ZONE_HAND - 1;
	most = seen = 0;
	event = trap_writes(word_with_items());
	if (event == -1)
		return true;
	here = uma_vm_zalloc(zone);
	REQUIRE(close(event) == 0);
	/* A hit and one for the hand, or an owner for each: two writes. */
	as_planned = as_planned && here != NULL &&
		     seen == (percpu_mode == PERCPU_RSEQ ? 2 : 4) &&
		     vm_zone_hand_items(zone) == VM_ZONE_HAND;
	if (as_planned)
		CHECK_EQ(most, 2);
	uma_vm_zfree(zone, here);
	uma_vm_zfree(zone, elsewhere);
	uma_vm_zdestroy(zone);
	return as_planned;
}

TEST(what_goes_to_the_hand_is_not_out)
{
	if (!cpu_pin(1))
		SKIP("one CPU");
	REQUIRE(cpu_pin(0));
	for (int tries = 0; !fill_from_the_cache(); tries++)
		REQUIRE(tries < 1000);
	if (seen == 0)
		SKIP("no hardware breakpoint");
}

/* ---- a slow owner ---- */

static _Atomic int turn;

static void
wait_for(int what)
{
	while (atomic_load(&turn) != what)
		sched_yield();
}

/* Has the one item that is not out in a cache, which it owns for long. */
static void *
own_the_last(void *arg)
{
	struct cache *c;
	uint64_t word;

	(void)arg;
	REQUIRE(cpu_pin(1));
	take(0, LIMIT);
	give(0, HAND + 1);
	REQUIRE(gate_enter());
	c = percpu_own(zone->zzone->caches, &word);
	REQUIRE(c != NULL);
	atomic_store(&turn, 1);
	wait_for(2);
	percpu_release(c, WORD_COUNT(word), WORD_CAPACITY(word));
	gate_leave();
	return NULL;
}

TEST(what_an_owner_has_is_not_out)
{
	pthread_t other;

	if (!cpu_pin(1))
		SKIP("one CPU");
	REQUIRE(cpu_pin(0));
	make(NULL);
	other = start(own_the_last, NULL);
	wait_for(1);
	for (unsigned i = 0; i < VM_ZONE_HAND; i++)
		take_from_the_hand(&items[i]);
	CHECK(!vm_zone_all_out(zone));
	atomic_store(&turn, 2);
	end(other);
	CHECK_EQ(counted_out(), LIMIT - 1);
	CHECK(!vm_zone_all_out(zone));
	give(0, VM_ZONE_HAND);
	give(HAND + 1, LIMIT);
	uma_vm_zdestroy(zone);
}

#if TRAPPED
/* ---- a free into the hand ---- */

static void
watch_the_hand(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	trap_steps++;
	if (vm_zone_hand_items(zone) == 0)
		return;
	seen++;
	wrong += vm_zone_all_out(zone);
}

TEST(an_item_in_the_hand_is_not_out)
{
	make(watch_the_hand);
	take(0, LIMIT);
	CHECK_EQ(vm_zone_hand_items(zone), 0);
	CHECK(vm_zone_all_out(zone));
	trap_each(true);
	uma_vm_zfree(zone, items[0]);
	trap_each(false);
	CHECK_EQ(vm_zone_hand_items(zone), 1);
	CHECK(trap_steps > 100);
	CHECK(seen > 10);
	CHECK_EQ(wrong, 0);
	give(1, LIMIT);
	uma_vm_zdestroy(zone);
}

/* ---- the reading ---- */

static int cached;       /* items in the other CPU's cache before */
static bool gives;       /* an item of the reader's comes back meanwhile */
static bool plain;       /* to this CPU's cache, though the hand is empty */
static long step_wanted; /* then turn is 1: the other may, and 2: it has */

/* At one step an item is given, and then another taken from a cache. */
static void
give_and_take(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	if (!trap_ends_at(step_wanted, context))
		return;
	if (gives)
		give(0, 1);
	atomic_store(&turn, 1);
	wait_for(2);
}

/* What it finds beside the item that it takes goes to the hand. */
static void *
other_main(void *arg)
{
	(void)arg;
	REQUIRE(cpu_pin(1));
	wait_for(1);
	take(VM_ZONE_HAND, HAND + 1);
	atomic_store(&turn, 2);
	return NULL;
}

/* The hand full, and some items in this CPU's cache. */
static void *
leave_some(void *arg)
{
	(void)arg;
	REQUIRE(cpu_pin(1));
	take(0, LIMIT);
	give(0, HAND + cached);
	return NULL;
}

/* All out but those in the other CPU's cache. */
static void
make_all_out_but_cached(void)
{
	unsigned taken;

	/* A preemption in a hit can leave them elsewhere. */
	for (int tries = 0;; tries++) {
		REQUIRE(tries < 1000);
		make(give_and_take);
		end(start(leave_some, NULL));
		/* The hand is full: this cache gets a bucket. */
		give(LIMIT - 1, LIMIT);
		take(LIMIT - 1, LIMIT);
		for (taken = 0; taken < VM_ZONE_HAND; taken++)
			take_from_the_hand(&items[taken]);
		if (vm_zone_hand_items(zone) == 0)
			break;
		give(0, VM_ZONE_HAND);
		give(HAND + cached, LIMIT);
		uma_vm_zdestroy(zone);
	}
	/* A free may hit, though the last slab ends early. */
	CHECK(zone_starts(zone->zzone, items[0]));
	if (plain)
		vm_zone_set_state(zone, VM_ZONE_PLAIN);
	CHECK_EQ(counted_out(), LIMIT - cached);
}

/* False when the reading is over before that step.  One item is never out. */
static bool
read_at(long step)
{
	pthread_t other;

	make_all_out_but_cached();
	step_wanted = step;
	atomic_store(&turn, 0);
	other = start(other_main, NULL);
	trap_each(true);
	wrong = vm_zone_all_out(zone);
	trap_each(false);
	CHECK_EQ(wrong, 0);
	if (trap_steps < step) {
		if (gives)
			give(0, 1);
		atomic_store(&turn, 1);
	}
	end(other);
	CHECK_EQ(counted_out(), LIMIT - 1);
	give(gives, HAND + 1);
	give(HAND + cached, LIMIT);
	uma_vm_zdestroy(zone);
	return trap_steps >= step;
}

static void
read_at_all(void)
{
	long step = 1;

	if (!cpu_pin(1))
		SKIP("one CPU");
	REQUIRE(cpu_pin(0));
	while (read_at(step))
		step++;
	harness_say("# %ld steps\n", step - 1);
	CHECK(step > 100);
}

TEST_TIME(one_comes_back_and_another_goes, 120)
{
	cached = 1;
	gives = true;
	read_at_all();
}

TEST_TIME(one_comes_back_to_a_cache, 120)
{
	cached = 1;
	gives = true;
	plain = true;
	read_at_all();
}

TEST_TIME(one_goes_to_the_hand, 120)
{
	cached = 2;
	gives = false;
	read_at_all();
}
#endif

TEST_MAIN
