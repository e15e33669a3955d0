/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search - all schedules of small scenarios, up to a number of events
 *
 *	search [--bound N] [--fault N] [--find] [SCENARIO...]
 *	search --replay SCENARIO SCHEDULE
 *
 * Without scenarios: those of scenarios.h.  Without a bound: the table's, or
 * two.  Each runs in a process of its own and
 * is one test.  --find turns the outcome around: some scenario must fail, for
 * builds and faults that are wrong on purpose.  See world.h for the words.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define SCHEDULE_BYTES 4096

/* Found by one search, in another process. */
struct finding {
	uint64_t runs;
	uint64_t points; /* of the longest */
	bool failed;
	char what[256];
	char schedule[SCHEDULE_BYTES];
};

static const char *const table[] = {
#include "scenarios.h"
};

static struct {
	unsigned bound; /* 0: the scenario's own */
	enum sim_fault fault;
	bool find;
	const char *replay;
	uint64_t runs; /* of all scenarios */
} options;

static struct finding found;
static int answer_end;

static void
answer(void)
{
	if (write(answer_end, &found, sizeof found) != sizeof found)
		_exit(2);
	_exit(0);
}

static void
failed(const char *what)
{
	found.failed = true;
	snprintf(found.what, sizeof found.what, "%s", what);
	sim_schedule(found.schedule, sizeof found.schedule);
}

static void
crashed(int signo)
{
	failed(strsignal(signo));
	answer();
}

/* In a process of its own. */
static void
search(const struct scenario *s, unsigned bound)
{
	struct sim_choices choices;
	stack_t stack = { .ss_sp = malloc(SIGSTKSZ), .ss_size = SIGSTKSZ };
	struct sigaction crash = { .sa_handler = crashed,
		.sa_flags = SA_ONSTACK };

	memset(&found, 0, sizeof found);
	world_build(s);
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &crash, NULL);
	sigaction(SIGBUS, &crash, NULL);
	scenario_choices(s, &choices);
	choices.bound = bound;
	sim_plant(options.fault);
	if (options.replay != NULL)
		sim_replay(&choices, options.replay);
	else
		sim_search(&choices);
	do {
		found.runs++;
		if (!world_run(s)) {
			failed(sim_failure());
			break;
		}
		if (sim_points() > found.points)
			found.points = sim_points();
	} while (options.replay == NULL && sim_next());
	answer();
}

static bool
look(const char *name, unsigned bound, unsigned number)
{
	struct scenario s;
	int ends[2];
	pid_t child;
	ssize_t got;

	if (!scenario_read(&s, name)) {
		printf("Bail out! %s: no scenario, see world.h\n", name);
		exit(2);
	}
	fflush(stdout);
	if (pipe(ends) != 0 || (child = fork()) < 0)
		exit(2);
	if (child == 0) {
		answer_end = ends[1];
		search(&s, bound);
	}
	close(ends[1]);
	memset(&found, 0, sizeof found);
	got = read(ends[0], &found, sizeof found);
	close(ends[0]);
	waitpid(child, NULL, 0);
	if (got != sizeof found) {
		found.failed = true;
		snprintf(found.what, sizeof found.what, "no answer");
	}
	options.runs += found.runs;
	if (found.failed)
		printf("# %s\n# replay: --replay %s %s\n", found.what, name,
		    found.schedule[0] == '\0' ? "''" : found.schedule);
	if (!options.find)
		printf("%s %u - %s # %llu runs, bound %u, %llu points\n",
		    found.failed ? "not ok" : "ok", number, name,
		    (unsigned long long)found.runs, bound,
		    (unsigned long long)found.points);
	return !found.failed;
}

/* "2 half/a.f/01/m": its bound and its name. */
static bool
look_at(const char *entry, unsigned number)
{
	const char *name = strchr(entry, ' ');
	unsigned bound = name == NULL ? 2 : (unsigned)atoi(entry);

	return look(name == NULL ? entry : name + 1,
	    options.bound != 0 ? options.bound : bound, number);
}

static int
usage(void)
{
	fprintf(stderr, "usage: search [--bound N] [--fault N] [--find] "
			"[SCENARIO...]\n"
			"       search --replay SCENARIO SCHEDULE\n");
	return 2;
}

static int
read_options(int argc, char **argv)
{
	int at = 1;

	for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
		bool more = at + 1 < argc;

		if (strcmp(argv[at], "--find") == 0)
			options.find = true;
		else if (more && strcmp(argv[at], "--bound") == 0)
			options.bound = (unsigned)atoi(argv[++at]);
		else if (more && strcmp(argv[at], "--fault") == 0)
			options.fault = (enum sim_fault)atoi(argv[++at]);
		else if (at + 2 < argc && strcmp(argv[at], "--replay") == 0) {
			options.replay = argv[at + 2];
			argv[at + 2] = NULL;
		} else
			exit(usage());
	}
	return at;
}

int
main(int argc, char **argv)
{
	int at = read_options(argc, argv);
	unsigned count = (unsigned)(argc - at);
	const char *const *names = (const char *const *)argv + at;
	bool good = true;

	if (options.replay != NULL)
		count = 1;
	if (count == 0) {
		names = table;
		count = sizeof table / sizeof table[0];
	}
	printf("1..%u\n", options.find ? 1 : count);
	for (unsigned i = 0; i < count && (good || !options.find); i++)
		good &= look_at(names[i], i + 1);
	if (options.find)
		printf("%s 1 - found after %llu runs\n", good ? "not ok" : "ok",
		    (unsigned long long)options.runs);
	printf("# %llu schedules\n", (unsigned long long)options.runs);
	return options.find ? good : !good;
}
