/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads on shared types of malloc(9) and zones of vm_zone(9)
 *
 * A block says its size before its stamp.  A free item of a vm_zone is as its
 * last user left it: that is looked at, too.
 */
#include <stdio.h>
#include <uma/malloc9.h>
#include <uma/vm_zone.h>

#include "model/reference.h"
#include "model/threads.h"

enum { TYPES = 2, VM_ZONES = 2, VM_BYTES = 160, VM_LIMIT = 150 };

struct head {
	size_t bytes; /* of what follows */
	size_t pad;
};

static struct malloc_type types[TYPES] = {
	{ .ks_version = UMA_MALLOC_VERSION, .ks_shortdesc = "threads a" },
	{ .ks_version = UMA_MALLOC_VERSION, .ks_shortdesc = "threads b" },
};

static struct {
	vm_zone_t zones[VM_ZONES]; /* the second one is limited */
	_Atomic long requests[VM_ZONES];
	_Atomic(void *) items[VM_ZONES][THREADS_SLOTS];
	_Atomic(void *) blocks[TYPES][THREADS_SLOTS];
	long tag; /* of a block's bytes: the library's, in some builds */
} shared;

/* ---- malloc(9) ---- */

static size_t
pick_bytes(struct worker *w)
{
	size_t bytes = 16 + stamp_below(&w->seed, 2000);

	return stamp_below(&w->seed, 50) == 0 ? bytes * 100 : bytes;
}

static int
pick_wait(struct worker *w)
{
	return stamp_below(&w->seed, 4) == 0 ? M_WAITOK : M_NOWAIT;
}

static void
put_head(struct worker *w, struct head *block, size_t bytes)
{
	block->bytes = bytes;
	block->pad = 0;
	threads_sign(w, block + 1, bytes);
}

static struct head *
take_block(struct worker *w, struct malloc_type *type)
{
	size_t bytes = pick_bytes(w);
	size_t all = bytes + sizeof(struct head);
	int wait = pick_wait(w);
	int zero = stamp_below(&w->seed, 4) == 0 ? M_ZERO : 0;
	unsigned way = stamp_below(&w->seed, 8);
	struct head *block;

	if (way == 0)
		block = uma_malloc_aligned(all, 64, type, wait | zero);
	else if (way == 1)
		block = uma_mallocarray(all, 1, type, wait | zero);
	else
		block = uma_malloc(all, type, wait | zero);
	if (block == NULL && (wait == M_WAITOK || !HOSTILE))
		play_fail("threads: malloc(9): NULL");
	if (block == NULL)
		return NULL;
	if (zero != 0 && !stamp_zeros(block, all))
		play_fail("threads: malloc(9): %p is not zero", (void *)block);
	put_head(w, block, bytes);
	return block;
}

static struct head *
resize_block(struct worker *w, struct head *block, struct malloc_type *type)
{
	size_t bytes = pick_bytes(w);
	size_t kept = block->bytes < bytes ? block->bytes : bytes;
	struct head *moved =
	    uma_realloc(block, bytes + sizeof *block, type, pick_wait(w));

	/* Refused: it is as it was. */
	if (moved == NULL && !HOSTILE)
		play_fail("threads: realloc(9): NULL");
	if (moved == NULL)
		return block;
	threads_verify(moved + 1, kept, "realloc(9)");
	put_head(w, moved, bytes);
	return moved;
}

static void
free_block(struct worker *w, struct head *block, struct malloc_type *type)
{
	threads_verify(block + 1, block->bytes, "malloc(9)");
	if (stamp_below(&w->seed, 8) == 0)
		uma_mzfree(block, type);
	else
		uma_mfree(block, type);
}

void
typed_use_block(struct worker *w)
{
	unsigned t = stamp_below(&w->seed, TYPES);
	_Atomic(void *) *slot =
	    &shared.blocks[t][stamp_below(&w->seed, THREADS_SLOTS)];
	struct head *block = atomic_exchange(slot, NULL);

	if (block == NULL)
		block = take_block(w, &types[t]);
	else if (stamp_below(&w->seed, 4) == 0)
		block = resize_block(w, block, &types[t]);
	else {
		free_block(w, block, &types[t]);
		return;
	}
	block = atomic_exchange(slot, (void *)block);
	if (block != NULL)
		free_block(w, block, &types[t]);
}

static void
check_type(unsigned t)
{
	struct uma_malloc_stats s;
	const char *name = types[t].ks_shortdesc;
	long held = 0;
	long bytes = 0;

	for (unsigned i = 0; i < THREADS_SLOTS; i++) {
		const struct head *block = atomic_load(&shared.blocks[t][i]);

		if (block == NULL)
			continue;
		threads_verify(block + 1, block->bytes, name);
		bytes += (long)uma_malloc_usable_size(block) + shared.tag;
		held++;
	}
	uma_malloc_stats(&types[t], &s);
	threads_expect(name, "in use", (long)s.in_use, held);
	threads_expect(
	    name, "allocs - frees", (long)(s.allocs - s.frees), held);
	threads_expect(name, "bytes in use", (long)s.in_use_bytes, bytes);
}

