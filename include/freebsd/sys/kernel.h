/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/kernel.h - SYSINIT: functions called before main()
 *
 * In the order of their subsystems within one program or shared library; the
 * order within a subsystem is kept in steps of a sixteenth of it.
 */
#ifndef UMA_FREEBSD_SYS_KERNEL_H
#define UMA_FREEBSD_SYS_KERNEL_H

#include <sys/cdefs.h>

/* Places in the order, not the kernel's numbers. */
#define SI_SUB_VM                         0
#define SI_SUB_KMEM                       1
#define SI_SUB_LOCK                       2
#define SI_SUB_MBUF                       3
#define SI_SUB_VFS                        4
#define SI_SUB_DRIVERS                    5
#define SI_SUB_PROTO                      6
#define SI_SUB_PSEUDO                     7
#define SI_ORDER_FIRST                    0
#define SI_ORDER_SECOND                   1
#define SI_ORDER_THIRD                    2
#define SI_ORDER_MIDDLE                   8
#define SI_ORDER_ANY                      15
#define UMA_SI_PRIORITY(subsystem, order) (1000 + (subsystem)*16 + (order))

#define SYSINIT(name, subsystem, order, function, argument) \
	__attribute__((__constructor__(UMA_SI_PRIORITY( \
	    subsystem, order)))) static void name##_sysinit(void) \
	{ \
		(function)(argument); \
	} \
	struct name##_sysinit_unused

#endif
