/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * percpu - one record for each zone and CPU, and who may write it
 *
 * Why it is here.  A CPU's cache of a zone must be changed by a handful of
 * instructions without a lock, and still be taken away from that CPU by
 * anybody at any time, exactly.
 *
 *	chunk: slots of 16 KiB, one for each CPU; a record has the same offset
 *	in each, so its address is caches + (cpu << 14)
 *
 *	CPU 0  [ head | A | B | C | ... ]
 *	CPU 1  [ head | A | B | C | ... ]
 *
 * The word of a record is its state:
 *
 *	live    {count:8, capacity:8, allocs:48}; of the bucket at `slots`
 *	owned   count = capacity = 0, top bit set, the owner's token between:
 *	        both sequences miss with the tests they make anyway
 *	closed  owned by nobody: the zone has turned its caches off
 *
 *	       own: committed sequence (rseq), compare-and-swap (generic)
 *	   live <------------------------------------------------> owned
 *	          release: plain store
 *	   live -> owned by another CPU: seize: compare-and-swap, then one
 *	   membarrier for all, then look whether the mark is still there: a
 *	   sequence that had read the old word may have overwritten it
 *
 * What holds.
 *   1. Only the owner writes anything of a record but the word; a live word is
 *      written by the sequences of its CPU and by a seizer's mark.
 *   2. allocs counts pops since the record was last owned; owners fold it into
 *      `allocs`.  Frees follow: frees = cached - moved + allocs.
 *   3. Owners stand inside the gate, never wait for a seizer and never sleep:
 *      a seizer may wait for them.  There is one seizer at a time.
 *   4. A record that was never owned is zero, and nobody visits it; a CPU that
 *      never owned one of a chunk has no memory there.
 *
 * Without rseq the same words are owned by compare-and-swap for each
 * operation, in a slot chosen by thread.
 *
 * What it may touch.  base port lock.
 */
#ifndef PERCPU_PERCPU_H
#define PERCPU_PERCPU_H

#include "base/base.h"
#include "lock/lock.h"
#include "port/port.h"

struct bucket;

struct cache {
	alignas(CACHE_LINE) _Atomic uint64_t word;
	void **slots;         /* of the load bucket; arch.h reads it here */
	struct bucket *full;  /* a list of buckets with items */
	struct bucket *empty; /* a list of buckets without */
	_Atomic uint64_t allocs;
	_Atomic int64_t
	    moved; /* items put in less items taken out, in buckets */
	_Atomic uint64_t misses;
	_Atomic uint16_t
	    owns; /* times, 0: never; in counters at the same place */
	_Atomic uint16_t kept; /* items in the buckets of `full` */
	uint16_t allowance;    /* of items: see zone/cache.c */
	uint16_t sent;
};
_Static_assert(sizeof(struct cache) == CACHE_LINE, "one line");
_Static_assert(offsetof(struct cache, slots) == 8, "arch.h reads it at +8");

#define WORD_COUNT(w)    ((unsigned)((w)&0xff))
#define WORD_CAPACITY(w) ((unsigned)((w) >> 8 & 0xff))
#define WORD_MAKE(count, capacity) \
	((uint64_t)(count) | (uint64_t)(capacity) << 8 | \
	    ((capacity) != 0 ? UMA_WORD_ALLOCS_FIRST << 16 : 0))
#define WORD_ALLOCS(w) \
	((WORD_CAPACITY(w) != 0 ? ((w) >> 16) - UMA_WORD_ALLOCS_FIRST \
				: (w) >> 16) & \
	    UINT64_MAX >> 16)

/* Read by the hit. */
extern struct arch_rseq percpu_rseq;

/* Held by the one seizer. */
extern struct lock percpu_seize_lock;

enum percpu_mode { PERCPU_OFF, PERCPU_GENERIC, PERCPU_RSEQ };
extern enum percpu_mode percpu_mode;

/*
 * Choose the mode.  `generic` asks for that one.  Returns false without
 * address space for the records that always miss.
 */
bool percpu_start(bool generic);

/* Open for business: until then percpu_mode is PERCPU_OFF. */
void percpu_open(void);

/* The mode as numbers for uma_stats. */
int percpu_kind(void);
unsigned percpu_slots(void);

/* After fork in the child: the kernel's barrier must be asked for again. */
void percpu_fork_child(void);

/* Records that are all zero for ever: every sequence on them misses. */
uintptr_t percpu_nothing(void);

/*
 * Take `count` (1 to 128) records with neighbouring offsets, zeroed.
 *
 * Returns:  the address of the first one for CPU 0; 0 without memory.
 * Context:  inside the gate.
 */
uintptr_t percpu_take(unsigned count);

/*
 * Give one back.  Its records are owned or closed; they are zeroed.  False:
 * try again later.
 */
UMA_NODISCARD bool percpu_give(uintptr_t caches);

/*
 * The record of CPU `cpu`, and the next CPU from `cpu` on whose record was
 * ever owned since it was taken.
 */
UMA_FAST struct cache *
percpu_record(uintptr_t caches, unsigned cpu)
{
	return (struct cache *)(caches + ((uintptr_t)cpu << ARCH_CPU_SHIFT));
}

unsigned percpu_next(uintptr_t caches, unsigned cpu);

/* The hit.  `caches` may be percpu_nothing(). */
UMA_FAST void *
percpu_pop(uintptr_t caches)
{
	return arch_pop(caches, &percpu_rseq);
}

UMA_FAST bool
percpu_push(uintptr_t caches, void *item)
{
	return arch_push(caches, &percpu_rseq, item);
}

