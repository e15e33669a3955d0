/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sections.h - the restartable sections in a running process
 *
 * Those of one file at a time, a library or the program, named by a part of
 * its path.  The descriptors are read from the process's memory; objdump says
 * where instructions start.
 */
#ifndef TESTS_RSEQ_SECTIONS_H
#define TESTS_RSEQ_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STOPS_MAX 64

struct section {
	char function[64];
	uintptr_t start;
	uintptr_t end; /* the first instruction after it */
	uintptr_t abort;
	bool commits;            /* its last instruction stores */
	char record_register[8]; /* the one that this store goes through */
	/*
	 * Instructions: the two before the start (which load and store the
	 * descriptor's address), the section's own, the one after.
	 */
	uintptr_t stop[STOPS_MAX];
	int stops;
};

/*
 * Returns: how many sections were found and put in `out`; -1 when the library
 *          or objdump is not there, or a section is not made of instructions.
 */
int sections_read(pid_t pid, const char *library, struct section *out, int max);

/* Where a name of the library is, be it let out or not; 0: there is none. */
uintptr_t sections_symbol(pid_t pid, const char *library, const char *name);

/* The descriptor in memory. */
struct descriptor {
	uint32_t version;
	uint32_t flags;
	uint64_t start;
	uint64_t bytes;
	uint64_t abort;
};

#endif /* TESTS_RSEQ_SECTIONS_H */
