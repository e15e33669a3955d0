/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug mode: the last word of a block says whose it is.
 *
 * It is the ledger's address and life mixed with the block's address, so that
 * neither a copy of one block's bytes in another passes, nor a block that
 * outlived its type.
 */
#include "malloc9/inner.h"

#define TAG_MIX  UINT64_C(0x9E3779B97F4A7C15)
#define TAG_FREE UINT64_C(0xdeadc0dedeadc0de)

static uint64_t
tag_of(const void *block, const struct ledger *l)
{
	/* relaxed: the block is of the life that it was made in. */
	uint64_t life = atomic_load_explicit(&l->life, memory_order_relaxed);

	return ((uintptr_t)l ^ (uintptr_t)block >> 4 ^ life << 48) * TAG_MIX;
}

/* The word may be where the block ends unaligned to no more than a byte. */
static char *
place(void *block, size_t bytes)
{
	return (char *)block + bytes - sizeof(uint64_t);
}

void
tag_set(void *block, size_t bytes, const struct ledger *l)
{
	uint64_t tag = tag_of(block, l);

	__builtin_memcpy(place(block, bytes), &tag, sizeof(tag));
}

static const struct ledger *
owner_of(const void *block, uint64_t tag)
{
	struct ledger *l = NULL;

	while ((l = ledger_next(l)) != NULL) {
		if (tag_of(block, l) == tag)
			break;
	}
	return l;
}

_Noreturn static void
die_of(const struct ledger *owner, const void *block, const char *type_name,
    const char *function)
{
	char rule[128] = "block of no malloc type";
	struct text t = { rule, rule + sizeof(rule) - 1 };

	if (owner != NULL) {
		text_put(&t, "block of malloc type \"");
		text_put(&t, owner->name);
		text_put(&t, "\"");
		*t.at = '\0';
	}
	uma_crime(function, rule, block, type_name);
}

/* The end of a block of this type that is not free; or die. */
static char *
check(void *block, size_t bytes, const struct ledger *l, const char *type_name,
    const char *function)
{
	char *at = place(block, bytes);
	uint64_t tag;

	__builtin_memcpy(&tag, at, sizeof(tag));
	if (tag == TAG_FREE)
		uma_crime(function, "double free", block, type_name);
	if (l == NULL || tag != tag_of(block, l))
		die_of(owner_of(block, tag), block, type_name, function);
	return at;
}

void
tag_check(void *block, size_t bytes, const struct ledger *l,
    const char *type_name, const char *function)
{
	(void)check(block, bytes, l, type_name, function);
}

void
tag_take(void *block, size_t bytes, const struct ledger *l,
    const char *type_name, const char *function)
{
	const uint64_t mark = TAG_FREE;

	__builtin_memcpy(
	    check(block, bytes, l, type_name, function), &mark, sizeof(mark));
}
