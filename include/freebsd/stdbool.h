/* SPDX-License-Identifier: BSD-2-Clause */
/* stdbool.h - the system's, or the same where there is none */
#pragma GCC system_header
#if __has_include_next(<stdbool.h>)
#include_next <stdbool.h>
#elif !defined(UMA_FREEBSD_STDBOOL_H) && !defined(__cplusplus)
#define UMA_FREEBSD_STDBOOL_H

#define bool _Bool
#define true 1
#define false 0

#define __bool_true_false_are_defined 1

#endif
