/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and ending vm_zones: see vm_zone.h. */
#include "vm_zone/vm_zone.h"

#include "lock/lock.h"
#include "meta/meta.h"
#include "port/port.h"
#include "slab/slab.h"
#include "zone/zone.h"

#define ROUNDING 32

/* What a call asked for, and the name it was called by. */
struct wish {
	const char *function;
	const char *name;
	int size;
	int nentries;
	int flags;
	int zalloc;
};

static const char *
printable(const char *name)
{
	return name == NULL ? "?" : name;
}

static void
check_size(const struct wish *w)
{
	if (w->size < 1 || (size_t)w->size > SLAB_ITEM_MAX)
		uma_crime(w->function, "size not from 1 to 1073741824", NULL,
		    printable(w->name));
}

/* `more` is how many items there are already. */
static void
check_wish(const struct wish *w, uint32_t more)
{
	const char *rule = NULL;

	if (w->nentries < 0)
		rule = "negative nentries";
	else if (w->zalloc < 0)
		rule = "negative zalloc";
	else if ((w->flags & ~ZONE_INTERRUPT) != 0)
		rule = "unknown flags";
	else if ((w->flags & ZONE_INTERRUPT) != 0 && w->nentries == 0)
		rule = "ZONE_INTERRUPT with no entries";
	else if (w->nentries > INT32_MAX - (int32_t)more)
		rule = "too many entries";
	if (rule != NULL)
		uma_crime(w->function, rule, NULL, printable(w->name));
}

/* What any address of an item is a multiple of, as far as anyone may need. */
static int
align_of(int size)
{
	int align = size & -size;

	return align > ROUNDING ? ROUNDING : align;
}

/* The zone below, with its room reserved if that was wished.  NULL: no room. */
static uma_zone_t
make_zone(const struct wish *w)
{
	uma_zone_t zone = uma_zcreate(w->name, w->size, NULL, NULL, NULL, NULL,
	    align_of(w->size) - 1, UMA_ZONE_ZINIT | UMA_ZONE_NOFREE);

	if (zone == NULL || (w->flags & ZONE_INTERRUPT) == 0 ||
	    zone_reserve(zone, (size_t)w->nentries))
		return zone;
	(void)uma_zdestroy(zone, M_NOWAIT);
	return NULL;
}

/* Fill in what is known only now, and let it be used and seen. */
static void
complete(struct vm_zone *z, const struct wish *w, uma_zone_t zone,
    struct vm_zone_row *row)
{
	bool boot = (z->zflags & ZONE_BOOT) != 0;
	int limit = (w->flags & ZONE_INTERRUPT) != 0
			? (int)z->zbootcount + w->nentries
			: 0;

	if (!boot) {
		z->zname = zone->name;
		z->zsize = w->size;
		vm_zone_row_start(row, zone->name, w->size, limit);
	}
	z->zflags |= w->flags;
	z->zalloc = w->zalloc == 0 ? 1 : w->zalloc;
	z->zmax = limit;
	z->zzone = zone;
	z->zrow = row;
	/* relaxed: a boot zone may be listed meanwhile. */
	atomic_store_explicit(&row->max, limit, memory_order_relaxed);
	/* release, pairs with the acquire in read_numbers(). */
	atomic_store_explicit(&row->zone, zone, memory_order_release);
	vm_zone_set_state(z, boot         ? VM_ZONE_MIXED
			     : limit != 0 ? VM_ZONE_SHORT
					  : VM_ZONE_PLAIN);
	if (!boot)
		vm_zone_list(row);
}

static int
rounded(int size)
{
	return (int)round_up((size_t)size, ROUNDING);
}

/* From the library's memory, all zero; it runs by now. */
static void *
room_take(size_t bytes)
{
	void *room;

	if (!gate_insist())
		return NULL; /* a handler inside a miss */
	room = meta_take(bytes, META_NORMAL);
	gate_leave();
	return room;
}

static void
room_give(void *room, size_t bytes)
{
	enum meta_how how;

	if (room == NULL)
		return;
	how = meta_enter();
	meta_give(room, bytes, how);
	meta_leave(how);
}

