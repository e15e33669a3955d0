/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libc - the C library's malloc family, on the heap's blocks
 *
 * Why it is here.  A program gets the library under its feet by preloading
 * these names.  Everything about blocks is the heap's; this room only speaks
 * the C library's dialect: errno, zero sizes, overflow, odd alignments.
 *
 * What holds.
 *   1. The family is whole: a block of any function here may be given to any
 *      other, and none of the C library's own allocator is ever reached by
 *      these names.
 *   2. errno is ENOMEM or EINVAL after a failure that reports through errno,
 *      and is never written otherwise: the heap does not touch it.
 *   3. No block needs a constructor.  The dynamic linker calls malloc before
 *      any has run; the heap starts itself on its first call.
 *   4. No function here calls another of the family by its public name, or
 *      a compiler could turn one into a call of itself.
 *
 * What it may touch.  heap, the public headers, and the C library.
 * Locks.  None.
 */
#ifndef LIBC_LIBC_H
#define LIBC_LIBC_H

#include <errno.h>

#include "base/base.h"
#include "heap/heap.h"

/* Set errno to ENOMEM.  Returns NULL. */
UMA_SLOW void *libc_no_memory(void);

/* A block for a caller who looks for errno when it is NULL. */
UMA_FAST void *
or_enomem(void *block)
{
	/* A call rather than a store keeps the hit free of saved registers. */
	return likely(block != NULL) ? block : libc_no_memory();
}

#endif /* LIBC_LIBC_H */
