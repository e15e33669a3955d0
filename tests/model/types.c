/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc(9) and vm_zone(9): blocks by type, and the zones of 1997. */
#include "model/reference.h"

#include <stdio.h>
#include <uma/malloc9.h>
#include <uma/vm_zone.h>

enum { WAYS = 7, BOOT_ITEMS = 16, BOOT_BYTES = 64, MALLOC_MASK = 15 };

#define A_TYPE(name) \
	{ \
		.ks_version = UMA_MALLOC_VERSION, .ks_shortdesc = name \
	}

static struct malloc_type types[PLAY_TYPES] = { A_TYPE("model a"),
	A_TYPE("model b"), A_TYPE("model c") };
static struct {
	uint64_t allocs;
	uint64_t frees;
	bool known;
} typed[PLAY_TYPES];

static struct {
	vm_zone_t zone; /* NULL: an empty slot */
	long limit;     /* 0: none */
	long live;
	long allocs;
} vm[PLAY_VM_ZONES];

/* ---- malloc(9) ---- */

static void
check_type(int t)
{
	struct uma_malloc_stats s;

	uma_malloc_stats(&types[t], &s);
	if (s.in_use != typed[t].allocs - typed[t].frees ||
	    s.allocs - s.frees != s.in_use || s.allocs < typed[t].allocs)
		play_fail("type %d: %llu blocks in use, not %llu", t,
		    (unsigned long long)s.in_use,
		    (unsigned long long)(typed[t].allocs - typed[t].frees));
	if ((s.in_use == 0) != (s.in_use_bytes == 0))
		play_fail("type %d: %llu bytes in %llu blocks", t,
		    (unsigned long long)s.in_use_bytes,
		    (unsigned long long)s.in_use);
}

static void *
take_by(struct malloc_type *type, const struct step *s, int flags)
{
	size_t bytes = (size_t)s->size;
	size_t align = (size_t)s->align + 1;

	if (uma_would_overflow(1, bytes) || uma_would_overflow(bytes, 1) ||
	    (bytes > 1 && !uma_would_overflow(SIZE_MAX / bytes + 1, bytes)))
		play_fail("a product of %zu is misjudged", bytes);
	switch (s->kind % WAYS) {
	case 0:
		return uma_malloc(bytes, type, flags);
	case 1:
		return uma_malloc_aligned(bytes, align, type, flags);
	case 2:
		return uma_malloc_domainset(bytes, type, NULL, flags);
	case 3:
		return uma_malloc_domainset_aligned(
		    bytes, align, type, NULL, flags);
	case 4:
		return uma_mallocarray(1, bytes, type, flags);
	case 5:
		return uma_mallocarray_domainset(bytes, 1, type, NULL, flags);
	default:
		return uma_realloc(NULL, bytes, type, flags & ~M_ZERO);
	}
}

static void
put_typed(unsigned item, void *at, size_t bytes, size_t mask, int t)
{
	if (at == NULL)
		play_fail("type %d: no memory for %zu bytes", t, bytes);
	if (uma_malloc_usable_size(at) < bytes)
		play_fail("%zu of %zu bytes usable", uma_malloc_usable_size(at),
		    bytes);
	slots_check_place(at, bytes, mask);
	slots_put(item, at, bytes, TYPED + t);
}

static void
take_typed(const struct step *s)
{
	int t = s->count % PLAY_TYPES;
	int flags = s->flags == 0 ? M_NOWAIT : (int)s->flags;
	bool aligned = s->kind % WAYS == 1 || s->kind % WAYS == 3;
	void *at;

	if (!typed[t].known)
		uma_malloc_init(&types[t]);
	typed[t].known = true;
	if (uma_malloc_desc2type(types[t].ks_shortdesc) != &types[t])
		play_fail("type %d is not found by its name", t);
	at = take_by(&types[t], s, flags);
	typed[t].allocs++;
	if (at != NULL && (flags & M_ZERO) != 0 && s->kind % WAYS != 6 &&
	    !stamp_zeros(at, (size_t)s->size))
		play_fail("type %d: %p is not zero", t, at);
	put_typed(s->item, at, (size_t)s->size,
	    aligned && s->align > MALLOC_MASK ? (size_t)s->align : MALLOC_MASK,
	    t);
	check_type(t);
}

static void
resize_typed(const struct step *s)
{
	struct play_item *slot = &play_items[s->item];
	int t = slot->owner - TYPED;
	size_t bytes = (size_t)s->size;
	size_t kept = slot->bytes < bytes ? slot->bytes : bytes;
	void *at = slot->at;

	slots_verify(slot);
	slot->at = NULL;
	at = s->kind % 2 == 0 ? uma_realloc(at, bytes, &types[t], M_WAITOK)
			      : uma_reallocf(at, bytes, &types[t], M_NOWAIT);
	if (at != NULL && !stamp_holds(at, kept, slot->stamp))
		play_fail("realloc(9): %p lost its contents", at);
	put_typed(s->item, at, bytes, MALLOC_MASK, t);
	check_type(t);
}

static void
free_typed(unsigned item, unsigned kind)
{
	struct play_item *slot = &play_items[item];
	int t = slot->owner - TYPED;

	slots_verify(slot);
	if (kind % 2 == 0)
		uma_mfree(slot->at, &types[t]);
	else
		uma_mzfree(slot->at, &types[t]);
	slot->at = NULL;
	typed[t].frees++;
	check_type(t);
}

/* ---- vm_zone(9) ---- */

