/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - which command; version and help */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char help[] =
    "usage: uma run [options] -- command [argument ...]\n"
    "       uma help | uma --version\n"
    "\n"
    "uma run    run a command on UMA's malloc and say what it did\n"
    "           (uma run --help lists its options)\n"
    "\n"
    "Try:  uma run -- git log --stat\n"
    "      uma run --vs glibc -- python3 script.py\n";

static void
say(const char *format, va_list arguments)
{
	char line[1024];

	vsnprintf(line, sizeof line, format, arguments);
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "uma: %s\n", line);
}

void
complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

void
fail(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	exit(status);
}

void *
must(void *memory)
{
	if (memory == NULL)
		fail(EXIT_OWN, "out of memory");
	return memory;
}

/*
 * A preload meant for the command is in the tool as well by now.  Start
 * again without; the command gets it back.
 */
static void
shed_preload(char **argv)
{
	const char *preload = getenv("LD_PRELOAD");
	char self[PATH_MAX];
	ssize_t length;

	if (preload == NULL || *preload == '\0')
		return;
	length = readlink("/proc/self/exe", self, sizeof self - 1);
	if (length <= 0)
		return;
	self[length] = '\0';
	if (setenv(PRELOAD_KEPT, preload, 1) != 0 || unsetenv("LD_PRELOAD"))
		fail(EXIT_OWN, "cannot change the environment: %s",
		    strerror(errno));
	execv(self, argv);
}

/*
 * A file that is opened must not come to be where messages go.  For the command
 * what was closed is closed.
 */
static void
hold_standard(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			(void)open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int
show(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		fail(EXIT_OWN, "standard output: %s", strerror(errno));
	return 0;
}

int
main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	hold_standard();
	if (strcmp(command, "run") == 0) {
		shed_preload(argv);
		return run_main(argc - 1, argv + 1);
	}
	if (strcmp(command, "--version") == 0 ||
	    strcmp(command, "version") == 0)
		return show("uma " UMA_VERSION "\n");
	if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 ||
	    strcmp(command, "-h") == 0)
		return show(help);
	if (*command == '\0')
		fail(EXIT_USAGE, "a command is missing: try `uma help`");
	fail(EXIT_USAGE, "'%s' is no command of uma: try `uma help`", command);
}
