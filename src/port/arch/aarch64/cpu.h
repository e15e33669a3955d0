/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PORT_ARCH_AARCH64_CPU_H
#define PORT_ARCH_AARCH64_CPU_H

/* Whether loads are made in their order: then a plain one acquires. */
#define ARCH_LOADS_IN_ORDER 0

/*
 * Tell the core that this is a spin loop.  Not `yield`, which most cores take
 * for a nop: this one takes about as long as x86-64's pause.
 */
static inline void
arch_relax(void)
{
	__asm__ volatile("isb" ::: "memory");
}

#endif /* PORT_ARCH_AARCH64_CPU_H */
