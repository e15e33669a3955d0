/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.c - the records that processes leave as they end
 *
 * Method: the program runs itself with a file for records, leaves in one way
 * or another, and the file is read: whose records there are, one or none.
 */
#include "conform.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

enum { CHILD = 5 };

static const struct rlimit none = { 0, RLIM_INFINITY };
static const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

/* Use that a record is about. */
static void
use(void)
{
	unsigned char *block = malloc(1000);

	if (block == NULL)
		_exit(9);
	stamp(block, 1000, 1);
	free(block);
}

/* ---- the ways to leave ---- */

static void
leave_quickly(void)
{
	use();
	if (atexit(use) != 0 || at_quick_exit(use) != 0)
		_exit(9);
	quick_exit(0);
}

/* A handler of exit() that leaves for good. */
static void
leave_now(void)
{
	_exit(0);
}

static void
leave_from_a_handler(void)
{
	use();
	if (atexit(leave_now) != 0)
		_exit(9);
	exit(0);
}

static void
leave_without_memory(void)
{
	use();
	if (setrlimit(RLIMIT_AS, &none) != 0)
		_exit(9);
	_exit(0);
}

static void
leave_with_child(void (*in_child)(void))
{
	pid_t child;

	use();
	child = fork();
	if (child == 0) {
		in_child();
		_exit(CHILD);
	}
	if (status_of(child) != CHILD || setrlimit(RLIMIT_AS, &all) != 0)
		_exit(9);
	_exit(0);
}

static void
leave_with_busy_child(void)
{
	leave_with_child(use);
}

static void
do_nothing(void)
{
}

static void
leave_with_idle_child(void)
{
	leave_with_child(do_nothing);
}

static void
use_all(void)
{
	if (setrlimit(RLIMIT_AS, &all) != 0)
		_exit(9);
	use();
}

/* It cannot know what its parent did, so it says nothing. */
static void
leave_with_child_without_memory(void)
{
	use();
	if (setrlimit(RLIMIT_AS, &none) != 0)
		_exit(9);
	leave_with_child(use_all);
}

static void
leave_with_child_of_no_handlers(void)
{
	pid_t child;

	use();
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(CHILD);
	_exit(status_of(child) == CHILD ? 0 : 9);
}

static void
leave_without_the_file(void)
{
	use();
	if (unlink(getenv("REPORT_FILE")) != 0)
		_exit(9);
	_exit(0);
}

/* ---- after the record was left ---- */

static void (*last_of_all)(void);

static void
leave_at_last(int status, void *arg)
{
	(void)status;
	(void)arg;
	last_of_all();
}

/*
 * What is registered while destructors run comes behind them all, the
 * library's too.  Not by atexit(): that belongs to this program, and would
 * come at the end of its own destructors.
 */
__attribute__((destructor)) static void
come_after_the_record(void)
{
	if (last_of_all != NULL && on_exit(leave_at_last, NULL) != 0)
		_exit(9);
}

static void
leave_after_the_record(void (*how)(void))
{
	use();
	last_of_all = how;
	exit(9);
}

static void
leave_once_more(void)
{
	leave_after_the_record(leave_now);
}

/* The C library has forgotten all handlers of who is at an end. */
static void
leave_with_late_child(void)
{
	leave_after_the_record(leave_with_busy_child);
}

/* ---- as the record is written ---- */

static bool forks_in_write;

static void
fork_in_write(void)
{
	pid_t child = fork();

	if (child == 0) {
		use();
		_exit(CHILD);
	}
	if (status_of(child) != CHILD)
		_exit(9);
}

