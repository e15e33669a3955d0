/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.c - blocks that are written by one thread and freed by another
 *
 * Method: every block carries its size and its owner's mark in all its bytes;
 * threads swap blocks through a shared table, so that most are freed by a
 * thread that did not allocate them.  Two owners of one block cannot both
 * read their own mark.
 */
#include "conform.h"

enum {
	THREADS = 8,
	OPERATIONS = HOSTILE ? 3000 : 60000,
	OWN = 64,
	SHARED = 256
};

struct block {
	uint32_t bytes;
	uint32_t owner;
	unsigned char fill[];
};

static _Atomic(struct block *) shared[SHARED];

static struct block *
make(uint64_t r, unsigned owner)
{
	size_t fill = (r >> 16) % ((r >> 8) % 64 == 0 ? 150000 : 600);
	struct block *b = (r >> 62) != 0 ? malloc(sizeof *b + fill)
					 : memalign((size_t)16 << (r >> 56) % 6,
					       sizeof *b + fill);

	REQUIRE(b != NULL);
	b->bytes = (uint32_t)fill;
	b->owner = owner;
	stamp(b->fill, fill, owner);
	return b;
}

static void
destroy(struct block *b)
{
	if (b == NULL)
		return;
	REQUIRE(stamped(b->fill, b->bytes, b->owner));
	memset(b, 0xee, sizeof *b + b->bytes);
	free(b);
}

static void *
work(void *arg)
{
	unsigned self = (unsigned)(uintptr_t)arg;
	uint64_t random = 1234567 + self * 7919;
	struct block *own[OWN] = { 0 };

	for (unsigned i = 0; i < OPERATIONS; i++) {
		uint64_t r = next_random(&random);
		struct block **mine = &own[r % OWN];

		if (*mine == NULL) {
			*mine = make(next_random(&random), self + i * 8);
		} else if (r >> 63 != 0) {
			destroy(*mine);
			*mine = NULL;
		} else {
			*mine =
			    atomic_exchange(&shared[(r >> 32) % SHARED], *mine);
		}
	}
	for (unsigned i = 0; i < OWN; i++)
		destroy(own[i]);
	return NULL;
}

static void
run_threads(pthread_t *threads, unsigned count, void *(*body)(void *))
{
	for (uintptr_t i = 0; i < count; i++)
		REQUIRE(
		    pthread_create(&threads[i], NULL, body, (void *)i) == 0);
	for (unsigned i = 0; i < count; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static void
empty_shared(void)
{
	for (unsigned i = 0; i < SHARED; i++)
		destroy(atomic_exchange(&shared[i], NULL));
}

TEST_TIME(blocks_wander_between_eight_threads, 60)
{
	pthread_t threads[THREADS];

	run_threads(threads, THREADS, work);
	empty_shared();
}

static void *
leave_blocks(void *arg)
{
	uint64_t random = 99 + (uintptr_t)arg;

	for (unsigned i = 0; i < 50; i++) {
		struct block *b = make(next_random(&random), i);

		destroy(atomic_exchange(&shared[i], b));
	}
	return NULL;
}

TEST_TIME(blocks_outlive_their_threads, 60)
{
	pthread_t threads[THREADS];

	for (unsigned round = 0; round < 60; round++)
		run_threads(threads, THREADS, leave_blocks);
	empty_shared();
}

struct queue {
	_Atomic(struct block *) slot[SHARED];
	_Atomic unsigned done;
};

static struct queue queue;

static void *
produce_or_consume(void *arg)
{
	uintptr_t self = (uintptr_t)arg;
	uint64_t random = 31 + self;
	struct block *none;

	for (unsigned i = 0; self % 2 == 0 && i < OPERATIONS / 2; i++) {
		struct block *b = make(next_random(&random), i);

		none = NULL;
		if (!atomic_compare_exchange_strong(
			&queue.slot[i % SHARED], &none, b))
			destroy(b);
	}
	atomic_fetch_add(&queue.done, self % 2 == 0);
	while (self % 2 == 1 && atomic_load(&queue.done) < THREADS / 2)
		for (unsigned i = 0; i < SHARED; i++)
			destroy(atomic_exchange(&queue.slot[i], NULL));
	return NULL;
}

TEST_TIME(one_half_allocates_and_the_other_frees, 60)
{
	pthread_t threads[THREADS];

	run_threads(threads, THREADS, produce_or_consume);
	for (unsigned i = 0; i < SHARED; i++)
		destroy(atomic_exchange(&queue.slot[i], NULL));
}

static void *
resize_passed_on(void *arg)
{
	uint64_t random = 5 + (uintptr_t)arg;

	for (unsigned i = 0; i < OPERATIONS / 6; i++) {
		uint64_t r = next_random(&random);
		struct block *b = atomic_exchange(&shared[r % SHARED], NULL);
		size_t fill = (r >> 16) % 3000;

		if (b == NULL) {
			b = make(r, i);
		} else {
			size_t kept = b->bytes < fill ? b->bytes : fill;

			REQUIRE(stamped(b->fill, b->bytes, b->owner));
			b = realloc(b, sizeof *b + fill);
			REQUIRE(b != NULL);
			REQUIRE(stamped(b->fill, kept, b->owner));
			b->bytes = (uint32_t)fill;
			stamp(b->fill, fill, b->owner);
		}
		destroy(atomic_exchange(&shared[(r >> 40) % SHARED], b));
	}
	return NULL;
}

TEST_TIME(blocks_of_others_can_be_resized, 60)
{
	pthread_t threads[THREADS];

	run_threads(threads, THREADS, resize_passed_on);
	empty_shared();
}

TEST_MAIN
