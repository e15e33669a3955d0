/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf - any file as the program that `uma run` looks at
 *
 * The input is the file, run by the name `input` in a folder where there are
 * also a pipe, a folder, and what a script may name as its interpreter.  The
 * look must end, and warn in one line at most.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "tool.h"

static char folder[] = "/tmp/uma-fuzz.XXXXXX";
static unsigned complaints;

/* See tool.h. */
void
complain(const char *format, ...)
{
	char line[8192];
	va_list arguments;

	va_start(arguments, format);
	FUZZ_CHECK(vsnprintf(line, sizeof line, format, arguments) > 0);
	va_end(arguments);
	complaints++;
}

/* See tool.h.  No file is a reason to end the tool. */
void
fail(int status, const char *format, ...)
{
	(void)status;
	fuzz_fail(format, 0, "the file can be looked at");
}

/* See tool.h. */
void *
must(void *memory)
{
	FUZZ_CHECK(memory != NULL);
	return memory;
}

static void
tidy_up(void)
{
	unlink("input");
	unlink("pipe");
	rmdir("folder");
	(void)!chdir("/");
	rmdir(folder);
}

/* The file is in memory, and has a name by a link. */
static int
start(void)
{
	char path[64];
	int fd = memfd_create("input", 0);

	FUZZ_CHECK(fd >= 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	FUZZ_CHECK(mkdtemp(folder) != NULL);
	FUZZ_CHECK(chdir(folder) == 0);
	atexit(tidy_up);
	FUZZ_CHECK(mkfifo("pipe", 0700) == 0);
	FUZZ_CHECK(mkdir("folder", 0700) == 0);
	FUZZ_CHECK(symlink(path, "input") == 0);
	FUZZ_CHECK(setenv("PATH", folder, 1) == 0);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static int fd = -1;

	if (fd < 0)
		fd = start();
	FUZZ_CHECK(ftruncate(fd, 0) == 0);
	FUZZ_CHECK(pwrite(fd, data, bytes, 0) == (ssize_t)bytes);
	complaints = 0;
	elf_warn("input", "/proc/self/exe");
	FUZZ_CHECK(complaints <= 1);
	complaints = 0;
	elf_warn("/proc/self/exe", "input");
	FUZZ_CHECK(complaints <= 1);
	(void)elf_is("input");
	return 0;
}
