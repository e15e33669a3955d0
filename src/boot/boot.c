/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/boot.h"

#include <uma/uma.h>

#include "boot/options.h"
#include "heap/heap.h"
#include "lock/lock.h"
#include "malloc9/malloc9.h"
#include "meta/meta.h"
#include "pagemap/pagemap.h"
#include "percpu/percpu.h"
#include "port/port.h"
#include "supply/supply.h"
#include "watch/watch.h"
#include "zone/zone.h"

enum { ASLEEP, WAKING, BY_HAND, RUNNING };

/* Which of uma_startup() and uma_startup2() were called. */
enum { HAND_NONE, HAND_FIRST, HAND_BOTH };
static _Atomic int hand;

/* The program itself has used zones: not only a malloc that is preloaded. */
static _Atomic bool zones_used;

static _Atomic uint32_t state;
static _Atomic uintptr_t waker; /* the thread that wakes the library */

/* Of the boot memory, so much is for headers and zones. */
#define BOOT_META_BYTES (8 * GRANULE)

/* With the mode that the user asks for. */
static bool
wake_percpu(void)
{
	struct options options;

	options_read(&options);
	malloc9_debug = malloc9_debug || options.malloc9_debug;
	malloc9_exec = options.malloc9_exec;
	supply_thp(options.thp);
	if (!options.unwatched)
		watch_start(zone_tell);
	return percpu_start(options.generic || watch_on);
}

/* A child must not find the library half awake: its waker would be gone. */
static void
fork_prepare(void)
{
	unsigned turns = 0;

	while (atomic_load_explicit(&state, memory_order_acquire) == WAKING &&
	       atomic_load_explicit(&waker, memory_order_relaxed) !=
		   port_thread_id())
		port_give_way(&turns);
	gate_fork_prepare();
}

static void
fork_child(void)
{
	gate_fork_child();
	percpu_fork_child();
	zone_fork_child();
}

/* Undone by nothing: what woke stays awake, and is not woken twice. */
static bool
wake_all(void)
{
	static bool percpu_awake;

	if (!percpu_awake) {
		if (!wake_percpu())
			return false;
		pagemap_open(NULL);
		percpu_awake = true;
	}
	percpu_open();
	return heap_start();
}

static void
run(void)
{
	/* release, pairs with the acquires in boot_wake(). */
	atomic_store_explicit(&state, RUNNING, memory_order_release);
	port_wake(&state, INT32_MAX);
}

/* Once, before there is anything that a fork could copy half done. */
static void
watch_forks(void)
{
	static _Atomic bool watching;

	/* relaxed: a constructor and another thread's first call may meet. */
	if (!atomic_exchange_explicit(&watching, true, memory_order_relaxed))
		port_at_fork(fork_prepare, gate_fork_parent, fork_child);
}

/*
 * As early as can be: handlers that are registered before it run after it in a
 * fork, when nobody gets in any more, and must not wait for a lock whose owner
 * is inside a call that does not end before the fork: see lock.h.
 */
__attribute__((constructor(101))) static void
watch_forks_early(void)
{
	watch_forks();
}

bool
boot_wake(void)
{
	/* acquire, pairs with run(). */
	uint32_t now = atomic_load_explicit(&state, memory_order_acquire);

	for (;;) {
		if (likely(now == RUNNING || now == BY_HAND))
			return true;
		if (now == ASLEEP &&
		    atomic_compare_exchange_strong_explicit(&state, &now,
			WAKING, memory_order_acquire, memory_order_acquire))
			break;
		if (now == WAKING) {
			if (atomic_load_explicit(&waker,
				memory_order_relaxed) == port_thread_id())
				return false;
			port_wait(&state, WAKING, 0);
			now =
			    atomic_load_explicit(&state, memory_order_acquire);
		}
	}
	atomic_store_explicit(&waker, port_thread_id(), memory_order_relaxed);
	watch_forks();
	if (wake_all()) {
		run();
		return true;
	}
	atomic_store_explicit(&waker, 0, memory_order_relaxed);
	atomic_store_explicit(&state, ASLEEP, memory_order_release);
	port_wake(&state, INT32_MAX);
	return false;
}

