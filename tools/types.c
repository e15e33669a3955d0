/* SPDX-License-Identifier: BSD-2-Clause */
/* types.c - the types of malloc(9) that the processes reported */
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define TYPES_SHOWN 5

/* ---- lines ---- */

/* Keep the sizes rising, and each once. */
static void
add_size(struct type *type, uint64_t size)
{
	size_t at = type->size_count;

	while (at > 0 && type->sizes[at - 1] > size)
		at--;
	if (at > 0 && type->sizes[at - 1] == size)
		return;
	if (type->size_count == TYPE_SIZES_MAX)
		return;
	memmove(&type->sizes[at + 1], &type->sizes[at],
	    (type->size_count - at) * sizeof *type->sizes);
	type->sizes[at] = size;
	type->size_count++;
}

/* "N,N,..." up to a blank or the end. */
static void
parse_sizes(const char *text, struct type *type)
{
	char *end;

	for (;;) {
		uint64_t size = strtoull(text, &end, 10);

		if (end == text)
			return;
		add_size(type, size);
		if (*end != ',')
			return;
		text = end + 1;
	}
}

/* The part of the line behind a word and its blank; NULL without it. */
static char *
behind(char *line, const char *word)
{
	char *at = strstr(line, word);

	return at == NULL ? NULL : at + strlen(word);
}

/* A name may hold anything, "sizes" too: it is cut off first. */
static bool
parse_type(char *line, struct type *type)
{
	const char *key;
	char *sizes;
	uint64_t value;

	memset(type, 0, sizeof *type);
	type->name = behind(line, " name ");
	if (type->name == NULL)
		return false;
	type->name[-(ptrdiff_t)strlen(" name ")] = '\0';
	clean_name(type->name);
	sizes = behind(line, " sizes ");
	if (sizes != NULL) {
		parse_sizes(sizes, type);
		sizes[-(ptrdiff_t)strlen(" sizes ")] = '\0';
	}
	while (next_pair(&line, &key, &value)) {
		if (strcmp(key, "used") == 0)
			type->used = value;
		else if (strcmp(key, "bytes") == 0)
			type->bytes = value;
		else if (strcmp(key, "allocs") == 0)
			type->allocs = value;
	}
	return true;
}

/* ---- sums ---- */

static struct type *
find_type(struct tally *tally, const char *name)
{
	struct type *type;

	for (size_t i = 0; i < tally->type_count; i++) {
		if (strcmp(tally->types[i].name, name) == 0)
			return &tally->types[i];
	}
	if (tally->type_count == RECORD_ROWS_MAX)
		return &tally->types[RECORD_ROWS_MAX - 1];
	if (tally->type_count == tally->type_max) {
		tally->type_max = tally->type_max * 2 + 16;
		tally->types = must(
		    reallocarray(tally->types, tally->type_max, sizeof *type));
	}
	type = &tally->types[tally->type_count++];
	memset(type, 0, sizeof *type);
	if (tally->type_count == RECORD_ROWS_MAX)
		name = RECORD_OTHERS;
	type->name = must(strdup(name));
	return type;
}

static void
add_type(struct tally *tally, const struct type *one)
{
	struct type *sum = find_type(tally, one->name);

	sum->used += one->used;
	sum->bytes += one->bytes;
	sum->allocs += one->allocs;
	for (size_t i = 0; i < one->size_count; i++)
		add_size(sum, one->sizes[i]);
}

/* See tool.h. */
void
types_read(char *line, struct tally *tally)
{
	struct type type;

	if (parse_type(line, &type))
		add_type(tally, &type);
}

/* See tool.h. */
void
types_add(struct tally *tally, const struct tally *record)
{
	for (size_t i = 0; i < record->type_count; i++)
		add_type(tally, &record->types[i]);
}

/* See tool.h.  The caller forgets the rest of the tally. */
void
types_drop(struct tally *tally)
{
	for (size_t i = 0; i < tally->type_count; i++)
		free(tally->types[i].name);
	free(tally->types);
}

/* ---- the summary ---- */

/* By live bytes, and what is left by use. */
static int
compare_types(const void *a, const void *b)
{
	const struct type *const *ta = a;
	const struct type *const *tb = b;

	if ((*ta)->bytes != (*tb)->bytes)
		return (*ta)->bytes < (*tb)->bytes ? 1 : -1;
	if ((*ta)->allocs != (*tb)->allocs)
		return (*ta)->allocs < (*tb)->allocs ? 1 : -1;
	return strcmp((*ta)->name, (*tb)->name);
}

/* See tool.h. */
void
types_show(FILE *out, const struct tally *tally)
{
	const struct type **order;

	order = must(calloc(tally->type_count + 1, sizeof *order));
	for (size_t i = 0; i < tally->type_count; i++)
		order[i] = &tally->types[i];
	qsort(order, tally->type_count, sizeof *order, compare_types);
	for (size_t i = 0; i < tally->type_count && i < TYPES_SHOWN; i++) {
		const struct type *t = order[i];

		if (t->allocs == 0 && t->used == 0)
			break;
		if (i == 0)
			fprintf(out, "uma: largest types    live at exit"
				     "    blocks  allocations\n");
		fprintf(out, "uma:   %-18.40s %12s %9s %12s\n", t->name,
		    word_bytes(t->bytes).text, word_count(t->used).text,
		    word_count(t->allocs).text);
	}
	free(order);
}

/* ---- the table ---- */

static void
print_type(FILE *out, const struct type *t)
{
	fprintf(out, "%13s %5" PRIu64 " %5" PRIu64 "K %8" PRIu64 "  ", t->name,
	    t->used, t->bytes / 1024 + (t->bytes % 1024 != 0), t->allocs);
	for (size_t i = 0; i < t->size_count; i++)
		fprintf(out, "%s%" PRIu64, i == 0 ? "" : ",", t->sizes[i]);
	fputc('\n', out);
}

/* See tool.h.  The widths are those of uma_malloc_stats_print(). */
void
types_table(FILE *out, const struct tally *tally)
{
	bool is_first = true;

	for (size_t i = 0; i < tally->type_count; i++) {
		const struct type *t = &tally->types[i];

		if (t->allocs == 0 && t->used == 0)
			continue;
		if (is_first)
			fprintf(out, "%13s %5s %6s %8s  Size(s)\n", "Type",
			    "InUse", "MemUse", "Requests");
		is_first = false;
		print_type(out, t);
	}
}
