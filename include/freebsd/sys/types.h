/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/types.h - the system's, or BSD's plain types where there is none */
#pragma GCC system_header
#if __has_include_next(<sys/types.h>)
#include_next <sys/types.h>
#elif !defined(UMA_FREEBSD_SYS_TYPES_H)
#define UMA_FREEBSD_SYS_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned char u_char;
typedef unsigned short u_short;
typedef unsigned int u_int;
typedef unsigned long u_long;
typedef uint8_t u_int8_t;
typedef uint16_t u_int16_t;
typedef uint32_t u_int32_t;
typedef uint64_t u_int64_t;
typedef int64_t quad_t;
typedef uint64_t u_quad_t;
typedef char *caddr_t;
typedef __PTRDIFF_TYPE__ ssize_t;

#endif