bool
heap_wake(void)
{
	/* By hand there is no malloc before uma_startup2(). */
	return boot_wake() && heap_hit_has(0);
}

/* See uma.h. */
uma_zone_t
uma_zcreate(const char *name, int size, uma_ctor ctor, uma_dtor dtor,
    uma_init uminit, uma_fini fini, int align, uint16_t flags)
{
	struct zone_plan plan = {
		.name = name,
		.flags = flags,
		.ctor = ctor,
		.dtor = dtor,
		.init = uminit,
		.fini = fini,
	};

	zone_plan_2002(&plan, size, align);
	atomic_store_explicit(&zones_used, true, memory_order_relaxed);
	return boot_wake() ? zone_make(&plan) : NULL;
}

/* See uma.h. */
void
uma_reclaim(void)
{
	if (boot_wake())
		zone_reclaim_all(ZONE_RECLAIM_ALL);
}

/* Zones and headers from the program's own memory, until uma_startup2(). */
static void
start_by_hand(void *bootmem)
{
	uintptr_t start = (uintptr_t)bootmem;
	uintptr_t end = start + UMA_SLAB_SIZE * UMA_BOOT_PAGES;
	uintptr_t slabs;

	start = round_up(start, CACHE_LINE);
	slabs = round_up(start + BOOT_META_BYTES, GRANULE);
	end = round_down(end, GRANULE);
	meta_boot((void *)start, slabs - start);
	supply_boot((void *)slabs, end - slabs);
	pagemap_open(bootmem);
	watch_forks();
	if (!wake_percpu())
		uma_crime("uma_startup", "no address space", NULL, NULL);
	atomic_store_explicit(&state, BY_HAND, memory_order_release);
}

/*
 * See uma.h.  Under a preloaded malloc the library runs before main, and boot
 * memory is of no use to it: the program's calls are checked, no more.
 */
void
uma_startup(void *bootmem)
{
	uint32_t now = atomic_load_explicit(&state, memory_order_acquire);

	if (bootmem == NULL)
		uma_crime(__func__, "bootmem is NULL", NULL, NULL);
	if (atomic_load_explicit(&hand, memory_order_relaxed) != HAND_NONE ||
	    (now != ASLEEP &&
		atomic_load_explicit(&zones_used, memory_order_relaxed)))
		uma_crime(__func__, "library already started", NULL, NULL);
	atomic_store_explicit(&hand, HAND_FIRST, memory_order_relaxed);
	if (now == ASLEEP)
		start_by_hand(bootmem);
}

/* Open the system's supplier and the caches. */
static void
open_up(void)
{
	meta_open();
	supply_open();
	percpu_open();
	/* Without memory for records zones stay uncached; malloc must start. */
	zone_open_caches();
	if (!heap_start())
		uma_crime(
		    "uma_startup2", "no memory to start malloc", NULL, NULL);
	run();
}

/* See uma.h. */
void
uma_startup2(void *hash, unsigned long elems)
{
	int called = atomic_load_explicit(&hand, memory_order_relaxed);

	if (called == HAND_NONE)
		uma_crime(__func__, "uma_startup was not called", NULL, NULL);
	if (called == HAND_BOTH)
		uma_crime(__func__, "called twice", NULL, NULL);
	if (!is_pow2(elems))
		uma_crime(__func__, "elems is not a power of two", NULL, NULL);
	if (hash != NULL)
		__builtin_memset(hash, 0, elems * sizeof(void *));
	atomic_store_explicit(&hand, HAND_BOTH, memory_order_relaxed);
	if (atomic_load_explicit(&state, memory_order_acquire) == BY_HAND)
		open_up();
}
