/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The callbacks of zones, and where each item stands between them
 *
 *	out -> init -> cached -> ctor -> used
 *	    <- fini <-        <- dtor <-
 */
#include "model/reference.h"

#define FREE_STAMP (UINT64_C(1) << 62)
#define CTOR_STAMP (UINT64_C(1) << 61)

enum { LEDGER_BITS = 20, LEDGER_SLOTS = 1 << LEDGER_BITS };
enum place { OUT, CACHED, USED };

static struct ledger {
	const void *item;
	enum place place;
	int zone;
} ledger[LEDGER_SLOTS];
static unsigned ledger_count;

struct play_call play_call;

/* Only a zone with both callbacks says when memory enters and leaves. */
bool
callbacks_follow(const struct play_zone *z)
{
	return (~z->made.kind & (WITH_INIT | WITH_FINI)) == 0 &&
	       (z->made.flags & UMA_ZONE_ZINIT) == 0;
}

static bool
is_paired(int zone)
{
	unsigned both = WITH_CTOR | WITH_DTOR;

	return (play_zones[zone].made.kind & both) == both;
}

static void
move(int zone, const void *item, enum place from, enum place to)
{
	static const char *const names[] = { "out", "cached", "used" };
	size_t i =
	    ((uintptr_t)item >> 3) * 0x9e3779b97f4a7c15u >> (64 - LEDGER_BITS);
	struct ledger *l;

	if (!callbacks_follow(&play_zones[zone]))
		return;
	while (ledger[i].item != NULL && ledger[i].item != item)
		i = (i + 1) % LEDGER_SLOTS;
	l = &ledger[i];
	if (l->item == NULL && ++ledger_count == LEDGER_SLOTS)
		play_fail("the test's own ledger is full");
	l->item = item;
	if (l->place != from || (from != OUT && l->zone != zone))
		play_fail("zone %d: %p goes from %s to %s, but was %s", zone,
		    item, names[from], names[to], names[l->place]);
	l->place = to;
	l->zone = zone;
}

static size_t
bytes_of(int zone)
{
	return (size_t)play_zones[zone].made.size;
}

static void
check_size(int zone, int size, const char *callback)
{
	if (size != play_zones[zone].made.size)
		play_fail(
		    "zone %d: %s was told %d bytes", zone, callback, size);
}

static void
check_arg(int zone, const void *arg, const char *callback)
{
	if (arg != play_call.arg)
		play_fail("zone %d: %s got a wrong arg", zone, callback);
}

/* For another sequence: all are out now, and need not be known for ever. */
void
callbacks_forget(void)
{
	if (ledger_count < LEDGER_SLOTS / 4)
		return;
	memset(ledger, 0, sizeof ledger);
	ledger_count = 0;
}

/* ---- what a free item holds ---- */

bool
callbacks_free_state_known(const struct play_zone *z)
{
	return (z->made.flags & UMA_ZONE_ZINIT) != 0 ||
	       (z->made.kind & WITH_INIT) != 0;
}

void
callbacks_put_free_state(int zone, void *item)
{
	const struct play_zone *z = &play_zones[zone];

	if ((z->made.flags & UMA_ZONE_ZINIT) != 0)
		memset(item, 0, bytes_of(zone));
	else
		stamp_fill(item, bytes_of(zone), FREE_STAMP | (uintptr_t)item);
}

void
callbacks_check_free_state(int zone, const void *item, bool zeroed)
{
	const struct play_zone *z = &play_zones[zone];
	bool good = true;

	if (zeroed || (z->made.flags & UMA_ZONE_ZINIT) != 0)
		good = stamp_zeros(item, bytes_of(zone));
	else if ((z->made.kind & WITH_INIT) != 0)
		good = stamp_holds(
		    item, bytes_of(zone), FREE_STAMP | (uintptr_t)item);
	if (!good)
		play_fail("zone %d: %p is not %s", zone, item,
		    zeroed ? "zero" : "as init left it");
}

/* ---- the callbacks ---- */

static void
on_init(int zone, void *item, int size)
{
	check_size(zone, size, "init");
	play_zones[zone].inits++;
	move(zone, item, OUT, CACHED);
	callbacks_put_free_state(zone, item);
}

