/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PORT_ARCH_SIM_CPU_H
#define PORT_ARCH_SIM_CPU_H

#include "port/sim/sequence.h"

#define ARCH_LOADS_IN_ORDER 0

/* Tell the scheduler that this is a spin loop. */
static inline void
arch_relax(void)
{
	sim_relax();
}

#endif /* PORT_ARCH_SIM_CPU_H */
