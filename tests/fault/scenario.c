/* SPDX-License-Identifier: BSD-2-Clause */
/* See scenario.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "fault/scenario.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <uma/fast.h>
#include <uma/stats.h>
#include <uma/uma.h>

#include "fault/request.h"
#include "hostile.h"
#include "model/stamp.h"

#define INIT_STAMP UINT64_C(0x1817)

enum {
	/* Slabs of three: an eighth of the items makes as many requests. */
	LESS = HOSTILE ? 8 : 1,
	ITEMS = 400 / LESS,
	STATIC_ITEMS = 40,
	OBJECT_ITEMS = 9,
	WIDE_ITEMS = 40,
	DENSE_ITEMS = HOSTILE ? 3 * 600 : 70 * 8192
};

enum kind {
	PLAIN,
	RAISED,   /* with all four callbacks */
	PAGEABLE, /* and zeroed by init */
	KEPT,     /* NOFREE */
	FIXED,    /* STATIC */
	LARGE,
	OBJECT,
	FILE_OBJECT,
	PRIVATE, /* a page supplier of its own */
	ALIGNED,
	WIDE,  /* an object that covers more than one leaf of the page map */
	DENSE, /* one with so many items that its headers need memory */
	ZONES
};

static const struct shape {
	const char *name;
	int size;
	int align;
	unsigned flags;
	int most; /* items to take; 0: as many as it has */
} shapes[ZONES] = {
	[PLAIN] = { "plain", 64, 7, 0, ITEMS },
	[RAISED] = { "raised", 200, 7, 0, ITEMS },
	[PAGEABLE] = { "pageable", 1000, 7, UMA_ZONE_PAGEABLE | UMA_ZONE_ZINIT,
	    150 / LESS },
	[KEPT] = { "kept", 2000, 7, UMA_ZONE_NOFREE, 50 / LESS },
	[FIXED] = { "fixed", 5000, 7, UMA_ZONE_STATIC, ITEMS },
	[LARGE] = { "large", 100000, 7, 0, 8 },
	[OBJECT] = { "object", 20000, 7, 0, OBJECT_ITEMS },
	[FILE_OBJECT] = { "file", 30000, 7, 0, OBJECT_ITEMS },
	[PRIVATE] = { "private", 3000, 7, 0, 60 / LESS },
	[ALIGNED] = { "aligned", 300, 65535, 0, 3 },
	[WIDE] = { "wide", 32 << 20, 7, UMA_ZONE_PAGEABLE, WIDE_ITEMS },
	[DENSE] = { "dense", 8, 7, UMA_ZONE_PAGEABLE, 100 / LESS },
};

char *scenario_why;

static struct {
	uma_zone_t zone;
	unsigned char *items[ITEMS];
	int count;
	long limit; /* -1: none */
} used[ZONES];

static long inits, finis, ctors, dtors;
static long supplied;
static uint64_t stamp;

void
scenario_wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(scenario_why, WHY_BYTES, format, args);
	va_end(args);
	_exit(1);
}

/* ---- callbacks ---- */

static void
raise_item(void *item, int size)
{
	inits++;
	stamp_fill(item, (size_t)size, INIT_STAMP);
}

static void
sink_item(void *item, int size)
{
	finis++;
	if (!stamp_holds(item, (size_t)size, INIT_STAMP))
		scenario_wrong("fini: an item is not as init left it");
}

/* That there is one makes the slabs keep a bit for each item. */
static void
sink_nothing(void *item, int size)
{
	if (size != 8 || item == NULL)
		scenario_wrong("fini: %p, %d bytes", item, size);
}

static void
dress_item(void *item, int size, void *arg)
{
	(void)arg;
	ctors++;
	if (!stamp_holds(item, (size_t)size, INIT_STAMP))
		scenario_wrong("ctor: an item is not as init left it");
}

static void
undress_item(void *item, int size, void *arg)
{
	(void)arg;
	dtors++;
	stamp_fill(item, (size_t)size, INIT_STAMP);
}

static void *
supply(uma_zone_t zone, int size, uint8_t *pflag, int wait)
{
	void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)zone;
	(void)wait;
	*pflag |= 0x40;
	if (memory == MAP_FAILED)
		return NULL;
	supplied += size;
	return memory;
}

static void
take_back(void *memory, int size, uint8_t pflag)
{
	if ((pflag & 0x40) == 0)
		scenario_wrong("a page supplier's flags are lost");
	supplied -= size;
	munmap(memory, (size_t)size);
}

/* ---- zones ---- */

/* Of a wide item only the start is written and looked at. */
static size_t
written(enum kind kind)
{
	return kind == WIDE ? 64 : (size_t)shapes[kind].size;
}

void
scenario_must_have_been_refused(unsigned before, const char *what)
{
	/* A hostile build refuses memory without a request. */
	if (request_log.refused == before && !HOSTILE)
		scenario_wrong("%s failed, and nothing was refused", what);
}

