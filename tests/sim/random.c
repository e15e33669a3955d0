/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random - many threads on many CPUs, for each seed another schedule
 *
 *	random [--seeds N] [--from SEED] [--fault N] [--find]
 *	random --replay SEED [FILE]
 *
 * 48 threads on 128 CPUs in 8 domains use five zones and the heap, pass items
 * on, drain, reclaim, fork, make and destroy zones of their own, and are
 * preempted, moved, interrupted and refused memory as the seed has it.  Each
 * seed runs in a process of its own.  What fails prints its choices; a FILE of
 * choices is played instead of the seed's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap.h"
#include "port/sim/sim.h"
#include "zone/inner.h"

#define CPUS     128u
#define DOMAINS  8u
#define THREADS  48u
#define CALLS    150u
#define HAND_MAX 24u
#define BOX      64u
#define SCHEDULE ((size_t)8 << 20)
#define INITED   UINT64_C(0x494e495446494e49)

#define STAMP(n)    (UINT64_C(0x57A3B1D5) << 32 | (n))
#define IS_STAMP(w) ((w) >> 32 == UINT64_C(0x57A3B1D5))

enum { PLAIN, DRESSED, LARGE, INIT, FIXED, ZONES };

struct item {
	uint64_t *at;
	uint64_t stamp;
	unsigned zone;
};

struct hand {
	struct item items[HAND_MAX];
	unsigned count;
	uint64_t random;
};

static struct {
	uma_zone_t zone[ZONES];
	uint64_t taken[ZONES];
	uint64_t given[ZONES];
	uint64_t dressed; /* constructed less destroyed */
	struct item box[BOX];
	struct hand hands[THREADS];
	uint32_t stamp;
} world;

/* Of one process with one seed; shared with the one that made it. */
struct finding {
	bool failed;
	bool done;
	char what[256];
	uint64_t points;
	struct sim_counts counts;
	char schedule[SCHEDULE];
};
static struct finding *found;
static enum sim_fault fault;

/* ---- items ---- */

static uint64_t
draw(uint64_t *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * UINT64_C(0x2545F4914F6CDD1D) >> 24;
}

static void
dress(void *item, int size, void *arg)
{
	(void)size;
	(void)arg;
	if (IS_STAMP(*(uint64_t *)item))
		sim_fail("an item was constructed twice");
	world.dressed++;
}

static void
undress(void *item, int size, void *arg)
{
	(void)size;
	(void)arg;
	if (IS_STAMP(*(uint64_t *)item))
		sim_fail("an item in use was destructed");
	world.dressed--;
}

static void
init(void *item, int size)
{
	(void)size;
	sim_write((uint64_t *)item + 1, INITED);
}

static void
fini(void *item, int size)
{
	(void)size;
	if (((uint64_t *)item)[1] != INITED)
		sim_fail("fini saw what init had not seen");
	sim_write((uint64_t *)item + 1, 0);
}

static struct item
take(unsigned zone, int wait)
{
	struct item it = { .zone = zone };

	it.at = uma_zalloc(world.zone[zone], wait);
	if (it.at == NULL)
		return it;
	if (IS_STAMP(*it.at))
		sim_fail("an item was handed out twice");
	if (zone == INIT && it.at[1] != INITED)
		sim_fail("an item has not seen init");
	it.stamp = STAMP(++world.stamp);
	sim_write(it.at, it.stamp);
	world.taken[zone]++;
	return it;
}

static void
give(struct item it)
{
	if (*it.at != it.stamp)
		sim_fail("an item lost its stamp");
	sim_write(it.at, 0);
	world.given[it.zone]++;
	uma_zfree(world.zone[it.zone], it.at);
}

static void
interrupted(void)
{
	struct item a = take(PLAIN, M_NOWAIT);
	struct item b = take(LARGE, M_NOWAIT);

	if (a.at != NULL)
		give(a);
	if (b.at != NULL)
		give(b);
}

/* ---- what threads do ---- */

static void
take_some(struct hand *hand)
{
	struct item it;

	if (hand->count == HAND_MAX)
		return;
	it = take((unsigned)(draw(&hand->random) % FIXED), M_NOWAIT);
	if (it.at != NULL)
		hand->items[hand->count++] = it;
}

static void
give_some(struct hand *hand)
{
	unsigned i;
	struct item it;

	if (hand->count == 0)
		return;
	i = (unsigned)(draw(&hand->random) % hand->count);
	it = hand->items[i];
	hand->items[i] = hand->items[--hand->count];
	give(it);
}

