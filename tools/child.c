/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * child.c - one run of a command: environment, signals, exit, usage
 *
 * Signals are blocked in the tool and taken one by one, so no handler races
 * with the wait.  What the terminal sends goes to the whole process group:
 * the command has it already.  What others send to the tool is passed on.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define GRACE_SECONDS 0.5 /* for what the command leaves behind */

static const int passed[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1,
	SIGUSR2, SIGTSTP, SIGCONT };

/* What the tool was started with, for the command. */
static sigset_t mask_before;
static struct sigaction chld_before;

/* Where standard input starts for every run; -1 to leave it alone. */
static off_t input_start = -1;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- input ---- */

void
child_share_input(void)
{
	struct stat st;
	int fd;

	if (fstat(STDIN_FILENO, &st) != 0)
		return;
	if (S_ISREG(st.st_mode)) {
		input_start = lseek(STDIN_FILENO, 0, SEEK_CUR);
		return;
	}
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return;
	complain("warning: standard input is a pipe, which cannot be read"
		 " twice: the command reads nothing (use < FILE)");
	fd = open("/dev/null", O_RDONLY);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		fail(EXIT_OWN, "/dev/null: %s", strerror(errno));
	if (fd != STDIN_FILENO)
		close(fd);
}

/* ---- in the child ---- */

static bool
is_ours(const char *library)
{
	const char *name = strrchr(library, '/');

	name = name != NULL ? name + 1 : library;
	return strncmp(name, "libuma_malloc.so", 16) == 0;
}

/*
 * Ours first, then the user's own, without a UMA of theirs: it would be in
 * the other runs of a comparison as well.
 */
static void
set_preload(const char *library)
{
	const char *kept = getenv(PRELOAD_KEPT);
	char *rest = kept != NULL ? must(strdup(kept)) : NULL;
	size_t length = (library != NULL ? strlen(library) : 0) + 2 +
			(rest != NULL ? strlen(rest) : 0);
	char *list = must(calloc(1, length));
	char *one;

	if (library != NULL)
		strcpy(list, library);
	while ((one = strsep(&rest, ": ")) != NULL) {
		if (*one == '\0' || is_ours(one))
			continue;
		if (*list != '\0')
			strcat(list, ":");
		strcat(list, one);
	}
	unsetenv(PRELOAD_KEPT);
	if (*list != '\0')
		setenv("LD_PRELOAD", list, 1);
	else
		unsetenv("LD_PRELOAD");
}

static void
silence(void)
{
	int fd = open("/dev/null", O_WRONLY);

	if (fd >= 0 && fd != STDOUT_FILENO) {
		dup2(fd, STDOUT_FILENO);
		close(fd);
	}
}

/*
 * A script without #! is the shell's, as in execvp(); but not a program for
 * another machine, which the shell would read as text.
 */
static void
run_by_shell(const struct job *job)
{
	size_t count = 0;
	const char **words;

	while (job->command[count] != NULL)
		count++;
	words = must(calloc(count + 2, sizeof *words));
	words[0] = "sh";
	words[1] = job->path;
	for (size_t i = 1; i < count; i++)
		words[i + 1] = job->command[i];
	/* execv() takes char * for old programs' sake; it writes to none. */
	execv("/bin/sh", (char **)(uintptr_t)words);
}

/* Become the command; or tell the parent why not. */
static _Noreturn void
become(const struct job *job, int error_fd)
{
	int error;

	if (job->is_quiet)
		silence();
	set_preload(job->library);
	if (job->uma_options != NULL)
		setenv("UMA_OPTIONS", job->uma_options, 1);
	/* Python's own allocator would hide most of its allocations. */
	setenv("PYTHONMALLOC", "malloc", 0);
	sigaction(SIGCHLD, &chld_before, NULL);
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
	execv(job->path, job->command);
	error = errno;
	if (error == ENOEXEC && !elf_is(job->path))
		run_by_shell(job);
	if (write(error_fd, &error, sizeof error) < 0)
		_exit(EXIT_OWN);
	_exit(EXIT_NOTFOUND);
}

/* ---- in the parent ---- */

/* The set to wait for: blocked from before the fork until after the end. */
static sigset_t
take_signals(void)
{
	static bool taken;
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t set, blocked;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
		sigaddset(&set, passed[i]);
	if (!taken) {
		taken = true;
		/* Ignored, children would vanish without a status. */
		sigaction(SIGCHLD, &plain, &chld_before);
		/* A reader that goes must not take the status with it. */
		blocked = set;
		sigaddset(&blocked, SIGPIPE);
		sigprocmask(SIG_BLOCK, &blocked, &mask_before);
		/* Orphans come to us; without it they are just not seen. */
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	}
	return set;
}

