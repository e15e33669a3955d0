/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that share zones and items, and those of typed.c: see threads.h for
 * how an item is known to be whole.  One zone has an object, and one a supplier
 * that refuses now and then.  Now and then all threads rest, and then every
 * counter must be exact.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <uma/fast.h>
#include <unistd.h>

#include "model/model.h"
#include "model/reference.h"
#include "model/threads.h"

enum {
	KINDS = 12,
	SLOTS = THREADS_SLOTS,
	BURST = 300,
	THREADS_MAX = 64,
	FIXED_ITEMS = 100,
	OBJECT_BYTES = 8 << 20,
	REFUSE_EVERY = 50,
	OPERATIONS = 20000, /* between two rests */
	SPARE_SECONDS = 120
};

#define FREE_STAMP UINT64_C(0x5afe5afe5afe5afe)

static void free_state(void *item, int size);
static void check_gone_state(void *item, int size);
static void count_ctor(void *item, int size, void *arg);
static void count_dtor(void *item, int size, void *arg);

static _Atomic long inits, finis, ctors, dtors;

/* Where a zone's memory is from. */
enum memory { LIBRARY, OBJECT, SUPPLIER };

static const struct shape {
	const char *name;
	int size;
	int align;
	unsigned flags;
	bool raised;  /* with init and fini */
	bool dressed; /* with ctor and dtor */
	enum memory memory;
} shapes[KINDS] = {
	{ "small", 16, 7, 0, false, false, LIBRARY },
	{ "plain", 200, 7, 0, false, false, LIBRARY },
	{ "aligned", 192, 63, 0, false, false, LIBRARY },
	{ "page", 4096, 4095, 0, false, false, LIBRARY },
	{ "large", 20000, 7, UMA_ZONE_PAGEABLE, false, false, LIBRARY },
	{ "zeroed", 72, 7, UMA_ZONE_ZINIT, false, false, LIBRARY },
	{ "kept", 120, 7, UMA_ZONE_NOFREE, false, false, LIBRARY },
	{ "static", 88, 7, UMA_ZONE_STATIC, false, false, LIBRARY },
	{ "raised", 264, 7, 0, true, false, LIBRARY },
	{ "dressed", 136, 7, 0, true, true, LIBRARY },
	{ "object", 104, 7, 0, false, false, OBJECT },
	{ "supplied", 320, 7, 0, true, false, SUPPLIER },
};

static struct {
	uma_zone_t zones[KINDS];
	_Atomic(void *) slots[KINDS][SLOTS];
	_Atomic(void *) blocks[SLOTS];
	_Atomic long allocs[KINDS];
	_Atomic long frees[KINDS];
	_Atomic long fails[KINDS];
	pthread_barrier_t rest;
	time_t end;
	unsigned threads;
	bool with_blocks;
	bool over;
} shared;

static _Atomic long supplied; /* bytes */

/* Whether there are FIXED_ITEMS, and no more. */
static bool
is_fixed(const struct shape *s)
{
	return (s->flags & UMA_ZONE_STATIC) != 0 || s->memory == OBJECT;
}

/* ---- callbacks ---- */

static void
free_state(void *item, int size)
{
	atomic_fetch_add(&inits, 1);
	stamp_fill(item, (size_t)size, FREE_STAMP);
}

static void
check_gone_state(void *item, int size)
{
	atomic_fetch_add(&finis, 1);
	if (!stamp_holds(item, (size_t)size, FREE_STAMP))
		play_fail("threads: fini of %p: written to while free", item);
	memset(item, 0xdb, (size_t)size);
}

static void
count_ctor(void *item, int size, void *arg)
{
	(void)arg;
	atomic_fetch_add(&ctors, 1);
	if (!stamp_holds(item, (size_t)size, FREE_STAMP))
		play_fail("threads: ctor of %p: written to while free", item);
}

static void
count_dtor(void *item, int size, void *arg)
{
	(void)arg;
	atomic_fetch_add(&dtors, 1);
	stamp_fill(item, (size_t)size, FREE_STAMP);
}

/* ---- a supplier ---- */

/* Any bits but those that mean something to the library. */
static uint8_t
mark_of(const void *memory, int size)
{
	uintptr_t sum = ((uintptr_t)memory ^ (uintptr_t)size) >> 12;

	return (uint8_t)(UMA_SLAB_PRIV | (sum & 3) << 6);
}

