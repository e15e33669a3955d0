/* SPDX-License-Identifier: BSD-2-Clause */
/* Emptying caches of any CPU: close, open, reclaim.  See zone.h. */
#include "port/port.h"
#include "zone/inner.h"

/* Records seized with one barrier. */
#define BATCH 64u

struct batch {
	struct cache *records[BATCH];
	uint64_t words[BATCH];
	struct uma_zone *zones[BATCH];
	size_t count;
};

/*
 * Items of buckets to the keg, buckets to meta.  Inside the gate; with KEG_SHED
 * slabs may come into this thread's hand.
 */
static void
scatter(struct uma_zone *zone, struct bucket *list, enum keg_idle idle)
{
	struct bucket *next;

	for (struct bucket *b = list; b != NULL; b = next) {
		next = b->next;
		if (b->count != 0)
			keg_give(&zone->keg, b->slots, b->count, idle,
			    zone->keg.free_name);
		bucket_give(b, META_NORMAL);
	}
}

/* Buckets to the depot, and what leaves it to keg and meta. */
static void
displace(struct uma_zone *zone, struct bucket *list)
{
	struct bucket *next;

	for (struct bucket *b = list; b != NULL; b = next) {
		next = b->next;
		b->next = NULL;
		if (b->count != 0)
			b = depot_give(&zone->depot, b, zone->depot_max);
		scatter(zone, b, KEG_SHED);
	}
}

void
zone_leave(struct uma_zone *zone, struct bucket *out)
{
	const struct slab *before;

	if (out == NULL) {
		gate_leave();
		return;
	}
	before = keg_in_hand();
	displace(zone, out);
	gate_leave();
	keg_dispose(before);
}

/* Everything in the depot, as a list. */
static struct bucket *
empty_depot(struct uma_zone *zone)
{
	struct bucket *list = NULL;
	struct bucket *b;

	while ((b = depot_take(&zone->depot)) != NULL) {
		b->next = list;
		list = b;
	}
	return list;
}

/* A zone that one CPU alone used and ends costs no barrier. */
static bool
seize_batch(struct batch *batch) UMA_REQUIRES(&percpu_seize_lock)
{
	if (batch->count == 1 && percpu_seize_here(batch->zones[0]->caches,
				     batch->records[0], &batch->words[0]))
		return true;
	return percpu_seize(batch->records, batch->words, batch->count);
}

/*
 * Seize the records of a batch, strip them, and make them live again, or
 * closed if their zone is.  The buckets go to their kegs.  Slabs that become
 * idle stay: in this thread's hand those of one zone would wait for the
 * callbacks of another.  Inside the gate, where a fork that was in the way is
 * still under way: it waits for us.
 */
static enum zone_closing
strip_batch(struct batch *batch)
{
	struct bucket *lists[BATCH];
	bool seized;

	if (batch->count == 0)
		return ZONE_CLOSED;
	if (!lock_take(&percpu_seize_lock))
		return ZONE_BUSY;
	seized = seize_batch(batch);
	for (size_t i = 0; seized && i < batch->count; i++) {
		struct cache *c = batch->records[i];

		lists[i] = cache_strip(batch->zones[i], c, batch->words[i]);
		if (atomic_load_explicit(
			&batch->zones[i]->closed, memory_order_seq_cst))
			percpu_close(c);
		else
			percpu_release(c, 0, 0);
	}
	lock_drop(&percpu_seize_lock);
	for (size_t i = 0; seized && i < batch->count; i++)
		scatter(batch->zones[i], lists[i], KEG_KEEP);
	if (seized)
		return ZONE_CLOSED;
	return gate_forking() ? ZONE_BUSY : ZONE_REFUSED;
}

/*
 * Add records of a zone from CPU *cpu on; false when the batch is full, with
 * *cpu where to go on.
 */
