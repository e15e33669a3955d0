/* SPDX-License-Identifier: BSD-2-Clause */
/* Owning, seizing and reading records: see percpu.h. */
#include "percpu/chunk.h"
#include "percpu/percpu.h"

#include <uma/sequence.h>

#define OWNED  (UINT64_C(1) << 63)
#define CLOSED (OWNED | UINT64_C(1) << 16)

/* Generic mode uses so many records for each CPU: threads collide less. */
#define SPREAD 4u

/* Aborts are rare; a debugger that steps causes one each time. */
#define OWN_TRIES 16

struct arch_rseq percpu_rseq;
enum percpu_mode percpu_mode;
struct lock percpu_seize_lock;

static enum port_rseq_kind kind;

/* See fast.h. */
void
uma_fast_check(uint32_t version)
{
	if (version != UMA_FAST_ABI)
		uma_crime(__func__, "program was built for another libuma",
		    NULL, NULL);
}

bool
percpu_start(bool generic)
{
	bool all_cpus;

	kind = port_rseq(&percpu_rseq.area, &percpu_rseq.index);
	if (!percpu_chunks_start(&all_cpus))
		return false;
	if (generic || !all_cpus || !ARCH_HAS_RSEQ)
		kind = PORT_RSEQ_NONE;
	return true;
}

void
percpu_open(void)
{
	percpu_mode = kind == PORT_RSEQ_NONE ? PERCPU_GENERIC : PERCPU_RSEQ;
}

int
percpu_kind(void)
{
	return (int)kind;
}

void
percpu_fork_child(void)
{
	struct arch_rseq same;

	if (percpu_mode == PERCPU_RSEQ)
		(void)port_rseq(&same.area, &same.index);
}

static bool
is_owned(uint64_t word)
{
	return (word & OWNED) != 0 && (word & 0xffff) == 0;
}

static uint64_t
my_token(void)
{
	/* A thread's number has 47 bits and is even: it is never CLOSED's. */
	return OWNED | (uint64_t)port_thread_id() << 16;
}

static struct cache *
own_generic(uintptr_t caches, uint64_t *word)
{
	uint64_t mixed =
	    (uint64_t)port_thread_id() * UINT64_C(0x9E3779B97F4A7C15);
	unsigned spread = SPREAD * port_cpu_count();
	unsigned slot =
	    (unsigned)((mixed >> 32) % min_size(spread, percpu_slots()));
	struct cache *c = percpu_record(caches, slot);
	/* relaxed: the exchange below orders. */
	uint64_t was = atomic_load_explicit(&c->word, memory_order_relaxed);

	while (!is_owned(was)) {
		/* acquire, pairs with percpu_release(). */
		if (atomic_compare_exchange_weak_explicit(&c->word, &was,
			my_token(), memory_order_acquire,
			memory_order_relaxed)) {
			*word = was;
			return c;
		}
	}
	return NULL;
}

static struct cache *
own_rseq(uintptr_t caches, uint64_t *word)
{
	uintptr_t record;

	for (unsigned tries = 0; tries < OWN_TRIES; tries++) {
		if (arch_own(caches, &percpu_rseq, my_token(), &record, word))
			return (struct cache *)record;
	}
	return NULL;
}

/* What an owner does first: tell readers, and fold the word it found. */
static void
begin(struct cache *c, uint64_t word)
{
	/* relaxed, both: the owner alone writes it. */
	unsigned owns = atomic_load_explicit(&c->owns, memory_order_relaxed);

	if (owns != 0)
		atomic_store_explicit(&c->owns,
		    (uint16_t)(owns % UINT16_MAX + 1), memory_order_relaxed);
	/*
	 * release, pairs with the fence in percpu_glance(): who reads what
	 * follows sees that there was an owner.
	 */
	atomic_thread_fence(memory_order_release);
	percpu_add(&c->allocs, WORD_ALLOCS(word));
}

struct cache *
percpu_own(uintptr_t caches, uint64_t *word)
{
	struct cache *c = percpu_mode == PERCPU_RSEQ
			      ? own_rseq(caches, word)
			      : own_generic(caches, word);

	if (c == NULL)
		return NULL;
	percpu_saw(caches, c);
	begin(c, *word);
	return c;
}

void
percpu_close(struct cache *c)
{
	/* release, pairs with the exchange in mark(). */
	atomic_store_explicit(&c->word, CLOSED, memory_order_release);
}

void
percpu_reopen(struct cache *c)
{
	/* relaxed: closed stays closed while the seize lock is held. */
	if (atomic_load_explicit(&c->word, memory_order_relaxed) == CLOSED)
		percpu_release(c, 0, 0);
}

