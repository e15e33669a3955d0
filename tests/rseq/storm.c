/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm - signals, migrations, preemption and drains by the million
 *
 * Actors take items of three zones, stamp them, pass some to each other, and
 * give them back.  Each stamp is set and taken off by an exchange, so that an
 * item in two hands is seen at once; an item in no hand is seen at the end,
 * when every zone must be empty and destroyable.  Counts end the tests, not
 * clocks.  With STORM_LONG in the environment the counts are 50 times as high;
 * under a slow sanitizer they are a tenth.
 */
#include "zone/common.h"

#include "hostile.h"

#include <sys/syscall.h>

#define ZONES  3
#define HELD   48
#define BOXES  64
#define ACTORS 20 /* at most; stamps are 1 to ACTORS */
#define BOXED  (ACTORS + 1)

#define PELT_NS         20000
/* glibc 2.36 has no name for it. */
#define STORM_THREAD_ID _sigev_un._tid

static const size_t sizes[ZONES] = { 32, 200, 5000 };
static uma_zone_t zones[ZONES];
static _Atomic(void *) boxes[ZONES][BOXES];

static _Atomic long broken;
static _Atomic long handler_asks;
static _Atomic long handler_takes;
static _Atomic long refused; /* with M_NOWAIT, which handlers alone say */
static _Atomic long failed;  /* with M_WAITOK */
static _Atomic int stop;

/* Who acts: a thread, or the handler that interrupts it. */
struct actor {
	void *item[HELD];
	uint64_t seed;
	uint64_t stamp;
	int cpu; /* -1: any */
	long turns;
	_Atomic pid_t tid;
	pthread_t thread;
	struct actor *handler;
};

static struct actor actors[ACTORS];
static int actor_count;

static _Thread_local struct actor *self;

static long
times(long n)
{
	if (SLOWLY_SANITIZED)
		n /= 10;
	return getenv("STORM_LONG") != NULL ? 50 * n : n;
}

/* Items enter and come back unstamped. */
static void
init(void *item, int size)
{
	memset(item, 0, (size_t)size);
}

static _Atomic uint64_t *
stamp_of(void *item, uint32_t zone, bool last)
{
	size_t at = last ? sizes[zone] - sizeof(uint64_t) : 0;

	return (_Atomic uint64_t *)(void *)((char *)item + at);
}

static void
restamp(void *item, uint32_t zone, uint64_t from, uint64_t to)
{
	for (int last = 0; last < 2; last++)
		if (atomic_exchange(stamp_of(item, zone, last != 0), to) !=
		    from)
			atomic_fetch_add(&broken, 1);
}

static void
give(struct actor *a, uint32_t slot)
{
	void *item = a->item[slot];

	a->item[slot] = NULL;
	restamp(item, slot % ZONES, a->stamp, 0);
	uma_zfree(zones[slot % ZONES], item);
}

static bool
take(struct actor *a, uint32_t slot, int wait)
{
	void *item = uma_zalloc(zones[slot % ZONES], wait);

	if (item == NULL) {
		atomic_fetch_add(wait == M_NOWAIT ? &refused : &failed, 1);
		return false;
	}
	restamp(item, slot % ZONES, 0, a->stamp);
	a->item[slot] = item;
	return true;
}

/* Put it in a box and take what was there: another actor gives it back. */
static void
pass(struct actor *a, uint32_t slot)
{
	uint32_t zone = slot % ZONES;
	uint32_t box = dice(&a->seed) % BOXES;
	void *item = a->item[slot];

	restamp(item, zone, a->stamp, BOXED);
	item = atomic_exchange(&boxes[zone][box], item);
	a->item[slot] = item;
	if (item != NULL)
		restamp(item, zone, BOXED, a->stamp);
}

static void
turn(struct actor *a, int wait)
{
	uint32_t slot = dice(&a->seed) % HELD;

	if (a->item[slot] == NULL)
		take(a, slot, wait);
	else if (dice(&a->seed) % 8 == 0)
		pass(a, slot);
	else
		give(a, slot);
}