static void
create(enum kind kind)
{
	const struct shape *s = &shapes[kind];
	bool raised = kind == RAISED;
	unsigned before = request_log.refused;

	used[kind].limit = -1;
	used[kind].zone =
	    uma_zcreate(s->name, s->size, raised ? dress_item : NULL,
		raised ? undress_item : NULL, raised ? raise_item : NULL,
		raised          ? sink_item
		: kind == DENSE ? sink_nothing
				: NULL,
		s->align, (uint16_t)s->flags);
	if (used[kind].zone == NULL) {
		scenario_must_have_been_refused(before, "uma_zcreate");
		return;
	}
	if (kind == PRIVATE) {
		uma_zone_set_allocf(used[kind].zone, supply);
		uma_zone_set_freef(used[kind].zone, take_back);
	}
}

/* Takes the object if all goes well. */
static void
set_object(enum kind kind, struct vm_object *object, int items)
{
	unsigned before = request_log.refused;

	if (used[kind].zone != NULL &&
	    uma_zone_set_obj(used[kind].zone, object, items)) {
		used[kind].limit = items;
		return;
	}
	if (used[kind].zone != NULL)
		scenario_must_have_been_refused(before, "uma_zone_set_obj");
	uma_object_destroy(object);
}

static void
set_objects(void)
{
	unsigned before = request_log.refused;
	struct vm_object *object;
	int fd = memfd_create("fault", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 4 << 20) != 0)
		scenario_wrong("no memory file");
	object = uma_object_create(fd, 0, 4 << 20);
	close(fd);
	if (object == NULL)
		scenario_must_have_been_refused(before, "uma_object_create");
	else
		set_object(FILE_OBJECT, object, OBJECT_ITEMS);
	set_object(OBJECT, NULL, OBJECT_ITEMS);
	set_object(WIDE, NULL, WIDE_ITEMS);
	set_object(DENSE, NULL, DENSE_ITEMS);
}

/* By each of the three calls in turn. */
static void *
take_one(uma_zone_t zone, int turn, int flags)
{
	switch (turn % 3) {
	case 0:
		return uma_zalloc(zone, flags);
	case 1:
		return uma_zalloc_arg(zone, NULL, flags);
	default:
		return uma_fast_zalloc(zone, flags);
	}
}

static void
give_one(uma_zone_t zone, int turn, void *item)
{
	switch (turn % 3) {
	case 0:
		uma_zfree(zone, item);
		break;
	case 1:
		uma_zfree_arg(zone, item, NULL);
		break;
	default:
		uma_fast_zfree(zone, item);
	}
}

static void
take(enum kind kind, int flags)
{
	const struct shape *s = &shapes[kind];
	unsigned before = request_log.refused;
	bool full =
	    used[kind].limit >= 0 && used[kind].count >= used[kind].limit;
	unsigned char *item;

	errno = 12345;
	if (full)
		flags = M_NOWAIT;
	item = take_one(used[kind].zone, used[kind].count, flags);
	if (errno != 12345)
		scenario_wrong("uma_zalloc changed errno");
	if (item == NULL && (flags & M_WAITOK) != 0)
		scenario_wrong("%s: NULL with M_WAITOK", s->name);
	if (item == NULL) {
		if (!full)
			scenario_must_have_been_refused(before, s->name);
		return;
	}
	if (full)
		scenario_wrong("%s: more than its limit", s->name);
	if (used[kind].limit >= 0 && kind == FILE_OBJECT &&
	    !request_in_object(item, (size_t)s->size))
		scenario_wrong("%s: an item outside of its object", s->name);
	if (((uintptr_t)item & (uintptr_t)s->align) != 0)
		scenario_wrong("%s: not aligned", s->name);
	if ((flags & M_ZERO) != 0 && !stamp_zeros(item, (size_t)s->size))
		scenario_wrong("%s: M_ZERO, but not zero", s->name);
	if (kind == PAGEABLE && !stamp_zeros(item, (size_t)s->size))
		scenario_wrong("%s: init did not zero", s->name);
	stamp_fill(item, written(kind), stamp + (uintptr_t)item);
	used[kind].items[used[kind].count++] = item;
}

static void
take_many(enum kind kind, bool patient)
{
	if (used[kind].zone == NULL)
		return;
	for (int i = 0; i < shapes[kind].most && used[kind].count < ITEMS; i++)
		take(kind,
		    (patient && i % 5 == 0 ? M_WAITOK : M_NOWAIT) |
			(i % 4 == 0 && kind != RAISED && kind != WIDE ? M_ZERO
								      : 0));
}

static void
give_down_to(enum kind kind, int left)
{
	const struct shape *s = &shapes[kind];

	while (used[kind].count > left) {
		unsigned char *item = used[kind].items[--used[kind].count];

		if (!stamp_holds(item, written(kind), stamp + (uintptr_t)item))
			scenario_wrong("%s: an item was written to", s->name);
		if (kind == PAGEABLE)
			memset(item, 0, (size_t)s->size);
		give_one(used[kind].zone, used[kind].count, item);
	}
}

