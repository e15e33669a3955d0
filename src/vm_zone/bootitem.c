/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The items of zbootinit(), which lie in no slab: a lock-free stack of their
 * indices, so that nothing is written into a free item.
 */
#include "vm_zone/vm_zone.h"

#include "lock/lock.h"
#include "meta/meta.h"
#include "port/port.h"
#include "zone/zone.h"

#define OUT UINT32_MAX

/*
 * Links and rows for the time before there is an allocator.  Zones with boot
 * items are never destroyed, so theirs are never given back.
 */
#define LINKS 16384u
#define ROWS  64u
static uint32_t links[LINKS];
static struct vm_zone_row rows[ROWS];
static _Atomic uint32_t links_used;
static _Atomic uint32_t rows_used;

/* The first of `count` in a row of those that were set aside, or `all`. */
static uint32_t
take_early(_Atomic uint32_t *used, uint32_t count, uint32_t all)
{
	/* relaxed: the range alone is what it gives. */
	uint32_t at = atomic_load_explicit(used, memory_order_relaxed);

	do {
		if (count > all - at)
			return all;
	} while (!atomic_compare_exchange_weak_explicit(
	    used, &at, at + count, memory_order_relaxed, memory_order_relaxed));
	return at;
}

/* From the library's memory, for which it has to run: a zone starts it. */
static void *
take_late(size_t bytes)
{
	uma_zone_t zone = uma_zcreate(
	    "vm_zone start", 8, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	void *more;

	if (zone == NULL)
		return NULL;
	(void)uma_zdestroy(zone, M_NOWAIT);
	while (!gate_enter())
		port_yield();
	more = meta_take(bytes, META_NORMAL);
	gate_leave();
	return more;
}

static uint32_t *
take_links(uint32_t count)
{
	uint32_t at = take_early(&links_used, count, LINKS);

	return at != LINKS || count == 0 ? links + at
					 : take_late(count * sizeof(*links));
}

static struct vm_zone_row *
take_row(void)
{
	uint32_t at = take_early(&rows_used, 1, ROWS);

	return at != ROWS ? rows + at : take_late(sizeof(*rows));
}

bool
vm_zone_boot_start(struct vm_zone *z, void *items, uint32_t count)
{
	z->zbootlinks = take_links(count);
	z->zrow = take_row();
	if (z->zbootlinks == NULL || z->zrow == NULL)
		return false;
	vm_zone_row_start(z->zrow, z->zname, z->zsize, (int)count);
	z->zrow->boot_count = count;
	z->zrow->boot.from = items;
	z->zrow->boot.bytes = (size_t)z->zsize * count;
	z->zrow->boot.name = z->zrow->name;
	keg_range_add(&z->zrow->boot);
	z->zboot = items;
	z->zbootcount = count;
	/* The last item is the first to go, as in the kernel. */
	for (uint32_t i = 0; i < count; i++)
		z->zbootlinks[i] = i;
	z->zboothead = count;
	return true;
}

void *
vm_zone_boot_take(struct vm_zone *z)
{
	/* acquire, pairs with push(): the link, and what a user left. */
	uint64_t head = __atomic_load_n(&z->zboothead, __ATOMIC_ACQUIRE);
	uint64_t next;
	uint32_t i;

	do {
		i = (uint32_t)head;
		if (i == 0)
			return NULL;
		/* Stale if another pop comes first: then the tag differs. */
		next = ((head >> 32) + 1) << 32 |
		       __atomic_load_n(&z->zbootlinks[i - 1], __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(&z->zboothead, &head, next, true,
	    __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
	__atomic_store_n(&z->zbootlinks[i - 1], OUT, __ATOMIC_RELAXED);
	/* relaxed: a statistic. */
	atomic_fetch_add_explicit(
	    &z->zrow->boot_allocs, 1, memory_order_relaxed);
	return z->zboot + (size_t)(i - 1) * (size_t)z->zsize;
}

static void
push(struct vm_zone *z, uint32_t i)
{
	uint64_t head = __atomic_load_n(&z->zboothead, __ATOMIC_RELAXED);
	uint64_t next;

	do {
		__atomic_store_n(
		    &z->zbootlinks[i], (uint32_t)head, __ATOMIC_RELAXED);
		next = ((head >> 32) + 1) << 32 | (i + 1);
		/* release, pairs with vm_zone_boot_take(). */
	} while (!__atomic_compare_exchange_n(&z->zboothead, &head, next, true,
	    __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

bool
vm_zone_boot_give(struct vm_zone *z, void *item)
{
	uintptr_t at = (uintptr_t)item - (uintptr_t)z->zboot;
	uintptr_t size = (uintptr_t)z->zsize;
	uint32_t out = OUT;
	uint32_t i;

	if (at >= z->zbootcount * size)
		return false;
	if (at % size != 0)
		uma_crime("zfree", "pointer into an item", item, z->zname);
	i = (uint32_t)(at / size);
	/* One of two racing frees sees that it is the second. */
	if (!__atomic_compare_exchange_n(&z->zbootlinks[i], &out, 0, false,
		__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		uma_crime("zfree", "double free", item, z->zname);
	/* release, pairs with read_numbers(): it was taken before. */
	atomic_fetch_add_explicit(
	    &z->zrow->boot_frees, 1, memory_order_release);
	push(z, i);
	return true;
}
