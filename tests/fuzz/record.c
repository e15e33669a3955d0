/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record - the file that processes report to may hold anything
 *
 * The input is the file.  Reading and showing it must end, with lines that
 * can be shown on a terminal, one for each zone and type.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "tool.h"

static unsigned complaints;

/* See tool.h. */
void
complain(const char *format, ...)
{
	(void)format;
	complaints++;
}

/* See tool.h.  No file is a reason to end the tool. */
void
fail(int status, const char *format, ...)
{
	(void)status;
	fuzz_fail(format, 0, "the record can be read");
}

/* See tool.h. */
void *
must(void *memory)
{
	FUZZ_CHECK(memory != NULL);
	return memory;
}

/* Lines of a text that can be shown. */
static size_t
lines_of(const char *text, size_t bytes)
{
	size_t lines = 0;

	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		FUZZ_CHECK(c == '\n' || (c >= ' ' && c <= '~'));
		lines += c == '\n';
	}
	FUZZ_CHECK(bytes == 0 || text[bytes - 1] == '\n');
	return lines;
}

static size_t
types_shown(const struct tally *tally)
{
	size_t shown = 0;

	for (size_t i = 0; i < tally->type_count; i++)
		shown +=
		    tally->types[i].allocs != 0 || tally->types[i].used != 0;
	return shown + (shown != 0);
}

static void
show(const struct tally *tally)
{
	struct outcome outcome = { .seconds = 1 };
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	FUZZ_CHECK(out != NULL);
	report_table(out, tally);
	fflush(out);
	FUZZ_CHECK(lines_of(text, bytes) ==
		   3 + tally->zone_count + types_shown(tally));
	rewind(out);
	report_run(out, "command", &outcome, tally);
	report_peers(out, "peer", &outcome, &outcome, 3, tally);
	fclose(out);
	FUZZ_CHECK(lines_of(text, bytes) >= 2);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static int file = -1;
	struct tally tally = { 0 };

	if (file < 0)
		file = memfd_create("record", MFD_CLOEXEC);
	FUZZ_CHECK(ftruncate(file, 0) == 0);
	FUZZ_CHECK(pwrite(file, data, bytes, 0) == (ssize_t)bytes);
	complaints = 0;
	record_read(file, &tally);
	FUZZ_CHECK(complaints <= 1);
	FUZZ_CHECK(tally.zone_count <= RECORD_ROWS_MAX);
	FUZZ_CHECK(tally.type_count <= RECORD_ROWS_MAX);
	show(&tally);
	record_drop(&tally);
	return 0;
}
