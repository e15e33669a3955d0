/* SPDX-License-Identifier: BSD-2-Clause */
#include "supply/supply.h"

#include "lock/lock.h"
#include "port/port.h"
#include "supply/region.h"
#include "watch/watch.h"

#define STEP_MIN   ((size_t)1 << 20)
#define STEP_FIRST ((size_t)64 << 20)
#define STEP_MAX   ((size_t)1 << 30)

/* Free dirty memory beyond this, or this part of what is used, is forgotten. */
#define DIRTY_FLOOR ((size_t)8 << 20)
#define DIRTY_PART  4

/* A look is due when the process grew by this, and by this part of itself. */
#define GROWN_FLOOR ((size_t)1 << 20)
#define GROWN_PART  8

/* And when this has passed. */
#define TELL_NS (DECAY_NS / 5)

/* This part of what was regretted stays when the process grows beside it. */
#define REGRET_PART 4

/*
 * Each time this has passed, half of what lay free and dirty for all of it is
 * forgotten.
 */
#define DECAY_NS UINT64_C(500000000)

/* Who takes forgotten memory within this should have been left it. */
#define SOON_NS (8 * DECAY_NS)

/* Huge pages come to a heap of so many granules, to who has this part of it. */
#define HUGE_FROM (((size_t)64 << 20) / GRANULE)
#define HUGE_PART 2

/* One system call forgets at most this much. */
#define FORGET_MAX ((size_t)4 << 20)

/*
 * So many runs of a region that the system does not forget, as they are locked
 * in memory, are passed over: where all is locked, each try costs a call.
 */
#define LOCKED_MAX 4u

struct late_run {
	struct late_run *next;
	size_t count;
	size_t backed;
};

#define GUARDED UMA_GUARDED(&supply_lock)
static struct lock supply_lock;

static struct {
	/* These, and what is in them.  All of it in three lines, one page. */
	alignas(CACHE_LINE) struct region *regions[SUPPLY_KINDS] GUARDED;
	size_t step GUARDED;
	uint64_t decayed_ns GUARDED;
	size_t least GUARDED;     /* bytes free and dirty since then */
	size_t forgotten GUARDED; /* bytes, the last at */
	uint64_t forgotten_ns GUARDED;
	size_t regretted GUARDED; /* bytes of those soon taken again */
	size_t ceiling GUARDED;   /* bytes held before free ones must go */
	size_t told GUARDED;      /* the ceiling when a look was due */
	uint64_t told_ns GUARDED;
	enum supply_thp thp;   /* of boot */
	bool closed;           /* boot: the system may not be asked yet */
	tally used;            /* granules */
	_Atomic size_t mapped; /* bytes */
	_Atomic size_t dirty;  /* bytes, free */
	_Atomic bool look_due;
	/* Given back without the lock. */
	_Atomic(struct late_run *) late;
} supply;

/* Bounded by a part of what may be mapped where that is limited. */
static size_t
first_step(void)
{
	size_t limit = port_map_limit();
	size_t part = limit / 32;

	if (limit == SIZE_MAX || part >= STEP_FIRST)
		return STEP_FIRST;
	return part < STEP_MIN ? STEP_MIN : (size_t)1 << highest_bit(part);
}

/* A new region with room for `bytes` at `align`; halves what is refused. */
static struct region *
region_make(size_t bytes, size_t align, enum supply_kind kind)
    UMA_REQUIRES(&supply_lock)
{
	struct region *r;
	void *base = NULL;
	size_t step;

	if (supply.closed)
		return NULL;
	if (supply.step == 0)
		supply.step = first_step();
	step = kind == SUPPLY_NOFREE ? supply.step / 4 : supply.step;
	step = max_size(round_up(step, GRANULE), bytes);
	align = max_size(align, REGION_ALIGN);
	for (;;) {
		base = port_reserve(step, align);
		if (base != NULL)
			break;
		if (step == bytes)
			return NULL;
		step = max_size(round_up(step / 2, GRANULE), bytes);
	}
	r = region_new(base, step);
	if (r == NULL) {
		port_unmap(base, step);
		return NULL;
	}
	port_label(base, step, "uma:slabs");
	atomic_fetch_add_explicit(&supply.mapped, step, memory_order_relaxed);
	if (supply.step < STEP_MAX && port_map_limit() == SIZE_MAX)
		supply.step *= 2;
	region_append(&supply.regions[kind], r);
	return r;
}

