/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - what `uma run` was asked */
#define _GNU_SOURCE 1
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char help[] =
    "usage: uma run [options] -- command [argument ...]\n"
    "\n"
    "Run a command on UMA's malloc, follow its children, and say on standard\n"
    "error what they did.  The exit status is the command's.\n"
    "\n"
    "  --stats FILE    write the table of all zones (vmstat -z) to FILE\n"
    "  --vs PEER       run it on PEER as well and compare: glibc, jemalloc,\n"
    "                  mimalloc, or the path of a shared library\n"
    "  --rounds N      with --vs: runs of each, 1 to 100 (3)\n"
    "  --options STR   more options for the library, added to UMA_OPTIONS\n"
    "  --preload PATH  the libuma_malloc.so.1 to use\n"
    "  --wait          wait for processes that the command leaves behind\n"
    "  --help          this text\n"
    "\n"
    "Exit status when the command is not run: 2 wrong options, 125 a library\n"
    "or FILE cannot be used, 126 command not executable, 127 not found.\n";

enum { STATS = 256, VS, ROUNDS, OPTIONS, PRELOAD, WAIT, HELP };

static const struct option known[] = {
	{ "stats", required_argument, NULL, STATS },
	{ "vs", required_argument, NULL, VS },
	{ "rounds", required_argument, NULL, ROUNDS },
	{ "options", required_argument, NULL, OPTIONS },
	{ "preload", required_argument, NULL, PRELOAD },
	{ "wait", no_argument, NULL, WAIT },
	{ "help", no_argument, NULL, HELP },
	{ NULL, 0, NULL, 0 },
};

static int
read_rounds(const char *text)
{
	char *end;
	long rounds;

	errno = 0;
	rounds = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || rounds < 1 ||
	    rounds > ROUNDS_MAX)
		fail(EXIT_USAGE,
		    "run: --rounds: a whole number from 1 to %d, not '%s'",
		    ROUNDS_MAX, text);
	return (int)rounds;
}

static const char *
read_text(const char *name, const char *text)
{
	if (*text == '\0')
		fail(EXIT_USAGE, "run: --%s: its value is empty", name);
	return text;
}

static void
show_help(void)
{
	if (fputs(help, stdout) == EOF || fflush(stdout) == EOF)
		fail(EXIT_OWN, "standard output: %s", strerror(errno));
	exit(0);
}

static void
read_one(struct options *options, int option, char **argv)
{
	switch (option) {
	case STATS:
		options->stats = read_text("stats", optarg);
		break;
	case VS:
		options->peer = read_text("vs", optarg);
		break;
	case ROUNDS:
		options->rounds = read_rounds(optarg);
		break;
	case OPTIONS:
		options->added = read_text("options", optarg);
		break;
	case PRELOAD:
		options->preload = read_text("preload", optarg);
		break;
	case WAIT:
		options->wait = true;
		break;
	case HELP:
		show_help();
		break;
	case ':':
		fail(EXIT_USAGE, "run: %s: its value is missing",
		    argv[optind - 1]);
	default:
		if (optopt >= STATS)
			fail(EXIT_USAGE, "run: %s: takes no value",
			    argv[optind - 1]);
		/* Inside a bundle of letters optind is not yet past it. */
		if (optopt > 0)
			fail(EXIT_USAGE,
			    "run: -%c: no such option: try `uma run --help`",
			    optopt);
		fail(EXIT_USAGE,
		    "run: %s: no such option:"
		    " try `uma run --help`",
		    argv[optind - 1]);
	}
}

void
options_read(struct options *options, int argc, char **argv)
{
	int option;

	memset(options, 0, sizeof *options);
	/* The '+' leaves the command's own options alone. */
	while ((option = getopt_long(argc, argv, "+:", known, NULL)) != -1)
		read_one(options, option, argv);
	if (optind == argc)
		fail(EXIT_USAGE, "run: a command to run is missing:"
				 " try `uma run --help`");
	if (argv[optind][0] == '\0')
		fail(EXIT_USAGE, "run: the command's name is empty");
	if (options->rounds != 0 && options->peer == NULL)
		fail(EXIT_USAGE, "run: --rounds: needs --vs");
	if (options->rounds == 0)
		options->rounds = 3;
	options->command = argv + optind;
}