/* See uma/vm_zone.h. */
vm_zone_t
uma_vm_zinit(const char *name, int size, int nentries, int flags, int zalloc)
{
	struct wish w = { "zinit", name, size, nentries, flags, zalloc };
	struct vm_zone_row *row;
	struct vm_zone *z;
	uma_zone_t zone;

	check_size(&w);
	check_wish(&w, 0);
	w.size = rounded(size);
	/* The zone first: it starts the library. */
	zone = make_zone(&w);
	if (zone == NULL)
		return NULL;
	z = room_take(sizeof(*z));
	row = room_take(sizeof(*row));
	if (z == NULL || row == NULL) {
		room_give(z, sizeof(*z));
		room_give(row, sizeof(*row));
		(void)uma_zdestroy(zone, M_NOWAIT);
		return NULL;
	}
	row->own = true;
	complete(z, &w, zone, row);
	return z;
}

static void
check_structure(struct vm_zone *z, const char *function, const char *name)
{
	if (z == NULL || (uintptr_t)z % alignof(struct vm_zone) != 0)
		uma_crime(function, "not a zone", z, printable(name));
}

/* See uma/vm_zone.h. */
int
uma_vm_zinitna(vm_zone_t z, struct vm_object *object, const char *name,
    int size, int nentries, int flags, int zalloc)
{
	struct wish w = { "zinitna", name, size, nentries, flags, zalloc };
	struct vm_zone_row *row;
	uint32_t state;
	uma_zone_t zone;

	(void)object;
	check_structure(z, w.function, name);
	state = vm_zone_state(z);
	if (vm_zone_in_use(z) && state != VM_ZONE_BOOT)
		uma_crime(w.function, "zone already in use", z, z->zname);
	if (state == VM_ZONE_BOOT) {
		w.name = z->zname;
		w.size = z->zsize;
	} else {
		check_size(&w);
		w.size = rounded(size);
	}
	check_wish(&w, state == VM_ZONE_BOOT ? z->zbootcount : 0);
	zone = make_zone(&w);
	if (zone == NULL)
		return 0;
	row = state == VM_ZONE_BOOT ? z->zrow : room_take(sizeof(*row));
	if (row == NULL) {
		(void)uma_zdestroy(zone, M_NOWAIT);
		return 0;
	}
	if (state != VM_ZONE_BOOT)
		__builtin_memset(z, 0, sizeof(*z));
	complete(z, &w, zone, row);
	return 1;
}

/* See uma/vm_zone.h. */
void
uma_vm_zbootinit(
    vm_zone_t z, const char *name, int size, void *item, int nitems)
{
	struct wish w = { "zbootinit", name, size, 0, 0, 0 };

	check_structure(z, w.function, name);
	if (vm_zone_in_use(z))
		uma_crime(w.function, "zone already in use", z, z->zname);
	check_size(&w);
	if (nitems < 0)
		uma_crime(w.function, "negative nitems", NULL, printable(name));
	if (nitems > 0 && item == NULL)
		uma_crime(w.function, "item is NULL", NULL, printable(name));
	__builtin_memset(z, 0, sizeof(*z));
	z->zname = printable(name);
	z->zsize = size;
	z->zmax = nitems;
	z->zflags = ZONE_BOOT;
	if (!vm_zone_boot_start(z, item, (uint32_t)nitems))
		uma_crime(w.function, "no memory for so many items", NULL,
		    printable(name));
	if (nitems > 0)
		__builtin_memset(item, 0, (size_t)size * (size_t)nitems);
	vm_zone_set_state(z, VM_ZONE_BOOT);
	vm_zone_list(z->zrow);
}

/*
 * Nobody uses it any more, so its numbers are exact.  With no item out it is
 * only that caches of other CPUs cannot be emptied now.
 */
static void
end_zone(struct vm_zone *z)
{
	struct zone_reading r;

	if (uma_zdestroy(z->zzone, M_NOWAIT) == 0)
		return;
	if (zone_read(z->zzone, &r) && r.allocs != r.frees)
		uma_crime("zdestroy", "items are out", z, z->zname);
	(void)uma_zdestroy(z->zzone, M_WAITOK);
}

/* See uma/vm_zone.h. */
void
uma_vm_zdestroy(vm_zone_t z)
{
	struct vm_zone_row *row;

	vm_zone_check(z, "zdestroy");
	if ((z->zflags & ZONE_BOOT) != 0)
		uma_crime("zdestroy", "zone has boot items", z, z->zname);
	row = z->zrow;
	vm_zone_unlist(row);
	vm_zone_empty_hand(z);
	end_zone(z);
	vm_zone_set_state(z, VM_ZONE_DEAD);
	if (row->own)
		room_give(vm_zone_rest(z), sizeof(*z));
	room_give(row, sizeof(*row));
}