static void *
supply(uma_zone_t zone, int size, uint8_t *pflag, int wait)
{
	static _Atomic unsigned asked;
	void *memory = MAP_FAILED;

	(void)zone;
	(void)wait;
	if (atomic_fetch_add(&asked, 1) % REFUSE_EVERY != 0)
		memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	atomic_fetch_add(&supplied, size);
	*pflag = mark_of(memory, size);
	return memory;
}

static void
take_back(void *memory, int size, uint8_t pflag)
{
	if (pflag != mark_of(memory, size))
		play_fail("threads: a supplier gets back %d bytes at %p, "
			  "flags %#x",
		    size, memory, pflag);
	atomic_fetch_sub(&supplied, size);
	munmap(memory, (size_t)size);
}

/* ---- items ---- */

void
threads_sign(struct worker *w, void *item, size_t bytes)
{
	uint64_t stamp = (uint64_t)w->number << 48 | ++w->serial;

	memcpy(item, &stamp, sizeof stamp);
	stamp_fill((char *)item + 8, bytes - 8, stamp);
}

void
threads_verify(const void *item, size_t bytes, const char *name)
{
	uint64_t stamp;

	memcpy(&stamp, item, sizeof stamp);
	if (!stamp_holds((const char *)item + 8, bytes - 8, stamp))
		play_fail(
		    "threads: %s: %p written to while in use", name, item);
}

static void
check_fresh(const struct shape *s, const void *item, bool zero)
{
	bool good = ((uintptr_t)item & (uintptr_t)s->align) == 0;

	if (zero || (s->flags & UMA_ZONE_ZINIT) != 0)
		good = good && stamp_zeros(item, (size_t)s->size);
	else if (s->raised)
		good = good && stamp_holds(item, (size_t)s->size, FREE_STAMP);
	if (!good)
		play_fail(
		    "threads: %s: %p is not as init left it", s->name, item);
}

static void *
take(struct worker *w, unsigned kind)
{
	const struct shape *s = &shapes[kind];
	bool zero = !s->dressed && stamp_below(&w->seed, 4) == 0;
	bool wait = !is_fixed(s) && stamp_below(&w->seed, 8) == 0;
	int flags = (wait ? M_WAITOK : M_NOWAIT) | (zero ? M_ZERO : 0);
	void *item = stamp_below(&w->seed, 2) == 0
			 ? uma_zalloc(shared.zones[kind], flags)
			 : uma_fast_zalloc(shared.zones[kind], flags);

	if (item == NULL) {
		atomic_fetch_add(&shared.fails[kind], 1);
		if (!is_fixed(s) &&
		    (wait || (!HOSTILE && s->memory != SUPPLIER)))
			play_fail("threads: %s: NULL", s->name);
		return NULL;
	}
	atomic_fetch_add(&shared.allocs[kind], 1);
	check_fresh(s, item, zero);
	threads_sign(w, item, (size_t)s->size);
	return item;
}

static void
give(struct worker *w, unsigned kind, void *item)
{
	const struct shape *s = &shapes[kind];

	threads_verify(item, (size_t)s->size, s->name);
	if ((s->flags & UMA_ZONE_ZINIT) != 0)
		memset(item, 0, (size_t)s->size);
	else if (s->raised && !s->dressed)
		stamp_fill(item, (size_t)s->size, FREE_STAMP);
	if (stamp_below(&w->seed, 2) == 0)
		uma_zfree(shared.zones[kind], item);
	else
		uma_fast_zfree(shared.zones[kind], item);
	atomic_fetch_add(&shared.frees[kind], 1);
}

/* ---- operations ---- */

void
threads_use_slot(struct worker *w, _Atomic(void *) *slot, unsigned kind,
    void *(*take_one)(struct worker *w, unsigned kind),
    void (*give_one)(struct worker *w, unsigned kind, void *item))
{
	void *item = atomic_exchange(slot, NULL);

	if (item == NULL)
		item = take_one(w, kind);
	else if (stamp_below(&w->seed, 4) != 0) {
		give_one(w, kind, item);
		return;
	}
	if (item == NULL)
		return;
	item = atomic_exchange(slot, item);
	if (item != NULL)
		give_one(w, kind, item);
}

static void
use_slot(struct worker *w)
{
	unsigned kind = stamp_below(&w->seed, KINDS);
	unsigned place = stamp_below(&w->seed, SLOTS);

	threads_use_slot(w, &shared.slots[kind][place], kind, take, give);
}

