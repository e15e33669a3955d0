/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/param.h - small words of every kernel source
 *
 * No PAGE_SIZE: the page size is known when a program runs, not before.
 */
#pragma GCC system_header
#if __has_include_next(<sys/param.h>)
#include_next <sys/param.h>
#endif
#ifndef UMA_FREEBSD_SYS_PARAM_H
#define UMA_FREEBSD_SYS_PARAM_H

#include <sys/cdefs.h>
#include <sys/types.h>

#ifndef MIN
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
#ifndef howmany
#define howmany(x, y) (((x) + ((y)-1)) / (y))
#endif
#ifndef roundup
#define roundup(x, y) ((((x) + ((y)-1)) / (y)) * (y))
#endif
#ifndef rounddown
#define rounddown(x, y) (((x) / (y)) * (y))
#endif
#ifndef powerof2
#define powerof2(x) ((((x)-1) & (x)) == 0)
#endif
#ifndef nitems
#define nitems(array) (sizeof(array) / sizeof((array)[0]))
#endif

/* Mbufs of the time; a program may choose its own. */
#ifndef MSIZE
#define MSIZE 256
#endif
#ifndef MCLBYTES
#define MCLBYTES 2048
#endif

#endif