static struct region *
region_of(const void *base) UMA_REQUIRES(&supply_lock)
{
	for (unsigned kind = 0; kind < SUPPLY_KINDS; kind++) {
		for (struct region *r = supply.regions[kind]; r != NULL;
		     r = r->next) {
			if ((uintptr_t)base - (uintptr_t)r->base <
			    r->count * GRANULE)
				return r;
		}
	}
	return NULL;
}

/* Which granule of its region an address lies in. */
static size_t
index_of(const struct region *r, const void *base)
{
	return ((uintptr_t)base - (uintptr_t)r->base) / GRANULE;
}

/* Bytes that have memory behind them, or may have. */
static size_t
held_bytes(void)
{
	return tally_get(&supply.used) * GRANULE + supply_dirty_bytes();
}

static void
count_dirty(struct region *r, size_t was) UMA_REQUIRES(&supply_lock)
{
	/* relaxed: changed under the lock; read as a statistic. */
	size_t sum = atomic_load_explicit(&supply.dirty, memory_order_relaxed);

	sum += (r->dirty_count - was) * GRANULE;
	supply.least = min_size(supply.least, sum);
	atomic_store_explicit(&supply.dirty, sum, memory_order_relaxed);
}

/* Nothing is known any more of what was forgotten long ago. */
static void
note_forgotten(size_t bytes) UMA_REQUIRES(&supply_lock)
{
	uint64_t now = port_tick_ns();

	if (now - supply.forgotten_ns > SOON_NS)
		supply.forgotten = 0;
	supply.forgotten += bytes;
	supply.forgotten_ns = now;
}

/*
 * Clean memory is taken.  If as much was forgotten a moment ago it should have
 * been kept: from now on so much more is.
 */
static void
regret(size_t bytes) UMA_REQUIRES(&supply_lock)
{
	size_t again = min_size(bytes, supply.forgotten);

	if (again == 0)
		return;
	supply.forgotten -= again;
	if (port_tick_ns() - supply.forgotten_ns <= SOON_NS)
		supply.regretted += again;
}

static void
count_taken(struct region *r, size_t was, size_t count,
    const struct region_hold *hold) UMA_REQUIRES(&supply_lock)
{
	tally_add(&supply.used, count);
	count_dirty(r, was);
	if (!r->boot)
		regret((count - hold->dirty) * GRANULE);
}

static bool
take_from(struct region *r, struct supply_run *run, size_t count, size_t align)
    UMA_REQUIRES(&supply_lock)
{
	size_t was = r->dirty_count;
	struct region_hold hold;
	size_t at = region_take(r, count, align, &hold);

	if (at == REGION_NONE)
		return false;
	run->base = r->base + at * GRANULE;
	run->boot = r->boot;
	run->dirty = (r->boot ? count : hold.dirty) * GRANULE;
	run->backed = (r->boot ? count : hold.backed) * GRANULE;
	count_taken(r, was, count, &hold);
	return true;
}

static void
give_to(struct region *r, void *base, size_t count, size_t backed)
    UMA_REQUIRES(&supply_lock)
{
	size_t was = r->dirty_count;
	size_t at = index_of(r, base);

	region_give(r, at, count, backed / GRANULE);
	tally_add(&supply.used, -count);
	count_dirty(r, was);
}

/* Take in what was given back without the lock. */
static void
take_late(void) UMA_REQUIRES(&supply_lock)
{
	struct late_run *run;
	struct late_run *next;

	/* relaxed: what comes a moment later is for the next one. */
	if (atomic_load_explicit(&supply.late, memory_order_relaxed) == NULL)
		return;
	/* acquire, pairs with give_late(). */
	run =
	    atomic_exchange_explicit(&supply.late, NULL, memory_order_acquire);
	for (; run != NULL; run = next) {
		struct region *r = region_of(run);

		next = run->next;
		if (r != NULL)
			give_to(r, run, run->count, run->backed);
		else
			port_unmap(run, run->count * GRANULE);
	}
}

static void
give_late(void *base, size_t count, size_t backed)
{
	struct late_run *run = base;

	watch_open(run, sizeof(*run), PORT_KEPT);
	run->count = count;
	run->backed = backed;
	run->next = atomic_load_explicit(&supply.late, memory_order_relaxed);
	/* release, pairs with take_late(). */
	while (!atomic_compare_exchange_weak_explicit(&supply.late, &run->next,
	    run, memory_order_release, memory_order_relaxed))
		;
}