/*
 * Own the record of the CPU this runs on.
 *
 * Returns:  the record with its last live word in `word`, allocs folded; or
 *           NULL when it is owned or closed, or sequences do not work here.
 * Context:  inside the gate until percpu_release().
 */
struct cache *percpu_own(uintptr_t caches, uint64_t *word);

/* Make it live again.  `slots` goes with the word. */
UMA_FAST void
percpu_release(struct cache *c, unsigned count, unsigned capacity)
{
	/* release, pairs with the load of the word in a sequence or an own. */
	atomic_store_explicit(
	    &c->word, WORD_MAKE(count, capacity), memory_order_release);
}

/* Make it closed: only percpu_seize() or percpu_reopen() gets it from there. */
void percpu_close(struct cache *c);

/* Make it live and empty if it is closed.  Needs the seize lock. */
void percpu_reopen(struct cache *c) UMA_REQUIRES(&percpu_seize_lock);

/*
 * Own records of any CPUs, whatever runs there.  Closed ones are owned too.
 *
 * Needs:    the seize lock.
 * Returns:  with all owned, the last live words in `words` (0 for a closed
 *           record), allocs folded.  False, with nothing owned, when the
 *           kernel refuses the barrier or an owner is held up by a fork.
 * Context:  inside the gate until each is released or closed.
 * Cost:     one membarrier, and one more for each race lost.
 */
UMA_NODISCARD bool percpu_seize(struct cache **records, uint64_t *words,
    size_t count) UMA_REQUIRES(&percpu_seize_lock);

/*
 * percpu_seize() of one record of these caches without a barrier: only if it
 * is the one of the CPU this runs on, live, and there are sequences.
 */
UMA_NODISCARD bool percpu_seize_here(
    uintptr_t caches, const struct cache *c, uint64_t *word);

/* A consistent reading of one record for statistics. */
struct percpu_reading {
	uint64_t allocs;
	uint64_t frees;
	uint64_t cached;
	uint64_t misses;
};

/* False: it was read while its owner changed it, so not all is counted. */
bool percpu_read(struct cache *c, struct percpu_reading *out);

/* The same, without waiting for an owner to be done. */
bool percpu_glance(struct cache *c, struct percpu_reading *out);

/*
 * Counters: the same records for who counts instead of caching.
 *
 * A record has two counters, of what comes in and of what goes out, each of
 * events and of units.  Both numbers of one counter share one word, so that
 * an event is one committed store:
 *
 *	word    {counting:1, events:10, units:53}; see arch.h for the states
 *	totals  what was folded out of the word, 64 bits each
 *
 * An event has PERCPU_UNITS_MAX units at most, so the events overflow first,
 * and a counter starts PERCPU_FOLD events below that: the carry makes the
 * addition fail, and the failing caller folds the word into the totals.
 *
 *	       claim: committed sequence, or compare-and-swap
 *	count <-----------------------------------------------> owned
 *	       release: plain store, PERCPU_FOLD events to go
 *
 * What holds.
 *   1. Only an owner writes the totals; owners stand inside the gate and wait
 *      for nothing.  Nobody owns a counter of another CPU.
 *   2. totals + word = all that was ever counted here.  A reader takes them
 *      when `folds` and the state of the word say that no fold was between.
 *   3. Who can neither add nor fold is told, and counts elsewhere.
 *   4. Nobody counts before percpu_open(): until then there is no heap, and
 *      without it no counter.
 */
#define PERCPU_UNITS_MAX (UINT64_C(1) << 44)
#define PERCPU_FOLD      UMA_FOLD_EVENTS

enum percpu_way { PERCPU_IN, PERCPU_OUT };

struct counters {
	alignas(CACHE_LINE) _Atomic uint64_t word[2];
	_Atomic uint64_t events[2];
	_Atomic uint64_t units[2];
	_Atomic uint32_t folds[2];
	_Atomic uint16_t owns;
};
_Static_assert(sizeof(struct counters) == sizeof(struct cache), "one record");
_Static_assert(offsetof(struct counters, owns) == offsetof(struct cache, owns),
    "percpu_next() reads both");

/* One event of so many units, as something to add to a word. */
#define PERCPU_UNITS_BITS  53u
#define PERCPU_STEP(units) (UINT64_C(1) << PERCPU_UNITS_BITS | (units))

/* The hit.  `records` from percpu_take(); false when somebody must fold. */
UMA_FAST bool
percpu_hit(uintptr_t records, enum percpu_way way, uint64_t step)
{
	return arch_add(records + way * sizeof(uint64_t), &percpu_rseq, step);
}

/* The same in every mode, short of folding.  From anywhere. */
bool percpu_count(uintptr_t records, enum percpu_way way, uint64_t step);

/*
 * Fold the counter of the CPU this runs on, and count the step.
 *
 * Returns:  how often this counter was folded, 1 or more; 0 with nothing
 *           counted when it is owned or sequences do not work here.
 * Context:  inside the gate.
 */
uint32_t percpu_fold(uintptr_t records, enum percpu_way way, uint64_t step);

struct percpu_sum {
	uint64_t events[2];
	uint64_t units[2];
	unsigned cpus; /* that ever counted */
};

/* Both counters of all CPUs, added up.  From anywhere. */
void percpu_sum(uintptr_t records, struct percpu_sum *out);

/* One writer at a time, so a load and a store do; no locked instruction. */
UMA_FAST void
percpu_add(_Atomic uint64_t *n, uint64_t more)
{
	atomic_store_explicit(n,
	    atomic_load_explicit(n, memory_order_relaxed) + more,
	    memory_order_relaxed);
}

#endif /* PERCPU_PERCPU_H */
