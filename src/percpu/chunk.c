/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the records live: see percpu.h. */
#include "percpu/percpu.h"

#include "percpu/chunk.h"

#define SLOT_BYTES   ((size_t)1 << ARCH_CPU_SHIFT)
#define SLOT_RECORDS (SLOT_BYTES / sizeof(struct cache))
#define SLOTS_MAX    4096u

/* At the start of each chunk, in the room of the first records of CPU 0. */
struct chunk {
	struct chunk *next; /* on the list of those with room */
	size_t unused;      /* records */
	uint64_t used[SLOT_RECORDS / BITS_PER_WORD];
	/* CPUs that ever owned a record of this chunk. */
	_Atomic uint64_t seen[SLOTS_MAX / BITS_PER_WORD];
};
#define HEAD_RECORDS div_up(sizeof(struct chunk), sizeof(struct cache))

static struct lock chunks_lock;
static struct chunk *roomy; /* chunks that have an unused record */
static unsigned slots;
static uintptr_t nothing;

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
	port_label(chunk, slots * SLOT_BYTES, "uma:percpu");
	chunk->unused = SLOT_RECORDS - HEAD_RECORDS;
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

/* Make records of a chunk used; a chunk without room leaves the list. */
static uintptr_t
take_at(struct chunk **link, size_t at, unsigned count)
{
	struct chunk *chunk = *link;

	for (size_t i = at; i < at + count; i++)
		chunk->used[i / BITS_PER_WORD] |= UINT64_C(1)
						  << (i % BITS_PER_WORD);
	chunk->unused -= count;
	if (chunk->unused == 0)
		*link = chunk->next;
	return (uintptr_t)chunk + at * sizeof(struct cache);
}

/* A single record is found in the first chunk of the list, if there is one. */
uintptr_t
percpu_take(unsigned count)
{
	uintptr_t caches = 0;
	struct chunk **link = &roomy;
	struct chunk *chunk;
	size_t at = SLOT_RECORDS;

	if (!lock_take(&chunks_lock))
		return 0;
	for (; *link != NULL; link = &(*link)->next) {
		at = find(*link, count);
		if (at != SLOT_RECORDS)
			break;
	}
	if (*link == NULL && (chunk = chunk_new()) != NULL) {
		chunk->next = roomy;
		roomy = chunk;
		link = &roomy;
		at = find(chunk, count);
	}
	if (*link != NULL)
		caches = take_at(link, at, count);
	lock_drop(&chunks_lock);
	return caches;
}

static struct chunk *
chunk_of(uintptr_t caches)
{
	return (struct chunk *)round_down(caches, SLOT_BYTES);
}

/* As it came from the system, so that nobody visits it for its next owner. */
static void
clean(struct cache *c)
{
	c->slots = NULL;
	c->full = NULL;
	c->empty = NULL;
	c->allowance = 0;
	c->sent = 0;
	/* relaxed: the lock of the chunks orders them for the next taker. */
	atomic_store_explicit(&c->allocs, 0, memory_order_relaxed);
	atomic_store_explicit(&c->moved, 0, memory_order_relaxed);
	atomic_store_explicit(&c->misses, 0, memory_order_relaxed);
	atomic_store_explicit(&c->kept, 0, memory_order_relaxed);
	atomic_store_explicit(&c->owns, 0, memory_order_relaxed);
	percpu_release(c, 0, 0);
}

bool
percpu_give(uintptr_t caches)
{
	struct chunk *chunk = chunk_of(caches);
	size_t i = (caches - (uintptr_t)chunk) / sizeof(struct cache);

	if (!lock_take(&chunks_lock))
		return false;
	for (unsigned cpu = percpu_next(caches, 0); cpu < slots;
	     cpu = percpu_next(caches, cpu + 1))
		clean(percpu_record(caches, cpu));
	chunk->used[i / BITS_PER_WORD] &= ~(UINT64_C(1) << (i % BITS_PER_WORD));
	if (chunk->unused++ == 0) {
		chunk->next = roomy;
		roomy = chunk;
	}
	lock_drop(&chunks_lock);
	return true;
}

/* The next CPU from `cpu` on that ever owned a record of the chunk. */
static unsigned
next_in(const struct chunk *chunk, unsigned cpu)
{
	for (; cpu < slots; cpu = (cpu | (BITS_PER_WORD - 1)) + 1) {
		/* seq_cst, pairs with percpu_saw(): see zone_close(). */
		uint64_t w = atomic_load_explicit(
		    &chunk->seen[cpu / BITS_PER_WORD], memory_order_seq_cst);

		w >>= cpu % BITS_PER_WORD;
		if (w != 0)
			return (unsigned)min_size(cpu + lowest_bit(w), slots);
	}
	return slots;
}

unsigned
percpu_next(uintptr_t caches, unsigned cpu)
{
	const struct chunk *chunk = chunk_of(caches);

	for (cpu = next_in(chunk, cpu); cpu < slots;
	     cpu = next_in(chunk, cpu + 1)) {
		const struct cache *c = percpu_record(caches, cpu);

		/* seq_cst, pairs with percpu_saw(): see zone_close(). */
		if (atomic_load_explicit(&c->owns, memory_order_seq_cst) != 0)
			break;
	}
	return cpu;
}

/*
 * The chunk first: who sees the record's note comes by the chunk's.  The
 * record's is what an owner makes before it asks whether the zone is closed.
 */
void
percpu_saw(uintptr_t caches, struct cache *c)
{
	struct chunk *chunk = chunk_of(caches);
	size_t cpu = ((uintptr_t)c - caches) >> ARCH_CPU_SHIFT;
	uint64_t bit = UINT64_C(1) << (cpu % BITS_PER_WORD);

	/* relaxed: once set it stays, and an owner of this record set it. */
	if (atomic_load_explicit(&c->owns, memory_order_relaxed) != 0)
		return;
	/* seq_cst, both: pairs with percpu_next(). */
	atomic_fetch_or_explicit(
	    &chunk->seen[cpu / BITS_PER_WORD], bit, memory_order_seq_cst);
	atomic_exchange_explicit(&c->owns, 1, memory_order_seq_cst);
}
