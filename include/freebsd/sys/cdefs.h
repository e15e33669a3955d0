/* SPDX-License-Identifier: BSD-2-Clause */
/* sys/cdefs.h - compiler words of FreeBSD, after the system's if it has some */
#pragma GCC system_header
#if __has_include_next(<sys/cdefs.h>)
#include_next <sys/cdefs.h>
#endif
#ifndef UMA_FREEBSD_SYS_CDEFS_H
#define UMA_FREEBSD_SYS_CDEFS_H

#ifndef __BEGIN_DECLS
#ifdef __cplusplus
#define __BEGIN_DECLS extern "C" {
#define __END_DECLS   }
#else
#define __BEGIN_DECLS
#define __END_DECLS
#endif
#endif
#ifndef __P
#define __P(arguments) arguments
#endif
#ifndef __FBSDID
#define __FBSDID(text) struct __fbsdid_unused
#endif
#ifndef __dead2
#define __dead2 __attribute__((__noreturn__))
#endif
#ifndef __unused
#define __unused __attribute__((__unused__))
#endif
#ifndef __aligned
#define __aligned(n) __attribute__((__aligned__(n)))
#endif
#ifndef __packed
#define __packed __attribute__((__packed__))
#endif
#ifndef __printflike
#define __printflike(format, first) \
	__attribute__((__format__(__printf__, format, first)))
#endif

#endif
