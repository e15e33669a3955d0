/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - `uma run`: the order of it all
 *
 * Everything that can be refused is refused before the command starts.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

/* What holds for all runs of one `uma run`. */
struct plan {
	struct options options;
	char *path; /* of the command */
	char *library;
	char *peer_library;
	int stats_fd; /* or -1 */
};

/*
 * The file that processes report to, removed on every way out.  It is read by
 * its descriptor: by then the name may be another's.
 */
static char *records;
static int records_fd = -1;

static void
drop_records(void)
{
	if (records != NULL)
		(void)unlink(records);
	free(records);
	records = NULL;
}

/* ---- before ---- */

/*
 * Processes of the command append their records here.  A comma would end the
 * option that names it.
 */
static void
make_records(void)
{
	const char *directory = getenv("TMPDIR");
	char *path = NULL;

	if (directory == NULL || directory[0] != '/' ||
	    strchr(directory, ',') != NULL)
		directory = "/tmp";
	if (asprintf(&path, "%s/uma-run.XXXXXX", directory) < 0)
		path = NULL;
	records_fd = mkostemp(must(path), O_CLOEXEC);
	if (records_fd < 0)
		fail(EXIT_OWN, "run: %s: %s", path, strerror(errno));
	records = path;
	if (atexit(drop_records) != 0)
		fail(EXIT_OWN, "out of memory");
}

/* Without O_TRUNC: what is there stays until there is something better. */
static int
open_stats(const char *path)
{
	int fd;

	if (path == NULL)
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		fail(EXIT_OWN, "run: --stats: %s: %s", path, strerror(errno));
	return fd;
}

/* The user's options, those of the command line, and ours: the last wins. */
static char *
join_options(const struct plan *plan)
{
	const char *user = getenv("UMA_OPTIONS");
	const char *added = plan->options.added;
	char *all = NULL;

	user = user != NULL ? user : "";
	added = added != NULL ? added : "";
	if (asprintf(&all, "%s%s%s%sreport:%s", user, *user != '\0' ? "," : "",
		added, *added != '\0' ? "," : "", records) < 0)
		all = NULL;
	return must(all);
}

/* ---- after ---- */

/* False, and a line, when the file took less than all of it. */
static bool
write_stats(const struct plan *plan, const struct tally *tally)
{
	FILE *out;
	bool ok;

	if (plan->stats_fd < 0)
		return true;
	/* A pipe or a terminal has no length to cut. */
	if (ftruncate(plan->stats_fd, 0) != 0 && errno != EINVAL)
		complain("run: --stats: %s: %s", plan->options.stats,
		    strerror(errno));
	out = must(fdopen(plan->stats_fd, "w"));
	report_table(out, tally);
	ok = fflush(out) == 0;
	ok = fclose(out) == 0 && ok;
	if (!ok)
		complain("run: --stats: %s: %s", plan->options.stats,
		    strerror(errno));
	return ok;
}

/* One write, so that no line of another process comes between ours. */
static void
show(const char *text)
{
	size_t length = strlen(text);

	while (length > 0) {
		ssize_t done = write(STDERR_FILENO, text, length);

		if (done <= 0)
			return;
		text += done;
		length -= (size_t)done;
	}
}

/* ---- one run ---- */

static void
run_once(const struct plan *plan, bool is_uma, bool is_quiet,
    struct outcome *outcome, struct tally *tally)
{
	char *uma_options = is_uma ? join_options(plan) : NULL;
	struct job job = { .path = plan->path,
		.command = plan->options.command,
		.library = is_uma ? plan->library : plan->peer_library,
		.uma_options = uma_options,
		.is_quiet = is_quiet,
		.wait = plan->options.wait };

	child_run(&job, outcome);
	if (is_uma && tally != NULL)
		record_read(records_fd, tally);
	free(uma_options);
}

