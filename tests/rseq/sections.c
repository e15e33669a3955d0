/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding sections and their instructions: see sections.h. */
#define _GNU_SOURCE
#include "sections.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define LINE_BYTES 512

/* Where a library lies, and in which file. */
struct place {
	uintptr_t base;
	char path[LINE_BYTES];
};

/* What has been seen of the listing. */
struct listing {
	char function[64];
	uintptr_t before[2]; /* the last two instructions, latest first */
};

static bool
find_library(pid_t pid, const char *library, struct place *out)
{
	char line[LINE_BYTES];
	bool found = false;
	FILE *maps;

	snprintf(line, sizeof line, "/proc/%d/maps", (int)pid);
	maps = fopen(line, "r");
	while (maps != NULL && !found && fgets(line, sizeof line, maps)) {
		unsigned long offset = 1;
		char *slash = strchr(line, '/');

		if (slash == NULL || strstr(slash, library) == NULL ||
		    sscanf(line, "%*s %*s %lx", &offset) != 1 || offset != 0)
			continue;
		out->base = strtoul(line, NULL, 16);
		slash[strcspn(slash, "\n")] = '\0';
		strcpy(out->path, slash);
		found = true;
	}
	if (maps != NULL)
		fclose(maps);
	return found;
}

static bool
read_at(FILE *f, uint64_t offset, void *out, size_t bytes)
{
	return fseek(f, (long)offset, SEEK_SET) == 0 &&
	       fread(out, bytes, 1, f) == 1;
}

/* The address and size of the descriptors, from the section headers. */
static bool
find_descriptors(const char *path, uint64_t *address, uint64_t *bytes)
{
	FILE *f = fopen(path, "rb");
	Elf64_Shdr head, names;
	Elf64_Ehdr elf;
	char name[16] = "";
	bool found = false;

	if (f == NULL)
		return false;
	if (!read_at(f, 0, &elf, sizeof elf) ||
	    !read_at(f, elf.e_shoff + elf.e_shstrndx * sizeof names, &names,
		sizeof names))
		elf.e_shnum = 0;
	for (unsigned i = 0; i < elf.e_shnum && !found; i++) {
		if (!read_at(
			f, elf.e_shoff + i * sizeof head, &head, sizeof head) ||
		    !read_at(f, names.sh_offset + head.sh_name, name,
			sizeof name - 1))
			continue;
		found = strcmp(name, "__rseq_cs") == 0;
	}
	fclose(f);
	*address = head.sh_addr;
	*bytes = head.sh_size;
	return found;
}

static int
read_descriptors(
    pid_t pid, const struct place *place, struct section *out, int max)
{
	uint64_t address, bytes;
	struct descriptor d;
	int n = 0;

	if (!find_descriptors(place->path, &address, &bytes))
		return -1;
	for (uint64_t at = 0; at + sizeof d <= bytes && n < max;
	     at += sizeof d) {
		struct iovec to = { &d, sizeof d };
		struct iovec from = { (char *)place->base + address + at,
			sizeof d };

		if (process_vm_readv(pid, &to, 1, &from, 1, 0) !=
		    (ssize_t)sizeof d)
			return -1;
		out[n++] = (struct section){ .start = d.start,
			.end = d.start + d.bytes,
			.abort = d.abort };
	}
	return n;
}

/* The commit's register is the one in brackets at the end of its line. */
static void
note_commit(struct section *s, const char *text)
{
	const char *open = strrchr(text, '(');

	s->commits = strncmp(text, "mov ", 4) == 0 && open != NULL &&
		     strchr(text, '\n') == strchr(text, ')') + 1;
	if (s->commits)
		snprintf(s->record_register, sizeof s->record_register, "%.*s",
		    (int)strcspn(open + 2, ")"), open + 2);
}

static void
note_instruction(struct section *s, const struct listing *l, uintptr_t address,
    const char *text)
{
	if (address < s->start || address > s->end || s->stops >= STOPS_MAX - 2)
		return;
	if (address == s->start) {
		strcpy(s->function, l->function);
		s->stop[s->stops++] = l->before[1];
		s->stop[s->stops++] = l->before[0];
	}
	s->stop[s->stops++] = address;
	if (address < s->end)
		note_commit(s, text);
}

static void
note_line(struct listing *l, char *line, const struct place *place,
    struct section *s, int count)
{
	char *open = strstr(line, " <");
	char *colon = strchr(line, ':');
	char *tab = strchr(line, '\t');
	uintptr_t address = place->base + strtoul(line, NULL, 16);

	if (open != NULL && line[0] == '0') {
		snprintf(l->function, sizeof l->function, "%.*s",
		    (int)strcspn(open + 2, ">"), open + 2);
	} else if (colon != NULL && tab == colon + 1) {
		for (int i = 0; i < count; i++)
			note_instruction(&s[i], l, address, tab + 1);
		l->before[1] = l->before[0];
		l->before[0] = address;
	}
}

int
sections_read(pid_t pid, const char *library, struct section *out, int max)
{
	char line[LINE_BYTES + 64];
	struct listing listing = { .function = "?" };
	struct place place;
	FILE *objdump;
	int n;

	if (!find_library(pid, library, &place))
		return -1;
	n = read_descriptors(pid, &place, out, max);
	snprintf(line, sizeof line, "objdump -d --no-show-raw-insn '%s'",
	    place.path);
	objdump = popen(line, "r");
	while (objdump != NULL && fgets(line, sizeof line, objdump) != NULL)
		note_line(&listing, line, &place, out, n);
	if (objdump == NULL || pclose(objdump) != 0)
		return -1;
	for (int i = 0; i < n; i++) {
		const struct section *s = &out[i];

		if (s->stops < 4 || s->stop[2] != s->start ||
		    s->stop[s->stops - 1] != s->end)
			return -1;
	}
	return n;
}

uintptr_t
sections_symbol(pid_t pid, const char *library, const char *name)
{
	char line[LINE_BYTES + 64];
	struct place place;
	uintptr_t found = 0;
	FILE *nm;

	if (!find_library(pid, library, &place))
		return 0;
	snprintf(line, sizeof line, "nm '%s'", place.path);
	nm = popen(line, "r");
	while (nm != NULL && fgets(line, sizeof line, nm) != NULL) {
		char *last = strrchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		if (last != NULL && strcmp(last + 1, name) == 0)
			found = place.base + strtoul(line, NULL, 16);
	}
	return nm != NULL && pclose(nm) == 0 ? found : 0;
}
