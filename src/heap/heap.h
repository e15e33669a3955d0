/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap - memory by size: what every malloc is made of
 *
 * Why it is here.  The C library's malloc and malloc(9) want bytes, not typed
 * items.  Both take them here, so that their blocks share caches:
 *
 *	up to HEAP_SMALL_MAX   size-class zones "malloc-16" ... (the hit)
 *	up to HEAP_MEDIUM_MAX  the same, a block has one to four granules
 *	up to HEAP_LARGE_MAX   runs of granules from supply, dirty ones reused
 *	above                  a mapping of its own, resized by the system
 *
 * A medium block that has to be zero is a run, as supply knows how much of it
 * is; so is one that has grown, as a run may grow at its place.
 *
 * What holds.
 *   1. Every block starts in a granule that the page map knows; a lookup
 *      finds its class, or its large header.  Of a large block no more than
 *      the first granule is in the map.
 *   2. Classes are multiples of 16; a class is aligned to the largest power of
 *      two that divides it (up to a granule).
 *   3. Blocks above HEAP_SMALL_MAX are aligned to a granule at least.
 *
 * The uma_heap_ functions are exported for libuma_malloc of the same build
 * and for nobody else.
 *
 * What it may touch.  base port watch lock percpu pagemap meta supply slab keg
 * zone.
 * Locks.  None of its own.
 */
#ifndef HEAP_HEAP_H
#define HEAP_HEAP_H

#include "base/base.h"
#include "pagemap/pagemap.h"
#include "percpu/percpu.h"

#define HEAP_SMALL_MAX  32768u
#define HEAP_MEDIUM_MAX (HEAP_MEDIUM_CLASSES * GRANULE)
#define HEAP_LARGE_MAX  ((size_t)32 << 20)
#define HEAP_MAX        ((size_t)PTRDIFF_MAX)

/*
 * The classes, in units of 16 bytes: 16 to 128 bytes in steps of 16, then four
 * to a doubling; eight from 1,024 to 8,192, where programs have pages of their
 * own, of a power of two and a header.  For those with a short one there is a
 * class just above 1,024, 2,048 and 4,096.  3,264 is a twentieth of a slab.
 * The last four are those of medium blocks.
 */
/* clang-format off */
#define HEAP_CLASS_LIST(X) \
	X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) \
	X(10) X(12) X(14) X(16) X(20) X(24) X(28) X(32) \
	X(40) X(48) X(56) X(64) \
	X(65) X(72) X(80) X(88) X(96) X(104) X(112) X(120) X(128) \
	X(132) X(144) X(160) X(176) X(192) X(204) X(224) X(240) X(256) \
	X(273) X(288) X(320) X(352) X(384) X(416) X(448) X(480) X(512) \
	X(640) X(768) X(896) X(1024) X(1280) X(1536) X(1792) X(2048) \
	X(4096) X(8192) X(12288) X(16384)
/* clang-format on */
#define HEAP_CLASSES        59u
#define HEAP_MEDIUM_CLASSES 4u
#define HEAP_UNIT_BYTES     16u

/*
 * HEAP_ALONE: zeros, in a mapping of its own, whatever the size.
 * HEAP_GROWN: raw, and it may grow again.
 */
enum heap_how { HEAP_RAW, HEAP_ZERO, HEAP_ALONE, HEAP_GROWN };

/* Sizes to here find their record by one load. */
#define HEAP_DIRECT_MAX 1024u

/*
 * What the hits of malloc() and free() read, in one object so that another
 * library reaches all of it from one address.  Until heap_start() its limits
 * are zero, its window empty, and every hit misses.
 */
struct heap_hit {
	size_t direct_limit; /* sizes below it are in `direct` */
	size_t small_limit;  /* sizes below it are small */
	uintptr_t by_owner;  /* what an owner is an offset from */
	struct arch_rseq rseq;
	struct pagemap_window window;
	uint16_t units[HEAP_CLASSES];          /* that blocks have, by class */
	uintptr_t direct[HEAP_DIRECT_MAX + 1]; /* records, by size */
	/* By size / 16, rounded up. */
	uint8_t class_of[HEAP_SMALL_MAX / 16 + 1];
};

UMA_EXPORT extern struct heap_hit uma_heap;

/*
 * What the page map has for owner of a class: where its records are.  Counted
 * from one record before class 0's, as 0 is no owner.
 */
#define HEAP_OWNER(index) (((index) + 1) * (uint32_t)sizeof(struct cache))

/* The records of a class; or ones that miss. */
UMA_FAST uintptr_t
heap_hit_records(size_t index)
{
	return uma_heap.by_owner + HEAP_OWNER(index);
}

/* Whether a size is small, and all else that its hit reads is there. */
UMA_FAST bool
heap_hit_has(size_t bytes)
{
	return arch_is_below(bytes, &uma_heap.small_limit);
}

/* The class of a small size. */
UMA_FAST size_t
heap_hit_index(size_t bytes)
{
	return uma_heap.class_of[(bytes + 15) / 16];
}