static int
run_alone(const struct plan *plan)
{
	struct outcome outcome;
	struct tally tally = { 0 };
	char *text = NULL;
	size_t length;
	FILE *out;

	run_once(plan, true, false, &outcome, &tally);
	out = must(open_memstream(&text, &length));
	report_run(out, plan->options.command[0], &outcome, &tally);
	if (write_stats(plan, &tally) && plan->stats_fd >= 0)
		fprintf(out, "uma: full table: %s\n", plan->options.stats);
	fclose(out);
	show(must(text));
	free(text);
	record_drop(&tally);
	return outcome.status;
}

/* ---- runs of two ---- */

static int
compare_doubles(const void *a, const void *b)
{
	const double *da = a;
	const double *db = b;

	return (*da > *db) - (*da < *db);
}

static double
median(double *values, int count)
{
	/* cppcheck-suppress uninitvar ; the caller filled them */
	qsort(values, (size_t)count, sizeof *values, compare_doubles);
	return count % 2 != 0 ? values[count / 2]
			      : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static struct outcome
medians(const struct outcome *outcomes, int count)
{
	double seconds[ROUNDS_MAX], peaks[ROUNDS_MAX], faults[ROUNDS_MAX];

	for (int i = 0; i < count; i++) {
		seconds[i] = outcomes[i].seconds;
		peaks[i] = (double)outcomes[i].peak_bytes;
		faults[i] = (double)outcomes[i].faults;
	}
	return (struct outcome){ .seconds = median(seconds, count),
		.peak_bytes = (uint64_t)median(peaks, count),
		.faults = (uint64_t)median(faults, count) };
}

/* Users must know when what they compare did not do the same. */
static void
check_status(
    const struct plan *plan, bool is_uma, int round, int status, int first)
{
	if (status == first)
		return;
	complain("warning: round %d under %s ended with %s %d, the first with"
		 " %s %d",
	    round + 1, is_uma ? "uma" : plan->options.peer,
	    WIFSIGNALED(status) ? "signal" : "exit",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
	    WIFSIGNALED(first) ? "signal" : "exit",
	    WIFSIGNALED(first) ? WTERMSIG(first) : WEXITSTATUS(first));
}

/*
 * In turn, and each first in every other round, so that neither always finds
 * the files that the other has just read.  Only the first run's output is
 * shown.  A signal ends it all: the user wants to stop.
 */
static int
run_peers(const struct plan *plan)
{
	static struct outcome outcomes[2][ROUNDS_MAX];
	struct tally tally = { 0 };
	struct outcome uma, other;
	char *text = NULL;
	size_t length;
	FILE *out;

	child_share_input();
	for (int turn = 0; turn < 2 * plan->options.rounds; turn++) {
		int round = turn / 2;
		bool is_uma = (turn + round) % 2 == 0;
		struct outcome *outcome = &outcomes[is_uma ? 0 : 1][round];

		run_once(plan, is_uma, turn != 0, outcome,
		    turn == 0 ? &tally : NULL);
		if (turn == 0)
			(void)write_stats(plan, &tally);
		check_status(plan, is_uma, round, outcome->status,
		    outcomes[0][0].status);
		if (WIFSIGNALED(outcome->status) || outcome->interrupted) {
			record_drop(&tally);
			return outcome->status;
		}
	}
	uma = medians(outcomes[0], plan->options.rounds);
	other = medians(outcomes[1], plan->options.rounds);
	out = must(open_memstream(&text, &length));
	report_peers(out, plan->options.peer, &uma, &other,
	    plan->options.rounds, &tally);
	fclose(out);
	show(must(text));
	free(text);
	record_drop(&tally);
	return outcomes[0][0].status;
}

int
run_main(int argc, char **argv)
{
	struct plan plan = { .stats_fd = -1 };
	int status;

	options_read(&plan.options, argc, argv);
	if (plan.options.peer != NULL)
		plan.peer_library = find_peer(plan.options.peer);
	plan.library = find_library(plan.options.preload);
	plan.path = find_command(plan.options.command[0]);
	plan.stats_fd = open_stats(plan.options.stats);
	elf_warn(plan.path, plan.library);
	make_records();
	status =
	    plan.options.peer != NULL ? run_peers(&plan) : run_alone(&plan);
	drop_records();
	child_follow(status);
}