/* A search for what can be forgotten. */
struct forgetting {
	size_t target;  /* bytes that may stay */
	unsigned tries; /* runs of a region that may fail before it is left */
	bool held;      /* the lock */
};

/*
 * Forget the highest free dirty run of a region below a granule, or as many
 * bytes of it as have to go.  It counts as used meanwhile, so the lock is not
 * held over the system call.  Returns where it begins, 0 if there is none.
 * unchecked: clang follows what is returned, not `held`.
 */
static size_t
forget_one(
    struct region *r, size_t before, struct forgetting *f) UMA_UNCHECKED_LOCKS
{
	size_t bytes = supply_dirty_bytes() - f->target;
	size_t most = div_up(min_size(FORGET_MAX, bytes), GRANULE);
	size_t was = r->dirty_count;
	size_t count;
	size_t at = region_take_dirty(r, before, most, &count);
	bool clean;

	if (at == REGION_NONE)
		return 0;
	count_dirty(r, was);
	lock_drop(&supply_lock);
	clean = port_forget(r->base + at * GRANULE, count * GRANULE);
	f->held = lock_take(&supply_lock);
	if (!f->held) {
		tally_add(&supply.used, count); /* give_to() takes it off */
		give_late(r->base + at * GRANULE, count, 0);
		return 0;
	}
	was = r->dirty_count;
	region_give(r, at, count, 0);
	if (clean)
		region_cleaned(r, at, count);
	else
		f->tries--;
	count_dirty(r, was);
	return at;
}

static bool
goes_on(const struct forgetting *f) UMA_REQUIRES(&supply_lock)
{
	return f->held && supply_dirty_bytes() > f->target;
}

/* Of the regions before `end` the youngest that has free dirty memory. */
static struct region *
last_dirty(struct region *r, const struct region *end)
    UMA_REQUIRES(&supply_lock)
{
	struct region *last = NULL;

	for (; r != NULL && r != end; r = r->next)
		if (r->dirty_count != 0 && !r->boot)
			last = r;
	return last;
}

/* From a region's highest granules down. */
static void
forget_in(struct region *r, struct forgetting *f) UMA_REQUIRES(&supply_lock)
{
	size_t before = r->count;

	f->tries = LOCKED_MAX;
	while (before != 0 && f->tries != 0 && goes_on(f))
		before = forget_one(r, before, f);
}

/*
 * Forget free dirty memory until `target` bytes are left, what is taken last
 * first.  Returns whether the lock is still held.
 */
static bool
forget_down_to(size_t target) UMA_KEEPS(true, &supply_lock)
{
	struct forgetting f = { target, 0, true };

	for (unsigned kind = 0; kind < SUPPLY_KINDS; kind++) {
		struct region *r = NULL;

		while (goes_on(&f) &&
		       (r = last_dirty(supply.regions[kind], r)) != NULL)
			forget_in(r, &f);
	}
	return f.held;
}

/* Forget down to a target, and remember that it was. */
static bool
forget_and_note(size_t target) UMA_KEEPS(true, &supply_lock)
{
	size_t dirty = supply_dirty_bytes();

	if (!forget_down_to(target))
		return false;
	note_forgotten(dirty - min_size(dirty, supply_dirty_bytes()));
	return true;
}

/* How much may stay free and dirty. */
static size_t
bound(void) UMA_REQUIRES(&supply_lock)
{
	size_t part = tally_get(&supply.used) * GRANULE / DIRTY_PART;

	return max_size(DIRTY_FLOOR, part) + supply.regretted;
}

/* See supply_look_due().  relaxed, here and there: a hint. */
static void
tell(uint64_t now) UMA_REQUIRES(&supply_lock)
{
	supply.told_ns = now;
	supply.told = supply.ceiling;
	atomic_store_explicit(&supply.look_due, true, memory_order_relaxed);
}

/*
 * Called with the lock at every give; returns whether it is still held.  What
 * is beyond the bound goes at once: a process that frees much may do nothing
 * from then on.  One that soon takes it again has its bound raised by that,
 * and what is used time and again does not lie free for a whole period.
 */