static void
check_vm(unsigned v)
{
	struct uma_vm_zone_stats s;

	uma_vm_zone_stats(vm[v].zone, &s);
	if (s.used != (uint64_t)vm[v].live ||
	    s.requests != (uint64_t)vm[v].allocs)
		play_fail("vm_zone %u: %llu used of %llu requests, "
			  "not %ld of %ld",
		    v, (unsigned long long)s.used,
		    (unsigned long long)s.requests, vm[v].live, vm[v].allocs);
	if (vm[v].limit != 0 && s.used + s.free > (uint64_t)vm[v].limit)
		play_fail("vm_zone %u: more items than its limit", v);
}

/* The first slot has the zone of boot items, which stays. */
static void
make_vm(const struct step *s)
{
	static struct vm_zone store[PLAY_VM_ZONES];
	static char boot[BOOT_ITEMS][BOOT_BYTES];
	/* They stay, as zbootinit() demands. */
	static char names[PLAY_VM_ZONES][32];
	unsigned v = s->zone % PLAY_VM_ZONES;
	int flags = s->kind % 2 == 0 ? 0 : ZONE_INTERRUPT;
	char *name = names[v];

	if (v == 0 && vm[0].zone != NULL && vm[0].zone->zzone == NULL) {
		if (!zinitna(&store[0], NULL, NULL, 0, s->count, flags, 1))
			play_fail("zinitna: no memory");
		vm[0].limit = flags == 0 ? 0 : BOOT_ITEMS + s->count;
	}
	if (vm[v].zone != NULL)
		return;
	snprintf(name, sizeof names[v], "vm %u", v);
	vm_zone_init();
	vm_zone_init2();
	vm[v].live = 0;
	vm[v].allocs = 0;
	vm[v].limit = flags == 0 ? 0 : s->count;
	if (v == 0) {
		zbootinit(&store[0], name, BOOT_BYTES, boot, BOOT_ITEMS);
		vm[0].zone = &store[0];
		vm[0].limit = BOOT_ITEMS;
	} else if (s->kind < 2) {
		vm[v].zone = zinit(name, s->size, s->count, flags, 1);
	} else if (zinitna(
		       &store[v], NULL, name, s->size, s->count, flags, 1)) {
		vm[v].zone = &store[v];
	}
	if (vm[v].zone == NULL)
		play_fail("zinit: no memory");
}

static void
take_vm(const struct step *s)
{
	unsigned v = s->zone % PLAY_VM_ZONES;
	bool full;
	void *at;

	if (vm[v].zone == NULL)
		return;
	full = vm[v].limit != 0 && vm[v].live == vm[v].limit;
	at = s->kind % 2 == 0 ? zalloc(vm[v].zone) : zalloci(vm[v].zone);
	if (at == NULL && HOSTILE && vm[v].limit == 0)
		return;
	if ((at == NULL) != full)
		play_fail("vm_zone %u: %p with %ld of %ld items out", v, at,
		    vm[v].live, vm[v].limit);
	if (at == NULL)
		return;
	vm[v].live++;
	vm[v].allocs++;
	slots_check_place(at, (size_t)vm[v].zone->zsize, v == 0 ? 0 : 31);
	slots_put(s->item, at, (size_t)vm[v].zone->zsize, VM + (int)v);
	check_vm(v);
}

static void
give_vm(unsigned item, unsigned kind)
{
	struct play_item *slot = &play_items[item];
	unsigned v = (unsigned)(slot->owner - VM);

	slots_verify(slot);
	if (kind % 2 == 0)
		zfree(vm[v].zone, slot->at);
	else
		zfreei(vm[v].zone, slot->at);
	slot->at = NULL;
	vm[v].live--;
	check_vm(v);
}

static void
end_vm(unsigned v)
{
	if (v == 0 || vm[v].zone == NULL || vm[v].live != 0)
		return;
	zdestroy(vm[v].zone);
	vm[v].zone = NULL;
}

/* ---- both ---- */

long
types_live(void)
{
	long live = 0;

	for (int t = 0; t < PLAY_TYPES; t++)
		live += (long)(typed[t].allocs - typed[t].frees);
	return live;
}

uint64_t
types_zones(void)
{
	uint64_t zones = 0;

	for (int v = 0; v < PLAY_VM_ZONES; v++)
		zones += vm[v].zone != NULL && vm[v].zone->zzone != NULL;
	return zones;
}

void
types_free(unsigned item, unsigned kind)
{
	if (play_items[item].owner >= VM)
		give_vm(item, kind);
	else
		free_typed(item, kind);
}

void
types_step(const struct step *s)
{
	const struct play_item *slot = &play_items[s->item];
	bool is_typed =
	    slot->at != NULL && slot->owner >= TYPED && slot->owner < VM;

	if (play_booting)
		return;
	if (s->act == VM_MAKE)
		make_vm(s);
	else if (s->act == VM_END)
		end_vm(s->zone % PLAY_VM_ZONES);
	else if (s->act == TYPED_TAKE && slot->at == NULL)
		take_typed(s);
	else if (s->act == VM_TAKE && slot->at == NULL)
		take_vm(s);
	else if (s->act == TYPED_RESIZE && is_typed)
		resize_typed(s);
	else if (s->act == TYPED_FREE && is_typed)
		free_typed(s->item, s->kind);
	else if (s->act == VM_GIVE && slot->at != NULL && slot->owner >= VM)
		give_vm(s->item, s->kind);
}

/* All items are back. */
void
types_end(void)
{
	for (unsigned v = 0; v < PLAY_VM_ZONES; v++)
		end_vm(v);
	for (int t = 0; t < PLAY_TYPES; t++) {
		if (!typed[t].known)
			continue;
		check_type(t);
		uma_malloc_uninit(&types[t]);
		typed[t].known = false;
		typed[t].allocs = typed[t].frees = 0;
	}
}
