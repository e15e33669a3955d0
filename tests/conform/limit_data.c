/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit_data.c - as limit.c, of data: what can be written, not all addresses
 *
 * Enough for a second region, which has to go for the next to come.
 */
#define RESOURCE  RLIMIT_DATA
#define LIMIT_MIB 100
#include "limit.c"