static bool
add_records(struct batch *batch, struct uma_zone *zone, unsigned *cpu)
{
	unsigned slots = percpu_slots();

	if (zone->caches == 0)
		return true;
	for (*cpu = percpu_next(zone->caches, *cpu); *cpu < slots;
	     *cpu = percpu_next(zone->caches, *cpu + 1)) {
		if (batch->count == BATCH)
			return false;
		batch->records[batch->count] =
		    percpu_record(zone->caches, *cpu);
		batch->zones[batch->count++] = zone;
	}
	return true;
}

/* Strip every record of a zone. */
static enum zone_closing
strip_zone(struct uma_zone *zone)
{
	unsigned cpu = 0;
	bool all = false;

	while (!all) {
		struct batch batch = { .count = 0 };
		enum zone_closing stripped;

		if (!gate_enter())
			return ZONE_BUSY;
		all = add_records(&batch, zone, &cpu);
		stripped = strip_batch(&batch);
		gate_leave();
		if (stripped != ZONE_CLOSED)
			return stripped;
	}
	return ZONE_CLOSED;
}

/* Close the depot, and empty it.  False: try again. */
static bool
close_depot(struct uma_zone *zone)
{
	const struct slab *before = keg_in_hand();
	bool done;

	if (!gate_enter())
		return false;
	done = depot_close(&zone->depot, true);
	if (done) {
		scatter(zone, empty_depot(zone), KEG_SHED);
		/* relaxed: closed, it only gets emptier; a fork stops that. */
		done = atomic_load_explicit(
			   &zone->depot.buckets, memory_order_relaxed) == 0;
	}
	gate_leave();
	keg_dispose(before);
	return done;
}

/* Join or leave those who want the zone closed. */
static bool
join_closers(struct uma_zone *zone, struct closer *me)
{
	if (!gate_lock(&zone->lock))
		return false;
	me->thread = port_thread_id();
	me->next = zone->closers;
	zone->closers = me;
	/*
	 * seq_cst, pairs with zone_caching(): a thread that owns a record we
	 * do not see in percpu_next() sees this and puts nothing in.
	 */
	atomic_store_explicit(&zone->closed, true, memory_order_seq_cst);
	gate_unlock(&zone->lock);
	return true;
}

enum zone_closing
zone_close(struct uma_zone *zone, struct closer *me)
{
	enum zone_closing closing;

	if (!join_closers(zone, me))
		return ZONE_BUSY;
	closing = strip_zone(zone);
	if (closing == ZONE_CLOSED && !close_depot(zone))
		closing = ZONE_BUSY;
	if (closing != ZONE_CLOSED)
		zone_open(zone, me);
	return closing;
}

/* The last closer makes the records live again.  False: try again. */
static bool
leave_closers(struct uma_zone *zone, struct closer *me)
{
	unsigned slots = percpu_slots();
	struct closer **at = &zone->closers;
	bool left = false;

	if (!lock_take(&percpu_seize_lock))
		return false;
	if (!lock_take(&zone->lock)) {
		lock_drop(&percpu_seize_lock);
		return false;
	}
	while (*at != me)
		at = &(*at)->next;
	/* Under the lock: the next closer closes the depot after this. */
	if (zone->closers != me || me->next != NULL ||
	    depot_close(&zone->depot, false)) {
		*at = me->next;
		left = true;
	}
	if (zone->closers == NULL) {
		atomic_store_explicit(
		    &zone->closed, false, memory_order_seq_cst);
		for (unsigned cpu = zone->caches == 0
					? slots
					: percpu_next(zone->caches, 0);
		     cpu < slots; cpu = percpu_next(zone->caches, cpu + 1))
			percpu_reopen(percpu_record(zone->caches, cpu));
	}
	lock_drop(&zone->lock);
	lock_drop(&percpu_seize_lock);
	return left;
}

void
zone_open(struct uma_zone *zone, struct closer *me)
{
	bool left = false;

	while (!left) {
		if (!gate_enter()) {
			port_yield();
			continue;
		}
		left = leave_closers(zone, me);
		gate_leave();
	}
}

