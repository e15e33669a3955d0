/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PORT_ARCH_GENERIC_CPU_H
#define PORT_ARCH_GENERIC_CPU_H

/* Tell the core that this is a spin loop. */
static inline void
arch_relax(void)
{
}

#endif /* PORT_ARCH_GENERIC_CPU_H */