/* ---- vm_zone(9) ---- */

static void *
take_item(struct worker *w, unsigned v)
{
	void *item = stamp_below(&w->seed, 2) == 0 ? zalloc(shared.zones[v])
						   : zalloci(shared.zones[v]);
	uint64_t stamp;

	if (item == NULL && v == 0 && !HOSTILE)
		play_fail("threads: vm_zone: NULL");
	if (item == NULL)
		return NULL;
	atomic_fetch_add(&shared.requests[v], 1);
	memcpy(&stamp, item, sizeof stamp);
	if (stamp != 0)
		threads_verify(item, VM_BYTES, "free of vm_zone");
	else if (!stamp_zeros(item, VM_BYTES))
		play_fail("threads: vm_zone: %p is not zero", item);
	threads_sign(w, item, VM_BYTES);
	return item;
}

static void
give_item(struct worker *w, unsigned v, void *item)
{
	threads_verify(item, VM_BYTES, "vm_zone");
	if (stamp_below(&w->seed, 2) == 0)
		zfree(shared.zones[v], item);
	else
		zfreei(shared.zones[v], item);
}

void
typed_use_item(struct worker *w)
{
	unsigned v = stamp_below(&w->seed, VM_ZONES);
	unsigned place = stamp_below(&w->seed, THREADS_SLOTS);

	threads_use_slot(w, &shared.items[v][place], v, take_item, give_item);
}

/* All items that there may be can be had, wherever they are cached. */
static void
check_limit(long held)
{
	void *items[VM_LIMIT + 1];
	long count = 0;

	while (count <= VM_LIMIT &&
	       (items[count] = zalloc(shared.zones[1])) != NULL)
		count++;
	threads_expect("vm_zone", "the rest", count, VM_LIMIT - held);
	atomic_fetch_add(&shared.requests[1], count);
	while (count > 0)
		zfree(shared.zones[1], items[--count]);
}

static void
check_vm(unsigned v)
{
	struct uma_vm_zone_stats s;
	long held = 0;

	for (unsigned i = 0; i < THREADS_SLOTS; i++) {
		void *item = atomic_load(&shared.items[v][i]);

		if (item == NULL)
			continue;
		threads_verify(item, VM_BYTES, "vm_zone");
		held++;
	}
	if (v == 1)
		check_limit(held);
	uma_vm_zone_stats(shared.zones[v], &s);
	threads_expect("vm_zone", "used", (long)s.used, held);
	threads_expect("vm_zone", "requests", (long)s.requests,
	    atomic_load(&shared.requests[v]));
	if (v == 1 && s.used + s.free > VM_LIMIT)
		play_fail("threads: vm_zone: more items than its limit");
}

/* ---- both ---- */

static void
look_for_tag(void)
{
	struct uma_malloc_stats s;
	void *block = uma_malloc(1, &types[0], M_WAITOK);

	uma_malloc_stats(&types[0], &s);
	shared.tag = (long)s.in_use_bytes - (long)uma_malloc_usable_size(block);
	uma_mfree(block, &types[0]);
}

void
typed_start(void)
{
	for (unsigned t = 0; t < TYPES; t++)
		uma_malloc_init(&types[t]);
	look_for_tag();
	shared.zones[0] = zinit("threads", VM_BYTES, 0, ZONE_WAIT, 1);
	shared.zones[1] =
	    zinit("threads limited", VM_BYTES, VM_LIMIT, ZONE_INTERRUPT, 1);
	if (shared.zones[0] == NULL || shared.zones[1] == NULL)
		play_fail("threads: no vm_zone");
}

void
typed_check_at_rest(void)
{
	for (unsigned t = 0; t < TYPES; t++)
		check_type(t);
	for (unsigned v = 0; v < VM_ZONES; v++)
		check_vm(v);
}

void
typed_end(void)
{
	struct worker last = { .seed = 1 };

	for (unsigned i = 0; i < THREADS_SLOTS; i++) {
		for (unsigned t = 0; t < TYPES; t++) {
			void *block =
			    atomic_exchange(&shared.blocks[t][i], NULL);

			if (block != NULL)
				free_block(&last, block, &types[t]);
		}
		for (unsigned v = 0; v < VM_ZONES; v++) {
			void *item = atomic_exchange(&shared.items[v][i], NULL);

			if (item != NULL)
				give_item(&last, v, item);
		}
	}
	typed_check_at_rest();
	for (unsigned v = 0; v < VM_ZONES; v++)
		zdestroy(shared.zones[v]);
	for (unsigned t = 0; t < TYPES; t++)
		uma_malloc_uninit(&types[t]);
}
