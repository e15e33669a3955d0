/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing a block's size: see malloc9.h. */
#include "malloc9/inner.h"

static void *resize(void *block, const struct request *r);
static void *resize_in_heap(void *block, const struct request *r);
static void *resize_by_copy(void *block, const struct request *r);

/* See malloc9.h. */
void *
uma_realloc(void *block, size_t size, struct malloc_type *type, int flags)
{
	struct request r = { size, 1, type, flags, __func__ };

	return resize(block, &r);
}

/* See malloc9.h. */
void *
uma_reallocf(void *block, size_t size, struct malloc_type *type, int flags)
{
	struct request r = { size, 1, type, flags, __func__ };
	void *now = resize(block, &r);

	if (now == NULL && block != NULL)
		block_free(block, type, __func__);
	return now;
}

static void *
resize(void *block, const struct request *r)
{
	request_check(r);
	if (block == NULL)
		return request_fill(r);
	if (request_too_large(r))
		return NULL;
	return malloc9_debug || (r->flags & M_EXEC) != 0
		   ? resize_by_copy(block, r)
		   : resize_in_heap(block, r);
}

/* The heap's own way; a block that changed counts as freed and taken. */
static void *
resize_in_heap(void *block, const struct request *r)
{
	struct ledger *l = type_ledger(r->type, r->function);
	size_t was = heap_room(block, r->function);
	void *now = NULL;
	size_t bytes;

	for (unsigned round = 0;; round++) {
		if (l != NULL)
			now = uma_heap_resize(block, r->bytes, r->function);
		if (now != NULL)
			break;
		if (!request_wait(r, round))
			return NULL;
		l = type_ledger(r->type, r->function);
	}
	bytes = heap_room(now, r->function);
	if (now != block || bytes != was) {
		type_count(r->type, l, PERCPU_OUT, was);
		type_count(r->type, l, PERCPU_IN, bytes);
	}
	if ((r->flags & M_ZERO) != 0 && r->bytes > was)
		__builtin_memset((char *)now + was, 0, r->bytes - was);
	return now;
}

/*
 * Blocks with a tag at their end move whenever they would not fit, and who
 * wants to run code in one gets another: what it has may not be for that.
 */
static void *
resize_by_copy(void *block, const struct request *r)
{
	size_t was = uma_heap_usable(block, r->function);
	void *now;

	was -= min_size(was, tag_bytes());
	if ((r->flags & M_EXEC) == 0 && r->bytes <= was &&
	    (r->bytes > was / 2 || was <= 16)) {
		tag_check(block, uma_heap_usable(block, r->function),
		    type_ledger(r->type, r->function), r->type->ks_shortdesc,
		    r->function);
		return block;
	}
	now = request_fill(r);
	if (now == NULL)
		return NULL;
	__builtin_memcpy(now, block, min_size(was, r->bytes));
	block_free(block, r->type, r->function);
	return now;
}
