/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness.h - tests that cannot take each other down
 *
 *	TEST(name) { ... }	 one test; registers itself
 *	TEST_TIME(name, s)	 the same with its own limit of `s` seconds
 *	TEST_MAIN		 main(), once in a program
 *
 *	CHECK(cond)		 note a failure and go on; true if `cond` held
 *	CHECK_EQ(left, right)	 the same for integers, and print both
 *	REQUIRE(cond)		 end this test if `cond` does not hold
 *	SKIP("why")		 leave the test function: it cannot run here
 *	DIES(statement, fmt, ..) the statement ends its process with SIGABRT
 *				 and writes this one line to standard error
 *
 * Each test runs in a child of its own process group, so that a crash, a hang
 * or a leaked process is the failure of one test.  CHECK and REQUIRE may be
 * used in any thread.  Nothing here calls malloc, so that a broken one under
 * test still gets a report.  Output is TAP; exit status 1 means a failure.
 *
 * Arguments: names of tests to run alone; --list; --no-fork for debuggers,
 * where the first failed REQUIRE ends the run.  In the environment,
 * HARNESS_SLOWNESS multiplies every limit, for slow builds and machines, and
 * HARNESS_SECONDS replaces every one.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HARNESS_SECONDS = 30, HARNESS_SKIPPED = 77 };

struct harness_test {
	const char *name;
	void (*run)(void);
	unsigned seconds;
	struct harness_test *next;
};

struct harness {
	struct harness_test *first;
	struct harness_test *last;
	_Atomic int failures; /* in the test that runs now */
	_Atomic int skipped;
	volatile sig_atomic_t child; /* what the watchdog kills */
	volatile sig_atomic_t late;
	bool no_fork;
};
extern struct harness harness;

/* One test's child as DIES sees it. */
struct harness_death {
	pid_t child;
	int line_end; /* the reading end of its standard error */
};

#define TEST(name) TEST_TIME(name, HARNESS_SECONDS)
#define TEST_TIME(name, limit) \
	static void test_##name(void); \
	__attribute__((constructor)) static void harness_add_##name(void) \
	{ \
		static struct harness_test t = { #name, test_##name, limit, \
			NULL }; \
		harness_add(&t); \
	} \
	static void test_##name(void)

#define TEST_MAIN \
	struct harness harness; \
	int main(int argc, char **argv) \
	{ \
		return harness_main(argc, argv); \
	}