static pid_t
start(const struct job *job)
{
	int fds[2];
	int error = 0;
	pid_t pid;

	if (input_start >= 0)
		(void)lseek(STDIN_FILENO, input_start, SEEK_SET);
	if (pipe2(fds, O_CLOEXEC) != 0)
		fail(EXIT_OWN, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fail(EXIT_OWN, "fork: %s", strerror(errno));
	if (pid == 0) {
		close(fds[0]);
		become(job, fds[1]);
	}
	close(fds[1]);
	while (read(fds[0], &error, sizeof error) < 0 && errno == EINTR)
		;
	close(fds[0]);
	if (error == 0)
		return pid;
	(void)waitpid(pid, NULL, 0);
	fail(error == ENOENT ? EXIT_NOTFOUND : EXIT_NOEXEC,
	    "run: %s: cannot be executed: %s", job->command[0],
	    strerror(error));
}

/* The shell must see us stop with the command, to give its prompt back. */
static void
stop_with(int signal)
{
	if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
	    signal == SIGTTOU)
		(void)kill(getpid(), SIGSTOP);
}

/*
 * Reap all that ended so far.  An orphan counts with its own children, as
 * the command does with those it waited for.
 *
 * Returns:  whether `child` is among them, its status in outcome->status.
 */
static bool
reap(pid_t child, struct outcome *outcome)
{
	bool ended = false;
	struct rusage usage;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG | WUNTRACED, &usage)) > 0) {
		if (WIFSTOPPED(status)) {
			if (pid == child)
				stop_with(WSTOPSIG(status));
			continue;
		}
		if ((uint64_t)usage.ru_maxrss * 1024 > outcome->peak_bytes)
			outcome->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
		outcome->faults +=
		    (uint64_t)(usage.ru_minflt + usage.ru_majflt);
		if (pid == child) {
			outcome->status = status;
			ended = true;
		}
	}
	return ended;
}

static bool
asks_to_end(int signal)
{
	return signal == SIGINT || signal == SIGTERM || signal == SIGHUP ||
	       signal == SIGQUIT;
}

static void
pass_on(const siginfo_t *info, pid_t child)
{
	bool had_it = info->si_code == SI_KERNEL || info->si_pid == child;

	/* A second SIGCONT does no harm, and a lone one starts it again. */
	if (info->si_signo == SIGCONT || !had_it)
		(void)kill(child, info->si_signo);
}

/*
 * Wait for the orphans: shortly, as daemons stay for ever; or until they end
 * or a signal says that it is enough.
 */
static void
settle(const struct job *job, const sigset_t *set, struct outcome *outcome)
{
	double deadline = now() + GRACE_SECONDS;
	siginfo_t info = { 0 };

	for (;;) {
		struct timespec nap = { .tv_nsec = 50 * 1000 * 1000 };

		(void)reap(0, outcome);
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
			return;
		outcome->left_running = true;
		if (!job->wait && now() >= deadline)
			return;
		if (sigtimedwait(set, &info, &nap) > 0) {
			/* The orphans had the terminal's, as we did. */
			stop_with(info.si_signo);
			if (asks_to_end(info.si_signo)) {
				outcome->interrupted = true;
				return;
			}
		}
		outcome->left_running = false;
	}
}

void
child_run(const struct job *job, struct outcome *outcome)
{
	sigset_t set = take_signals();
	double started = now();
	pid_t child;

	memset(outcome, 0, sizeof *outcome);
	child = start(job);
	while (!reap(child, outcome)) {
		siginfo_t info;

		if (sigwaitinfo(&set, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		outcome->interrupted |= asks_to_end(info.si_signo);
		pass_on(&info, child);
	}
	outcome->seconds = now() - started;
	settle(job, &set, outcome);
}

void
child_follow(int status)
{
	struct rlimit no_core = { 0 };
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t one;
	int signal;

	if (!WIFSIGNALED(status))
		exit(WEXITSTATUS(status));
	signal = WTERMSIG(status);
	/* The command has dumped its core; ours would overwrite it. */
	setrlimit(RLIMIT_CORE, &no_core);
	sigaction(signal, &plain, NULL);
	sigemptyset(&one);
	sigaddset(&one, signal);
	(void)kill(getpid(), signal);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	/* Still here: a signal that does not kill. */
	exit(128 + signal);
}
