/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for an item or for memory: see zone.h. */
#include "port/port.h"
#include "zone/inner.h"

/* A waiter looks for itself this often: late frees wake nobody. */
#define LOOK_NS      UINT64_C(10000000)
#define SLEEP_MIN_NS UMA_PAUSE_MIN_NS
#define SLEEP_MAX_NS (64 * SLEEP_MIN_NS)
#define TELL_ROUNDS  100u /* about six seconds without memory */

/* In line, on the waiting thread's stack. */
struct waiter {
	struct waiter *next;
	uintptr_t thread;
	void *item;
	_Atomic uint32_t served;
};

/* Whether a shortage is the zone's own: more memory would not help. */
static bool
is_bounded(const struct uma_zone *zone)
{
	return keg_is_frozen(&zone->keg) || zone->keg.object != NULL;
}

bool
zone_hand_over(struct uma_zone *zone, void *item)
{
	struct waiter *w;

	if (!gate_lock(&zone->lock))
		return false;
	w = zone->first;
	if (w != NULL) {
		zone->first = w->next;
		if (zone->first == NULL)
			zone->last = &zone->first;
		w->item = item;
		/* release, pairs with the acquire in wait_in_line(). */
		atomic_store_explicit(&w->served, 1, memory_order_release);
		port_wake(&w->served, 1);
	}
	gate_unlock(&zone->lock);
	return w != NULL;
}

static bool
join(struct uma_zone *zone, struct waiter *w)
{
	if (!gate_lock(&zone->lock))
		return false;
	w->thread = port_thread_id();
	*zone->last = w;
	zone->last = &w->next;
	gate_unlock(&zone->lock);
	return true;
}

/* Leave the line, if not served in the meantime. */
static void
leave(struct uma_zone *zone, struct waiter *w)
{
	while (!gate_lock(&zone->lock))
		port_yield();
	for (struct waiter **at = &zone->first; *at != NULL;
	     at = &(*at)->next) {
		if (*at != w)
			continue;
		*at = w->next;
		if (w->next == NULL)
			zone->last = at;
		break;
	}
	gate_unlock(&zone->lock);
}

static bool
is_first(struct uma_zone *zone, const struct waiter *w)
{
	bool first;

	if (!gate_lock(&zone->lock))
		return false;
	first = zone->first == w;
	gate_unlock(&zone->lock);
	return first;
}

/*
 * Wait in line for a free.  Only the first in line may take from the keg, or
 * who came later would be served before.
 */
static void *
wait_in_line(struct uma_zone *zone)
{
	struct waiter w = { .next = NULL };
	void *item = NULL;

	if (!join(zone, &w)) {
		port_sleep(SLEEP_MIN_NS);
		return NULL;
	}
	for (;;) {
		/* acquire, pairs with zone_hand_over(). */
		if (atomic_load_explicit(&w.served, memory_order_acquire) != 0)
			break;
		if (is_first(zone, &w) &&
		    keg_take(&zone->keg, &item, 1, M_NOWAIT) != 0)
			break;
		port_wait(&w.served, 0, LOOK_NS);
	}
	leave(zone, &w);
	if (item == NULL)
		item = w.item;
	else if (atomic_load_explicit(&w.served, memory_order_acquire) != 0 &&
		 !zone_hand_over(zone, w.item))
		keg_return(&zone->keg, &w.item, 1, "uma_zalloc");
	return item;
}

static void *
wait_bounded(struct uma_zone *zone)
{
	struct closer me;
	void *item;

	if (zone_close(zone, &me) != ZONE_CLOSED) {
		port_sleep(SLEEP_MIN_NS);
		return NULL;
	}
	item = wait_in_line(zone);
	zone_open(zone, &me);
	if (item != NULL)
		zone_count(&zone->slow_allocs, 1);
	return item;
}

void
zone_pause(struct uma_zone *zone, unsigned round, const char *function)
{
	uint64_t ns = SLEEP_MIN_NS << (round < 6 ? round : 6);
	char line[160];
	struct text t = { line, line + sizeof(line) };

	zone_reclaim_all(ZONE_RECLAIM_QUIET);
	port_sleep(ns < SLEEP_MAX_NS ? ns : SLEEP_MAX_NS);
	if (round % TELL_ROUNDS != TELL_ROUNDS - 1)
		return;
	text_put(&t, "uma: ");
	text_put(&t, function);
	text_put(&t, ": still waiting for memory: zone \"");
	text_clean(&t, zone->name);
	text_put(&t, "\"\n");
	port_print(line, (size_t)(t.at - line));
}

void *
zone_wait(struct uma_zone *zone, unsigned round, const char *function)
{
	zone_count(&zone->sleeps, 1);
	if (is_bounded(zone))
		return wait_bounded(zone);
	zone_pause(zone, round, function);
	return NULL;
}

void *
zone_take_cached(struct uma_zone *zone)
{
	struct zone_reading now;
	struct keg_work work;
	struct closer me;
	void *item = NULL;

	if (!gate_enter())
		return NULL;
	gate_leave();
	zone_read(zone, &now);
	if (now.cached == 0)
		return NULL;
	/* What is found stays in its slab, and no fini runs. */
	keg_fill(&zone->keg, &work);
	if (zone_close(zone, &me) == ZONE_CLOSED) {
		if (keg_take(&zone->keg, &item, 1, M_NOWAIT) == 0)
			item = NULL;
		zone_open(zone, &me);
	}
	keg_filled(&work);
	if (item != NULL)
		zone_count(&zone->slow_allocs, 1);
	return item;
}

/*
 * Closers and waiters of other threads went with them.  Their structures are
 * still on the stacks that fork copied.
 *
 * unchecked: no other thread is left.
 */
static void
forget_others(struct uma_zone *zone) UMA_UNCHECKED_LOCKS
{
	uintptr_t me = port_thread_id();
	struct closer **closer = &zone->closers;
	struct waiter **waiter = &zone->first;

	while (*closer != NULL) {
		if ((*closer)->thread == me)
			closer = &(*closer)->next;
		else
			*closer = (*closer)->next;
	}
	while (*waiter != NULL) {
		if ((*waiter)->thread == me)
			waiter = &(*waiter)->next;
		else
			*waiter = (*waiter)->next;
	}
	zone->last = waiter;
}

/* The zone has nobody left who wants it closed: the records go live. */
static void
reopen(struct uma_zone *zone)
{
	struct closer me;

	if (zone_close(zone, &me) == ZONE_CLOSED)
		zone_open(zone, &me);
}

/* unchecked: no other thread is left. */
void
zone_fork_child(void) UMA_UNCHECKED_LOCKS
{
	struct uma_zone *zone;

	zone_forget_look();
	for (uint32_t at = 0; (zone = registry_look(&at)) != NULL;) {
		keg_fork_child(&zone->keg);
		if (zone->closers == NULL && zone->first == NULL)
			continue;
		forget_others(zone);
		if (zone->closers == NULL)
			reopen(zone);
	}
}
