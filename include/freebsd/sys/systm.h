/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/systm.h - what kernel sources call, as far as a program has it
 *
 * The functions are the C library's.  panic() says why on standard error and
 * aborts.  There is no spl: nothing a program can do at no cost keeps others
 * out, and a macro that does nothing would lie.
 */
#pragma GCC system_header
#ifndef UMA_FREEBSD_SYS_SYSTM_H
#define UMA_FREEBSD_SYS_SYSTM_H

#include <sys/cdefs.h>
#include <sys/types.h>

#if __has_include_next(<stdio.h>)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#else
__BEGIN_DECLS
int printf(const char *format, ...) __printflike(1, 2);
int snprintf(char *to, size_t size, const char *format, ...) __printflike(3, 4);
int dprintf(int fd, const char *format, ...) __printflike(2, 3);
void abort(void) __dead2;
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
void bcopy(const void *from, void *to, size_t size);
void bzero(void *to, size_t size);
int bcmp(const void *left, const void *right, size_t size);
__END_DECLS
#endif

#define panic(...) \
	(dprintf(2, "panic: "), dprintf(2, __VA_ARGS__), dprintf(2, "\n"), \
	    abort())

#ifdef INVARIANTS
#define KASSERT(condition, message) \
	do { \
		if (!(condition)) \
			panic message; \
	} while (0)
#else
#define KASSERT(condition, message) \
	do { \
	} while (0)
#endif

#endif