#define CHECK(cond) \
	harness_check((cond) ? true : false, __FILE__, __LINE__, #cond)
#define CHECK_EQ(left, right) \
	harness_check_eq((long long)(left), (long long)(right), __FILE__, \
	    __LINE__, #left " == " #right)
#define REQUIRE(cond) \
	do { \
		if (!CHECK(cond)) \
			harness_stop(); \
	} while (0)
#define SKIP(why) \
	do { \
		harness_say("# skipped: %s\n", (why)); \
		atomic_store(&harness.skipped, 1); \
		return; \
	} while (0)
#define DIES(statement, ...) \
	do { \
		struct harness_death death_; \
		if (harness_death_begin(&death_)) { \
			statement; \
			_exit(0); \
		} \
		harness_death_end( \
		    &death_, __FILE__, __LINE__, #statement, __VA_ARGS__); \
	} while (0)

__attribute__((format(printf, 1, 2))) static inline void
harness_say(const char *format, ...)
{
	char text[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n > (int)sizeof text - 1)
		n = (int)sizeof text - 1;
	if (n > 0 && write(STDOUT_FILENO, text, (size_t)n) < 0)
		_exit(2);
}

static inline void
harness_add(struct harness_test *t)
{
	if (harness.last == NULL)
		harness.first = t;
	else
		harness.last->next = t;
	harness.last = t;
}

static inline bool
harness_check(bool ok, const char *file, int line, const char *what)
{
	if (!ok) {
		atomic_fetch_add(&harness.failures, 1);
		harness_say("# %s:%d: %s\n", file, line, what);
	}
	return ok;
}

static inline bool
harness_check_eq(long long left, long long right, const char *file, int line,
    const char *what)
{
	if (!harness_check(left == right, file, line, what))
		harness_say("#   %lld (%#llx) and %lld (%#llx)\n", left,
		    (unsigned long long)left, right, (unsigned long long)right);
	return left == right;
}

static inline void
harness_stop(void)
{
	if (harness.no_fork)
		harness_say("Bail out! a REQUIRE failed\n");
	_exit(1);
}

/* True in the child, which runs the statement. */
static inline bool
harness_death_begin(struct harness_death *death)
{
	const struct rlimit no_core = { 0, 0 };
	int ends[2];

	if (pipe(ends) != 0 || (death->child = fork()) < 0) {
		harness_check(false, __FILE__, __LINE__, "pipe and fork");
		harness_stop();
	}
	if (death->child == 0) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		return true;
	}
	close(ends[1]);
	death->line_end = ends[0];
	return false;
}

/* Read until the child closes its end, which its death does at the latest. */
static inline void
harness_drain(int fd, char *text, size_t bytes)
{
	size_t used = 0;
	ssize_t n;

	while (used < bytes - 1) {
		n = read(fd, text + used, bytes - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
}

/*
 * What the child wrote to standard error, as one line without its newline;
 * inner newlines become bars.  True if the child ended by SIGABRT and wrote
 * exactly one line.
 */
static inline bool
harness_death_line(const struct harness_death *death, char *got, size_t bytes)
{
	int status = 0;
	char *newline;

	harness_drain(death->line_end, got, bytes);
	close(death->line_end);
	while (waitpid(death->child, &status, 0) < 0 && errno == EINTR)
		continue;
	newline = strchr(got, '\n');
	if (newline != NULL && newline[1] == '\0') {
		*newline = '\0';
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
			return true;
	}
	for (char *c = got; *c != '\0'; c++)
		*c = *c == '\n' ? '|' : *c;
	if (WIFSIGNALED(status))
		harness_say("#   ended by %s\n", strsignal(WTERMSIG(status)));
	else
		harness_say("#   lived, status %d\n", WEXITSTATUS(status));
	return false;
}

__attribute__((format(printf, 5, 6))) static inline void
harness_death_end(const struct harness_death *death, const char *file, int line,
    const char *what, const char *format, ...)
{
	char want[512];
	char got[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(want, sizeof want, format, args);
	va_end(args);
	if (harness_death_line(death, got, sizeof got) &&
	    strcmp(got, want) == 0)
		return;
	harness_check(false, file, line, what);
	harness_say("#   wanted: %s\n#   got:    %s\n", want, got);
}

static inline void
harness_too_late(int signo)
{
	(void)signo;
	harness.late = 1;
	/* Twice: the child may not have become a group's leader yet. */
	kill(-(pid_t)harness.child, SIGKILL);
	kill((pid_t)harness.child, SIGKILL);
}

static inline int
harness_run_here(const struct harness_test *t)
{
	atomic_store(&harness.failures, 0);
	atomic_store(&harness.skipped, 0);
	t->run();
	fflush(NULL);
	if (atomic_load(&harness.failures) != 0)
		return 1;
	return atomic_load(&harness.skipped) != 0 ? HARNESS_SKIPPED : 0;
}

/* Run a test in a child; its exit status, or minus the signal that hit it. */
static inline int
harness_run_apart(const struct harness_test *t, unsigned seconds)
{
	struct sigaction watchdog = { .sa_handler = harness_too_late };
	int status = 0;
	pid_t pid;

	fflush(NULL);
	harness.late = 0;
	pid = fork();
	if (pid < 0)
		return 2;
	if (pid == 0) {
		/* The parent's, of the test before: alarms are to end this. */
		signal(SIGALRM, SIG_DFL);
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(harness_run_here(t));
	}
	harness.child = pid;
	sigaction(SIGALRM, &watchdog, NULL);
	alarm(seconds);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	alarm(0);
	/* What the test left running must not disturb the next. */
	kill(-pid, SIGKILL);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* How long it may take. */
static inline unsigned
harness_seconds(const struct harness_test *t)
{
	const char *replaced = getenv("HARNESS_SECONDS");
	const char *slowness = getenv("HARNESS_SLOWNESS");

	if (replaced != NULL)
		return (unsigned)strtoul(replaced, NULL, 10);
	if (slowness != NULL)
		return t->seconds * (unsigned)strtoul(slowness, NULL, 10);
	return t->seconds;
}

static inline bool
harness_run(const struct harness_test *t, int number)
{
	unsigned seconds = harness_seconds(t);
	int result;

	result = harness.no_fork ? harness_run_here(t)
				 : harness_run_apart(t, seconds);
	if (harness.late)
		harness_say("# no end after %u seconds\n", seconds);
	else if (result < 0)
		harness_say("# ended by %s\n", strsignal(-result));
	harness_say("%s %d - %s%s\n",
	    result == 0 || result == HARNESS_SKIPPED ? "ok" : "not ok", number,
	    t->name, result == HARNESS_SKIPPED ? " # SKIP" : "");
	return result == 0 || result == HARNESS_SKIPPED;
}

static inline bool
harness_wanted(const char *name, int argc, char **argv)
{
	bool all = true;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		if (strcmp(argv[i], name) == 0)
			return true;
		all = false;
	}
	return all;
}

static inline int
harness_main(int argc, char **argv)
{
	bool list = false;
	bool good = true;
	int count = 0;
	int number = 0;

	for (int i = 1; i < argc; i++) {
		list = list || strcmp(argv[i], "--list") == 0;
		if (strcmp(argv[i], "--no-fork") == 0)
			harness.no_fork = true;
	}
	for (struct harness_test *t = harness.first; t != NULL; t = t->next) {
		count += harness_wanted(t->name, argc, argv);
		if (list)
			harness_say("%s\n", t->name);
	}
	if (list)
		return 0;
	if (count == 0) {
		harness_say("Bail out! no test of that name\n");
		return 2;
	}
	harness_say("1..%d\n", count);
	for (struct harness_test *t = harness.first; t != NULL; t = t->next)
		if (harness_wanted(t->name, argc, argv))
			good = harness_run(t, ++number) && good;
	return good ? 0 : 1;
}

#endif /* TESTS_HARNESS_H */
