/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/linux/sys.h - the kernel, called so that nobody notices
 *
 * The port runs inside malloc, in signal handlers and before main.  libc's
 * wrappers set errno, can be cancelled, and can be replaced by a library that
 * allocates; syscall(2) can only do the first, which is undone here.
 */
#ifndef PORT_LINUX_SYS_H
#define PORT_LINUX_SYS_H

#include <errno.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"

_Static_assert(sizeof(long) == 8, "an argument holds any address or offset");

/* Tells port_forget() that a range may be a file's, not only private. */
extern _Atomic bool linux_objects_mapped;

/* The answer, or the error as a negative number, as the kernel gives it. */
static inline long
sys_call6(long number, long a, long b, long c, long d, long e, long f)
{
	int error = errno;
	long answer = syscall(number, a, b, c, d, e, f);

	if (answer == -1)
		answer = -errno;
	errno = error;
	return answer;
}

static inline long
sys_call(long number, long a, long b, long c)
{
	return sys_call6(number, a, b, c, 0, 0, 0);
}

/* A fact the kernel gave at the start, 0 if it did not: that sets errno. */
static inline unsigned long
sys_aux(unsigned long what)
{
	int error = errno;
	unsigned long fact = getauxval(what);

	errno = error;
	return fact;
}

/* An address as an argument. */
static inline long
sys_arg(const volatile void *addr)
{
	return (long)(uintptr_t)addr;
}

#endif /* PORT_LINUX_SYS_H */
