/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/uma.h - UMA where kernel sources look for it; see <uma/uma.h> */
#ifndef UMA_FREEBSD_VM_UMA_H
#define UMA_FREEBSD_VM_UMA_H

#include <sys/types.h>

#include <uma/uma.h>

#endif