static bool
decay(void) UMA_KEEPS(true, &supply_lock)
{
	size_t dirty = supply_dirty_bytes();
	size_t most = bound();
	size_t idle;
	uint64_t now;

	if (dirty == 0)
		return true;
	if (dirty > most)
		return forget_and_note(most - most / 8);
	now = port_tick_ns();
	if (now - supply.told_ns > TELL_NS)
		tell(now);
	if (now - supply.decayed_ns <= DECAY_NS)
		return true;
	idle = div_up(supply.least, 2);
	supply.decayed_ns = now;
	supply.least = dirty - idle;
	supply.regretted -= min_size(supply.regretted, idle);
	return forget_down_to(dirty - idle);
}

static void
raise_ceiling(void) UMA_REQUIRES(&supply_lock)
{
	size_t step = max_size(GROWN_FLOOR, supply.told / GROWN_PART);

	supply.ceiling = max_size(supply.ceiling, held_bytes());
	if (supply.ceiling - supply.told >= step)
		tell(port_tick_ns());
}

/*
 * Called with the lock when something was taken; returns whether it is still
 * held.  Before the process grows larger than it ever was, what lies free and
 * did not fit is forgotten: as much as it grows by, but for a part of what was
 * regretted.  So whatever is wanted again and again is soon kept.
 */
static bool
stay_below_ceiling(void) UMA_KEEPS(true, &supply_lock)
{
	size_t dirty = supply_dirty_bytes();
	size_t sum = held_bytes();
	size_t target;

	if (sum <= supply.ceiling)
		return true;
	target = max_size(dirty - min_size(dirty, sum - supply.ceiling),
	    supply.regretted / REGRET_PART);
	if (dirty > target && !forget_and_note(target))
		return false;
	raise_ceiling();
	return true;
}

static bool
take_emergency(struct supply_run *run, size_t count, size_t align)
{
	run->base = port_map(count * GRANULE, align);
	run->dirty = 0;
	run->backed = 0;
	run->boot = false;
	return run->base != NULL;
}

/* In hostile builds: as if the system had no memory just now. */
static bool
refused(void)
{
	struct port_self *self = port_self();

	return !supply.closed && self->trusts == 0 &&
	       ++self->supplies % UMA_REFUSE_EVERY == 0;
}

void
supply_trust(bool begin)
{
	if (UMA_HOSTILE)
		port_self()->trusts += begin ? 1u : -1u;
}

/* Where a huge page is to come: in a region that stays while a run is used. */
struct huge {
	struct region *region; /* NULL: none is */
	size_t at;
};

/*
 * The 2 MiB that a run ends in, if nobody else was there.  From now on they
 * are dirty.
 */
static struct huge
open_huge(const struct supply_run *run, size_t count, size_t filled)
    UMA_REQUIRES(&supply_lock)
{
	const struct huge none = { NULL, 0 };
	size_t used = tally_get(&supply.used);
	struct huge h;
	size_t was;

	if (filled == 0 || supply.thp == SUPPLY_THP_NEVER)
		return none;
	if (supply.thp == SUPPLY_THP_DEFAULT &&
	    (used < HUGE_FROM || filled < used / HUGE_PART))
		return none;
	h.region = region_of(run->base);
	if (h.region == NULL || h.region->boot)
		return none;
	was = h.region->dirty_count;
	h.at = region_open(h.region, index_of(h.region, run->base), count);
	if (h.at == REGION_NONE)
		return none;
	count_dirty(h.region, was);
	raise_ceiling();
	return h;
}

/*
 * Get it, without the lock.  The wish is taken back at once, so that nothing
 * is put behind what is forgotten there later on.
 */
static void
get_huge(struct huge h, struct supply_run *run, size_t count)
{
	void *memory = h.region->base + h.at * GRANULE;
	bool ok;

	port_huge(memory, REGION_ALIGN, true);
	ok = port_populate(memory, REGION_ALIGN);
	port_huge(memory, REGION_ALIGN, false);
	if (!ok)
		return;
	if (memory == run->base)
		run->backed = count * GRANULE;
	if (lock_take(&supply_lock)) {
		size_t was = h.region->dirty_count;

		region_backed(h.region, h.at);
		count_dirty(h.region, was);
		lock_drop(&supply_lock);
	}
}

bool
supply_take(struct supply_run *run, size_t count, size_t align, size_t filled,
    enum supply_kind kind, enum meta_how how)
{
	struct region *r;
	bool taken = false;
	struct huge huge = { NULL, 0 };

