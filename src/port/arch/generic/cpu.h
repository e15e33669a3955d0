/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PORT_ARCH_GENERIC_CPU_H
#define PORT_ARCH_GENERIC_CPU_H

#define ARCH_LOADS_IN_ORDER 0

/* Tell the core that this is a spin loop. */
static inline void
arch_relax(void)
{
}

#endif /* PORT_ARCH_GENERIC_CPU_H */
