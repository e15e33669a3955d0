/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request.h - every request to the system has a number, and can be refused
 *
 * The linker puts wrappers in front of the port's functions (see
 * meson.build).  They count, and refuse what they are told to.
 */
#ifndef TESTS_FAULT_REQUEST_H
#define TESTS_FAULT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

enum { REQUEST_PLANS = 2, REQUEST_NAME_BYTES = 64, REQUEST_OBJECTS = 16 };

struct request_log {
	unsigned count;               /* requests made so far */
	unsigned refused;             /* of these */
	unsigned plan[REQUEST_PLANS]; /* numbers to refuse; 0: none */
	unsigned from;                /* all from this number on; 0: none */
	unsigned to;                  /* ... up to this one; 0: no end */
	bool no_more;                 /* reserve no addresses */
	bool looks; /* each miss that takes memory looks for idle zones */
	char *last; /* gets the name of what was refused last */
	long pages; /* that the library has from the system */
};

extern struct request_log request_log;

/* Whether a range lies in one of the objects mapped last. */
bool request_in_object(const void *start, size_t bytes);

#endif /* TESTS_FAULT_REQUEST_H */