/* Leave an item in the box, and free what was there. */
static void
pass_on(struct hand *hand)
{
	struct item *slot = &world.box[draw(&hand->random) % BOX];
	struct item was = *slot;

	if (hand->count == 0)
		return;
	*slot = hand->items[--hand->count];
	if (was.at != NULL)
		give(was);
}

/* One item, freed before anything else is waited for. */
static void
wait_fixed(void)
{
	struct item it = take(FIXED, M_WAITOK);

	port_yield();
	give(it);
}

static void
drain(uma_zone_t zone)
{
	struct closer me;

	if (zone_close(zone, &me) == ZONE_CLOSED)
		zone_open(zone, &me);
}

static void
live_and_die(struct hand *hand)
{
	uma_zone_t zone = uma_zcreate("short", 1 << draw(&hand->random) % 14,
	    NULL, NULL, NULL, NULL, 0, 0);
	void *items[8];
	unsigned count = 0;

	if (zone == NULL)
		return;
	while (count < 8 && (items[count] = uma_zalloc(zone, M_NOWAIT)) != NULL)
		count++;
	while (count != 0)
		uma_zfree(zone, items[--count]);
	if (uma_zdestroy(zone, M_WAITOK) != 0)
		sim_fail("a destroy that waits came back without");
}

static void
use_heap(struct hand *hand)
{
	size_t bytes = (size_t)1 << draw(&hand->random) % 21;
	uint64_t *block = uma_heap_alloc(bytes, HEAP_RAW);
	uint64_t *other;

	if (block == NULL)
		return;
	other = uma_heap_alloc(bytes, HEAP_ZERO);
	if (other == block)
		sim_fail("a block was handed out twice");
	uma_heap_free(other, "random");
	uma_heap_free(block, "random");
}

static void
call(struct hand *hand)
{
	unsigned kind = (unsigned)(draw(&hand->random) % 1000);

	if (kind < 440)
		take_some(hand);
	else if (kind < 880)
		give_some(hand);
	else if (kind < 930)
		pass_on(hand);
	else if (kind < 950)
		wait_fixed();
	else if (kind < 970)
		use_heap(hand);
	else if (kind < 980)
		sim_move((unsigned)(draw(&hand->random) % CPUS));
	else if (kind < 988)
		drain(world.zone[draw(&hand->random) % FIXED]);
	else if (kind < 994)
		live_and_die(hand);
	else if (kind < 997)
		uma_reclaim();
	else
		(void)sim_fork(false);
}

static void
play(void *arg)
{
	struct hand *hand = arg;

	for (unsigned i = 0; i < CALLS; i++)
		call(hand);
	while (hand->count != 0)
		give_some(hand);
}

/* ---- one seed ---- */

static void
setup(void *arg)
{
	(void)arg;
	world.zone[PLAIN] =
	    uma_zcreate("plain", 64, NULL, NULL, NULL, NULL, 0, 0);
	world.zone[DRESSED] =
	    uma_zcreate("dressed", 1000, dress, undress, NULL, NULL, 0, 0);
	world.zone[LARGE] =
	    uma_zcreate("large", 32768, NULL, NULL, NULL, NULL, 0, 0);
	world.zone[INIT] =
	    uma_zcreate("init", 200, NULL, NULL, init, fini, 0, 0);
	world.zone[FIXED] = uma_zcreate(
	    "fixed", 32768, NULL, NULL, NULL, NULL, 0, UMA_ZONE_STATIC);
	for (unsigned i = 0; i < ZONES; i++)
		if (world.zone[i] == NULL)
			sim_fail("no zone");
	uma_prealloc(world.zone[FIXED], 12);
}

static void
check_zone(unsigned i)
{
	struct zone_reading now;

	zone_read(world.zone[i], &now);
	if (now.allocs != world.taken[i] || now.frees != world.given[i])
		sim_fail("a zone's counters are not those of the books");
	drain(world.zone[i]);
	if (keg_out(&world.zone[i]->keg) != 0)
		sim_fail("an item was lost, or is there twice");
	if (uma_zdestroy(world.zone[i], M_NOWAIT) != 0)
		sim_fail("a zone without items out was not destroyed");
}

static void
check(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < BOX; i++)
		if (world.box[i].at != NULL)
			give(world.box[i]);
	for (unsigned i = 0; i < ZONES; i++)
		check_zone(i);
	if (world.dressed != 0)
		sim_fail("constructed and destructed differ");
}

static void
failed(const char *what)
{
	found->failed = true;
	snprintf(found->what, sizeof found->what, "%s", what);
	sim_schedule(found->schedule, sizeof found->schedule);
}

