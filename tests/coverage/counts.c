/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counts - counters of lines that outlive their process
 *
 * gcov's own runtime writes its counters when a process exits.  Most processes
 * that the tests look at end otherwise: by a crime, _exit, exec, SIGKILL.  And
 * files should not be written, with malloc, in the middle of a test.  So that
 * runtime is not linked, and this file is, into each image of the build of
 * scripts/coverage.  counts.ld puts an image's counters on pages of their own;
 * here a file is mapped over them, one for each build id.  All processes add to
 * it, atomically, and nothing is left to do at their end.
 *
 * With COVERAGE_WRITE=FOLDER in its environment a program does nothing but
 * write its counters, and those of its libraries, as gcov reads them, into
 * FOLDER/BUILD-ID; a slash in a name becomes a number sign.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of the counters' files. */
#ifndef COVERAGE_COUNTS
#define COVERAGE_COUNTS "."
#endif

#define HIDDEN __attribute__((visibility("hidden")))
#define MAYBE  __attribute__((visibility("hidden"), weak))

enum { ID_BYTES = 32, PATH_BYTES = 1024 };

struct gcov_info;

/* Of the linker, of counts.ld, and of gcc's -fprofile-info-section. */
extern const ElfW(Ehdr) __ehdr_start HIDDEN;
extern char coverage_counts[] MAYBE;
extern char coverage_counts_end[] MAYBE;
extern const struct gcov_info *__start_coverage_infos[] MAYBE;
extern const struct gcov_info *__stop_coverage_infos[] MAYBE;

/* Of libgcov.a; it asks for nothing else there. */
HIDDEN void __gcov_info_to_gcda(const struct gcov_info *info,
    void (*name)(const char *, void *),
    void (*dump)(const void *, unsigned, void *),
    void *(*allocate)(unsigned, void *), void *arg);

/* Objects refer to it, and only the runtime would call it. */
HIDDEN void __gcov_merge_add(int64_t *counters, unsigned count);
void
__gcov_merge_add(int64_t *counters, unsigned count)
{
	(void)counters;
	(void)count;
	abort();
}

/* The value of a note of the kind in a segment of notes, or NULL. */
static const unsigned char *
find_note(const char *at, const char *end, uint32_t kind, uint32_t *bytes)
{
	while (at + sizeof(ElfW(Nhdr)) <= end) {
		const ElfW(Nhdr) *note = (const void *)at;
		const char *value =
		    at + sizeof *note + ((note->n_namesz + 3u) & ~3u);

		if (note->n_type == kind && note->n_namesz == 4 &&
		    memcmp(note + 1, "GNU", 4) == 0) {
			*bytes = note->n_descsz;
			return (const unsigned char *)value;
		}
		at = value + ((note->n_descsz + 3u) & ~3u);
	}
	return NULL;
}

/* This image's build id in hexadecimal; false without one. */
static bool
build_id(char text[2 * ID_BYTES + 1])
{
	const char *image = (const char *)&__ehdr_start;
	const ElfW(Phdr) *part = (const void *)(image + __ehdr_start.e_phoff);

	for (int i = 0; i < __ehdr_start.e_phnum; i++, part++) {
		const char *at = image + part->p_vaddr;
		const unsigned char *id = NULL;
		uint32_t bytes = 0;

		if (part->p_type == PT_NOTE)
			id = find_note(
			    at, at + part->p_memsz, NT_GNU_BUILD_ID, &bytes);
		if (id == NULL || bytes > ID_BYTES)
			continue;
		for (uint32_t b = 0; b < bytes; b++)
			sprintf(text + 2 * (size_t)b, "%02x", id[b]);
		return true;
	}
	return false;
}

/* ---- one file for all processes ---- */

/* What was counted before this is added to the file. */
static void
map_counts(int file, size_t bytes, bool shared)
{
	const int64_t *mine = (const void *)coverage_counts;
	void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    shared ? MAP_SHARED : MAP_PRIVATE, file, 0);
	_Atomic int64_t *all = mapped;

	if (mapped == MAP_FAILED)
		return;
	for (size_t i = 0; shared && i < bytes / sizeof *mine; i++)
		if (mine[i] != 0)
			atomic_fetch_add(&all[i], mine[i]);
	mremap(mapped, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
	    coverage_counts);
}

static void
open_counts(const char *id, bool shared)
{
	size_t bytes = (size_t)(coverage_counts_end - coverage_counts);
	char path[PATH_BYTES];
	int file;

	snprintf(path, sizeof path, "%s/%s", COVERAGE_COUNTS, id);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (file < 0)
		return;
	if (ftruncate(file, (off_t)bytes) == 0)
		map_counts(file, bytes, shared);
	close(file);
}

/* ---- and what gcov reads ---- */

struct output {
	const char *folder;
	FILE *file;
};

static void
begin_file(const char *name, void *arg)
{
	struct output *out = arg;
	char path[PATH_BYTES];
	int used = snprintf(path, sizeof path, "%s/", out->folder);

	snprintf(path + used, sizeof path - (size_t)used, "%s", name);
	for (char *c = path + used; *c != '\0'; c++)
		*c = *c == '/' ? '#' : *c;
	out->file = fopen(path, "w");
	if (out->file == NULL) {
		perror(path);
		_exit(1);
	}
}

static void
write_part(const void *part, unsigned bytes, void *arg)
{
	struct output *out = arg;

	fwrite(part, 1, bytes, out->file);
}

static void *
allocate(unsigned bytes, void *arg)
{
	(void)arg;
	return malloc(bytes);
}

static void
write_counts(const char *folder, const char *id)
{
	char path[PATH_BYTES];
	struct output out = { path, NULL };

	snprintf(path, sizeof path, "%s/%s", folder, id);
	if (mkdir(path, 0777) != 0)
		return; /* another program has written this library's */
	for (const struct gcov_info **info = __start_coverage_infos;
	     info != __stop_coverage_infos; info++) {
		__gcov_info_to_gcda(
		    *info, begin_file, write_part, allocate, &out);
		if (fclose(out.file) != 0) {
			perror(path);
			_exit(1);
		}
	}
}

static bool
is_program(void)
{
	return (const char *)getauxval(AT_PHDR) ==
	       (const char *)&__ehdr_start + __ehdr_start.e_phoff;
}

/* Libraries come before the program. */
__attribute__((constructor(101))) static void
count_for_all(void)
{
	const char *folder = getenv("COVERAGE_WRITE");
	char id[2 * ID_BYTES + 1];

	if (&coverage_counts_end[0] != &coverage_counts[0] && build_id(id)) {
		open_counts(id, folder == NULL);
		if (folder != NULL)
			write_counts(folder, id);
	}
	if (folder != NULL && is_program())
		_exit(0);
}
