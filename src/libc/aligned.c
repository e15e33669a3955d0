/* SPDX-License-Identifier: BSD-2-Clause */
/* aligned.c - the five ways to ask for an alignment, each with its own rules */
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "libc/libc.h"

/* `align` is a power of two.  NULL when there is no such memory. */
static void *
take(size_t align, size_t bytes)
{
	void *block = heap_hit_alloc_aligned(bytes, align);

	if (likely(block != NULL))
		return block;
	/* Room to align in must not push the sum past the largest block. */
	if (align > HEAP_MAX || bytes > HEAP_MAX - align)
		return NULL;
	return uma_heap_alloc_aligned(bytes, align, HEAP_RAW);
}

static void *
refuse(int error)
{
	errno = error;
	return NULL;
}

/* The page size is a fact of the running kernel, not of the build. */
static size_t
page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* C17: any size will do.  glibc 2.38 and later refuse odd alignments. */
UMA_EXPORT void *
aligned_alloc(size_t align, size_t bytes)
{
	if (!is_pow2(align))
		return refuse(EINVAL);
	return or_enomem(take(align, bytes));
}

/* Reports by its result; errno and *out are left alone on failure. */
UMA_EXPORT int
posix_memalign(void **out, size_t align, size_t bytes)
{
	void *block;

	if (!is_pow2(align) || align % sizeof(void *) != 0)
		return EINVAL;
	block = take(align, bytes);
	if (block == NULL)
		return ENOMEM;
	*out = block;
	return 0;
}

/* glibc takes any alignment and uses the next power of two. */
UMA_EXPORT void *
memalign(size_t align, size_t bytes)
{
	if (align > HEAP_MAX)
		return refuse(EINVAL);
	return or_enomem(take(pow2_up(align), bytes));
}

UMA_EXPORT void *
valloc(size_t bytes)
{
	return or_enomem(take(page_bytes(), bytes));
}

/* As valloc(), in whole pages. */
UMA_EXPORT void *
pvalloc(size_t bytes)
{
	size_t page = page_bytes();

	if (bytes > HEAP_MAX - page)
		return libc_no_memory();
	return or_enomem(take(page, round_up(bytes, page)));
}
