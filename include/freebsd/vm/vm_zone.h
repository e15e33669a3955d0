/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/vm_zone.h - vm_zone(9) by the names that FreeBSD's kernel gave it
 *
 * Real vm_zones, not the macros over UMA of 2002.  A file cannot include this
 * and have malloc(9)'s zfree() as well: kernels that had the one had not yet
 * the other.
 */
#ifndef UMA_FREEBSD_VM_VM_ZONE_H
#define UMA_FREEBSD_VM_VM_ZONE_H

#ifdef UMA_VM_ZONE_PREFIXED
#error "vm/vm_zone.h: drop UMA_VM_ZONE_PREFIXED, which hides these names"
#endif
#include <uma/vm_zone.h>

#endif
