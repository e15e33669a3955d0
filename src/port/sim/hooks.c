/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/sim/hooks.c - what the compiler calls before each access of the rooms
 *
 * The names and arguments are those of the runtime of -fsanitize=thread, which
 * is not linked.  Atomics are not only announced but done here.
 */
#include <string.h>

#include "port/sim/hooks.h"
#include "port/sim/inner.h"

/* What the compilers call a memory order. */
typedef int order;

static bool
is_point(const void *address)
{
	return sim.choices.matters == NULL || sim.choices.matters(address);
}

static void
plain(const void *address, size_t bytes, bool write)
{
	if (sim_is_private(address))
		return;
	if (sim.choices.plain && sim.choosing)
		(void)sim_point(POINT_PLAIN);
	sim_access(address, bytes, write);
}

static void
atomic(const volatile void *address, size_t bytes, bool write, bool locked)
{
	const void *at = (const void *)(uintptr_t)address;

	if (sim.choosing && is_point(at))
		(void)sim_point(POINT_ATOMIC);
	sim.counts.atomics += locked;
	sim_access(at, bytes, write);
}

#define PLAIN(bytes) \
	void __tsan_read##bytes(void *at); \
	void __tsan_write##bytes(void *at); \
	void __tsan_unaligned_read##bytes(void *at); \
	void __tsan_unaligned_write##bytes(void *at); \
	void __tsan_volatile_read##bytes(void *at); \
	void __tsan_volatile_write##bytes(void *at); \
	void __tsan_read##bytes(void *at) \
	{ \
		plain(at, bytes, false); \
	} \
	void __tsan_write##bytes(void *at) \
	{ \
		plain(at, bytes, true); \
	} \
	void __tsan_unaligned_read##bytes(void *at) \
	{ \
		plain(at, bytes, false); \
	} \
	void __tsan_unaligned_write##bytes(void *at) \
	{ \
		plain(at, bytes, true); \
	} \
	void __tsan_volatile_read##bytes(void *at) \
	{ \
		plain(at, bytes, false); \
	} \
	void __tsan_volatile_write##bytes(void *at) \
	{ \
		plain(at, bytes, true); \
	}

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_read_range(void *at, unsigned long bytes);
void __tsan_write_range(void *at, unsigned long bytes);

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *caller)
{
	(void)caller;
}

void
__tsan_func_exit(void)
{
}

void
__tsan_read_range(void *at, unsigned long bytes)
{
	plain(at, bytes, false);
}

void
__tsan_write_range(void *at, unsigned long bytes)
{
	plain(at, bytes, true);
}

/* The rooms' own calls of these are made to come here: see hooks.h. */
void *
sim_memset(void *to, int byte, size_t bytes)
{
	plain(to, bytes, true);
	return memset(to, byte, bytes);
}

void *
sim_memcpy(void *to, const void *from, size_t bytes)
{
	plain(from, bytes, false);
	plain(to, bytes, true);
	return memcpy(to, from, bytes);
}

/* An operation that returns what was there, and leaves `next`. */
#define CHANGE(bits, type, name, next) \
	type __tsan_atomic##bits##_##name( \
	    volatile type *at, type value, order how); \
	type __tsan_atomic##bits##_##name( \
	    volatile type *at, type value, order how) \
	{ \
		type was; \
\
		(void)how; \
		atomic(at, sizeof(type), true, true); \
		was = *at; \
		*at = (type)(next); \
		return was; \
	}

#define COMPARE(bits, type, name) \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile type *at, \
	    type *expected, type value, order good, order bad); \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile type *at, \
	    type *expected, type value, order good, order bad) \
	{ \
		(void)good; \
		(void)bad; \
		return compare##bits(at, expected, value); \
	}

/* The same as clang calls it: what was there comes back. */
#define COMPARE_VALUE(bits, type) \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, \
	    type expected, type value, order good, order bad); \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, \
	    type expected, type value, order good, order bad) \
	{ \
		(void)good; \
		(void)bad; \
		(void)compare##bits(at, &expected, value); \
		return expected; \
	}

#define ATOMIC(bits, type) \
	type __tsan_atomic##bits##_load(const volatile type *at, order how); \
	void __tsan_atomic##bits##_store( \
	    volatile type *at, type value, order how); \
	type __tsan_atomic##bits##_load(const volatile type *at, order how) \
	{ \
		(void)how; \
		atomic(at, sizeof(type), false, false); \
		return *at; \
	} \
	void __tsan_atomic##bits##_store( \
	    volatile type *at, type value, order how) \
	{ \
		atomic(at, sizeof(type), true, how == memory_order_seq_cst); \
		*at = value; \
	} \
	CHANGE(bits, type, exchange, value) \
	CHANGE(bits, type, fetch_add, was + value) \
	CHANGE(bits, type, fetch_sub, was - value) \
	CHANGE(bits, type, fetch_and, was &value) \
	CHANGE(bits, type, fetch_or, was | value) \
	CHANGE(bits, type, fetch_xor, was ^ value) \
	static int compare##bits( \
	    volatile type *at, type *expected, type value) \
	{ \
		type was; \
\
		atomic(at, sizeof(type), false, true); \
		was = *at; \
		if (was == *expected) { \
			sim_access( \
			    (const void *)(uintptr_t)at, sizeof(type), true); \
			*at = value; \
			return 1; \
		} \
		*expected = was; \
		return 0; \
	} \
	COMPARE(bits, type, strong) \
	COMPARE(bits, type, weak) \
	COMPARE_VALUE(bits, type)

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(order how);
void __tsan_atomic_signal_fence(order how);

/* Memory is sequentially consistent here. */
void
__tsan_atomic_thread_fence(order how)
{
	(void)how;
}

void
__tsan_atomic_signal_fence(order how)
{
	(void)how;
}