static void
on_fini(int zone, void *item, int size)
{
	check_size(zone, size, "fini");
	play_zones[zone].finis++;
	move(zone, item, CACHED, OUT);
	if (callbacks_follow(&play_zones[zone]))
		callbacks_check_free_state(zone, item, false);
	memset(item, 0xdb, (size_t)size);
}

static void
on_ctor(int zone, void *item, int size, void *arg)
{
	check_size(zone, size, "ctor");
	check_arg(zone, arg, "ctor");
	play_zones[zone].ctors++;
	if (is_paired(zone))
		move(zone, item, CACHED, USED);
	callbacks_check_free_state(zone, item, play_call.zero);
	stamp_fill(item, (size_t)size, CTOR_STAMP);
}

/* The caller verified the item's own stamp just before. */
static void
on_dtor(int zone, void *item, int size, void *arg)
{
	check_size(zone, size, "dtor");
	check_arg(zone, arg, "dtor");
	play_zones[zone].dtors++;
	if (is_paired(zone))
		move(zone, item, USED, CACHED);
	if (!stamp_holds(item, (size_t)size, PLAY_LEFT_STAMP))
		play_fail("zone %d: %p changed before dtor", zone, item);
	if (callbacks_free_state_known(&play_zones[zone]))
		callbacks_put_free_state(zone, item);
}

/* A callback knows no zone, so each slot has its own. */
#define CALLBACKS(n) \
	static void ctor_##n(void *m, int size, void *arg) \
	{ \
		on_ctor(n, m, size, arg); \
	} \
	static void dtor_##n(void *m, int size, void *arg) \
	{ \
		on_dtor(n, m, size, arg); \
	} \
	static void init_##n(void *m, int size) \
	{ \
		on_init(n, m, size); \
	} \
	static void fini_##n(void *m, int size) \
	{ \
		on_fini(n, m, size); \
	} \
	static void *allocf_##n( \
	    uma_zone_t zone, int size, uint8_t *pflag, int wait) \
	{ \
		if (zone != play_zones[n].handle || wait == 0) \
			play_fail("a supplier got wrong arguments"); \
		return supplier_take(n, size, pflag); \
	} \
	static void freef_##n(void *m, int size, uint8_t pflag) \
	{ \
		supplier_give(n, m, size, pflag); \
	}

CALLBACKS(0)
CALLBACKS(1)
CALLBACKS(2)
CALLBACKS(3)
CALLBACKS(4)
CALLBACKS(5)
CALLBACKS(6)
CALLBACKS(7)
CALLBACKS(8)
CALLBACKS(9)

#define ROW(n) \
	{ \
		ctor_##n, dtor_##n, init_##n, fini_##n, allocf_##n, freef_##n \
	}

static const struct row {
	uma_ctor ctor;
	uma_dtor dtor;
	uma_init init;
	uma_fini fini;
	uma_alloc allocf;
	uma_free freef;
} rows[PLAY_ZONES] = {
	ROW(0),
	ROW(1),
	ROW(2),
	ROW(3),
	ROW(4),
	ROW(5),
	ROW(6),
	ROW(7),
	ROW(8),
	ROW(9),
};

uma_zone_t
callbacks_create(const struct step *s, const char *name)
{
	const struct row *r = &rows[s->zone];
	uma_zone_t zone;

	zone = uma_zcreate(name, s->size,
	    (s->kind & WITH_CTOR) != 0 ? r->ctor : NULL,
	    (s->kind & WITH_DTOR) != 0 ? r->dtor : NULL,
	    (s->kind & WITH_INIT) != 0 ? r->init : NULL,
	    (s->kind & WITH_FINI) != 0 ? r->fini : NULL, s->align,
	    (uint16_t)s->flags);
	if (zone != NULL && (s->kind & WITH_ALLOCF) != 0) {
		uma_zone_set_allocf(zone, r->allocf);
		if ((s->kind & WITH_FREEF) != 0)
			uma_zone_set_freef(zone, r->freef);
	}
	return zone;
}