static void
crashed(int signo)
{
	failed(strsignal(signo));
	found->done = true;
	_exit(0);
}

static bool
run(uint64_t seed, const char *schedule)
{
	const struct sim_machine machine = { .cpus = CPUS,
		.domains = DOMAINS,
		.kind = seed % 2 == 0 ? PORT_RSEQ_CID : PORT_RSEQ_CPU,
		.options = seed % 7 == 3 ? "percpu:generic" : NULL };
	const struct sim_choices choices = { .points = UINT64_C(1) << 26,
		.plain = seed % 4 < 2,
		.move = true,
		.refuse = seed % 3 != 0,
		.handler = seed % 5 < 2 ? interrupted : NULL,
		.handlers = 500 };

	sim_build(&machine);
	sim_plant(fault);
	if (!sim_quietly(0, setup, NULL))
		return false;
	if (schedule != NULL)
		sim_replay(&choices, schedule);
	else
		sim_random(&choices, seed, 4 + (unsigned)(seed % 4));
	for (unsigned i = 0; i < THREADS; i++) {
		world.hands[i].random = (seed << 8 | i) * 2 + 1;
		for (int k = 0; k < 8; k++)
			(void)draw(&world.hands[i].random);
		sim_thread((unsigned)(draw(&world.hands[i].random) % CPUS),
		    play, &world.hands[i]);
	}
	return sim_run() && sim_quietly(0, check, NULL);
}

/* In a process of its own; what it found is in `found`. */
static void
run_apart(uint64_t seed, const char *schedule)
{
	pid_t child;

	found->failed = false;
	found->done = false;
	fflush(stdout);
	child = fork();
	if (child < 0)
		exit(2);
	if (child == 0) {
		static char stack[65536];
		stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
		struct sigaction crash = { .sa_handler = crashed,
			.sa_flags = SA_ONSTACK };

		sigaltstack(&alternate, NULL);
		sigaction(SIGSEGV, &crash, NULL);
		sigaction(SIGBUS, &crash, NULL);
		if (!run(seed, schedule))
			failed(sim_failure());
		found->points = sim_points();
		sim_counts(&found->counts);
		found->done = true;
		_exit(0);
	}
	waitpid(child, NULL, 0);
	if (!found->done) {
		found->failed = true;
		snprintf(found->what, sizeof found->what, "no answer");
	}
}

static void
tell(uint64_t seed)
{
	printf("# seed %llu: %s\n"
	       "# replay: --replay %llu, or with a file of these choices:\n"
	       "# %s\n",
	    (unsigned long long)seed, found->what, (unsigned long long)seed,
	    found->schedule);
}

static int
replay(uint64_t seed, const char *path)
{
	static char schedule[SCHEDULE];
	FILE *file = path == NULL ? NULL : fopen(path, "r");

	if (path != NULL &&
	    (file == NULL || fread(schedule, 1, SCHEDULE - 1, file) == 0)) {
		perror(path);
		return 2;
	}
	run_apart(seed, path == NULL ? NULL : schedule);
	printf("%s\n", found->failed ? found->what : "good");
	return found->failed;
}

static int
usage(void)
{
	fprintf(stderr, "usage: random [--seeds N] [--from SEED] "
			"[--fault N] [--find]\n"
			"       random --replay SEED [FILE]\n");
	return 2;
}

int
main(int argc, char **argv)
{
	uint64_t from = 1;
	uint64_t seeds = 24;
	uint64_t points = 0;
	uint64_t aborts = 0;
	bool find = false;
	bool good = true;

	found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--find") == 0)
			find = true;
		else if (i + 1 == argc)
			return usage();
		else if (strcmp(argv[i], "--seeds") == 0)
			seeds = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--from") == 0)
			from = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--fault") == 0)
			fault = (enum sim_fault)atoi(argv[++i]);
		else if (strcmp(argv[i], "--replay") == 0)
			return replay(
			    strtoull(argv[i + 1], NULL, 10), argv[i + 2]);
		else
			return usage();
	}
	printf("1..1\n");
	for (uint64_t seed = from; seed < from + seeds && good; seed++) {
		run_apart(seed, NULL);
		good = !found->failed;
		points += found->points;
		aborts += found->counts.aborts;
		if (!good && !find)
			tell(seed);
	}
	printf("# %llu points, %llu aborts: %s\n", (unsigned long long)points,
	    (unsigned long long)aborts, good ? "all good" : found->what);
	printf("%s 1 - %llu seeds\n", good != find ? "ok" : "not ok",
	    (unsigned long long)seeds);
	return good == find;
}
