/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps on zones, and the order of things: see play.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "model/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { VERIFY_EVERY = 64, BACKED_EVERY = 8, PAGES_LOOKED_AT = 64 };

struct play_zone play_zones[PLAY_ZONES];
bool play_booting;
bool play_preloaded;

static bool by_hand; /* there is boot memory */

static struct play_report own_report;
struct play_report *play_report = &own_report;

static unsigned char boot_memory[UMA_SLAB_SIZE * UMA_BOOT_PAGES];

void
play_fail(const char *format, ...)
{
	char why[sizeof play_report->why];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	memcpy(play_report->why, why, sizeof why);
	if (play_report != &own_report)
		_exit(1);
	dprintf(STDERR_FILENO, "step %u: %s\n", atomic_load(&play_report->step),
	    why);
	abort();
}

/* ---- making zones ---- */

/* What kind of library this is. */
static void
look_around(void)
{
	struct uma_stats before = { .struct_bytes = sizeof before };
	struct uma_stats after = before;
	void *large;

	/* Wakes it: its own zones are there from now on. */
	uma_reclaim();
	uma_stats(&before);
	large = malloc(1000000);
	uma_stats(&after);
	play_preloaded = after.large_allocs != before.large_allocs;
	free(large);
	if (!play_preloaded && getenv("LD_PRELOAD") != NULL &&
	    strstr(getenv("LD_PRELOAD"), "libuma_malloc") != NULL)
		play_fail("malloc is not the preloaded one");
	numbers_start();
}

static void
create(const struct step *s)
{
	static unsigned number;
	struct play_zone *z = &play_zones[s->zone];
	char name[32];

	if (z->handle != NULL || (play_booting && s->kind >= WITH_ALLOCF))
		return;
	snprintf(name, sizeof name, "model %u", ++number);
	memset(z, 0, sizeof *z);
	z->made = *s;
	z->boot = by_hand;
	z->limit = 0;
	z->capacity = -1;
	z->handle = callbacks_create(s, name);
	if (z->handle == NULL && !play_booting)
		play_fail("zone %u: creation gave NULL", s->zone);
}

/* A descriptor of a file that `bytes` fit in. */
static struct vm_object *
make_object(size_t bytes)
{
	struct vm_object *object;
	int fd = memfd_create("model", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
		play_fail("no memory file");
	object = uma_object_create(fd, 0, bytes);
	if (object == NULL)
		play_fail("uma_object_create: NULL");
	close(fd);
	return object;
}

static void
set_obj(const struct step *s)
{
	struct play_zone *z = &play_zones[s->zone];
	size_t stride = (size_t)z->made.size + (size_t)z->made.align + 8;
	struct vm_object *object = NULL;

	if (z->handle == NULL || z->used || z->object || play_booting ||
	    (z->made.kind & WITH_ALLOCF) != 0)
		return;
	if (s->kind == 1)
		object = make_object(
		    (size_t)s->count * (2 * stride + 65536) + (1 << 20));
	else if (s->kind == 2) {
		object = make_object(4096);
		if (uma_zone_set_obj(z->handle, object, s->count) != 0)
			play_fail("zone %u: took an object too small", s->zone);
		uma_object_destroy(object);
		return;
	}
	if (uma_zone_set_obj(z->handle, object, s->count) != 1)
		play_fail("zone %u: set_obj failed", s->zone);
	z->object = true;
	z->limit = s->count;
	z->capacity = s->count;
}

/* ---- taking ---- */

/* Who may wait gets an item, though a supplier refuses now and then. */
static bool
may_be_null(const struct play_zone *z, unsigned flags)
{
	if ((flags & M_NOWAIT) == 0)
		return false;
	if (z->capacity >= 0 && z->live >= z->capacity)
		return true;
	return play_booting || play_call.supplier_null || HOSTILE;
}

/* Never ask to wait where only another thread would end the wait. */
static unsigned
without_hang(const struct play_zone *z, unsigned flags)
{
	bool hangs = play_booting || supplier_is_full() ||
		     (z->capacity >= 0 && z->live >= z->capacity);

	if (!hangs || (flags & M_NOWAIT) != 0)
		return flags;
	return (flags & ~(unsigned)M_WAITOK) | M_NOWAIT;
}

/* Items leave with memory behind them, unless the zone is PAGEABLE. */
static void
check_backed(const struct play_zone *z, const void *item)
{
	unsigned char in_core[PAGES_LOOKED_AT + 1];
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)item & -page;
	uintptr_t to = (uintptr_t)item + (size_t)z->made.size;

	/* Boot memory is its giver's to back. */
	if ((uintptr_t)item - (uintptr_t)boot_memory < sizeof boot_memory)
		return;
	if (to > from + PAGES_LOOKED_AT * page)
		to = from + PAGES_LOOKED_AT * page;
	if (mincore((void *)from, to - from, in_core) != 0)
		play_fail("zone %td: %p is not mapped", z - play_zones, item);
	for (uintptr_t at = from; at < to; at += page)
		if ((in_core[(at - from) / page] & 1) == 0)
			play_fail("zone %td: %p has no memory behind it",
			    z - play_zones, item);
}

