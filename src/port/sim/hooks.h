/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/sim/hooks.h - included before everything in the rooms' simulated build
 *
 * Compilers do not announce what memset and memcpy touch, as the runtime they
 * write for replaces those functions.  Here they are named anew.
 */
#ifndef PORT_SIM_HOOKS_H
#define PORT_SIM_HOOKS_H

#include <stddef.h>

void *sim_memset(void *to, int byte, size_t bytes);
void *sim_memcpy(void *to, const void *from, size_t bytes);

#define __builtin_memset sim_memset
#define __builtin_memcpy sim_memcpy

#endif /* PORT_SIM_HOOKS_H */