static void
on_signal(int signo)
{
	struct actor *a = self == NULL ? NULL : self->handler;
	int error = errno;

	(void)signo;
	for (int i = 0; a != NULL && i < 8; i++) {
		uint32_t slot = dice(&a->seed) % HELD;

		if (a->item[slot] != NULL) {
			give(a, slot);
			continue;
		}
		if (take(a, slot, M_NOWAIT))
			atomic_fetch_add(&handler_takes, 1);
		atomic_fetch_add(&handler_asks, 1);
	}
	errno = error;
}

static void *
act(void *arg)
{
	struct actor *a = arg;

	if (a->cpu >= 0)
		REQUIRE(cpu_pin(a->cpu));
	self = a;
	atomic_store(&a->tid, (pid_t)syscall(SYS_gettid));
	for (long n = 0; a->turns == 0 ? atomic_load(&stop) == 0 : n < a->turns;
	     n++) {
		turn(a, M_WAITOK);
		/* Let those come to work who disturb us. */
		if (a->turns == 0 && n % 64 == 0)
			sched_yield();
	}
	/* A handler that comes later finds nobody. */
	self = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	return NULL;
}

static struct actor *
actor_new(int cpu, long turns)
{
	struct actor *a = &actors[actor_count++];

	REQUIRE(actor_count <= ACTORS);
	a->stamp = (uint64_t)actor_count;
	a->seed = a->stamp * 77;
	a->cpu = cpu;
	a->turns = turns;
	return a;
}

static void
actors_start(void)
{
	for (int i = 0; i < actor_count; i++)
		if (actors[i].cpu > -2)
			actors[i].thread = thread_start(act, &actors[i]);
	for (int i = 0; i < actor_count; i++)
		while (actors[i].cpu > -2 && atomic_load(&actors[i].tid) == 0)
			sched_yield();
}

static void
actors_join(void)
{
	for (int i = 0; i < actor_count; i++)
		if (actors[i].cpu > -2)
			thread_join(actors[i].thread);
}

/* Two actors of which the second runs in the first one's signal handler. */
static void
actor_pair(void)
{
	struct actor *a = actor_new(-1, 0);

	a->handler = actor_new(-2, 0);
}

static void
set_up(void)
{
	struct sigaction action = { .sa_handler = on_signal,
		.sa_flags = SA_RESTART };

	for (int i = 0; i < ZONES; i++)
		zones[i] = uma_zcreate(
		    "storm", (int)sizes[i], NULL, NULL, init, NULL, 7, 0);
	REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void
empty_boxes(void)
{
	for (uint32_t z = 0; z < ZONES; z++) {
		for (int i = 0; i < BOXES; i++) {
			void *item = atomic_exchange(&boxes[z][i], NULL);

			if (item == NULL)
				continue;
			restamp(item, z, BOXED, 0);
			uma_zfree(zones[z], item);
		}
	}
}

/*
 * Who asks gets: there is memory, and a handler that finds the gate closed has
 * the emergency source.  A hostile library refuses what it asks the system
 * for, never twice in a row.
 */
static void
check_answers(void)
{
	long asks = atomic_load(&handler_asks);
	long takes = atomic_load(&handler_takes);

	if (asks != 0)
		harness_say(
		    "# %ld asked for in handlers, %ld taken\n", asks, takes);
	CHECK_EQ(atomic_load(&failed), 0);
	CHECK_EQ(takes + atomic_load(&refused), asks);
	if (HOSTILE)
		CHECK(takes >= asks / 2);
	else
		CHECK_EQ(atomic_load(&refused), 0);
}

static void
settle(void)
{
	struct uma_zone_stats s;

	actors_join();
	check_answers();
	for (int i = 0; i < actor_count; i++)
		for (uint32_t slot = 0; slot < HELD; slot++)
			if (actors[i].item[slot] != NULL)
				give(&actors[i], slot);
	empty_boxes();
	CHECK_EQ(atomic_load(&broken), 0);
	for (int i = 0; i < ZONES; i++) {
		s = zone_numbers(zones[i]);
		harness_say("# %zu bytes: %llu allocations, %llu misses\n",
		    sizes[i], (unsigned long long)s.allocs,
		    (unsigned long long)s.misses);
		CHECK_EQ(s.used_items, 0);
		CHECK_EQ(s.allocs, s.frees);
	}
	uma_reclaim();
	for (int i = 0; i < ZONES; i++) {
		CHECK_EQ(zone_numbers(zones[i]).cached_items, 0);
		CHECK_EQ(zone_numbers(zones[i]).slab_bytes, 0);
		zone_end(zones[i]);
	}
}

/*
 * Have each actor that has a handler interrupted, wherever it is: a timer is
 * not held up by the scheduler as a thread that sends signals would be.
 */
static void
pelt(void)
{
	const struct itimerspec every = { { 0, PELT_NS }, { 0, PELT_NS } };

	for (int i = 0; i < actor_count; i++) {
		struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
			.sigev_signo = SIGUSR1 };
		timer_t timer;

		if (actors[i].handler == NULL)
			continue;
		event.STORM_THREAD_ID = atomic_load(&actors[i].tid);
		REQUIRE(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
		REQUIRE(timer_settime(timer, 0, &every, NULL) == 0);
	}
}

static int
cpu_count(void)
{
	cpu_set_t all;

	REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
	return CPU_COUNT(&all);
}

/* Send each actor to one CPU of its own choice, another each time. */
static void
flip(uint64_t *seed)
{
	static cpu_set_t all;
	int n = cpu_count();

	if (CPU_COUNT(&all) == 0)
		REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
	for (int i = 0; i < actor_count; i++) {
		int left = (int)(dice(seed) % (uint32_t)n);
		cpu_set_t one;

		CPU_ZERO(&one);
		for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &all) && left-- == 0)
				CPU_SET(cpu, &one);
		if (actors[i].cpu > -2)
			REQUIRE(sched_setaffinity(atomic_load(&actors[i].tid),
				    sizeof one, &one) == 0);
	}
}