static void
check_new(unsigned zone, void *item)
{
	struct play_zone *z = &play_zones[zone];

	slots_check_place(item, (size_t)z->made.size, (size_t)z->made.align);
	if ((z->made.flags & UMA_ZONE_PAGEABLE) == 0 &&
	    z->allocs % BACKED_EVERY == 0)
		check_backed(z, item);
	if ((z->made.kind & WITH_CTOR) == 0)
		callbacks_check_free_state((int)zone, item, play_call.zero);
	else if (!stamp_holds(item, (size_t)z->made.size, UINT64_C(1) << 61))
		play_fail("zone %u: %p changed after ctor", zone, item);
}

static void *
call_alloc(struct play_zone *z, unsigned flags, unsigned kind)
{
	if ((kind & FAST) != 0)
		return inlined_zalloc(z->handle, (int)flags);
	if (play_call.arg == NULL)
		return uma_zalloc(z->handle, (int)flags);
	return uma_zalloc_arg(z->handle, play_call.arg, (int)flags);
}

static void
take(unsigned zone, unsigned item, unsigned flags, unsigned kind)
{
	struct play_zone *z = &play_zones[zone];
	struct uma_zone_stats before;
	void *at;

	if (z->handle == NULL || play_items[item].at != NULL)
		return;
	flags = without_hang(z, flags);
	before = numbers_of(z);
	play_call.arg = NULL;
	if (z->allocs % 2 != 0 && (kind & FAST) == 0)
		play_call.arg = &play_items[item];
	play_call.zero = (flags & M_ZERO) != 0;
	play_call.supplier_null = false;
	z->used = true;
	errno = 12345;
	at = call_alloc(z, flags, kind);
	if (errno != 12345)
		play_fail("zone %u: errno changed to %d", zone, errno);
	if (at == NULL && !may_be_null(z, flags))
		play_fail("zone %u: NULL with %ld items live", zone, z->live);
	if (at == NULL) {
		z->fails++;
		return;
	}
	if (z->capacity >= 0 && z->live >= z->capacity)
		play_fail("zone %u: more than %ld items", zone, z->capacity);
	z->allocs++;
	z->live++;
	check_new(zone, at);
	slots_put(item, at, (size_t)z->made.size, (int)zone);
	numbers_after_take((int)zone, &before);
}

static void
fill(const struct step *s)
{
	unsigned item = s->item;

	for (int i = 0; i < s->count; item = (item + 1) % PLAY_ITEMS, i++)
		take(s->zone, item, s->flags, s->kind);
}

/* ---- giving ---- */

static void
call_free(struct play_zone *z, void *item, unsigned kind)
{
	if ((kind & FAST) != 0)
		inlined_zfree(z->handle, item);
	else if (play_call.arg == NULL)
		uma_zfree(z->handle, item);
	else
		uma_zfree_arg(z->handle, item, play_call.arg);
}

static void
give(unsigned item, unsigned kind)
{
	struct play_item *slot = &play_items[item];
	struct play_zone *z;
	void *at = slot->at;

	if (at == NULL || slot->owner >= BLOCK)
		return;
	z = &play_zones[slot->owner];
	slots_verify(slot);
	if ((z->made.kind & WITH_DTOR) != 0)
		stamp_fill(at, slot->bytes, PLAY_LEFT_STAMP);
	else if (callbacks_free_state_known(z))
		callbacks_put_free_state(slot->owner, at);
	play_call.arg = z->frees % 2 == 0 || (kind & FAST) != 0 ? NULL : slot;
	slot->at = NULL;
	errno = 12345;
	call_free(z, at, kind);
	if (errno != 12345)
		play_fail("zone %d: errno changed to %d", slot->owner, errno);
	z->live--;
	z->frees++;
}

/* Up to `count` items of a zone, in the order that `kind` says. */
static void
drain(unsigned zone, int count, unsigned kind)
{
	unsigned order = kind % FAST % ORDERS;

	for (unsigned i = 0; i < PLAY_ITEMS && count > 0; i++) {
		unsigned item = order == 1 ? PLAY_ITEMS - 1 - i : i;

		if (play_items[item].at == NULL ||
		    play_items[item].owner != (int)zone)
			continue;
		if (order == 2 && item % 2 != 0)
			continue;
		give(item, kind);
		count--;
	}
}

/* ---- the rest ---- */

