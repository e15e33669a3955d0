/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of malloc, small to huge: see scenario.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sys/mman.h>

#include "fault/request.h"
#include "fault/scenario.h"
#include "heap/heap.h"
#include "model/stamp.h"

#define BORDER_BYTES ((size_t)3 << 30)

enum {
	BLOCKS = 12,
	STAMPED_MAX = 65536 /* of a block: what is written and looked at */
};

static struct {
	unsigned char *at;
	size_t bytes;
} blocks[BLOCKS];

/* Whole blocks would be most of the time of a run. */
static size_t
stamped(size_t bytes)
{
	return bytes < STAMPED_MAX ? bytes : STAMPED_MAX;
}

static void
put_block(int slot, unsigned char *at, size_t bytes)
{
	if ((uintptr_t)at % 16 != 0)
		scenario_wrong("a block of %zu bytes is not aligned", bytes);
	blocks[slot].at = at;
	blocks[slot].bytes = bytes;
	stamp_fill(at, stamped(bytes), (uint64_t)slot);
	at[bytes - 1] = stamped(bytes) == bytes ? at[bytes - 1] : 1;
}

static void
check_block(int slot, size_t bytes, const char *when)
{
	if (!stamp_holds(blocks[slot].at, stamped(bytes), (uint64_t)slot))
		scenario_wrong("a block of %zu bytes changed %s",
		    blocks[slot].bytes, when);
}

static void
take_block(int slot, size_t bytes, size_t align)
{
	unsigned before = request_log.refused;
	unsigned char *at =
	    align != 0 ? uma_heap_alloc_aligned(bytes, align, HEAP_ZERO)
		       : uma_heap_alloc(bytes, HEAP_RAW);

	if (at == NULL) {
		scenario_must_have_been_refused(before, "a block");
		return;
	}
	if (align != 0 &&
	    ((uintptr_t)at % align != 0 || !stamp_zeros(at, stamped(bytes))))
		scenario_wrong(
		    "an aligned block of %zu bytes is not right", bytes);
	put_block(slot, at, bytes);
}

/*
 * Take a wide range of addresses out of the way for a while, so that what
 * moves goes where the page map has no leaf yet.
 */
static void *
move_the_border(void)
{
	return mmap(NULL, BORDER_BYTES, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void
resize_block(int slot, size_t bytes)
{
	unsigned before = request_log.refused;
	size_t kept = blocks[slot].bytes < bytes ? blocks[slot].bytes : bytes;
	unsigned char *at;
	void *border;

	if (blocks[slot].at == NULL)
		return;
	border = move_the_border();
	at = uma_heap_resize(blocks[slot].at, bytes, "realloc");
	if (border != MAP_FAILED)
		munmap(border, BORDER_BYTES);
	if (at == NULL) {
		scenario_must_have_been_refused(before, "realloc");
		check_block(slot, blocks[slot].bytes, "by a failed realloc");
		return;
	}
	blocks[slot].at = at;
	check_block(slot, kept & ~(size_t)7, "by realloc");
	put_block(slot, at, bytes);
}

void
scenario_use_blocks(void)
{
	static const size_t sizes[BLOCKS] = { 10, 500, 20000, 40000, 300000,
		3 << 20, 40 << 20, 33 << 20, 100, 70000, 200000, 5000 };
	static const size_t aligns[BLOCKS] = {
		[8] = 4096, [9] = 65536, [10] = 4 << 20, [11] = 64
	};

	for (int i = 0; i < BLOCKS; i++)
		take_block(i, sizes[i], aligns[i]);
	resize_block(0, 5000);
	resize_block(1, 90000);
	resize_block(3, 200000);
	resize_block(4, 100000);
	/* This one moves by itself, so it comes before the border is known. */
	resize_block(6, 60 << 20);
	resize_block(5, 50 << 20);
	resize_block(7, 1000);
}

void
scenario_give_blocks(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		if (blocks[i].at == NULL)
			continue;
		check_block(i, blocks[i].bytes, "while in use");
		uma_heap_free(blocks[i].at, "free");
		blocks[i].at = NULL;
	}
}
