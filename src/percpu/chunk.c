/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the records live: see percpu.h. */
#include "percpu/percpu.h"

#include "percpu/chunk.h"

#define SLOT_BYTES   ((size_t)1 << ARCH_CPU_SHIFT)
#define SLOT_RECORDS (SLOT_BYTES / sizeof(struct cache))
#define SLOTS_MAX    4096u

/* At the start of each chunk, in the room of the first records of CPU 0. */
struct chunk {
	struct chunk *next;
	uint64_t used[SLOT_RECORDS / BITS_PER_WORD];
	/* CPUs that ever owned a record of this chunk. */
	_Atomic uint64_t seen[SLOTS_MAX / BITS_PER_WORD];
};
#define HEAD_RECORDS div_up(sizeof(struct chunk), sizeof(struct cache))

static struct lock chunks_lock;
static struct chunk *chunks;
static unsigned slots;
static uintptr_t nothing;

static struct chunk *chunk_new(void);

/*
 * Halve what cannot be had: only generic mode may end below the CPUs' count.
 * The first chunk comes with the first record.
 */
bool
percpu_chunks_start(bool *all_cpus)
{
	size_t want = min_size(port_cpu_slots(), SLOTS_MAX);

	*all_cpus = want == port_cpu_slots();
	for (slots = (unsigned)want; slots != 0; slots /= 2) {
		nothing = (uintptr_t)port_zeros(slots * SLOT_BYTES, SLOT_BYTES);
		if (nothing != 0)
			return true;
		*all_cpus = false;
	}
	return false;
}

static struct chunk *
chunk_new(void)
{
	struct chunk *chunk = port_map(slots * SLOT_BYTES, SLOT_BYTES);

	if (chunk == NULL)
		return NULL;
	port_name(chunk, slots * SLOT_BYTES, "uma:percpu");
	for (size_t i = 0; i < HEAD_RECORDS; i++)
		chunk->used[i / BITS_PER_WORD] |= UINT64_C(1)
						  << (i % BITS_PER_WORD);
	return chunk;
}

unsigned
percpu_slots(void)
{
	return slots;
}

uintptr_t
percpu_nothing(void)
{
	return nothing;
}

static bool
is_used(const struct chunk *chunk, size_t i)
{
	return (chunk->used[i / BITS_PER_WORD] >> (i % BITS_PER_WORD) & 1) != 0;
}

/* The first of `count` neighbouring unused records, or SLOT_RECORDS. */
static size_t
find(const struct chunk *chunk, unsigned count)
{
	size_t run = 0;

	for (size_t i = HEAD_RECORDS; i < SLOT_RECORDS; i++) {
		if (i % BITS_PER_WORD == 0 &&
		    chunk->used[i / BITS_PER_WORD] == UINT64_MAX) {
			run = 0;
			i += BITS_PER_WORD - 1;
			continue;
		}
		run = is_used(chunk, i) ? 0 : run + 1;
		if (run == count)
			return i + 1 - count;
	}
	return SLOT_RECORDS;
}

uintptr_t
percpu_take(unsigned count)
{
	uintptr_t caches = 0;
	struct chunk *chunk;
	size_t at = SLOT_RECORDS;

	if (!lock_take(&chunks_lock))
		return 0;
	for (chunk = chunks; chunk != NULL; chunk = chunk->next) {
		at = find(chunk, count);
		if (at != SLOT_RECORDS)
			break;
	}
	if (chunk == NULL) {
		chunk = chunk_new();
		if (chunk != NULL) {
			chunk->next = chunks;
			chunks = chunk;
			at = find(chunk, count);
		}
	}
	if (chunk != NULL) {
		for (size_t i = at; i < at + count; i++)
			chunk->used[i / BITS_PER_WORD] |=
			    UINT64_C(1) << (i % BITS_PER_WORD);
		caches = (uintptr_t)chunk + at * sizeof(struct cache);
	}
	lock_drop(&chunks_lock);
	return caches;
}

static struct chunk *
chunk_of(uintptr_t caches)
{
	return (struct chunk *)round_down(caches, SLOT_BYTES);
}

bool
percpu_give(uintptr_t caches)
{
	struct chunk *chunk = chunk_of(caches);
	size_t i = (caches - (uintptr_t)chunk) / sizeof(struct cache);

	if (!lock_take(&chunks_lock))
		return false;
	for (unsigned cpu = percpu_next(caches, 0); cpu < slots;
	     cpu = percpu_next(caches, cpu + 1)) {
		struct cache *c = percpu_record(caches, cpu);

		c->slots = NULL;
		c->spare = NULL;
		/* relaxed: the lock below orders them for the next taker. */
		atomic_store_explicit(&c->allocs, 0, memory_order_relaxed);
		atomic_store_explicit(&c->moved, 0, memory_order_relaxed);
		atomic_store_explicit(&c->misses, 0, memory_order_relaxed);
		atomic_store_explicit(&c->spare_count, 0, memory_order_relaxed);
		percpu_release(c, 0, 0);
	}
	chunk->used[i / BITS_PER_WORD] &= ~(UINT64_C(1) << (i % BITS_PER_WORD));
	lock_drop(&chunks_lock);
	return true;
}

unsigned
percpu_next(uintptr_t caches, unsigned cpu)
{
	struct chunk *chunk = chunk_of(caches);

	for (; cpu < slots; cpu++) {
		/* seq_cst, pairs with percpu_saw(): see zone_close(). */
		uint64_t w = atomic_load_explicit(
		    &chunk->seen[cpu / BITS_PER_WORD], memory_order_seq_cst);

		w >>= cpu % BITS_PER_WORD;
		if (w != 0)
			return (unsigned)min_size(cpu + lowest_bit(w), slots);
		cpu |= BITS_PER_WORD - 1;
	}
	return slots;
}

/* Remember that the CPU of this record used its chunk. */
void
percpu_saw(uintptr_t caches, const struct cache *c)
{
	struct chunk *chunk = chunk_of(caches);
	size_t cpu = ((uintptr_t)c - caches) >> ARCH_CPU_SHIFT;
	uint64_t bit = UINT64_C(1) << (cpu % BITS_PER_WORD);
	_Atomic uint64_t *word = &chunk->seen[cpu / BITS_PER_WORD];

	/* relaxed: once set it stays, and this CPU set it before. */
	if ((atomic_load_explicit(word, memory_order_relaxed) & bit) == 0)
		/* seq_cst, pairs with percpu_next(). */
		atomic_fetch_or_explicit(word, bit, memory_order_seq_cst);
}
