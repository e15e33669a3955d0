/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving a block back: the hit and all else.  See malloc9.h. */
#include "malloc9/inner.h"

UMA_SLOW static void count(struct malloc_type *type, size_t index);
static void give(void *block, struct malloc_type *type);

/* See malloc9.h.  Only a class that the type used can be a hit. */
void
uma_mfree(void *block, struct malloc_type *type)
{
	size_t index = heap_hit_class(block);

	if (unlikely(index >= HEAP_CLASSES) || unlikely(type == NULL) ||
	    unlikely(!class_open(type, index)) ||
	    unlikely(
		!arch_push(heap_hit_records(index), &percpu_rseq, block))) {
		give(block, type);
		return;
	}
	if (unlikely(
		!percpu_hit(type->ks_counters, PERCPU_OUT, class_steps[index])))
		count(type, index);
}

/* A type that took runs before needs no thought, whatever the block is. */
static __attribute__((noinline)) void
give(void *block, struct malloc_type *type)
{
	size_t bytes;

	if (block == NULL)
		return;
	if (type == NULL || !class_open(type, CLASS_RUN)) {
		block_free(block, type, "uma_mfree");
		return;
	}
	bytes = uma_heap_free(block, "uma_mfree");
	if (unlikely(!percpu_hit(type->ks_counters, PERCPU_OUT,
		PERCPU_STEP(bytes / HEAP_UNIT_BYTES))))
		ledger_count(type->ks_ledger, PERCPU_OUT, bytes);
}

static void
count(struct malloc_type *type, size_t index)
{
	ledger_count(type->ks_ledger, PERCPU_OUT, heap_class_bytes(index));
}

/* Counted when it is free: who frees twice has died by then. */
void
block_free(void *block, struct malloc_type *type, const char *function)
{
	struct ledger *l = type_ledger(type, function);

	if (malloc9_debug)
		tag_take(block, uma_heap_usable(block, function), l,
		    type->ks_shortdesc, function);
	type_count(type, l, PERCPU_OUT, uma_heap_free(block, function));
}

/* See malloc9.h.  The block is passed on, so the zeros must be written. */
void
uma_mzfree(void *block, struct malloc_type *type)
{
	if (block == NULL)
		return;
	type_check(type, __func__);
	__builtin_memset(
	    block, 0, uma_heap_usable(block, __func__) - tag_bytes());
	block_free(block, type, __func__);
}
