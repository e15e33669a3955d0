/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking and giving items: see vm_zone.h. */
#include "vm_zone/vm_zone.h"

#include "lock/lock.h"
#include "pagemap/pagemap.h"
#include "percpu/percpu.h"
#include "port/port.h"
#include "zone/zone.h"

/* How often to look again below the limit, before giving up. */
#define LOOKS_MAX 10000u

UMA_SLOW static void *alloc_slow(vm_zone_t z);
UMA_SLOW static void free_slow(vm_zone_t z, void *item);

void
vm_zone_check(const struct vm_zone *z, const char *function)
{
	if (z == NULL || (uintptr_t)z % alignof(struct vm_zone) != 0)
		uma_crime(function, "not a zone", z, NULL);
	if (vm_zone_state(z) == VM_ZONE_DEAD)
		uma_crime(function, "zone was destroyed", z, NULL);
	if (!vm_zone_in_use(z))
		uma_crime(function, "not a zone", z, NULL);
}

/*
 * Whatever is not NULL may come in, aligned or not; what is no zone is told
 * from one by this word.  relaxed: who has a zone got it after its zinitna(),
 * and either answer is good while another thread turns it.
 */
UMA_FAST bool
is_plain(const struct vm_zone *z)
{
	const char *at = (const char *)(const void *)z;
	uint32_t state;

	if (UMA_THREAD_SANITIZED)
		return __atomic_load_n(&z->zstate, __ATOMIC_RELAXED) ==
		       VM_ZONE_PLAIN;
	__builtin_memcpy(
	    &state, at + offsetof(struct vm_zone, zstate), sizeof(state));
	return state == VM_ZONE_PLAIN;
}

/* See uma/vm_zone.h. */
void *
uma_vm_zalloc(vm_zone_t z)
{
	void *item;

	if (likely(z != NULL) && likely(is_plain(z))) {
		item = zone_pop(z->zzone);
		if (likely(item != NULL))
			return item;
	}
	return alloc_slow(z);
}

/* See uma/vm_zone.h. */
void
uma_vm_zfree(vm_zone_t z, void *item)
{
	if (likely(z != NULL) && likely(is_plain(z)) &&
	    likely(zone_starts(z->zzone, item)) &&
	    likely(zone_push(z->zzone, item)))
		return;
	free_slow(z, item);
}

/* ---- the hand ---- */

unsigned
vm_zone_hand_items(const struct vm_zone *z)
{
	unsigned n = 0;

	/* relaxed: a hint and a statistic. */
	for (unsigned i = 0; i < VM_ZONE_HAND; i++)
		n += __atomic_load_n(&z->zhand[i], __ATOMIC_RELAXED) != NULL;
	return n;
}

