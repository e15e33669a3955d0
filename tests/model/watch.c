/* SPDX-License-Identifier: BSD-2-Clause */
/* What fails, fails in a process of its own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/model.h"

enum { PLAY_SECONDS = 100, QUIET_SECONDS = 10 };

static struct play_report *
shared_report(void)
{
	static struct play_report *report;

	if (report == NULL)
		report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		abort();
	memset(report, 0, sizeof *report);
	return report;
}

_Noreturn static void
be_child(void (*body)(const void *arg), const void *arg, unsigned seconds)
{
	const struct rlimit no_core = { 0, 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	alarm(seconds);
	body(arg);
	_exit(0);
}

struct verdict
watch(void (*body)(const void *arg), const void *arg, unsigned seconds)
{
	struct verdict v = { .good = true };
	int status = 0;
	pid_t child;

	fflush(NULL);
	play_report = shared_report();
	child = fork();
	if (child < 0)
		abort();
	if (child == 0)
		be_child(body, arg, seconds);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	v.good = status == 0;
	v.step = atomic_load(&play_report->step);
	v.operations = atomic_load(&play_report->operations);
	memcpy(v.why, play_report->why, sizeof v.why);
	/* Who said why may still hang in a sanitizer's exit. */
	if (WIFSIGNALED(status) && v.why[0] == '\0')
		snprintf(v.why, sizeof v.why, "ended by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	return v;
}

struct sequence {
	const struct step *steps;
	unsigned count;
	bool quiet;
};

static void
play_all(const void *arg)
{
	const struct sequence *s = arg;

	if (s->quiet) {
		int nowhere = open("/dev/null", O_WRONLY);

		dup2(nowhere, STDERR_FILENO);
		close(nowhere);
	}
	for (unsigned i = 0; i < s->count; i++)
		play_step(&s->steps[i]);
	play_end();
}

struct verdict
watch_steps(const struct step *steps, unsigned count, bool quiet)
{
	struct sequence s = { steps, count, quiet };

	return watch(play_all, &s, quiet ? QUIET_SECONDS : PLAY_SECONDS);
}