TEST_TIME(signals, 3000)
{
	long want = times(200000);

	set_up();
	actor_pair();
	actor_pair();
	actors_start();
	pelt();
	while (atomic_load(&handler_asks) < want)
		nap_us(1000);
	atomic_store(&stop, 1);
	settle();
}

TEST_TIME(migrations, 3000)
{
	uint64_t seed = 3;

	if (cpu_count() < 2)
		SKIP("needs two CPUs");
	set_up();
	for (int i = 0; i < 4; i++)
		actor_new(-1, 0);
	actors_start();
	for (long n = 0; n < times(50000); n++) {
		flip(&seed);
		sched_yield();
	}
	atomic_store(&stop, 1);
	settle();
}

/* Naps end in the middle of others' time slices: each preempts somebody. */
static void *
preempt(void *arg)
{
	const int *cpu = arg;

	REQUIRE(cpu_pin(*cpu));
	while (atomic_load(&stop) == 0)
		nap_us(50);
	return NULL;
}

TEST_TIME(preemption, 3000)
{
	int two = cpu_count() < 2 ? 1 : 2;
	int cpus[2] = { 0, 1 };
	pthread_t t[2];

	set_up();
	for (int i = 0; i < 8; i++)
		actor_new(i % two, times(2000000));
	/* Before anybody is pinned. */
	REQUIRE(cpu_pin(0));
	for (int i = 0; i < two; i++)
		t[i] = thread_start(preempt, &cpus[i]);
	actors_start();
	actors_join();
	atomic_store(&stop, 1);
	for (int i = 0; i < two; i++)
		thread_join(t[i]);
	for (int i = 0; i < actor_count; i++)
		actors[i].cpu = -2;
	settle();
}

TEST_TIME(reclaims, 3000)
{
	set_up();
	for (int i = 0; i < 4; i++)
		actor_new(-1, 0);
	actors_start();
	for (long n = 0; n < times(50000); n++)
		uma_reclaim();
	atomic_store(&stop, 1);
	settle();
}

static void *
reclaim(void *arg)
{
	while (atomic_load(&stop) == 0)
		uma_reclaim();
	return arg;
}

TEST_TIME(all_at_once, 3000)
{
	long want = times(100000);
	uint64_t seed = 9;
	pthread_t t;

	set_up();
	for (int i = 0; i < 3; i++)
		actor_pair();
	actor_new(-1, 0);
	actors_start();
	t = thread_start(reclaim, NULL);
	pelt();
	while (atomic_load(&handler_asks) < want) {
		flip(&seed);
		sched_yield();
	}
	atomic_store(&stop, 1);
	thread_join(t);
	settle();
}

TEST_MAIN
