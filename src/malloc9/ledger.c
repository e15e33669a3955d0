/* SPDX-License-Identifier: BSD-2-Clause */
/* What a type did: see malloc9.h. */
#include "malloc9/inner.h"
#include "meta/meta.h"
#include "port/port.h"

/* Counters that could not be had are asked for again this often. */
#define REST_RETRY 4096u

#define STEP(units) PERCPU_STEP(units),

const uint64_t class_steps[HEAP_CLASSES] = { HEAP_CLASS_LIST(STEP) };

_Static_assert(PERCPU_UNITS_MAX *HEAP_UNIT_BYTES >= UINT64_C(1) << 48,
    "whatever has an address is one event");

static _Atomic(struct ledger *) first;
static _Atomic(struct ledger *) last; /* or one that was, a moment ago */
static struct ledger *unused UMA_GUARDED(&types_lock);

/* ---- making and ending ---- */

static struct ledger *
take_unused(void)
{
	struct ledger *l;

	if (!lock_take(&types_lock))
		return NULL;
	l = unused;
	if (l != NULL)
		unused = l->next_unused;
	lock_drop(&types_lock);
	return l;
}

/* Inside the gate.  False, with the rest still to do, when a lock refused. */
static bool
put_back(struct ledger *l)
{
	/* relaxed: nobody else writes it any more. */
	uintptr_t records =
	    atomic_load_explicit(&l->records, memory_order_relaxed);

	if (records != 0 && !percpu_give(records))
		return false;
	atomic_store_explicit(&l->records, 0, memory_order_relaxed);
	if (!lock_take(&types_lock))
		return false;
	l->next_unused = unused;
	unused = l;
	lock_drop(&types_lock);
	return true;
}

/*
 * Behind all others: nothing ever leaves the list, so the end only moves, and
 * what was last is near it.
 */
static void
append(struct ledger *l)
{
	/* acquire, pairs with the release below. */
	struct ledger *at = atomic_load_explicit(&last, memory_order_acquire);
	_Atomic(struct ledger *) *end = at == NULL ? &first : &at->next;

	at = NULL;
	/* release, pairs with the acquires here and in ledger_next(). */
	while (!atomic_compare_exchange_strong_explicit(
	    end, &at, l, memory_order_release, memory_order_acquire)) {
		end = &at->next;
		at = NULL;
	}
	/* release, pairs with the acquire above. */
	atomic_store_explicit(&last, l, memory_order_release);
}

static void
copy_name(char *to, size_t bytes, const char *from)
{
	size_t i = 0;

	for (; from != NULL && from[i] != '\0' && i < bytes - 1; i++)
		to[i] = from[i];
	to[i] = '\0';
}

static void
set(_Atomic uint64_t *n, uint64_t value)
{
	/* relaxed: nobody counts yet, and readers look at `life`. */
	atomic_store_explicit(n, value, memory_order_relaxed);
}

static void
wipe(struct ledger *l)
{
	set(&l->classes, 0);
	set(&l->bytes_max, 0);
	for (unsigned way = 0; way < 2; way++) {
		set(&l->events[way], 0);
		set(&l->bytes[way], 0);
	}
	atomic_store_explicit(&l->cpus, 0, memory_order_relaxed);
}

/*
 * In a handler the lock cannot be taken: then it comes without counters, and
 * from memory that nobody had before.
 */
struct ledger *
ledger_make(const char *name)
{
	enum meta_how how = meta_enter();
	struct ledger *l = how == META_NORMAL ? take_unused() : NULL;
	bool is_new = l == NULL;
	uintptr_t records = 0;

	if (is_new)
		l = meta_take(sizeof(*l), how);
	if (l != NULL && how == META_NORMAL)
		records = percpu_take(1);
	meta_leave(how);
	if (l == NULL)
		return NULL;
	wipe(l);
	copy_name(l->name, sizeof(l->name), name);
	atomic_store_explicit(&l->records, records, memory_order_relaxed);
	/* release, pairs with the acquires in ledger_read(). */
	atomic_fetch_add_explicit(&l->life, 1, memory_order_release);
	if (is_new)
		append(l);
	return l;
}

/* Readers look at `life` again before they believe what they read. */
static void
end_life(struct ledger *l)
{
	/* seq_cst: before the records can become another's. */
	atomic_fetch_add_explicit(&l->life, 1, memory_order_seq_cst);
}

void
ledger_end(struct ledger *l)
{
	bool done = false;

	end_life(l);
	while (!done) {
		malloc9_enter();
		done = put_back(l);
		gate_leave();
	}
}

/* A handler, or a fork under way, leaves it lying: once, if ever. */
void
ledger_drop(struct ledger *l)
{
	end_life(l);
	if (gate_enter()) {
		(void)put_back(l);
		gate_leave();
	}
}

/* ---- counting ---- */

static uint64_t
get(const _Atomic uint64_t *n)
{
	/* relaxed: a number stands for itself. */
	return atomic_load_explicit(n, memory_order_relaxed);
}

/* All of it, records and rest; a reader's `life` says whether to believe it. */
static void
add_up(struct ledger *l, struct uma_malloc_stats *out)
{
	struct percpu_sum sum = { 0 };
	/* acquire, pairs with the release of the records in find_records(). */
	uintptr_t records =
	    atomic_load_explicit(&l->records, memory_order_acquire);

	/*
	 * What came in first, then what went out: blocks that come and go
	 * meanwhile make the difference too small, never too large.  acquire:
	 * in this order.
	 */
	out->allocs =
	    atomic_load_explicit(&l->events[PERCPU_IN], memory_order_acquire);
	out->alloc_bytes =
	    atomic_load_explicit(&l->bytes[PERCPU_IN], memory_order_acquire);
	if (records != 0) {
		percpu_sum(records, &sum);
		atomic_store_explicit(&l->cpus, sum.cpus, memory_order_relaxed);
	}
	out->frees = get(&l->events[PERCPU_OUT]) + sum.events[PERCPU_OUT];
	out->free_bytes = get(&l->bytes[PERCPU_OUT]) +
			  sum.units[PERCPU_OUT] * HEAP_UNIT_BYTES;
	out->allocs += sum.events[PERCPU_IN];
	out->alloc_bytes += sum.units[PERCPU_IN] * HEAP_UNIT_BYTES;
	out->in_use = out->allocs - min_size(out->allocs, out->frees);
	out->in_use_bytes =
	    out->alloc_bytes - min_size(out->alloc_bytes, out->free_bytes);
}

