/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PORT_ARCH_X86_64_CPU_H
#define PORT_ARCH_X86_64_CPU_H

/* Whether loads are made in their order: then a plain one acquires. */
#define ARCH_LOADS_IN_ORDER 1

/* Tell the core that this is a spin loop. */
static inline void
arch_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

#endif /* PORT_ARCH_X86_64_CPU_H */
