/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledger of the breakpoint test's worker: see items.h. */
#define _GNU_SOURCE
#include "items.h"

#include "hostile.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER 4096

struct shared *sh;
uma_zone_t zone;
vm_zone_t vm_zone;
bool is_malloc;
bool is_typed;
struct malloc_type fresh[1]; /* a type of one use */
uint64_t used_before;        /* blocks of the class that are not ours */

static struct {
	_Atomic uintptr_t item;
	_Atomic int holder;
	_Atomic bool is_fresh; /* of the type of one use */
} ledger[LEDGER];

static void
wrong(const char *why)
{
	if (sh->broken++ == 0)
		snprintf(sh->why, sizeof sh->why, "%s", why);
}

void
expect(bool ok, const char *why)
{
	if (!ok)
		wrong(why);
}

static size_t
place_of(void *item)
{
	uintptr_t address = (uintptr_t)item;
	size_t i = (address >> 4) * 0x9e3779b97f4a7c15u >> 52;

	for (;; i = (i + 1) % LEDGER) {
		uintptr_t there = 0;

		if (atomic_compare_exchange_strong(
			&ledger[i].item, &there, address) ||
		    there == address)
			return i;
	}
}

void
took(void *item, enum who who)
{
	int holder = NOBODY;

	if (item == NULL)
		wrong("an allocation failed");
	else if (!atomic_compare_exchange_strong(
		     &ledger[place_of(item)].holder, &holder, (int)who))
		wrong("an item was handed out twice");
}

/* Called before it is freed: from then on somebody else may have it. */
void
gives(void *item, enum who who)
{
	int holder = (int)who;

	if (!atomic_compare_exchange_strong(
		&ledger[place_of(item)].holder, &holder, NOBODY))
		wrong("an item had another holder");
}

static void *
ask(void)
{
	if (is_typed)
		return uma_malloc(BLOCK_BYTES, uma_m_temp, M_NOWAIT);
	if (is_malloc)
		return malloc(BLOCK_BYTES);
	if (vm_zone != NULL)
		return uma_vm_zalloc(vm_zone);
	return uma_zalloc(zone, M_NOWAIT);
}

void *
take_if_any(enum who who)
{
	void *item = ask();

	if (item == NULL && HOSTILE)
		item = ask();
	if (item != NULL)
		took(item, who);
	return item;
}

void *
take(enum who who)
{
	void *item = take_if_any(who);

	expect(item != NULL, "an allocation failed");
	return item;
}

void
give(void *item, enum who who)
{
	bool is_fresh = atomic_load(&ledger[place_of(item)].is_fresh);

	gives(item, who);
	if (is_typed)
		uma_mfree(item, is_fresh ? fresh : uma_m_temp);
	else if (is_malloc)
		free(item);
	else if (vm_zone != NULL)
		uma_vm_zfree(vm_zone, item);
	else
		uma_zfree(zone, item);
}

long
held(void)
{
	long n = 0;

	for (size_t i = 0; i < LEDGER; i++)
		n += atomic_load(&ledger[i].holder) != NOBODY;
	return n;
}

long
held_fresh(void)
{
	long n = 0;

	for (size_t i = 0; i < LEDGER; i++)
		n += atomic_load(&ledger[i].is_fresh) &&
		     atomic_load(&ledger[i].holder) != NOBODY;
	return n;
}

void
note_fresh(void *item)
{
	atomic_store(&ledger[place_of(item)].is_fresh, true);
}

void
give_all(void)
{
	for (size_t i = 0; i < LEDGER; i++) {
		int who = atomic_load(&ledger[i].holder);

		if (who != NOBODY)
			give((void *)atomic_load(&ledger[i].item),
			    (enum who)who);
	}
	memset(ledger, 0, sizeof ledger);
}

static void
find_class(const struct uma_zone_stats *one, void *arg)
{
	if ((one->flags & UMA_ZONE_MALLOC) != 0 &&
	    one->item_bytes == BLOCK_BYTES)
		memcpy(arg, one, sizeof *one);
}

struct uma_zone_stats
numbers(void)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	if (is_malloc)
		uma_stats_walk(find_class, &s);
	else
		uma_zone_stats(zone, &s);
	expect(s.allocs - s.frees == s.used_items, "allocs - frees != used");
	return s;
}