/* The same of a medium size, too, whose hit is not inlined. */
UMA_FAST size_t
heap_class(size_t bytes)
{
	return bytes <= HEAP_SMALL_MAX
		   ? heap_hit_index(bytes)
		   : HEAP_CLASSES - HEAP_MEDIUM_CLASSES + (bytes - 1) / GRANULE;
}

/* Bytes of a block of a class. */
UMA_FAST size_t
heap_class_bytes(size_t index)
{
	return (size_t)uma_heap.units[index] * HEAP_UNIT_BYTES;
}

/* Inlined into malloc(): NULL for a miss, a large size, or before the start. */
UMA_FAST void *
heap_hit_alloc(size_t bytes)
{
	uintptr_t records;

	if (likely(arch_is_below(bytes, &uma_heap.direct_limit)))
		records = uma_heap.direct[bytes];
	else if (heap_hit_has(bytes))
		records = heap_hit_records(heap_hit_index(bytes));
	else
		return NULL;
	return arch_pop(records, &uma_heap.rseq);
}

/* The same at a power of two; NULL also where the class is not so aligned. */
UMA_FAST void *
heap_hit_alloc_aligned(size_t bytes, size_t align)
{
	size_t index;

	if (unlikely(!heap_hit_has(bytes)))
		return NULL;
	bytes = round_up(bytes, align);
	if (unlikely(!heap_hit_has(bytes)))
		return NULL;
	index = heap_hit_index(bytes);
	if (unlikely((heap_class_bytes(index) & (align - 1)) != 0))
		return NULL;
	return arch_pop(heap_hit_records(index), &uma_heap.rseq);
}

/* The class of a block; HEAP_CLASSES for whatever the hit cannot serve. */
UMA_FAST size_t
heap_hit_class(const void *block)
{
	uint64_t hit = pagemap_hit(&uma_heap.window, block);

	return likely(pagemap_starts((uint32_t)hit, block))
		   ? pagemap_hit_owner(hit) / sizeof(struct cache) - 1
		   : HEAP_CLASSES;
}

/* Bytes of a block that may be used; 0 where the hit cannot tell. */
UMA_FAST size_t
heap_hit_room(const void *block)
{
	size_t index = heap_hit_class(block);

	return likely(index < HEAP_CLASSES) ? heap_class_bytes(index) : 0;
}

/* Inlined into free(): whether that was all. */
UMA_FAST bool
heap_hit_free(void *block)
{
	uint64_t hit = pagemap_hit(&uma_heap.window, block);

	if (unlikely(!pagemap_starts((uint32_t)hit, block)))
		return false;
	return likely(arch_push(
	    uma_heap.by_owner + pagemap_hit_owner(hit), &uma_heap.rseq, block));
}

/*
 * uma_heap_alloc - `bytes` bytes, aligned to 16; the miss included
 *
 * Returns:  the block, or NULL when there is no memory or bytes > HEAP_MAX.
 *           0 bytes give a block of their own.  Never waits for memory.
 * Context:  any thread, any signal handler, before and after main.
 */
UMA_EXPORT void *uma_heap_alloc(size_t bytes, enum heap_how how);

/* uma_heap_alloc_aligned - the same at a power-of-two alignment of any size. */
UMA_EXPORT void *uma_heap_alloc_aligned(
    size_t bytes, size_t align, enum heap_how how);

/*
 * heap_alloc_once - what that does first
 *
 * Once the library runs.  NULL without a look for what caches and empty slabs
 * hold.  *room: what its free answers.
 */
void *heap_alloc_once(
    size_t bytes, size_t align, enum heap_how how, size_t *room);

/*
 * uma_heap_free - give a block back; NULL is ignored
 *
 * A pointer that is no block's start is a crime named after `function`.
 *
 * Returns:  how many bytes of it could be used.
 */
UMA_EXPORT size_t uma_heap_free(void *block, const char *function);

/*
 * uma_heap_resize - change a block's size, moving it when need be
 *
 * Returns:  the block at its place, contents kept up to the smaller size; or
 *           NULL with the old block untouched.
 */
UMA_EXPORT void *uma_heap_resize(
    void *block, size_t bytes, const char *function);

/*
 * uma_heap_usable - bytes that may be used; 0 for NULL
 *
 * Crimes as uma_heap_free().
 */
UMA_EXPORT size_t uma_heap_usable(const void *block, const char *function);

/* The same number, for who does not use them; `block` is not NULL. */
size_t heap_room(const void *block, const char *function);

/* Make the size-class zones.  Called once by boot. */
bool heap_start(void);

/*
 * Start the library.  Defined by boot, above: the first malloc of a process
 * comes before anything else could have started it.
 */
bool heap_wake(void);

/* Large blocks, for statistics: bytes held, handed out ever, given back. */
struct heap_reading {
	uint64_t large_bytes;
	uint64_t large_allocs;
	uint64_t large_frees;
};

void heap_read(struct heap_reading *out);

#endif /* HEAP_HEAP_H */