/* Look how much is out now, for the greatest number. */
static void
sample(struct ledger *l, uint64_t bytes)
{
	uint64_t was = get(&l->bytes_max);

	/* relaxed: a number that only grows. */
	while (was < bytes &&
	       !atomic_compare_exchange_weak_explicit(&l->bytes_max, &was,
		   bytes, memory_order_relaxed, memory_order_relaxed))
		continue;
}

static void
sample_now(struct ledger *l)
{
	struct uma_malloc_stats now;

	add_up(l, &now);
	sample(l, now.in_use_bytes);
}

/*
 * There was no memory for records: ask again.  One asks at a time, so that
 * nobody has to give back what another was faster to get.
 */
static void
find_records(struct ledger *l)
{
	uintptr_t records;

	if (!gate_enter())
		return;
	/* acquire, pairs with the release below. */
	if (atomic_exchange_explicit(&l->seeking, 1, memory_order_acquire) ==
	    0) {
		records =
		    atomic_load_explicit(&l->records, memory_order_relaxed);
		if (records == 0)
			records = percpu_take(1);
		/* release, pairs with the acquire in add_up(). */
		atomic_store_explicit(
		    &l->records, records, memory_order_release);
		atomic_store_explicit(&l->seeking, 0, memory_order_release);
	}
	gate_leave();
}

/* Where anybody may count at any time: an atomic, so not for the hit. */
static void
count_rest(struct ledger *l, enum percpu_way way, size_t bytes)
{
	uint64_t events;

	/* relaxed: a number stands for itself. */
	atomic_fetch_add_explicit(&l->bytes[way], bytes, memory_order_relaxed);
	events =
	    atomic_fetch_add_explicit(&l->events[way], 1, memory_order_relaxed);
	if (way == PERCPU_IN && events % PERCPU_FOLD == 0)
		sample_now(l);
	if (events % REST_RETRY == 0 &&
	    atomic_load_explicit(&l->records, memory_order_relaxed) == 0)
		find_records(l);
}

/*
 * Count in the records, folding if it must be.  A sample reads as many records
 * as there are CPUs, so only one fold in so many is an occasion.
 */
static bool
count_here(struct ledger *l, enum percpu_way way, uint64_t step)
{
	/* acquire, pairs with find_records(). */
	uintptr_t records =
	    atomic_load_explicit(&l->records, memory_order_acquire);
	uint32_t cpus = atomic_load_explicit(&l->cpus, memory_order_relaxed);
	uint32_t folds;

	if (records == 0)
		return false;
	if (percpu_count(records, way, step))
		return true;
	if (!gate_enter())
		return false;
	folds = percpu_fold(records, way, step);
	gate_leave();
	if (way == PERCPU_IN && folds != 0 && (cpus == 0 || folds % cpus == 0))
		sample_now(l);
	return folds != 0;
}

void
ledger_count(struct ledger *l, enum percpu_way way, size_t bytes)
{
	if (bytes % HEAP_UNIT_BYTES != 0 ||
	    bytes / HEAP_UNIT_BYTES > PERCPU_UNITS_MAX ||
	    !count_here(l, way, PERCPU_STEP(bytes / HEAP_UNIT_BYTES)))
		count_rest(l, way, bytes);
}

/* ---- reading ---- */

/*
 * What a reader saw in that life, which may be over: under the lock a ledger
 * does not come to its next.  Where it cannot be had the sample is the
 * reader's alone.
 */
static void
sample_of(struct ledger *l, uint32_t life, uint64_t bytes)
{
	if (!gate_lock(&types_lock))
		return;
	/* relaxed: put_back() takes the lock between two lives. */
	if (atomic_load_explicit(&l->life, memory_order_relaxed) == life)
		sample(l, bytes);
	gate_unlock(&types_lock);
}

bool
ledger_read(struct ledger *l, struct uma_malloc_stats *out)
{
	/* acquire, pairs with ledger_make(): its numbers are there. */
	uint32_t life = atomic_load_explicit(&l->life, memory_order_acquire);
	uint64_t classes = get(&l->classes);
	uint64_t most = get(&l->bytes_max);

	__builtin_memset(out, 0, sizeof(*out));
	out->struct_bytes = sizeof(*out);
	if (life % 2 == 0)
		return false;
	copy_name(out->name, sizeof(out->name), l->name);
	add_up(l, out);
	for (; classes != 0; classes &= classes - 1)
		out->sizes[out->size_count++] =
		    (uint32_t)heap_class_bytes(lowest_bit(classes));
	/* acquire: what was read above was read before. */
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&l->life, memory_order_relaxed) != life)
		return false;
	out->sampled_bytes_max = max_size(most, out->in_use_bytes);
	if (most < out->in_use_bytes)
		sample_of(l, life, out->in_use_bytes);
	return true;
}

struct ledger *
ledger_next(struct ledger *l)
{
	/* acquire, pairs with append(). */
	return atomic_load_explicit(
	    l == NULL ? &first : &l->next, memory_order_acquire);
}
