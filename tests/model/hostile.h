/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile.h - whether this build refuses memory on purpose
 *
 * A hostile build has slabs of three items and refuses every third supply, so
 * a call that needs memory may fail though there is some.
 */
#ifndef TESTS_MODEL_HOSTILE_H
#define TESTS_MODEL_HOSTILE_H

#include <stdbool.h>
#include <sys/wait.h>
#include <uma/stats.h>
#include <uma/uma.h>
#include <unistd.h>

enum { HOSTILE_ITEMS = 3 };

/* Makes a zone, looks at its first slab, and destroys it. */
static inline bool
hostile_here(void)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };
	uma_zone_t zone = uma_zcreate("look", 8, NULL, NULL, NULL, NULL, 7, 0);

	if (zone == NULL)
		return false;
	uma_prealloc(zone, 1);
	uma_zone_stats(zone, &s);
	(void)uma_zdestroy(zone, M_WAITOK);
	return s.free_items == HOSTILE_ITEMS;
}

/* The same in a child: the library still sleeps here afterwards. */
static inline bool
hostile_build(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(hostile_here() ? 1 : 0);
	return child > 0 && waitpid(child, &status, 0) == child && status != 0;
}

#endif /* TESTS_MODEL_HOSTILE_H */
