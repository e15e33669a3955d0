/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stddef.h - the system's, or these few types where there is none
 *
 * No guard around the system's: C libraries ask it for one type at a time.
 */
#pragma GCC system_header
#if __has_include_next(<stddef.h>)
#include_next <stddef.h>
#elif !defined(UMA_FREEBSD_STDDEF_H)
#define UMA_FREEBSD_STDDEF_H

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;

#ifndef NULL
#ifdef __cplusplus
#define NULL __null
#else
#define NULL ((void *)0)
#endif
#endif
#define offsetof(type, field) __builtin_offsetof(type, field)

#endif
