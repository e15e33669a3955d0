/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * force - stop a thread at every instruction of every restartable section
 *
 * usage: rseq_force WORKER [--all]
 *
 * For each call under test, each instruction on its way through the section
 * that it commits in, and each action:
 *
 *	stop there by a breakpoint; note the record; act; go on
 *	check that the section was aborted, exactly if it was stopped inside
 *	check that the aborted attempt changed nothing
 *	let the call end; count, free and destroy everything (see worker.c)
 *
 * A stop is a reschedule, so the kernel must abort what it finds inside a
 * section.  Outside, an abort can only come by chance, from another reschedule
 * further on: then the cell is run again.
 */
#define _GNU_SOURCE
#include "cell.h"
#include "trace.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECTIONS_MAX 64
#define ALL_ROUNDS   50

static struct section sections[SECTIONS_MAX];
static bool reached[SECTIONS_MAX][STOPS_MAX];
static int section_count;
static bool can_migrate;
static int tests, failures;

/* ---- all of them ---- */

static void
report(int good, int all)
{
	bool ok = good == all && all > 0;

	tests++;
	failures += !ok;
	printf("%s %d - %s | %s | %s: %d of %d\n", ok ? "ok" : "not ok", tests,
	    scenario_names[cell.scenario], cell.section->function,
	    action_names[cell.action], good, all);
	fflush(stdout);
}

static void
skip(const char *why)
{
	tests++;
	printf("ok %d - %s | %s | %s # SKIP %s\n", tests,
	    scenario_names[cell.scenario], cell.section->function,
	    action_names[cell.action], why);
}

static void
run_action(int rounds)
{
	int good = 0;
	int all = 0;

	for (int round = 0; round < rounds; round++) {
		for (cell.stop = 0; cell.stop < cell.section->stops;
		     cell.stop++) {
			enum result result = cell_run();

			all += result != NOT_THERE;
			reached[cell.section - sections][cell.stop] |=
			    result != NOT_THERE;
			good += result == GOOD;
		}
	}
	report(good, all);
}

/*
 * Run on to the next commit, wherever it is.  NOT_THERE: the call has returned.
 * A section that is aborted before would have been the one: what follows is
 * what the call does after a miss.
 */
static enum result
next_commit(const struct section **found)
{
	uintptr_t where;

	*found = NULL;
	for (int i = 0; i < section_count; i++) {
		if (!sections[i].commits)
			continue;
		trace_plant(sections[i].stop[sections[i].stops - 2]);
		trace_plant(sections[i].abort);
	}
	where = trace_run(0);
	trace_clear();
	for (int i = 0; i < section_count; i++)
		if (sections[i].stop[sections[i].stops - 2] == where)
			*found = &sections[i];
	if (*found != NULL)
		cell.record = trace_register((*found)->record_register);
	if (where == 0)
		return NOT_THERE;
	cell_await(DONE, 0);
	return *found != NULL ? GOOD : BY_CHANCE;
}

/* One call: its first commit, or that behind a section that it commits in. */
static enum result
commit_behind(const struct section *first, const struct section **found)
{
	enum result result = GOOD;

	cell_await(READY, 0);
	if (first != NULL)
		result = cell_run_to(first, first->end);
	if (result == GOOD)
		result = next_commit(found);
	cell_await(SETTLED, 0);
	return result;
}

/*
 * Find where the call commits, and in which record.  To see its second commit
 * the first must not be stopped in: it would be aborted.  NOT_THERE: it did not
 * commit as it should.
 */
static enum result
find_commit(void)
{
	enum result result;

	cell.first = NULL;
	result = commit_behind(NULL, &cell.section);
	if (result == GOOD && cell_is_second()) {
		cell.first = cell.section;
		sh->tried++;
		result = commit_behind(cell.first, &cell.section);
	}
	if (result == GOOD && !cell_is_about(cell.section))
		result = NOT_THERE;
	return result;
}

static void
discover(void)
{
	enum result result = NOT_THERE;
	int chances = 0;

	sh->scenario = cell.scenario;
	for (int tried = 0;
	     result != GOOD && tried < CELL_TRIES && chances < CELL_CHANCES;) {
		sh->tried = tried;
		result = find_commit();
		if (result == BY_CHANCE)
			chances++;
		else
			tried = sh->tried + 1;
	}
	if (result != GOOD)
		trace_die("%s: commits nowhere", scenario_names[cell.scenario]);
}

/*
 * clang's copy of a push in heap.c: it is called where watch_on is true, and
 * there boot.c has chosen the generic mode, in which no section commits.
 */
