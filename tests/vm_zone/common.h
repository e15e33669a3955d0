/* SPDX-License-Identifier: BSD-2-Clause */
/* common.h - what the tests of vm_zones share */
#ifndef TESTS_VM_ZONE_COMMON_H
#define TESTS_VM_ZONE_COMMON_H

#include "zone/common.h"

#include <uma/vm_zone.h>

/* zalloc(), asked again: see hostile.h. */
static inline void *
sure_vm_zalloc(vm_zone_t z)
{
	void *item = zalloc(z);

	return item != NULL || !HOSTILE ? item : zalloc(z);
}

#endif /* TESTS_VM_ZONE_COMMON_H */