static void
check_numbers(enum kind kind)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	if (used[kind].zone == NULL)
		return;
	uma_zone_stats(used[kind].zone, &s);
	if (s.used_items != (uint64_t)used[kind].count ||
	    s.allocs - s.frees != s.used_items)
		scenario_wrong("%s: used %llu, not %d", shapes[kind].name,
		    (unsigned long long)s.used_items, used[kind].count);
	if (used[kind].limit >= 0 &&
	    s.used_items + s.free_items > (uint64_t)used[kind].limit)
		scenario_wrong(
		    "%s: more items than its limit", shapes[kind].name);
}

/* Items in the slabs beforehand; the zone is fresh. */
static void
prealloc(enum kind kind, int count)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	if (used[kind].zone == NULL)
		return;
	uma_prealloc(used[kind].zone, count);
	uma_zone_stats(used[kind].zone, &s);
	if (s.free_items < (uint64_t)count) {
		/* Slabs made without the lock count when it is next taken. */
		uma_reclaim();
		uma_zone_stats(used[kind].zone, &s);
	}
	if (s.used_items != 0)
		scenario_wrong("%s: prealloc left %llu items in use",
		    shapes[kind].name, (unsigned long long)s.used_items);
	if (s.free_items < (uint64_t)count)
		scenario_wrong("%s: %llu of %d items preallocated",
		    shapes[kind].name, (unsigned long long)s.free_items, count);
	if (kind == FIXED)
		used[kind].limit = (long)s.free_items;
}

/* All of it: there is no later growth to make up for anything lost. */
static void
prealloc_some(void)
{
	prealloc(FIXED, STATIC_ITEMS);
	if (used[OBJECT].limit == OBJECT_ITEMS)
		prealloc(OBJECT, OBJECT_ITEMS);
	if (used[DENSE].limit == DENSE_ITEMS)
		prealloc(DENSE, DENSE_ITEMS);
}

/* ---- the whole ---- */

void
scenario_use(bool patient)
{
	stamp += 1000;
	for (enum kind kind = 0; kind < ZONES; kind++)
		create(kind);
	set_objects();
	if (patient)
		prealloc_some();
	for (enum kind kind = 0; kind < ZONES; kind++) {
		take_many(kind, patient);
		check_numbers(kind);
	}
	scenario_use_blocks();
	scenario_use_types(patient);
	for (enum kind kind = 0; kind < ZONES; kind++)
		give_down_to(kind, used[kind].count / 3);
	uma_reclaim();
	for (enum kind kind = 0; kind < ZONES; kind++) {
		take_many(kind, false);
		check_numbers(kind);
	}
	if (patient && used[LARGE].zone != NULL)
		uma_prealloc(used[LARGE].zone, 3);
	for (enum kind kind = 0; kind < ZONES; kind++)
		if (used[kind].zone != NULL && used[kind].count != 0 &&
		    uma_zdestroy(used[kind].zone, M_NOWAIT) != EWOULDBLOCK)
			scenario_wrong(
			    "%s: destroyed in use", shapes[kind].name);
	for (enum kind kind = 0; kind < ZONES; kind++) {
		give_down_to(kind, 1);
		check_numbers(kind);
	}
	uma_reclaim();
}

void
scenario_end(void)
{
	struct uma_stats all = { .struct_bytes = sizeof all };

	scenario_give_blocks();
	scenario_give_types();
	for (enum kind kind = 0; kind < ZONES; kind++) {
		if (used[kind].zone == NULL)
			continue;
		give_down_to(kind, 0);
		check_numbers(kind);
		if (uma_zdestroy(used[kind].zone, M_NOWAIT) != 0)
			scenario_wrong("%s: stays", shapes[kind].name);
		used[kind].zone = NULL;
	}
	if (inits != finis || ctors != dtors)
		scenario_wrong("%ld init, %ld fini; %ld ctor, %ld dtor", inits,
		    finis, ctors, dtors);
	if (supplied != 0)
		scenario_wrong(
		    "%ld bytes are not back with their supplier", supplied);
	uma_stats(&all);
	if (all.large_bytes != 0 || all.large_allocs != all.large_frees)
		scenario_wrong("%llu bytes of large blocks are left",
		    (unsigned long long)all.large_bytes);
}

/* Zones that are not the scenario's: none while the library sleeps. */
static uint64_t
own_zones(void)
{
	struct uma_stats all = { .struct_bytes = sizeof all };

	uma_stats(&all);
	return all.zones - scenario_zones_kept();
}

static void
live(void (*life)(const void *run), const void *run)
{
	const struct rlimit no_core = { 0, 0 };
	uint64_t zones;

	setrlimit(RLIMIT_CORE, &no_core);
	alarm(SCENARIO_SECONDS);
	life(run);
	zones = own_zones();
	request_log.refused = 0;
	scenario_use(true);
	scenario_end();
	if (zones != 0 && own_zones() != zones)
		scenario_wrong("a zone is left");
	if (own_zones() == 0)
		scenario_wrong("the library never woke");
	_exit(0);
}

bool
scenario_apart(void (*life)(const void *run), const void *run)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	REQUIRE(child >= 0);
	if (child == 0)
		live(life, run);
	REQUIRE(waitpid(child, &status, 0) == child);
	if (WIFSIGNALED(status))
		harness_say("#   %s\n", strsignal(WTERMSIG(status)));
	return status == 0;
}
