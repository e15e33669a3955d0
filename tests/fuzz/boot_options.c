/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot_options - UMA_OPTIONS is any string at all
 *
 * The input is the string.  What is read from it must be what a second,
 * simpler reading says; and each thing said on standard error is one line.
 */
#include "boot/options.h"

#include <string.h>

#include "fuzz/fuzz.h"
#include "port/port.h"

enum { LINE_MAX_BYTES = 256, HELP_LINES = 5 };

static char *string;
static unsigned lines;

/* See port.h. */
const char *
port_options(void)
{
	return string;
}

/* See port.h. */
void
port_print(const char *line, size_t bytes)
{
	FUZZ_CHECK(bytes > 1 && bytes <= LINE_MAX_BYTES);
	FUZZ_CHECK(line[bytes - 1] == '\n');
	FUZZ_CHECK(memcmp(line, "uma: ", 5) == 0);
	for (size_t i = 0; i + 1 < bytes; i++)
		FUZZ_CHECK((unsigned char)line[i] >= ' ');
	lines++;
}

/* See port.h. */
_Noreturn void
port_abort(void)
{
	abort();
}

/* What the string means, from copies of its parts. */
struct meaning {
	struct options options;
	unsigned lines;
};

/* What each value that is known sets one of the fields to. */
static const struct {
	const char *key;
	const char *value; /* NULL: any */
	size_t field;
	uint8_t to;
} values[] = {
	{ "percpu", "rseq", offsetof(struct options, generic), false },
	{ "percpu", "generic", offsetof(struct options, generic), true },
	{ "malloc9", "debug", offsetof(struct options, malloc9_debug), true },
	{ "malloc9", "exec", offsetof(struct options, malloc9_exec), true },
	{ "watch", "on", offsetof(struct options, unwatched), false },
	{ "watch", "off", offsetof(struct options, unwatched), true },
	{ "thp", "default", offsetof(struct options, thp), SUPPLY_THP_DEFAULT },
	{ "thp", "never", offsetof(struct options, thp), SUPPLY_THP_NEVER },
	{ "thp", "always", offsetof(struct options, thp), SUPPLY_THP_ALWAYS },
	{ "report", NULL, 0, false },
};

static void
read_option(struct meaning *m, char *option)
{
	char *value = option + strcspn(option, ":=");

	if (strcmp(option, "help") == 0) {
		m->lines += HELP_LINES;
		return;
	}
	if (*value != '\0')
		*value++ = '\0';
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		if (strcmp(option, values[i].key) != 0)
			continue;
		if (values[i].value == NULL)
			return;
		if (strcmp(value, values[i].value) == 0) {
			((uint8_t *)&m->options)[values[i].field] =
			    values[i].to;
			return;
		}
	}
	m->lines++;
}

static struct meaning
read_all(char *copy)
{
	struct meaning m = { .options.unwatched = !UMA_WATCH };
	char *rest = copy;

	while (rest != NULL) {
		char *comma = strchr(rest, ',');

		if (comma != NULL)
			*comma = '\0';
		if (*rest != '\0')
			read_option(&m, rest);
		rest = comma == NULL ? NULL : comma + 1;
	}
	return m;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	size_t length = strnlen((const char *)data, bytes);
	char *copy = malloc(length + 1);
	struct options options;
	struct meaning m;

	string = malloc(length + 1);
	if (copy == NULL || string == NULL)
		abort();
	memcpy(string, data, length);
	string[length] = '\0';
	memcpy(copy, string, length + 1);
	lines = 0;
	options_read(&options);
	m = read_all(copy);
	FUZZ_CHECK(options.generic == m.options.generic);
	FUZZ_CHECK(options.malloc9_debug == m.options.malloc9_debug);
	FUZZ_CHECK(options.malloc9_exec == m.options.malloc9_exec);
	FUZZ_CHECK(options.unwatched == m.options.unwatched);
	FUZZ_CHECK(options.thp == m.options.thp);
	FUZZ_CHECK(lines == m.lines);
	free(string);
	free(copy);
	return 0;
}