/* Rounded up to whole slabs, the size of which earlier slabs tell. */
static void
prealloc(const struct step *s)
{
	struct play_zone *z = &play_zones[s->zone];
	struct uma_zone_stats before, after;
	uint64_t more;
	bool complete = z->capacity >= 0;
	/* Who has to wait for memory reclaims, and ends with fewer. */
	bool waits = z->refuse != 0 || HOSTILE;

	if (z->handle == NULL || play_booting || supplier_is_full())
		return;
	before = numbers_of(z);
	z->used = true;
	uma_prealloc(z->handle, s->count);
	after = numbers_of(z);
	more = after.free_items - before.free_items;
	if (!complete && !waits && more < (uint64_t)s->count)
		play_fail("zone %u: %d items ahead gave %llu", s->zone,
		    s->count, (unsigned long long)more);
	if (!complete && !waits && z->slab_items != 0 &&
	    more >= (uint64_t)s->count + z->slab_items)
		play_fail("zone %u: %d items ahead gave as many as %llu",
		    s->zone, s->count, (unsigned long long)more);
	if (!waits && after.cached_items != before.cached_items)
		play_fail("zone %u: preallocated into a cache", s->zone);
	/* It never grows again, whatever room its object has. */
	if ((z->made.flags & UMA_ZONE_STATIC) != 0)
		z->capacity = (long)(after.used_items + after.free_items);
}

/* With items out only another thread would end the wait. */
static void
destroy(unsigned zone, unsigned flags)
{
	struct play_zone *z = &play_zones[zone];
	bool waits = (flags & M_WAITOK) != 0 && z->live == 0;
	int answer;

	if (z->handle == NULL)
		return;
	answer = uma_zdestroy(z->handle, waits ? M_WAITOK : M_NOWAIT);
	if (answer != (z->live == 0 ? 0 : EWOULDBLOCK))
		play_fail("zone %u: destroy gave %d with %ld items out", zone,
		    answer, z->live);
	if (answer != 0)
		return;
	z->handle = NULL;
	if (callbacks_follow(z) && z->inits != z->finis)
		play_fail(
		    "zone %u: %ld init, %ld fini", zone, z->inits, z->finis);
	supplier_check_gone((int)zone);
}

static void
refuse(const struct step *s)
{
	play_zones[s->zone].refuse = (unsigned)s->count;
	play_zones[s->zone].refuse_kind = s->kind;
}

static void
numbers(void)
{
	static int nowhere = -1;

	if (nowhere < 0)
		nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	uma_stats_print(nowhere);
	slots_verify_all();
	numbers_check_all();
}

static bool
is_awake(void)
{
	struct uma_stats all = { .struct_bytes = sizeof all };

	uma_stats(&all);
	return all.zones != 0;
}

static void
start(const struct step *s)
{
	/* Under a preloaded malloc the library runs already. */
	if (s->act == STARTUP && !is_awake()) {
		uma_startup(boot_memory);
		play_booting = by_hand = true;
		numbers_start();
	} else
		look_around();
}

static void
startup2(void)
{
	uint64_t hash[4] = { 1, 1, 1, 1 };

	if (!play_booting)
		return;
	uma_startup2(hash, 4);
	if (hash[0] != 0 || hash[3] != 0)
		play_fail("startup2 left its hash");
	play_booting = false;
	look_around();
}

static void
zone_step(const struct step *s)
{
	if (s->act == CREATE)
		create(s);
	else if (s->act == SET_OBJ)
		set_obj(s);
	else if (s->act == ALLOC)
		take(s->zone, s->item, s->flags, s->kind);
	else if (s->act == FILL)
		fill(s);
	else if (s->act == DRAIN)
		drain(s->zone, s->count, s->kind);
	else if (s->act == PREALLOC)
		prealloc(s);
	else if (s->act == REFUSE)
		refuse(s);
	else if (s->act == DESTROY)
		destroy(s->zone, s->flags);
	if (play_zones[s->zone].handle != NULL)
		numbers_check((int)s->zone);
}

void
play_step(const struct step *s)
{
	unsigned before = atomic_fetch_add(&play_report->step, 1);

	if (before == 0)
		start(s);
	if (s->act >= TYPED_TAKE)
		types_step(s);
	else if (s->act >= MALLOC)
		blocks_step(s);
	else if (s->act == FREE) {
		int owner = play_items[s->item].owner;
		bool is_item = play_items[s->item].at != NULL && owner < BLOCK;

		give(s->item, s->kind);
		if (is_item)
			numbers_check(owner);
	} else if (s->act == RECLAIM) {
		uma_reclaim();
		numbers_check_reclaimed();
		numbers();
	} else if (s->act == STARTUP2)
		startup2();
	else if (s->act == NUMBERS)
		numbers();
	else
		zone_step(s);
	if (before % VERIFY_EVERY == 0)
		slots_verify_all();
}

void
play_end(void)
{
	if (atomic_load(&play_report->step) == 0)
		return;
	numbers();
	for (unsigned i = 0; i < PLAY_ITEMS; i++) {
		if (play_items[i].at == NULL)
			continue;
		if (play_items[i].owner == BLOCK)
			blocks_free(i);
		else if (play_items[i].owner > BLOCK)
			types_free(i, i);
		else
			give(i, 0);
	}
	numbers();
	types_end();
	uma_reclaim();
	numbers_check_reclaimed();
	for (unsigned i = 0; i < PLAY_ZONES; i++)
		destroy(i, i % 2 == 0 ? M_NOWAIT : M_WAITOK);
	numbers_check_all();
	supplier_forget();
	callbacks_forget();
	atomic_store(&play_report->step, 0);
}
