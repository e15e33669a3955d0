/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPU a test's thread runs on. */
#ifndef TESTS_CPUS_H
#define TESTS_CPUS_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

/*
 * Keep the calling thread on the n-th CPU that the process may use.  False if
 * there are not so many.
 */
static inline bool
cpu_pin(int n)
{
	static _Atomic int known;
	static cpu_set_t all;
	cpu_set_t one;

	/* The first call is made by one thread, before it pins itself. */
	if (atomic_load(&known) == 0) {
		if (sched_getaffinity(0, sizeof all, &all) != 0)
			return false;
		atomic_store(&known, 1);
	}
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || n-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		return sched_setaffinity(0, sizeof one, &one) == 0;
	}
	return false;
}

#endif /* TESTS_CPUS_H */
