/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfork.c - vfork made safe for the per-CPU caches
 *
 * The child of a real vfork runs in its parent's memory on a thread of its
 * own that the kernel has not registered for restartable sequences.  It reads
 * its parent's registration all the same: the CPU number there stays the one
 * the parent had when it was stopped.  An allocation in the child would work
 * on that CPU's cache, from any CPU, with nothing to abort it when another
 * thread comes in between.  One item would be handed out twice.
 *
 * POSIX asked of the child only that it calls exec or _exit and let vfork be
 * fork, which gives the child memory and a registration of its own.  What is
 * lost is speed in large processes, and the parent no longer sleeps until the
 * child is gone.
 *
 * posix_spawn, system and popen of the C library do not come through here:
 * they clone a sharing child themselves, and it calls exec without a single
 * allocation.  A program that calls clone with CLONE_VM itself must do the
 * same.
 */
#include <unistd.h>

#include "base/base.h"

UMA_EXPORT pid_t
vfork(void)
{
	return fork();
}
