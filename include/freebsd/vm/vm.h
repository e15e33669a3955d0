/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/vm.h - addresses and sizes, as the VM system names them */
#ifndef UMA_FREEBSD_VM_VM_H
#define UMA_FREEBSD_VM_VM_H

#include <sys/types.h>

typedef unsigned long vm_offset_t;
typedef unsigned long vm_size_t;

struct vm_object;
typedef struct vm_object *vm_object_t;

#endif
