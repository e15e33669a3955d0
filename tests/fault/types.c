/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc(9) and vm_zone(9): see scenario.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <string.h>

#include <uma/malloc9.h>
#include <uma/vm_zone.h>

#include "fault/request.h"
#include "fault/scenario.h"
#include "model/stamp.h"

enum {
	WAYS = 7, /* to take a block */
	BLOCKS = 3 * WAYS,
	VM_ITEMS = 40,
	VM_LIMIT = 30,
	VM_BOOT = 8,
	VM_BYTES = 96
};

static struct malloc_type type[1] = { { .ks_version = UMA_MALLOC_VERSION,
    .ks_shortdesc = "fault" } };
static struct {
	unsigned char *at;
	size_t bytes;
} blocks[BLOCKS];

enum vm_kind { VM_PLAIN, VM_FIXED, VM_STORE, VM_GROWN, VM_KINDS };

static struct {
	vm_zone_t zone;
	void *items[VM_ITEMS];
	int count;
} vm[VM_KINDS];

/* ---- malloc(9) ---- */

static unsigned char *
take_block(int way, size_t bytes, int flags)
{
	switch (way) {
	case 0:
		return uma_malloc(bytes, type, flags);
	case 1:
		return uma_malloc_aligned(bytes, 256, type, flags);
	case 2:
		return uma_malloc_domainset(bytes, type, NULL, flags);
	case 3:
		return uma_malloc_domainset_aligned(
		    bytes, 64, type, NULL, flags);
	case 4:
		return uma_mallocarray(bytes / 8, 8, type, flags);
	case 5:
		return uma_mallocarray_domainset(
		    bytes / 8, 8, type, NULL, flags);
	default:
		return uma_realloc(NULL, bytes, type, flags);
	}
}

static void
put_block(int i, unsigned char *at, size_t bytes)
{
	if (uma_malloc_usable_size(at) < bytes)
		scenario_wrong("malloc(9): %zu bytes asked for, %zu usable",
		    bytes, uma_malloc_usable_size(at));
	stamp_fill(at, bytes, (uint64_t)i);
	blocks[i].at = at;
	blocks[i].bytes = bytes;
}

static void
take_blocks(bool patient)
{
	static const size_t sizes[3] = { 200, 9000, 300000 };

	for (int i = 0; i < BLOCKS; i++) {
		unsigned before = request_log.refused;
		int flags = patient && i % 2 == 0 ? M_WAITOK : M_NOWAIT;
		size_t bytes = sizes[i % 3];
		unsigned char *at = take_block(i % WAYS, bytes, flags | M_ZERO);

		if (at == NULL && flags == M_WAITOK)
			scenario_wrong("malloc(9): NULL with M_WAITOK");
		if (at == NULL) {
			scenario_must_have_been_refused(before, "malloc(9)");
			continue;
		}
		if (i % WAYS != 6 && !stamp_zeros(at, bytes))
			scenario_wrong("malloc(9): M_ZERO, but not zero");
		put_block(i, at, bytes);
	}
}

static void
check_block(int i, size_t bytes)
{
	if (!stamp_holds(blocks[i].at, bytes, (uint64_t)i))
		scenario_wrong("malloc(9): block %d changed", i);
}

/* A block that cannot grow: uma_realloc() keeps it, uma_reallocf() ends it. */
static void
resize_blocks(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		unsigned before = request_log.refused;
		size_t bytes = blocks[i].bytes;
		unsigned char *at;

		if (blocks[i].at == NULL)
			continue;
		at =
		    i % 2 == 0
			? uma_realloc(blocks[i].at, 3 * bytes, type, M_NOWAIT)
			: uma_reallocf(blocks[i].at, 3 * bytes, type, M_NOWAIT);
		if (at == NULL) {
			scenario_must_have_been_refused(before, "realloc(9)");
			if (i % 2 != 0)
				blocks[i].at = NULL;
			continue;
		}
		blocks[i].at = at;
		check_block(i, bytes);
		put_block(i, at, 3 * bytes);
	}
}

static void
count_blocks(void)
{
	struct uma_malloc_stats s;
	uint64_t live = 0;

	for (int i = 0; i < BLOCKS; i++)
		live += blocks[i].at != NULL;
	uma_malloc_stats(type, &s);
	if (s.in_use != live || s.allocs - s.frees != live)
		scenario_wrong("malloc(9): %llu blocks counted, not %llu",
		    (unsigned long long)s.in_use, (unsigned long long)live);
	if (live == 0 && s.in_use_bytes != 0)
		scenario_wrong("malloc(9): %llu bytes counted, not 0",
		    (unsigned long long)s.in_use_bytes);
}