static bool
is_generic(const struct section *s)
{
	return strcmp(s->function, "resize_watched") == 0;
}

/* Every instruction of every section was stopped at in some scenario. */
static void
check_coverage(void)
{
	int missed = 0;

	for (int i = 0; i < section_count; i++) {
		const struct section *s = &sections[i];

		if (!s->commits) {
			printf("# %s commits nothing: not run\n", s->function);
			continue;
		}
		if (is_generic(s)) {
			printf("# %s is for tools: not run\n", s->function);
			continue;
		}
		for (int k = 0; k < s->stops; k++) {
			if (reached[i][k])
				continue;
			missed++;
			printf("# never reached: %s%+ld\n", s->function,
			    (long)(s->stop[k] - s->start));
		}
	}
	tests++;
	failures += missed != 0;
	printf("%s %d - every instruction of every section\n",
	    missed == 0 ? "ok" : "not ok", tests);
}

/* The libraries', and what <uma/fast.h> inlined into the worker. */
static void
read_sections(const char *worker)
{
	const char *slash = strrchr(worker, '/');
	const char *const names[] = { "/libuma.so.", "/libuma_malloc.so.",
		slash == NULL ? worker : slash };

	for (int i = 0; i < 3; i++) {
		int n = sections_read(traced, names[i],
		    sections + section_count, SECTIONS_MAX - section_count);

		if (n <= 0)
			trace_die("cannot read the sections of %s", names[i]);
		section_count += n;
	}
	printf("# %d sections\n", section_count);
}

static uintptr_t
find_symbol(const char *name)
{
	uintptr_t found = sections_symbol(traced, "/libuma.so.", name);

	if (found == 0)
		trace_die("cannot find %s", name);
	return found;
}

/*
 * A library with its own asserts looks at each block of malloc(9), and has no
 * hits of it.  Here it does not, from before the first block on.
 */
static void
undo_debug(void)
{
	const bool no = false;

	trace_write(find_symbol("malloc9_debug"), &no, sizeof no);
}

/* The first CPU we may use is the worker's; the second is for migration. */
static int
choose_cpus(void)
{
	cpu_set_t all;
	int first = -1;

	if (sched_getaffinity(0, sizeof all, &all) != 0)
		trace_die("no CPUs");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET((size_t)cpu, &all))
			continue;
		if (first < 0) {
			first = cpu;
			CPU_SET((size_t)cpu, &home);
		} else if (!can_migrate) {
			can_migrate = true;
			CPU_SET((size_t)cpu, &away);
		}
	}
	return first;
}

static void
start_worker(char *worker)
{
	char fd_text[16], cpu_text[16];
	char *argv[] = { worker, fd_text, cpu_text, NULL };
	int fd = memfd_create("force", 0);

	if (fd < 0 || ftruncate(fd, sizeof *sh) != 0)
		trace_die("no shared memory");
	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (sh == MAP_FAILED || sem_init(&sh->go, 1, 0) != 0 ||
	    sem_init(&sh->started, 1, 0) != 0 || sem_init(&sh->done, 1, 0) != 0)
		trace_die("no shared memory");
	snprintf(fd_text, sizeof fd_text, "%d", fd);
	snprintf(cpu_text, sizeof cpu_text, "%d", choose_cpus());
	trace_start(argv);
	cell_await(SETTLED, 0);
}

static void
too_late(int signo)
{
	(void)signo;
	cell_complain("no end");
	trace_die("hangs");
}

int
main(int argc, char **argv)
{
	bool all = argc == 3 && strcmp(argv[2], "--all") == 0;

	if (argc < 2 || argc > 3 || (argc == 3 && !all)) {
		fprintf(stderr, "usage: rseq_force WORKER [--all]\n");
		return 2;
	}
	signal(SIGALRM, too_late);
	start_worker(argv[1]);
	read_sections(argv[1]);
	undo_debug();
	sh->gate_enter = find_symbol("gate_enter");
	sh->gate_leave = find_symbol("gate_leave");
	for (int s = 0; s < SCENARIOS; s++) {
		cell.scenario = (enum scenario)s;
		cell.action = NOTHING;
		discover();
		for (int a = 0; a < ACTIONS; a++) {
			cell.action = (enum action)a;
			if (a == MIGRATE && !can_migrate)
				skip("needs two CPUs");
			else
				run_action(all ? ALL_ROUNDS : 1);
		}
	}
	check_coverage();
	printf("1..%d\n", tests);
	return failures != 0;
}
