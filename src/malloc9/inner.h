/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of malloc9: types, ledgers, tags. */
#ifndef MALLOC9_INNER_H
#define MALLOC9_INNER_H

#include "malloc9/malloc9.h"

#include "heap/heap.h"
#include "lock/lock.h"
#include "percpu/percpu.h"

struct ledger {
	_Atomic(struct ledger *) next;
	struct ledger *next_unused;
	_Atomic uint32_t life;    /* odd while it is of a type */
	_Atomic uint32_t cpus;    /* that the last sample looked at */
	_Atomic uint32_t seeking; /* one asks for records */
	_Atomic uintptr_t records;
	_Atomic uint64_t classes;
	_Atomic uint64_t events[2]; /* the rest */
	_Atomic uint64_t bytes[2];
	_Atomic uint64_t bytes_max; /* sampled */
	char name[64];
};

/* type.c */

/* Guards the list of types and the unused ledgers. */
extern struct lock types_lock;

/* Enter the gate, whatever it takes.  Not for handlers. */
void malloc9_enter(void);

/* The same, and take the lock. */
void malloc9_lock(void) UMA_ACQUIRES(&types_lock);
void malloc9_unlock(void) UMA_RELEASES(&types_lock);

/* The type's ledger, made if need be.  NULL without memory.  Dies of crimes. */
struct ledger *type_ledger(struct malloc_type *type, const char *function);

/* Die unless it is a registered type. */
void type_check(const struct malloc_type *type, const char *function);

/* A block is asked for by who can wait, so not by a handler. */
void type_begin(const struct malloc_type *type);

/*
 * Count a block of a type, by its ledger; not at all if that is NULL.  A block
 * that comes in makes the next of its class a hit.
 */
void type_count(struct malloc_type *type, struct ledger *l, enum percpu_way way,
    size_t bytes);

/* ledger.c */

/* From anywhere.  NULL without memory. */
struct ledger *ledger_make(const char *name);
/* Nobody uses it any more.  Not from handlers. */
void ledger_end(struct ledger *l);
/* One not published.  From anywhere. */
void ledger_drop(struct ledger *l);

/* Count one block of so many bytes. */
void ledger_count(struct ledger *l, enum percpu_way way, size_t bytes);

/* False if it is, or just then became, no type's. */
bool ledger_read(struct ledger *l, struct uma_malloc_stats *out);

/* In order of making, whoever has it now; NULL at the end. */
struct ledger *ledger_next(struct ledger *l);

/* What one block of each class adds to a counter. */
extern const uint64_t class_steps[HEAP_CLASSES];

/* tag.c */

#define TAG_BYTES sizeof(uint64_t)

/* Bytes of each block that the user does not get.  Only for who is awake. */
UMA_FAST size_t
tag_bytes(void)
{
	return malloc9_debug ? TAG_BYTES : 0;
}

/* What a block counts for.  A tag is written to its very end. */
UMA_FAST size_t
block_bytes(const void *block, const char *function)
{
	return malloc9_debug ? uma_heap_usable(block, function)
			     : heap_room(block, function);
}

/* `bytes` is all that the heap says may be used. */
void tag_set(void *block, size_t bytes, const struct ledger *l);
/* Die if the block is none of this type's; tag_take() also marks it free. */
void tag_check(void *block, size_t bytes, const struct ledger *l,
    const char *type_name, const char *function);
void tag_take(void *block, size_t bytes, const struct ledger *l,
    const char *type_name, const char *function);

/* malloc.c */

/* What a call of the family asks for. */
struct request {
	size_t bytes;
	size_t align; /* a power of two */
	struct malloc_type *type;
	int flags;
	const char *function;
};

/* Whether the flags are among those that need no thought. */
UMA_FAST bool
flags_plain(int flags)
{
	return (unsigned)(flags & ~M_ZERO) - 1u < 2u;
}

/* Behind the classes: what is larger, and runs, which have none. */
#define CLASS_RUN 63u
_Static_assert(HEAP_CLASSES <= CLASS_RUN, "a bit for each");

UMA_FAST size_t
class_of(size_t bytes)
{
	return bytes <= HEAP_MEDIUM_MAX ? heap_class(bytes) : CLASS_RUN;
}

/* Whether blocks of this class may be counted by a hit. */
UMA_FAST bool
class_open(const struct malloc_type *type, size_t index)
{
	/* acquire, pairs with open_class(). */
	uint64_t classes = __atomic_load_n(&type->ks_classes, __ATOMIC_ACQUIRE);

	return (classes >> index & 1) != 0;
}

/* Die of crimes in the type and the flags. */
void request_check(const struct request *r);
/* Answer a request that was checked. */
void *request_fill(const struct request *r);
/* Whether it is more than can ever be had; a crime for who waits. */
bool request_too_large(const struct request *r);
/* Wait for memory; false if the request may not. */
bool request_wait(const struct request *r, unsigned round);

/* free.c */

/* A block that is not NULL, by the long way. */
void block_free(void *block, struct malloc_type *type, const char *function);

#endif /* MALLOC9_INNER_H */
