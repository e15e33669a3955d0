/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/vm_object.h - room for an object, for sources that hand it to zinitna()
 *
 * It stays unused there.  Not for uma_zone_set_obj(), which takes an object of
 * uma_object_create() or NULL, and refuses this one.
 */
#ifndef UMA_FREEBSD_VM_VM_OBJECT_H
#define UMA_FREEBSD_VM_VM_OBJECT_H

#include <vm/vm.h>

struct vm_object {
	void *unused[8];
};

#endif
