/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool.h - the parts of the `uma` command
 *
 *	main.c     which command; version and help
 *	options.c  what `uma run` was asked
 *	find.c     where commands and libraries are
 *	elf.c      whether a program can be preloaded into
 *	child.c    one run of a command: environment, signals, exit, usage
 *	record.c   what the processes reported as they ended
 *	types.c    and of their types of malloc(9)
 *	report.c   what is shown of it
 *	run.c      the order of it all
 *
 * The tool never allocates from the library it measures: main() starts it
 * anew without a preload if it finds itself with one.
 */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The statuses of env(1), timeout(1) and the shells. */
enum {
	EXIT_USAGE = 2,     /* the command line is wrong */
	EXIT_OWN = 125,     /* the tool could not do its part */
	EXIT_NOEXEC = 126,  /* the command is there but cannot be run */
	EXIT_NOTFOUND = 127 /* the command is not there */
};

/* Where main() hides the user's LD_PRELOAD from the tool itself. */
#define PRELOAD_KEPT "UMA_RUN_LD_PRELOAD"

#define ROUNDS_MAX 100

/* ---- main.c ---- */

/* One line on standard error, "uma: " before it. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* The same, and exit with `status`. */
__attribute__((noreturn, format(printf, 2, 3))) void fail(
    int status, const char *format, ...);

/* Memory or the end. */
void *must(void *memory);

/* ---- options.c ---- */

struct options {
	const char *stats;   /* file for the table, or NULL */
	const char *peer;    /* --vs, or NULL */
	const char *added;   /* --options, or NULL */
	const char *preload; /* --preload, or NULL */
	int rounds;
	bool wait; /* for what the command leaves behind, too */
	char **command;
};

/* Answers --help and refuses nonsense by itself. */
void options_read(struct options *options, int argc, char **argv);

/* ---- find.c ---- */

/*
 * The file that execvp() would run; the caller frees it.
 * Exits with 127 or 126 and one line when there is none.
 */
char *find_command(const char *name);

/* The same for the interpreter of a script: NULL when there is none. */
char *find_in_path(const char *name);

/* The library to preload, or exit. */
char *find_library(const char *asked);

/* What to preload for --vs; NULL for the C library's own malloc; or exit. */
char *find_peer(const char *peer);

/* ---- elf.c ---- */

/* Whether the file is a program rather than a script or text. */
bool elf_is(const char *path);

/* Warn, in one line, if the command will not take a preload. */
void elf_warn(const char *path, const char *library);

/* ---- child.c ---- */

/* What to run. */
struct job {
	const char *path; /* of the command, as found */
	char **command;
	const char *library;     /* to preload, or NULL */
	const char *uma_options; /* the value of UMA_OPTIONS, or NULL */
	bool is_quiet;           /* standard output to nowhere */
	bool wait;
};

/* How it went. */
struct outcome {
	int status; /* as waitpid() gives it */
	double seconds;
	uint64_t peak_bytes; /* of the process that held most */
	uint64_t faults;
	bool left_running; /* some process outlived the command */
	bool interrupted;  /* the tool was asked to end */
};

/*
 * Make every run read the same standard input: a file from where it stands
 * now.  What cannot be read twice becomes empty, with a warning.
 */
void child_share_input(void);

/* Run it; exits with 126 or 127 if it cannot be started. */
void child_run(const struct job *job, struct outcome *outcome);

/* Exit as the command did: with its status, or by its signal. */
__attribute__((noreturn)) void child_follow(int status);

/* ---- record.c ---- */

/* A zone, summed over all processes that have one of its name and size. */
struct zone {
	char *name;
	uint64_t size;
	uint64_t limit;
	uint64_t used;
	uint64_t free;
	uint64_t allocs;
	uint64_t frees;
	uint64_t fails;
	uint64_t sleeps;
	uint64_t xdomain;
	uint64_t misses;
	uint64_t slab;
};

/* More classes than the library has. */
#define TYPE_SIZES_MAX 64

/* A type of malloc(9), summed over all processes that have its name. */
struct type {
	char *name;
	uint64_t used;
	uint64_t bytes;
	uint64_t allocs;
	uint64_t sizes[TYPE_SIZES_MAX]; /* rising */
	size_t size_count;
};

struct tally {
	struct zone *zones;
	size_t zone_count;
	size_t zone_max;
	struct type *types;
	size_t type_count;
	size_t type_max;
	uint64_t processes;
	uint64_t large; /* bytes in large blocks at exit */
	uint64_t large_allocs;
	uint64_t large_frees;
};

/* Zones of a tally, and types; what more there are is summed in the last. */
#define RECORD_ROWS_MAX 4096
#define RECORD_OTHERS   "(others)"

/* Add every complete record of the file, from its start. */
void record_read(int fd, struct tally *tally);
void record_drop(struct tally *tally);

/* A name with `?` for what no terminal should get; the same string. */
char *clean_name(char *name);

/* The next "KEY VALUE" of a line; false at its end or at what is none. */
bool next_pair(char **rest, const char **key, uint64_t *value);

/* ---- types.c ---- */

/* Add the type of a record's line, from behind its first word. */
void types_read(char *line, struct tally *tally);
void types_add(struct tally *tally, const struct tally *record);
void types_drop(struct tally *tally);

/* The few that hold most, for the summary; nothing without a request. */
void types_show(FILE *out, const struct tally *tally);

/* Their table; nothing if there is no type with a request. */
void types_table(FILE *out, const struct tally *tally);

/* ---- report.c ---- */

/* Room for one number made readable. */
struct word {
	char text[32];
};

/* 9876, 54.3 k, 41.2 M: four digits at most. */
struct word word_count(uint64_t n);

/* 54.3 KiB. */
struct word word_bytes(uint64_t bytes);

/*
 * The table of all zones, laid out as FreeBSD's `vmstat -z`; and if there are
 * types of malloc(9), theirs, as `vmstat -m`.
 */
void report_table(FILE *out, const struct tally *tally);

/* What one run did, in at most eighteen lines. */
void report_run(FILE *out, const char *command, const struct outcome *outcome,
    const struct tally *tally);

/* Two allocators side by side: medians of `rounds` runs each. */
void report_peers(FILE *out, const char *peer, const struct outcome *uma,
    const struct outcome *other, int rounds, const struct tally *tally);

/* ---- run.c ---- */

int run_main(int argc, char **argv);

#endif /* TOOLS_TOOL_H */