/* What of which zones is emptied; numbers of zones from `at` to `end`. */
struct sweep {
	enum zone_reclaim what;
	uint32_t at;
	uint32_t end;
};

/* One slab of 64 KiB is not worth its next use. */
static bool
is_small(const struct keg *keg)
{
	return tally_get(&keg->slabs) * keg->layout.slab_bytes <= GRANULE;
}

static bool
is_swept(const struct sweep *sweep, struct uma_zone *zone)
{
	const struct keg *keg = &zone->keg;

	/* First: its user may be setting the rest of it. */
	if (!keg_is_used(keg))
		return false;
	if (sweep->what == ZONE_RECLAIM_ALL)
		return true;
	if (keg->fini != NULL || keg->freef != NULL)
		return false;
	if (sweep->what == ZONE_RECLAIM_QUIET)
		return true;
	return zone->look == LOOK_IDLE && !keg_keeps_slabs(keg) &&
	       !is_small(keg) &&
	       !atomic_load_explicit(&zone->ahead, memory_order_relaxed);
}

/* The next zone of a sweep, held; NULL at its end. */
static struct uma_zone *
next_swept(struct sweep *sweep)
{
	struct uma_zone *zone;

	while ((zone = registry_next(&sweep->at, sweep->end)) != NULL) {
		if (is_swept(sweep, zone))
			break;
		registry_drop(zone);
	}
	return zone;
}

/*
 * Empty the caches of the zones of a sweep, held inside the gate.  False: not
 * of all, as a fork or the kernel is in the way.
 */
static bool
strip_swept(struct sweep sweep)
{
	struct uma_zone *zone;
	struct uma_zone *last = NULL;
	unsigned cpu = 0;
	bool all = true; /* of the last zone's records */
	bool done = true;

	do {
		struct batch batch = { .count = 0 };

		if (!gate_enter())
			return false;
		if (!all)
			sweep.at--;
		all = true;
		while (all && (zone = next_swept(&sweep)) != NULL) {
			size_t from = batch.count;

			/* Or the rest of those that did not fit. */
			if (zone != last)
				cpu = 0;
			last = zone;
			all = add_records(&batch, zone, &cpu);
			for (size_t i = from; i < batch.count; i++)
				registry_hold(zone);
			registry_drop(zone);
		}
		if (strip_batch(&batch) != ZONE_CLOSED)
			done = false;
		for (size_t i = 0; i < batch.count; i++)
			registry_drop(batch.zones[i]);
		gate_leave();
	} while (!all);
	return done;
}

/*
 * Give what a zone does not use to the system, as far as it may be now.  An
 * idle one's buckets stay as large as they were: it may be busy again.
 */
static void
trim_zone(struct uma_zone *zone, enum zone_reclaim how)
{
	unsigned items = zone_bucket_items(zone);

	scatter(zone, empty_depot(zone), KEG_SHED);
	keg_trim(&zone->keg);
	if (how != ZONE_RECLAIM_IDLE && items > 2)
		/* relaxed: a hint. */
		atomic_store_explicit(
		    &zone->bucket_items, items / 2, memory_order_relaxed);
}

/* What strip_swept() left.  False: not of all, likewise. */
static bool
trim_swept(struct sweep sweep)
{
	struct uma_zone *zone;

	do {
		const struct slab *before = keg_in_hand();

		if (!gate_enter())
			return false;
		zone = next_swept(&sweep);
		if (zone != NULL) {
			trim_zone(zone, sweep.what);
			if (sweep.what == ZONE_RECLAIM_IDLE)
				zone->look = LOOK_EMPTY;
			registry_drop(zone);
		}
		gate_leave();
		keg_dispose(before);
	} while (zone != NULL);
	return true;
}

void
zone_reclaim_all(enum zone_reclaim how)
{
	struct sweep sweep = { .what = how, .end = UINT32_MAX };

	(void)strip_swept(sweep);
	(void)trim_swept(sweep);
	if (!gate_enter())
		return;
	supply_trim();
	gate_leave();
}

