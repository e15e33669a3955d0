/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - what the processes reported as they ended
 *
 * The library's side, and the form of a record, is in src/libc/exit.c.
 * Keys that are not known here are left out, so an older tool reads the
 * records of a newer library.
 *
 * Any process of the command can write to the file whatever it likes, now and
 * while it is read.  So no line, no number of zones and no length is believed:
 * what is kept is bounded, and so is what is read.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

#define LINE_BYTES 1024             /* as the library's */
#define FILE_MAX   ((off_t)1 << 30) /* of 100,000 processes, or so */

/* Where each key of a zone's line goes. */
static const struct {
	const char *key;
	size_t offset;
} zone_keys[] = {
	{ "size", offsetof(struct zone, size) },
	{ "limit", offsetof(struct zone, limit) },
	{ "used", offsetof(struct zone, used) },
	{ "free", offsetof(struct zone, free) },
	{ "allocs", offsetof(struct zone, allocs) },
	{ "frees", offsetof(struct zone, frees) },
	{ "fails", offsetof(struct zone, fails) },
	{ "sleeps", offsetof(struct zone, sleeps) },
	{ "xdomain", offsetof(struct zone, xdomain) },
	{ "misses", offsetof(struct zone, misses) },
	{ "slab", offsetof(struct zone, slab) },
};

static uint64_t *
field(struct zone *zone, size_t offset)
{
	return (uint64_t *)(void *)((char *)zone + offset);
}

/* ---- lines ---- */

/* See tool.h. */
bool
next_pair(char **rest, const char **key, uint64_t *value)
{
	char *word = strsep(rest, " ");
	char *number, *end;

	if (word == NULL || *rest == NULL || strcmp(word, "name") == 0)
		return false;
	number = strsep(rest, " ");
	errno = 0;
	*value = strtoull(number, &end, 10);
	*key = word;
	return errno == 0 && end != number && *end == '\0';
}

/* See tool.h. */
char *
clean_name(char *name)
{
	for (char *c = name; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return name;
}

static bool
parse_zone(char *line, struct zone *zone)
{
	const char *key;
	uint64_t value;

	memset(zone, 0, sizeof *zone);
	while (next_pair(&line, &key, &value)) {
		for (size_t i = 0; i < sizeof zone_keys / sizeof *zone_keys;
		     i++) {
			if (strcmp(zone_keys[i].key, key) == 0)
				*field(zone, zone_keys[i].offset) = value;
		}
	}
	/* What follows "name", blanks and all. */
	zone->name = line == NULL ? NULL : clean_name(line);
	return line != NULL;
}

static void
parse_total(char *line, struct tally *tally)
{
	const char *key;
	uint64_t value;

	while (next_pair(&line, &key, &value)) {
		if (strcmp(key, "large") == 0)
			tally->large = value;
		else if (strcmp(key, "large_allocs") == 0)
			tally->large_allocs = value;
		else if (strcmp(key, "large_frees") == 0)
			tally->large_frees = value;
	}
}

/* ---- sums ---- */

static struct zone *
find_zone(struct tally *tally, const struct zone *like)
{
	struct zone *zone;

	for (size_t i = 0; i < tally->zone_count; i++) {
		zone = &tally->zones[i];
		if (zone->size == like->size &&
		    strcmp(zone->name, like->name) == 0)
			return zone;
	}
	if (tally->zone_count == RECORD_ROWS_MAX)
		return &tally->zones[RECORD_ROWS_MAX - 1];
	if (tally->zone_count == tally->zone_max) {
		tally->zone_max = tally->zone_max * 2 + 64;
		tally->zones = must(
		    reallocarray(tally->zones, tally->zone_max, sizeof *zone));
	}
	zone = &tally->zones[tally->zone_count++];
	memset(zone, 0, sizeof *zone);
	if (tally->zone_count == RECORD_ROWS_MAX) {
		zone->name = must(strdup(RECORD_OTHERS));
		return zone;
	}
	zone->name = must(strdup(like->name));
	zone->size = like->size;
	return zone;
}

static void
add_zone(struct tally *tally, const struct zone *one)
{
	struct zone *sum = find_zone(tally, one);

	/* Each process has its own limit: the sum would bind none. */
	if (one->limit > sum->limit)
		sum->limit = one->limit;
	sum->used += one->used;
	sum->free += one->free;
	sum->allocs += one->allocs;
	sum->frees += one->frees;
	sum->fails += one->fails;
	sum->sleeps += one->sleeps;
	sum->xdomain += one->xdomain;
	sum->misses += one->misses;
	sum->slab += one->slab;
}

static void
add_record(struct tally *tally, const struct tally *record)
{
	for (size_t i = 0; i < record->zone_count; i++)
		add_zone(tally, &record->zones[i]);
	types_add(tally, record);
	tally->processes++;
	tally->large += record->large;
	tally->large_allocs += record->large_allocs;
	tally->large_frees += record->large_frees;
}

void
record_drop(struct tally *tally)
{
	for (size_t i = 0; i < tally->zone_count; i++)
		free(tally->zones[i].name);
	types_drop(tally);
	free(tally->zones);
	memset(tally, 0, sizeof *tally);
}

/* ---- the file ---- */

struct reader {
	FILE *file;
	off_t left; /* of what was there when the reading began */
	char line[LINE_BYTES];
};

/* The next line without its end, and without what is too long; or false. */
static bool
next_line(struct reader *r)
{
	size_t length = 0;
	int c = EOF;

	while (r->left > 0 && (c = getc_unlocked(r->file)) != EOF) {
		r->left--;
		if (c == '\n')
			break;
		if (length < sizeof r->line - 1)
			r->line[length++] = (char)c;
	}
	r->line[length] = '\0';
	return c != EOF;
}

static void
read_line(char *line, struct tally *record, struct tally *tally)
{
	struct zone zone;

	if (strncmp(line, "uma-report 1 ", 13) == 0) {
		record_drop(record);
	} else if (strncmp(line, "zone ", 5) == 0) {
		if (parse_zone(line + 5, &zone))
			add_zone(record, &zone);
	} else if (strncmp(line, "type ", 5) == 0) {
		types_read(line + 5, record);
	} else if (strncmp(line, "total ", 6) == 0) {
		parse_total(line + 6, record);
	} else if (strcmp(line, "end") == 0) {
		add_record(tally, record);
		record_drop(record);
	}
}

/*
 * A record counts when its `end` is there; one that a full disk cut short
 * is forgotten when the next begins.
 */
void
record_read(int fd, struct tally *tally)
{
	struct tally record = { 0 };
	struct reader r = { .file = NULL };
	struct stat st;
	int copy = dup(fd);

	if (copy < 0 || fstat(copy, &st) != 0 || lseek(copy, 0, SEEK_SET) != 0)
		fail(EXIT_OWN, "records: %s", strerror(errno));
	r.file = must(fdopen(copy, "r"));
	r.left = st.st_size;
	if (r.left > FILE_MAX) {
		complain("warning: the records are too long:"
			 " only the first GiB is counted");
		r.left = FILE_MAX;
	}
	while (next_line(&r))
		read_line(r.line, &record, tally);
	record_drop(&record);
	fclose(r.file);
}
