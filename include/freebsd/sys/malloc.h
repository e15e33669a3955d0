/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys/malloc.h - malloc(9) by the names that FreeBSD's kernel gives it
 *
 * For kernel code in a process.  The names take the place of the C library's
 * in the file that includes this, so those of its headers that declare them
 * must come before it: <stdlib.h> is seen to, <malloc.h> is not.  malloc() is
 * a macro with arguments, as in the kernel; the others are plain words, so
 * that one can point to free(), and have a field of that name in a structure
 * that is declared after this.
 */
#ifndef UMA_FREEBSD_SYS_MALLOC_H
#define UMA_FREEBSD_SYS_MALLOC_H

/* It declares the C library's functions, before their names are taken. */
#include <sys/systm.h>

#include <uma/malloc9.h>

#define MALLOC_DEFINE(type, shortdesc, longdesc) \
	UMA_MALLOC_DEFINE(type, shortdesc, longdesc)
#define MALLOC_DECLARE(type) UMA_MALLOC_DECLARE(type)

#define M_DEVBUF uma_m_devbuf
#define M_TEMP   uma_m_temp

typedef struct malloc_type *malloc_type_t;
typedef void malloc_type_list_func_t(struct malloc_type *, void *);

#define malloc_init   uma_malloc_init
#define malloc_uninit uma_malloc_uninit

/* The C library may have made some of these macros. */
#undef malloc
#undef realloc
#undef reallocf
#undef free
#undef malloc_usable_size
#define malloc(size, type, flags) uma_malloc(size, type, flags)
#define malloc_aligned            uma_malloc_aligned
#define malloc_domainset          uma_malloc_domainset
#define malloc_domainset_aligned  uma_malloc_domainset_aligned
#define malloc_exec               uma_malloc_exec
#define malloc_domainset_exec     uma_malloc_domainset_exec
#define mallocarray               uma_mallocarray
#define mallocarray_domainset     uma_mallocarray_domainset
#define realloc                   uma_realloc
#define reallocf                  uma_reallocf
#define free                      uma_mfree
#define malloc_usable_size        uma_malloc_usable_size
#define malloc_size               uma_malloc_size

#ifdef zfree
#error "sys/malloc.h: vm_zone(9)'s zfree is active here: a file has one zfree"
#endif
#define zfree uma_mzfree

#define malloc_type_allocated uma_malloc_type_allocated
#define malloc_type_freed     uma_malloc_type_freed
#define malloc_type_list      uma_malloc_type_list
#define malloc_desc2type      uma_malloc_desc2type

#define WOULD_OVERFLOW uma_would_overflow

#endif /* UMA_FREEBSD_SYS_MALLOC_H */