/* ---- vm_zone(9) ---- */

static void
make_vm_zones(void)
{
	static struct vm_zone store[2];
	static char boot[VM_BOOT][VM_BYTES];
	unsigned before = request_log.refused;

	vm[VM_PLAIN].zone = zinit("fault plain", VM_BYTES, 0, 0, 0);
	vm[VM_FIXED].zone =
	    zinit("fault fixed", VM_BYTES, VM_LIMIT, ZONE_INTERRUPT, 0);
	if (zinitna(&store[0], NULL, "fault store", VM_BYTES, 0, 0, 1))
		vm[VM_STORE].zone = &store[0];
	/* Zones with boot items stay: the items are the program's. */
	if (vm[VM_GROWN].zone == NULL) {
		zbootinit(&store[1], "fault boot", VM_BYTES, boot, VM_BOOT);
		vm[VM_GROWN].zone = &store[1];
	}
	if (vm[VM_GROWN].zone->zzone == NULL)
		(void)zinitna(&store[1], NULL, NULL, 0, 0, 0, 1);
	for (enum vm_kind k = 0; k < VM_KINDS; k++)
		if (vm[k].zone == NULL)
			scenario_must_have_been_refused(before, "zinit");
}

static void
use_vm_zone(enum vm_kind k)
{
	struct uma_vm_zone_stats s;

	if (vm[k].zone == NULL)
		return;
	for (int i = 0; i < VM_ITEMS && vm[k].count < VM_ITEMS; i++) {
		unsigned before = request_log.refused;
		bool full = (k == VM_FIXED && vm[k].count == VM_LIMIT) ||
			    (k == VM_GROWN && vm[k].count >= VM_BOOT &&
				vm[k].zone->zzone == NULL);
		void *item =
		    i % 2 == 0 ? zalloc(vm[k].zone) : zalloci(vm[k].zone);

		if (item == NULL && !full)
			scenario_must_have_been_refused(before, "zalloc");
		if (item != NULL && full)
			scenario_wrong("vm_zone %d: more than its limit", k);
		if (item == NULL)
			continue;
		stamp_fill(item, VM_BYTES, (uintptr_t)item);
		vm[k].items[vm[k].count++] = item;
	}
	uma_vm_zone_stats(vm[k].zone, &s);
	if (s.used != (uint64_t)vm[k].count)
		scenario_wrong("vm_zone %d: used %llu, not %d", k,
		    (unsigned long long)s.used, vm[k].count);
}

static void
give_vm_items(enum vm_kind k, int left)
{
	while (vm[k].count > left) {
		void *item = vm[k].items[--vm[k].count];

		if (!stamp_holds(item, VM_BYTES, (uintptr_t)item))
			scenario_wrong("vm_zone %d: an item was written to", k);
		if (vm[k].count % 2 == 0)
			zfree(vm[k].zone, item);
		else
			zfreei(vm[k].zone, item);
	}
}

/* ---- both ---- */

unsigned
scenario_zones_kept(void)
{
	return vm[VM_GROWN].zone != NULL && vm[VM_GROWN].zone->zzone != NULL;
}

void
scenario_use_types(bool patient)
{
	if (uma_malloc_desc2type("fault") == NULL)
		uma_malloc_init(type);
	take_blocks(patient);
	count_blocks();
	resize_blocks();
	count_blocks();
	make_vm_zones();
	for (enum vm_kind k = 0; k < VM_KINDS; k++) {
		use_vm_zone(k);
		give_vm_items(k, vm[k].count / 2);
		use_vm_zone(k);
	}
}

void
scenario_give_types(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		if (blocks[i].at == NULL)
			continue;
		check_block(i, blocks[i].bytes);
		if (i % 2 == 0)
			uma_mfree(blocks[i].at, type);
		else
			uma_mzfree(blocks[i].at, type);
		blocks[i].at = NULL;
	}
	count_blocks();
	uma_malloc_uninit(type);
	for (enum vm_kind k = 0; k < VM_KINDS; k++) {
		if (vm[k].zone == NULL)
			continue;
		give_vm_items(k, 0);
		if (k == VM_GROWN)
			continue;
		zdestroy(vm[k].zone);
		vm[k].zone = NULL;
	}
}