/* More than the caches of a CPU hold, forth and back. */
static void
use_many(struct worker *w)
{
	unsigned kind = stamp_below(&w->seed, KINDS);
	unsigned count = 1 + stamp_below(&w->seed, BURST);
	void *items[BURST];

	for (unsigned i = 0; i < count; i++)
		items[i] = take(w, kind);
	for (unsigned i = 0; i < count; i++)
		if (items[i] != NULL)
			give(w, kind, items[i]);
}

static void
use_block(struct worker *w)
{
	_Atomic(void *) *slot = &shared.blocks[stamp_below(&w->seed, SLOTS)];
	size_t bytes = 16 + stamp_below(&w->seed, 2000);
	size_t head[2] = { bytes, 0 };
	char *block;

	if (stamp_below(&w->seed, 50) == 0)
		head[0] = bytes = bytes * 100;
	block = malloc(bytes + sizeof head);
	if (block != NULL) {
		memcpy(block, head, sizeof head);
		threads_sign(w, block + sizeof head, bytes);
	} else if (!HOSTILE)
		play_fail("threads: malloc: NULL");
	block = atomic_exchange(slot, (void *)block);
	if (block == NULL)
		return;
	memcpy(head, block, sizeof head);
	threads_verify(block + sizeof head, head[0], "malloc");
	free(block);
}

/* A zone of one's own, from its creation to its end. */
static void
use_own_zone(struct worker *w)
{
	int size = 8 + (int)stamp_below(&w->seed, 3000);
	unsigned count = stamp_below(&w->seed, 100);
	uma_zone_t zone =
	    uma_zcreate("own", size, NULL, NULL, NULL, NULL, 7, 0);
	struct uma_zone_stats s = { .struct_bytes = sizeof s };
	void *items[100];

	if (zone == NULL)
		play_fail("threads: creation gave NULL");
	for (unsigned i = 0; i < count; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		threads_sign(w, items[i], (size_t)size);
	}
	uma_zone_stats(zone, &s);
	if (s.used_items != count)
		play_fail("threads: own zone: used %llu of %u",
		    (unsigned long long)s.used_items, count);
	if (count != 0 && uma_zdestroy(zone, M_NOWAIT) == 0)
		play_fail("threads: a zone in use was destroyed");
	for (unsigned i = 0; i < count; i++) {
		threads_verify(items[i], (size_t)size, "own");
		uma_zfree(zone, items[i]);
	}
	if (uma_zdestroy(zone, M_NOWAIT) != 0)
		play_fail("threads: an empty zone stays");
}

static void
operate(struct worker *w)
{
	unsigned way = stamp_below(&w->seed, 10000);

	if (way == 0)
		uma_reclaim();
	else if (way < 5)
		use_own_zone(w);
	else if (way < 40)
		use_many(w);
	else if (way < 1000 && shared.with_blocks)
		use_block(w);
	else if (way < 2000)
		typed_use_block(w);
	else if (way < 3000)
		typed_use_item(w);
	else
		use_slot(w);
}

/* ---- at rest ---- */

void
threads_expect(const char *name, const char *what, long is, long should)
{
	if (is != should)
		play_fail(
		    "threads: %s: %s is %ld, not %ld", name, what, is, should);
}

/* Nobody else does anything now. */
static void
check_zone(unsigned kind)
{
	const struct shape *s = &shapes[kind];
	struct uma_zone_stats n = { .struct_bytes = sizeof n };
	long held = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		void *item = atomic_load(&shared.slots[kind][i]);

		if (item == NULL)
			continue;
		threads_verify(item, (size_t)s->size, s->name);
		held++;
	}
	uma_zone_stats(shared.zones[kind], &n);
	threads_expect(s->name, "used", (long)n.used_items, held);
	threads_expect(s->name, "allocs", (long)n.allocs,
	    atomic_load(&shared.allocs[kind]));
	threads_expect(
	    s->name, "frees", (long)n.frees, atomic_load(&shared.frees[kind]));
	threads_expect(
	    s->name, "fails", (long)n.fails, atomic_load(&shared.fails[kind]));
	if (s->memory == OBJECT && n.used_items + n.free_items > FIXED_ITEMS)
		play_fail("threads: %s: more items than its limit", s->name);
	if ((s->flags & UMA_ZONE_STATIC) != 0) {
		long items = (long)(n.used_items + n.free_items);
		static long first;

		if (first == 0)
			first = items;
		threads_expect(s->name, "items", items, first);
	}
}

