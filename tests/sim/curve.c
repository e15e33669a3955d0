/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * curve - what an operation costs on 1 to 256 CPUs, counted, not timed
 *
 *	curve [--csv] [--cpus N]
 *
 * One thread on each CPU, all side by side.  An operation is one allocation or
 * one free, after a warm-up that is not counted:
 *	pair	 take an item and free it
 *	burst	 take 40 items and free them: buckets of a record turn over
 *	flood	 take 1000 items and free them: the record learns to keep them
 *	pass	 even CPUs take, and the odd ones behind them free
 * Accesses are those of the rooms and of the sequences to memory that is not
 * a thread's own stack; a shared one is to a 64-byte line that another CPU
 * wrote last, a remote one if that CPU is in another of up to 8 domains; an
 * atomic one is a locked instruction.  A switch of the schedule costs nothing.
 *
 * Without --csv it is a test: the hit shares no line on any number of CPUs,
 * and has no locked instruction.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uma/uma.h>

#include "port/sim/sim.h"

#define ITEM_BYTES 64
#define FLOOD      1000u
#define RING       128u

struct work {
	const char *name;
	unsigned items; /* that are held at once; 0: passed on */
	unsigned warm;  /* rounds before counting, and counted */
	unsigned rounds;
};

static const struct work works[] = {
	{ "pair", 1, 50, 200 },
	{ "burst", 40, 20, 20 },
	{ "flood", FLOOD, 8, 2 },
	{ "pass", 0, 1000, 1000 },
};
#define WORKS (sizeof(works) / sizeof(works[0]))

static uma_zone_t zone;
static const struct work *working;
static unsigned rounds;
static unsigned cpus;
static uint64_t operations;

static struct ring {
	void *items[RING];
	unsigned put;
	unsigned got;
} rings[SIM_CPUS_MAX / 2];

static void
must(bool good)
{
	if (!good) {
		fprintf(stderr, "curve: %s\n", sim_failure());
		exit(2);
	}
}

static void *
take(void)
{
	void *item = uma_zalloc(zone, M_NOWAIT);

	if (item == NULL)
		sim_fail("no memory");
	operations++;
	return item;
}

static void
give(void *item)
{
	operations++;
	uma_zfree(zone, item);
}

/* Through a ring between an even CPU and the odd one behind it. */
static void
pass(void)
{
	struct ring *r = &rings[sim_cpu() / 2];

	if (sim_cpu() % 2 == 0 && r->put - r->got < RING) {
		r->items[r->put % RING] = take();
		r->put++;
	}
	if ((sim_cpu() % 2 == 1 || cpus == 1) && r->put != r->got) {
		give(r->items[r->got % RING]);
		r->got++;
	}
	port_yield();
}

static void
play(void *arg)
{
	void *items[FLOOD];

	(void)arg;
	for (unsigned i = 0; i < rounds; i++) {
		if (working->items == 0)
			pass();
		for (unsigned k = 0; k < working->items; k++)
			items[k] = take();
		for (unsigned k = 0; k < working->items; k++)
			give(items[k]);
	}
}

static void
setup(void *arg)
{
	(void)arg;
	zone = uma_zcreate("curve", ITEM_BYTES, NULL, NULL, NULL, NULL, 0, 0);
	if (zone == NULL)
		sim_fail("no zone");
}

static void
all_play(unsigned times)
{
	rounds = times;
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		sim_thread(cpu, play, NULL);
	must(sim_run());
}

/* Count one kind of work.  In a process of its own. */
static bool
measure(const struct work *w, bool csv)
{
	const struct sim_machine machine = {
		.cpus = cpus, .domains = cpus < 8 ? 1 : 8, .kind = PORT_RSEQ_CPU
	};
	const struct sim_choices choices = { .points = UINT64_C(1) << 32,
		.calm = true };
	struct sim_counts counts;
	double each;
	bool good;

	working = w;
	sim_build(&machine);
	must(sim_quietly(0, setup, NULL));
	sim_random(&choices, 1, 5);
	all_play(w->warm);
	operations = 0;
	sim_count();
	all_play(w->rounds);
	sim_counts(&counts);
	each = operations == 0 ? 1 : (double)operations;
	if (csv)
		printf("%s,%u,%llu,%.3f,%.4f,%.4f,%.4f\n", w->name, cpus,
		    (unsigned long long)operations,
		    (double)counts.accesses / each,
		    (double)counts.atomics / each, (double)counts.shared / each,
		    (double)counts.remote / each);
	good = strcmp(w->name, "pair") != 0 ||
	       (counts.shared == 0 && counts.atomics == 0);
	if (!csv)
		printf("%s - %s on %u CPUs # %.1f accesses, %.3f shared\n",
		    good ? "ok" : "not ok", w->name, cpus,
		    (double)counts.accesses / each,
		    (double)counts.shared / each);
	return good;
}

static bool
measure_apart(const struct work *w, bool csv)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		exit(2);
	if (child == 0)
		exit(measure(w, csv) ? 0 : 1);
	waitpid(child, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		printf("Bail out! %s on %u CPUs\n", w->name, cpus);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int
main(int argc, char **argv)
{
	bool csv = false;
	bool good = true;
	unsigned most = SIM_CPUS_MAX;
	unsigned tests = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--csv") == 0)
			csv = true;
		else if (strcmp(argv[i], "--cpus") == 0 && i + 1 < argc)
			most = (unsigned)atoi(argv[++i]);
		else {
			fprintf(stderr, "usage: curve [--csv] [--cpus N]\n");
			return 2;
		}
	}
	if (most == 0 || most > SIM_CPUS_MAX)
		most = SIM_CPUS_MAX;
	for (cpus = 1; cpus <= most; cpus *= 2)
		tests += WORKS;
	if (csv)
		printf("work,cpus,operations,accesses,atomics,shared,remote\n");
	else
		printf("1..%u\n", tests);
	for (size_t i = 0; i < WORKS; i++)
		for (cpus = 1; cpus <= most; cpus *= 2)
			good &= measure_apart(&works[i], csv);
	return !good;
}