/* Every system call that the library makes by number comes here. */
__attribute__((visibility("default"))) long
syscall(long number, ...)
{
	static long (*next)(long number, ...);
	long given[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		given[i] = va_arg(list, long);
	va_end(list);
	if (next == NULL)
		next =
		    (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_write && forks_in_write) {
		forks_in_write = false;
		fork_in_write();
	}
	return next(
	    number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

static void
leave_with_child_made_in_write(void)
{
	use();
	forks_in_write = true;
	_exit(0);
}

/* The file may not grow: the record is lost, and its process ends well. */
static void
leave_with_a_full_file(void)
{
	use();
	if (setrlimit(RLIMIT_FSIZE, &none) != 0)
		_exit(9);
	_exit(0);
}

static const struct way {
	const char *name;
	void (*leave)(void);
	int records;
} ways[] = {
	{ "quick_exit, with handlers", leave_quickly, 1 },
	{ "_exit from a handler of exit", leave_from_a_handler, 1 },
	{ "without memory", leave_without_memory, 0 },
	{ "with a child that does something", leave_with_busy_child, 2 },
	{ "with a child that does nothing", leave_with_idle_child, 1 },
	{ "with a child without memory", leave_with_child_without_memory, 1 },
	{ "with a child that runs no handlers", leave_with_child_of_no_handlers,
	    1 },
	{ "without the file", leave_without_the_file, -1 },
	{ "_exit after the record", leave_once_more, 1 },
	{ "with a child made after the record", leave_with_late_child, 1 },
	{ "with a child made as it is written", leave_with_child_made_in_write,
	    2 },
	{ "where the file may not grow", leave_with_a_full_file, 0 },
};

__attribute__((constructor)) static void
leave(void)
{
	const char *way = getenv("REPORT_WAY");

	if (way != NULL) {
		unsetenv("REPORT_WAY");
		ways[strtoul(way, NULL, 10)].leave();
		_exit(9);
	}
}

/* ---- what is in the file ---- */

/* Whole records, or -1 if there is no file; another thing is a failure. */
static int
records_in(const char *path)
{
	FILE *in = fopen(path, "r");
	char line[8192];
	int heads = 0;
	int ends = 0;

	if (in == NULL)
		return -1;
	while (fgets(line, sizeof line, in) != NULL) {
		CHECK(heads == ends + (strncmp(line, "uma-report ", 11) != 0));
		heads += strncmp(line, "uma-report ", 11) == 0;
		ends += strcmp(line, "end\n") == 0;
	}
	fclose(in);
	CHECK_EQ(heads, ends);
	return heads;
}

static void
run_itself(const char *path, const char *options, unsigned way)
{
	char number[16];
	pid_t child;

	snprintf(number, sizeof number, "%u", way);
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0) {
		setenv("UMA_OPTIONS", options, 1);
		setenv("REPORT_FILE", path, 1);
		setenv("REPORT_WAY", number, 1);
		execl("/proc/self/exe", "report", (char *)NULL);
		_exit(8);
	}
	CHECK_EQ(status_of(child), 0);
}

/* Of each way, with what follows the key. */
static void
check_way(const char *options, unsigned way)
{
	char path[] = "/tmp/uma-report-XXXXXX";
	char text[200];
	int file = mkstemp(path);
	int records;

	REQUIRE(file >= 0);
	close(file);
	snprintf(text, sizeof text, options, path);
	run_itself(path, text, way);
	records = records_in(path);
	if (!CHECK_EQ(records, ways[way].records))
		harness_say("#   %s: %s\n", text, ways[way].name);
	unlink(path);
}

TEST_TIME(each_way_out_leaves_its_records, 120)
{
	if (getenv("UMA_CONFORM") == NULL)
		SKIP("for this library only");
	for (unsigned way = 0; way < COUNT_OF(ways); way++)
		check_way("report:%s", way);
}

/* The last one counts; and what is no file's name is not one. */
TEST(the_option_among_others)
{
	if (getenv("UMA_CONFORM") == NULL)
		SKIP("for this library only");
	check_way("percpu:generic,report=%s", 0);
	check_way("report:/nowhere/at/all,report:%s,", 0);
	check_way("report:%s,report:", 0);
}

/* A name that is too long for a path is none. */
TEST(a_name_without_end)
{
	static char options[10000] = "report:";
	char path[] = "/tmp/uma-report-XXXXXX";
	int file = mkstemp(path);

	if (getenv("UMA_CONFORM") == NULL)
		SKIP("for this library only");
	REQUIRE(file >= 0);
	close(file);
	memset(options + strlen(options), 'x', sizeof options - 100);
	run_itself(path, options, 0);
	CHECK_EQ(records_in(path), 0);
	unlink(path);
}

TEST_MAIN
