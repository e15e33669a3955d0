/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command - `uma` with any arguments
 *
 * The input is the arguments, a NUL after each.  The whole of main() runs, up
 * to what would start the command.  Either the options are good, or there is
 * one line on standard error and a status that the manual page knows.
 */
#define _GNU_SOURCE 1
#include <getopt.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "tool.h"

int uma_main(int argc, char **argv);
#define main uma_main
#include "main.c"
#undef main

enum { ARGUMENTS = 64, RETURNED = 1000 };

/* What the linker makes of exit(). */
_Noreturn void __real_exit(int status);
_Noreturn void __wrap_exit(int status);

/* What does not live on ends: there is nothing to find in what it leaves. */
const char *__lsan_default_options(void);
const char *
__lsan_default_options(void)
{
	return "detect_leaks=0";
}

static bool is_inside;
static jmp_buf way_out;
static int exit_status;

void
__wrap_exit(int status)
{
	if (!is_inside)
		__real_exit(status);
	exit_status = status;
	longjmp(way_out, 1);
}

static bool
is_among(char **argv, int argc, char **at)
{
	return at >= argv && at < argv + argc;
}

/* See tool.h: everything before the command is run. */
int
run_main(int argc, char **argv)
{
	struct options o;

	options_read(&o, argc, argv);
	FUZZ_CHECK(is_among(argv, argc, o.command));
	FUZZ_CHECK(o.command[0][0] != '\0');
	FUZZ_CHECK(o.command > argv);
	FUZZ_CHECK(o.rounds >= 1 && o.rounds <= ROUNDS_MAX);
	FUZZ_CHECK(o.peer != NULL || o.rounds == 3);
	FUZZ_CHECK(o.stats == NULL || *o.stats != '\0');
	FUZZ_CHECK(o.peer == NULL || *o.peer != '\0');
	FUZZ_CHECK(o.added == NULL || *o.added != '\0');
	FUZZ_CHECK(o.preload == NULL || *o.preload != '\0');
	free(find_command(o.command[0]));
	return RETURNED;
}

/* One text for both standard streams, and back. */
struct capture {
	char *text[2];
	size_t bytes[2];
	FILE *was[2];
};

static void
capture(struct capture *c)
{
	memset(c, 0, sizeof *c);
	c->was[0] = stdout;
	c->was[1] = stderr;
	stdout = open_memstream(&c->text[0], &c->bytes[0]);
	stderr = open_memstream(&c->text[1], &c->bytes[1]);
	if (stdout == NULL || stderr == NULL)
		abort();
}

static void
release(struct capture *c)
{
	fclose(stdout);
	fclose(stderr);
	stdout = c->was[0];
	stderr = c->was[1];
}

static void
run(int argc, char **argv)
{
	optind = 0;
	is_inside = true;
	if (setjmp(way_out) == 0)
		exit_status = uma_main(argc, argv);
	is_inside = false;
}

/* One line that a terminal can show. */
static void
check_line(const char *text, size_t bytes)
{
	FUZZ_CHECK(bytes > 5 && text[bytes - 1] == '\n');
	FUZZ_CHECK(memcmp(text, "uma: ", 5) == 0);
	for (size_t i = 0; i + 1 < bytes; i++)
		FUZZ_CHECK((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

static void
check(const struct capture *c)
{
	if (exit_status == RETURNED || exit_status == 0) {
		FUZZ_CHECK((exit_status == 0) == (c->bytes[0] != 0));
		FUZZ_CHECK(c->bytes[1] == 0);
		return;
	}
	FUZZ_CHECK(exit_status == EXIT_USAGE || exit_status == EXIT_NOEXEC ||
		   exit_status == EXIT_NOTFOUND);
	FUZZ_CHECK(c->bytes[0] == 0);
	check_line(c->text[1], c->bytes[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *text = malloc(bytes + 1);
	char name[] = "uma";
	char *argv[ARGUMENTS + 2] = { name };
	int argc = 1;
	struct capture c;

	if (text == NULL)
		abort();
	memcpy(text, data, bytes);
	text[bytes] = '\0';
	for (char *at = text; at < text + bytes && argc <= ARGUMENTS;
	     at += strlen(at) + 1)
		argv[argc++] = at;
	capture(&c);
	run(argc, argv);
	release(&c);
	check(&c);
	free(c.text[0]);
	free(c.text[1]);
	free(text);
	return 0;
}