/* ---- idle zones ---- */

/*
 * Lines of the cache that a look reads: in one go, but for the last zone; and
 * each time that looks are due.  Ten times a second, at 0.1 us for a line, that
 * is less than two hundredths of a CPU.  Of many zones the rest is for the next
 * times.
 */
#define GO_LINES   256u
#define DUE_LINES  16384u
#define ZONE_LINES 3u /* beside its records, and its place */
#define GO_NUMBERS (GO_LINES / (1 + ZONE_LINES))

static struct {
	_Atomic unsigned due;     /* lines */
	_Atomic uintptr_t looker; /* a thread, or 0 */
	uint32_t next;            /* the looker's: the number to go on behind */
} look;

struct looked {
	unsigned lines;
	bool idle; /* is any of them */
	bool over; /* there are no zones behind */
};

/* See whether a zone was used since the last look.  Returns what it read. */
static unsigned
look_at(struct uma_zone *zone)
{
	struct zone_reading now;
	uint64_t uses;

	zone_glance(zone, &now);
	uses = now.allocs + now.frees;
	if (uses != zone->seen)
		zone->look = LOOK_USED;
	else if (zone->look == LOOK_USED)
		zone->look = LOOK_IDLE;
	zone->seen = uses;
	return ZONE_LINES + now.records;
}

/*
 * Look at zones of a sweep, whose end it brings forward.  False: not at all, as
 * a fork is in the way.
 */
static bool
look_at_some(struct sweep *sweep, struct looked *did)
{
	uint32_t at = sweep->at;
	struct uma_zone *zone;

	if (!gate_enter())
		return false;
	while (did->lines < GO_LINES &&
	       (zone = registry_next(&at, sweep->end)) != NULL) {
		did->lines += look_at(zone);
		did->idle |= is_swept(sweep, zone);
		registry_drop(zone);
	}
	gate_leave();
	did->over = did->lines < GO_LINES && at < sweep->end;
	did->lines += at - sweep->at;
	sweep->end = at;
	return true;
}

/*
 * From where the last one ended on.  Refused, the next one that is due tries
 * again.
 */
static void
look_further(unsigned due)
{
	struct sweep sweep = { ZONE_RECLAIM_IDLE, look.next,
		look.next + GO_NUMBERS };
	struct looked did = { 0, false, false };
	unsigned left = 0;

	if (look_at_some(&sweep, &did) &&
	    (!did.idle || (strip_swept(sweep) && trim_swept(sweep)))) {
		look.next = did.over ? 0 : sweep.end;
		if (!did.over && did.lines < due)
			left = due - did.lines;
	}
	/* Unless it is due anew.  relaxed: a hint. */
	atomic_compare_exchange_strong_explicit(
	    &look.due, &due, left, memory_order_relaxed, memory_order_relaxed);
}

void
zone_reclaim_idle(void)
{
	uintptr_t nobody = 0;
	unsigned due;

	/* relaxed, all of `due`: a hint. */
	if (supply_look_due())
		atomic_store_explicit(
		    &look.due, DUE_LINES, memory_order_relaxed);
	if (atomic_load_explicit(&look.due, memory_order_relaxed) == 0)
		return;
	/* acquire and release: `next` is one thread's after the other's. */
	if (!atomic_compare_exchange_strong_explicit(&look.looker, &nobody,
		port_thread_id(), memory_order_acquire, memory_order_relaxed))
		return;
	due = atomic_load_explicit(&look.due, memory_order_relaxed);
	if (due != 0)
		look_further(due);
	atomic_store_explicit(&look.looker, 0, memory_order_release);
}

/* Another's look ends with it; this thread's goes on, if a handler forked. */
void
zone_forget_look(void)
{
	if (atomic_load_explicit(&look.looker, memory_order_relaxed) !=
	    port_thread_id())
		atomic_store_explicit(&look.looker, 0, memory_order_relaxed);
}
