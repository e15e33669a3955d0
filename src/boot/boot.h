/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot - the order in which rooms wake
 *
 * Why it is here.  Every room is asleep, all zeros, when the process starts.
 * The first use of the library wakes them, in whatever thread it happens; or
 * a program does it by hand, from memory of its own.
 *
 *	asleep --uma_startup()--> by hand --uma_startup2()--> running
 *	   \------ first use: one thread wakes, others wait ----^
 *
 * By hand, zones work from boot memory without caches until uma_startup2():
 * meta and supply are closed, so nothing asks the system for items or
 * headers.
 *
 * What it may touch.  base port watch lock percpu pagemap meta supply zone heap
 * malloc9 stats.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "base/base.h"

/*
 * Make sure that the library runs.
 *
 * Returns:  false without memory for it; the next call tries again.
 * Context:  any thread.  A handler that interrupted the waking itself gets
 *           false.
 */
bool boot_wake(void);

#endif /* BOOT_BOOT_H */