	if (UMA_HOSTILE && refused())
		return false;
	if (how == META_EMERGENCY || !lock_take(&supply_lock))
		return take_emergency(run, count, align);
	take_late();
	for (r = supply.regions[kind]; r != NULL && !taken; r = r->next)
		taken = take_from(r, run, count, align);
	/* Boot memory serves every kind. */
	if (!taken && supply.closed)
		taken =
		    take_from(supply.regions[SUPPLY_NORMAL], run, count, align);
	if (!taken) {
		r = region_make(count * GRANULE, align, kind);
		taken = r != NULL && take_from(r, run, count, align);
	}
	if (taken)
		huge = open_huge(run, count, filled);
	if (!taken || stay_below_ceiling())
		lock_drop(&supply_lock);
	if (huge.region != NULL)
		get_huge(huge, run, count);
	return taken;
}

void
supply_give(void *base, size_t count, size_t backed, enum meta_how how)
{
	struct region *r;

	if (how == META_EMERGENCY || !lock_take(&supply_lock)) {
		give_late(base, count, backed);
		return;
	}
	take_late();
	r = region_of(base);
	if (r == NULL) {
		lock_drop(&supply_lock);
		port_unmap(base, count * GRANULE);
		return;
	}
	give_to(r, base, count, backed);
	if (decay())
		lock_drop(&supply_lock);
}

bool
supply_extend(void *base, size_t count, size_t more)
{
	struct region *r;
	bool taken = false;

	if (!lock_take(&supply_lock))
		return false;
	r = region_of(base);
	if (r != NULL) {
		struct region_hold hold;
		size_t was = r->dirty_count;
		size_t at = index_of(r, base);

		taken = region_take_at(r, at + count, more, &hold);
		if (taken)
			count_taken(r, was, more, &hold);
	}
	if (!taken || stay_below_ceiling())
		lock_drop(&supply_lock);
	return taken;
}

/* What could not be forgotten, or came while the rest was, goes as well. */
static void
lose_dirty(struct region *r) UMA_REQUIRES(&supply_lock)
{
	size_t was = r->dirty_count;

	r->dirty_count = 0;
	count_dirty(r, was);
}

/*
 * Where mappings are limited, regions with nothing in them go back: the next
 * request may be for one mapping larger than any of them.
 */
static void
release_regions(void) UMA_REQUIRES(&supply_lock)
{
	for (unsigned kind = 0; kind < SUPPLY_KINDS; kind++) {
		struct region **at = &supply.regions[kind];

		while (*at != NULL) {
			struct region *r = *at;

			if (r->boot || r->free_count != r->count) {
				at = &r->next;
				continue;
			}
			*at = r->next;
			lose_dirty(r);
			port_unmap(r->base, r->count * GRANULE);
			atomic_fetch_sub_explicit(&supply.mapped,
			    r->count * GRANULE, memory_order_relaxed);
			region_delete(r);
		}
	}
}

void
supply_trim(void)
{
	if (!lock_take(&supply_lock))
		return;
	take_late();
	if (!forget_down_to(0))
		return;
	if (port_map_limit() != SIZE_MAX)
		release_regions();
	lock_drop(&supply_lock);
}

void
supply_tick(void)
{
	if (!gate_lock(&supply_lock))
		return;
	take_late();
	if (decay())
		lock_drop(&supply_lock);
	gate_leave();
}

void
supply_thp(enum supply_thp thp)
{
	supply.thp = thp;
}

void
supply_boot(void *memory, size_t bytes)
{
	struct region *r = region_new(memory, bytes);

	if (r == NULL)
		return;
	r->boot = true;
	r->committed = r->count;
	region_append(&supply.regions[SUPPLY_NORMAL], r);
	supply.closed = true;
}

void
supply_open(void)
{
	supply.closed = false;
}

bool
supply_look_due(void)
{
	if (!atomic_load_explicit(&supply.look_due, memory_order_relaxed))
		return false;
	return atomic_exchange_explicit(
	    &supply.look_due, false, memory_order_relaxed);
}

size_t
supply_mapped_bytes(void)
{
	return atomic_load_explicit(&supply.mapped, memory_order_relaxed);
}

size_t
supply_dirty_bytes(void)
{
	return atomic_load_explicit(&supply.dirty, memory_order_relaxed);
}