/* From PLAIN to SHORT or back; other states stay. */
static void
turn(struct vm_zone *z, uint32_t from, uint32_t to)
{
	/* release, pairs with vm_zone_state(): as vm_zone_set_state(). */
	(void)__atomic_compare_exchange_n(
	    &z->zstate, &from, to, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* The one that came last, as far as order goes. */
static void *
hand_take(struct vm_zone *z)
{
	for (unsigned i = VM_ZONE_HAND; i-- > 0;) {
		void *item = __atomic_load_n(&z->zhand[i], __ATOMIC_RELAXED);

		/* acquire, pairs with hand_give(): the item was initialised. */
		if (item != NULL)
			item = __atomic_exchange_n(
			    &z->zhand[i], NULL, __ATOMIC_ACQUIRE);
		if (item != NULL) {
			turn(z, VM_ZONE_PLAIN, VM_ZONE_SHORT);
			return item;
		}
	}
	return NULL;
}

/* False when it is full.  Who takes from it turns the state after that. */
static bool
hand_give(struct vm_zone *z, void *item)
{
	for (unsigned i = 0; i < VM_ZONE_HAND; i++) {
		void *none = NULL;

		/* release, pairs with hand_take(). */
		if (__atomic_compare_exchange_n(&z->zhand[i], &none, item,
			false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
			if (vm_zone_hand_items(z) == VM_ZONE_HAND)
				turn(z, VM_ZONE_SHORT, VM_ZONE_PLAIN);
			return true;
		}
	}
	turn(z, VM_ZONE_SHORT, VM_ZONE_PLAIN);
	return false;
}

/*
 * A user's item into the hand: for users, that is a free.  A tool is told
 * before others can take it, so from there on it is free in any case.
 */
static bool
hand_free(struct vm_zone *z, void *item)
{
	bool told = watch_on && vm_zone_hand_items(z) < VM_ZONE_HAND;

	if (unlikely(told))
		zone_hand_in(z->zzone, item, "zfree");
	/* Before others can take it: see vm_zone_all_out().  relaxed. */
	atomic_fetch_add_explicit(
	    &z->zzone->slow_frees, 1, memory_order_relaxed);
	if (hand_give(z, item))
		return true;
	if (told) {
		keg_return(&z->zzone->keg, &item, 1, "zfree");
		return true;
	}
	atomic_fetch_sub_explicit(
	    &z->zzone->slow_frees, 1, memory_order_relaxed);
	return false;
}

/*
 * One more for the hand; it counts as taken by nobody.  From the slabs if they
 * have one, as what was freed last is to come next.
 */
static void *
find_one(struct uma_zone *zone)
{
	void *item;

	if (keg_take(&zone->keg, &item, 1, M_NOWAIT) != 0)
		return item;
	/* It will be counted.  release fence, pairs with zone_read(). */
	atomic_fetch_sub_explicit(&zone->slow_allocs, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	/* There is no hit in the generic mode. */
	item = percpu_mode == PERCPU_RSEQ ? zone_pop(zone)
					  : zone_refill(zone, M_NOWAIT);
	if (item == NULL)
		atomic_fetch_add_explicit(
		    &zone->slow_allocs, 1, memory_order_relaxed);
	return item;
}

/* As far as there are items where find_one() looks. */
static void
hand_fill(struct vm_zone *z)
{
	while (vm_zone_hand_items(z) < VM_ZONE_HAND) {
		void *item = find_one(z->zzone);

		if (item == NULL)
			return;
		if (!hand_give(z, item))
			keg_return(&z->zzone->keg, &item, 1, "zalloc");
	}
}

void
vm_zone_empty_hand(struct vm_zone *z)
{
	void *item;

	while ((item = hand_take(z)) != NULL)
		keg_return(&z->zzone->keg, &item, 1, "zdestroy");
}

/* ---- the longer ways ---- */

bool
vm_zone_all_out(const struct vm_zone *z)
{
	struct uma_zone *zone = z->zzone;
	struct zone_reading r;
	struct zone_reading later;
	int64_t out;

	/*
	 * An item is counted as free before it can be taken, and as taken after
	 * that.  So with every count of allocations read before any of frees,
	 * frees can be ahead, but never behind.  acquire fence, pairs with the
	 * releases in zone_count() and take_in_hand(): for that order.
	 */
	if (!zone_read(zone, &r))
		return false;
	atomic_thread_fence(memory_order_acquire);
	if (!zone_read(zone, &later))
		return false;
	/* It can be below 0: see find_one(). */
	out = (int64_t)(r.allocs - later.frees);
	return out >= (int64_t)zone->keg.items_max;
}

/* From the hand to a user. */
static void *
take_in_hand(struct vm_zone *z)
{
	void *item = hand_take(z);

	if (item != NULL) {
		/* release, pairs with vm_zone_all_out(). */
		atomic_fetch_add_explicit(
		    &z->zzone->slow_allocs, 1, memory_order_release);
		if (unlikely(watch_on))
			zone_hand_out(z->zzone, item, false);
	}
	return item;
}

static void *
take_limited(struct vm_zone *z)
{
	struct uma_zone *zone = z->zzone;
	void *item;

	/* Everything but a hit and the hand needs locks in a limited zone. */
	if (gate_is_inside()) {
		item = zone_pop(zone);
		return item != NULL ? item : take_in_hand(z);
	}
	for (unsigned looks = 0;; looks++) {
		size_t refused = tally_get(&zone->keg.refusals);

		item = uma_zalloc(zone, M_NOWAIT);
		if (item != NULL) {
			hand_fill(z);
			return item;
		}
		item = take_in_hand(z);
		/*
		 * What users do not have and is not found is in the hands of
		 * another thread, between keg and cache, that will be done
		 * soon.  But where memory is refused nobody has it.
		 */
		if (item != NULL || looks == LOOKS_MAX ||
		    tally_get(&zone->keg.refusals) != refused ||
		    vm_zone_all_out(z))
			return item;
		port_yield();
	}
}

static void *
alloc_slow(vm_zone_t z)
{
	uint32_t state;
	void *item = NULL;

	vm_zone_check(z, "zalloc");
	state = vm_zone_state(z);
	if (state != VM_ZONE_PLAIN)
		item = vm_zone_boot_take(z);
	if (item != NULL || state == VM_ZONE_BOOT)
		return item;
	if ((z->zflags & ZONE_INTERRUPT) != 0)
		return take_limited(z);
	return uma_zalloc(z->zzone, M_NOWAIT);
}

static bool
is_in_hand(const struct vm_zone *z, const void *item)
{
	for (unsigned i = 0; i < VM_ZONE_HAND; i++)
		if (__atomic_load_n(&z->zhand[i], __ATOMIC_RELAXED) == item)
			return true;
	return false;
}

/* malloc's small blocks are items, but not for who mixed up the functions. */
static void
check_interface(const struct vm_zone *z, const void *item)
{
	const struct slab *s = pagemap_find(item);

	if (s != NULL && pagemap_is_slab(s->kind) &&
	    (s->keg->zone->flags & UMA_ZONE_MALLOC) != 0)
		uma_crime("zfree", "block of malloc", item, z->zname);
}

static void
free_slow(vm_zone_t z, void *item)
{
	vm_zone_check(z, "zfree");
	if (item == NULL)
		uma_crime("zfree", "item is NULL", NULL, z->zname);
	if (vm_zone_state(z) != VM_ZONE_PLAIN && vm_zone_boot_give(z, item))
		return;
	check_interface(z, item);
	keg_check_item(
	    z->zzone != NULL ? &z->zzone->keg : NULL, z->zname, item, "zfree");
	if (is_in_hand(z, item))
		uma_crime("zfree", "double free", item, z->zname);
	if ((z->zflags & ZONE_INTERRUPT) != 0 && hand_free(z, item))
		return;
	if (zone_push(z->zzone, item))
		return;
	zone_free_miss(z->zzone, item, "zfree");
}
