/* SPDX-License-Identifier: BSD-2-Clause */
/* limit_data.c - as limit.c, of data: what can be written, not what is mapped */
#define RESOURCE RLIMIT_DATA
#include "limit.c"