static void
check_at_rest(void)
{
	long raised = 0;

	for (unsigned kind = 0; kind < KINDS; kind++)
		check_zone(kind);
	typed_check_at_rest();
	uma_reclaim();
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct uma_zone_stats n = { .struct_bytes = sizeof n };

		uma_zone_stats(shared.zones[kind], &n);
		threads_expect(
		    shapes[kind].name, "cached", (long)n.cached_items, 0);
		if (shapes[kind].raised)
			raised += (long)n.used_items;
		if (shapes[kind].dressed) {
			threads_expect("dressed", "ctors", atomic_load(&ctors),
			    (long)n.allocs);
			threads_expect("dressed", "dtors", atomic_load(&dtors),
			    (long)n.frees);
		}
	}
	if (atomic_load(&inits) - atomic_load(&finis) < raised)
		play_fail("threads: %ld items live, %ld saw init", raised,
		    atomic_load(&inits) - atomic_load(&finis));
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	while (!shared.over) {
		for (unsigned i = 0; i < OPERATIONS; i++)
			operate(w);
		atomic_fetch_add(&play_report->operations, OPERATIONS);
		if (pthread_barrier_wait(&shared.rest) ==
		    PTHREAD_BARRIER_SERIAL_THREAD) {
			check_at_rest();
			shared.over = time(NULL) >= shared.end;
		}
		pthread_barrier_wait(&shared.rest);
	}
	return NULL;
}

static void
set_object(uma_zone_t zone)
{
	struct vm_object *object;
	int fd = memfd_create("threads", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, OBJECT_BYTES) != 0)
		play_fail("threads: no memory file");
	object = uma_object_create(fd, 0, OBJECT_BYTES);
	if (object == NULL || uma_zone_set_obj(zone, object, FIXED_ITEMS) != 1)
		play_fail("threads: no object");
	close(fd);
}

static void
make_zones(void)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const struct shape *s = &shapes[kind];
		uma_zone_t zone = uma_zcreate(s->name, s->size,
		    s->dressed ? count_ctor : NULL,
		    s->dressed ? count_dtor : NULL,
		    s->raised ? free_state : NULL,
		    s->raised ? check_gone_state : NULL, s->align,
		    (uint16_t)s->flags);

		if (zone == NULL)
			play_fail("threads: no zone");
		shared.zones[kind] = zone;
		if ((s->flags & UMA_ZONE_STATIC) != 0)
			uma_prealloc(zone, FIXED_ITEMS);
		if (s->memory == OBJECT)
			set_object(zone);
		if (s->memory == SUPPLIER) {
			uma_zone_set_allocf(zone, supply);
			uma_zone_set_freef(zone, take_back);
		}
	}
}

static void
end_zones(struct worker *w)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		for (unsigned i = 0; i < SLOTS; i++) {
			void *item = atomic_load(&shared.slots[kind][i]);

			if (item != NULL)
				give(w, kind, item);
		}
		if (uma_zdestroy(shared.zones[kind], M_NOWAIT) != 0)
			play_fail("threads: %s stays", shapes[kind].name);
	}
	for (unsigned i = 0; i < SLOTS; i++)
		free(atomic_load(&shared.blocks[i]));
	threads_expect(
	    "raised", "finis", atomic_load(&finis), atomic_load(&inits));
	threads_expect("supplied", "bytes", atomic_load(&supplied), 0);
}

static void
run(const void *arg)
{
	static struct worker workers[THREADS_MAX];
	uint64_t seed = *(const uint64_t *)arg;

	DO(.act = NUMBERS);
	make_zones();
	typed_start();
	pthread_barrier_init(&shared.rest, NULL, shared.threads);
	for (unsigned i = 0; i < shared.threads; i++) {
		workers[i].number = i;
		workers[i].seed = stamp_dice(&seed);
		if (pthread_create(
			&workers[i].thread, NULL, work, &workers[i]) != 0)
			play_fail("threads: cannot start");
	}
	for (unsigned i = 0; i < shared.threads; i++)
		pthread_join(workers[i].thread, NULL);
	end_zones(&workers[0]);
	typed_end();
	/* What a thread's stack was given stays with it in the C library. */
	play_preloaded = false;
	play_end();
}

struct verdict
watch_threads(uint64_t seed, unsigned threads, unsigned seconds, bool blocks)
{
	shared.threads = threads < THREADS_MAX ? threads : THREADS_MAX;
	shared.with_blocks = blocks;
	shared.end = time(NULL) + (time_t)seconds;
	return watch(run, &seed, seconds + SPARE_SECONDS);
}