/*
 * Put this thread's mark on a record; what it replaced in `was_out`.  Waits for
 * a local owner to finish, but not if that may be a thread that forks.
 */
static bool
mark(struct cache *c, uint64_t token, uint64_t *was_out)
{
	for (unsigned turns = 0;;) {
		/* relaxed: the exchange orders. */
		uint64_t was =
		    atomic_load_explicit(&c->word, memory_order_relaxed);

		*was_out = was;
		if (was == token)
			return true;
		if (is_owned(was) && was != CLOSED) {
			if (gate_forking())
				return false;
			port_give_way(&turns);
			continue;
		}
		/* acquire, pairs with percpu_release() and percpu_close(). */
		if (atomic_compare_exchange_strong_explicit(&c->word, &was,
			token, memory_order_acquire, memory_order_relaxed)) {
			*was_out = was;
			return true;
		}
	}
}

/* Take the marks off that are still there; a lost one is live already. */
static void
unmark(
    struct cache **records, const uint64_t *words, size_t count, uint64_t token)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t was = token;

		/* release: as it was. */
		atomic_compare_exchange_strong_explicit(&records[i]->word, &was,
		    words[i], memory_order_release, memory_order_relaxed);
	}
}

/*
 * A sequence that read the live word before our mark may still commit over
 * it, until the barrier has aborted it.  After the barrier the mark is either
 * still there, and then the word it replaced was the last one; or it is gone,
 * and we try again with what is there now.
 */
bool
percpu_seize(struct cache **records, uint64_t *words, size_t count)
{
	uint64_t token = my_token();
	size_t marked = 0;
	size_t lost;

	while (marked < count && mark(records[marked], token, &words[marked]))
		marked++;
	do {
		lost = 0;
		if (marked < count ||
		    (percpu_mode == PERCPU_RSEQ && !port_rseq_barrier())) {
			unmark(records, words, marked, token);
			return false;
		}
		for (size_t i = 0; i < count; i++) {
			uint64_t was;

			if (!mark(records[i], token, &was)) {
				unmark(records, words, i, token);
				unmark(records + i + 1, words + i + 1,
				    count - i - 1, token);
				return false;
			}
			if (was != token) {
				words[i] = was;
				lost++;
			}
		}
	} while (lost != 0);
	for (size_t i = 0; i < count; i++) {
		if (words[i] == CLOSED)
			words[i] = 0;
		begin(records[i], words[i]);
	}
	return true;
}

/*
 * No sequence on the record of the CPU we run on can be under way: its thread
 * is not running, and begins again when it does.
 */
bool
percpu_seize_here(uintptr_t caches, const struct cache *c, uint64_t *word)
{
	struct cache *mine =
	    percpu_mode == PERCPU_RSEQ ? own_rseq(caches, word) : NULL;

	if (mine == NULL)
		return false;
	begin(mine, *word);
	if (mine == c)
		return true;
	percpu_release(mine, WORD_COUNT(*word), WORD_CAPACITY(*word));
	return false;
}

/*
 * Read once.  The numbers belong together if the word held still, and nobody
 * owned the record meanwhile.  False when they may not.
 */
bool
percpu_glance(struct cache *c, struct percpu_reading *out)
{
	/* acquire, both: what follows is not read before. */
	unsigned owns = atomic_load_explicit(&c->owns, memory_order_acquire);
	uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire);
	uint64_t live = is_owned(word) ? 0 : word;
	uint64_t kept = atomic_load_explicit(&c->kept, memory_order_relaxed);
	int64_t moved = atomic_load_explicit(&c->moved, memory_order_relaxed);

	out->misses = atomic_load_explicit(&c->misses, memory_order_relaxed);
	out->allocs = atomic_load_explicit(&c->allocs, memory_order_relaxed) +
		      WORD_ALLOCS(live);
	out->cached = WORD_COUNT(live) + kept;
	out->frees = out->cached - (uint64_t)moved + out->allocs;
	/* acquire: the readings above come before the one below. */
	atomic_thread_fence(memory_order_acquire);
	if (is_owned(word) && word != CLOSED)
		return false;
	return atomic_load_explicit(&c->owns, memory_order_relaxed) == owns &&
	       atomic_load_explicit(&c->word, memory_order_relaxed) == word;
}

/* An owner that takes very long is read as it stands. */
bool
percpu_read(struct cache *c, struct percpu_reading *out)
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		if (percpu_glance(c, out))
			return true;
		port_yield();
	}
	return false;
}
