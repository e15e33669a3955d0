/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc.c - malloc, calloc, realloc, free and their younger relatives */
#include <malloc.h>
#include <stdlib.h>

#include "libc/libc.h"

/* Names that the C library's headers do not declare, or not everywhere. */
UMA_EXPORT void cfree(void *block);
UMA_EXPORT void free_sized(void *block, size_t bytes);
UMA_EXPORT void free_aligned_sized(void *block, size_t align, size_t bytes);

void *
libc_no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

/*
 * Nothing needs this to be correct but a signal handler that would interrupt
 * the very start of the library: it comes before main and its handlers.
 */
__attribute__((constructor(101))) static void
start_early(void)
{
	uma_heap_free(uma_heap_alloc(0, HEAP_RAW), "free");
}

UMA_EXPORT void *
malloc(size_t bytes)
{
	void *block = heap_hit_alloc(bytes);

	if (likely(block != NULL))
		return block;
	return or_enomem(uma_heap_alloc(bytes, HEAP_RAW));
}

UMA_EXPORT void
free(void *block)
{
	if (likely(heap_hit_free(block)))
		return;
	uma_heap_free(block, "free");
}

UMA_EXPORT void *
calloc(size_t count, size_t item_bytes)
{
	size_t bytes;
	void *block;

	if (unlikely(__builtin_mul_overflow(count, item_bytes, &bytes)))
		return libc_no_memory();
	block = heap_hit_alloc(bytes);
	if (likely(block != NULL))
		return __builtin_memset(block, 0, bytes);
	return or_enomem(uma_heap_alloc(bytes, HEAP_ZERO));
}

/*
 * The standard left the size of zero open until C23 forbade it.  Programs on
 * Linux know what glibc does, which is to free the block.
 */
UMA_FAST void *
resize(void *block, size_t bytes, const char *function)
{
	if (block == NULL)
		return or_enomem(uma_heap_alloc(bytes, HEAP_RAW));
	if (unlikely(bytes == 0)) {
		uma_heap_free(block, function);
		return NULL;
	}
	return or_enomem(uma_heap_resize(block, bytes, function));
}

UMA_EXPORT void *
realloc(void *block, size_t bytes)
{
	return resize(block, bytes, "realloc");
}

UMA_EXPORT void *
reallocarray(void *block, size_t count, size_t item_bytes)
{
	size_t bytes;

	if (unlikely(__builtin_mul_overflow(count, item_bytes, &bytes)))
		return libc_no_memory();
	return resize(block, bytes, "reallocarray");
}

/* Gone from glibc's headers in 2.26; old binaries still call it. */
UMA_EXPORT void
cfree(void *block)
{
	uma_heap_free(block, "cfree");
}

/*
 * C23 makes a wrong size undefined.  The size once asked for is not kept, so
 * only one that the block cannot hold is known to be wrong.
 */
static void
check_size(const void *block, size_t bytes, const char *function)
{
	if (unlikely(bytes > uma_heap_usable(block, function)))
		uma_crime(function, "size mismatch", block, NULL);
}

UMA_EXPORT void
free_sized(void *block, size_t bytes)
{
	if (block == NULL)
		return;
	check_size(block, bytes, "free_sized");
	uma_heap_free(block, "free_sized");
}

/* An alignment that the address does not have was not the one asked for. */
UMA_EXPORT void
free_aligned_sized(void *block, size_t align, size_t bytes)
{
	if (block == NULL)
		return;
	check_size(block, bytes, "free_aligned_sized");
	if (unlikely(!is_pow2(align) || (uintptr_t)block % align != 0)) {
		uma_crime(
		    "free_aligned_sized", "alignment mismatch", block, NULL);
	}
	uma_heap_free(block, "free_aligned_sized");
}

UMA_EXPORT size_t
malloc_usable_size(void *block)
{
	size_t room = heap_hit_room(block);

	return likely(room != 0) ? room
				 : uma_heap_usable(block, "malloc_usable_size");
}
