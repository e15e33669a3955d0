/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account.c - the numbers of a type against a reference kept by the test
 *
 * Method: eight threads make a million random operations each on a few types,
 * every fourth free on a block that another thread took, and add up for
 * themselves what they did.  At rest the two sums are equal to the last byte.
 */
#include "common.h"

#include <signal.h>
#include <sys/wait.h>

#define THREADS    8
#define OPERATIONS (HOSTILE || SANITIZED ? 40000u : 1000000u)
#define TYPES      5
#define BLOCKS     256
#define SHARED     64

static UMA_MALLOC_DEFINE(M_ONE, "one", "");
static UMA_MALLOC_DEFINE(M_TWO, "two", "");
static UMA_MALLOC_DEFINE(M_THREE, "three", "");
static UMA_MALLOC_DEFINE(M_FOUR, "four", "");
static UMA_MALLOC_DEFINE(M_FIVE, "five", "");

static struct malloc_type *const types[TYPES] = { M_ONE, M_TWO, M_THREE, M_FOUR,
	M_FIVE };

struct tally {
	uint64_t allocs, frees, alloc_bytes, free_bytes;
};

struct block {
	void *at;
	unsigned type;
};

struct worker {
	uint64_t dice;
	unsigned operations;
	struct tally tally[TYPES];
	struct block blocks[BLOCKS];
};

/* Blocks on their way from one thread to another. */
static struct {
	pthread_mutex_t lock;
	struct block blocks[SHARED];
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t
random_size(struct worker *w)
{
	uint32_t d = dice(&w->dice);

	if (d % 100 == 0)
		return 32769 + dice(&w->dice) % 300000;
	if (d % 10 == 0)
		return dice(&w->dice) % 32769;
	return dice(&w->dice) % 700;
}

static void
count_in(struct worker *w, const struct block *b)
{
	w->tally[b->type].allocs++;
	w->tally[b->type].alloc_bytes += counted_bytes(b->at);
}

static void
count_out(struct worker *w, const struct block *b, size_t bytes)
{
	w->tally[b->type].frees++;
	w->tally[b->type].free_bytes += bytes;
}

static void
drop(struct worker *w, struct block *b)
{
	count_out(w, b, counted_bytes(b->at));
	if (dice(&w->dice) % 64 == 0)
		uma_mzfree(b->at, types[b->type]);
	else
		uma_mfree(b->at, types[b->type]);
	b->at = NULL;
}

static void
swap_with_others(struct worker *w, struct block *b)
{
	struct block *other = &shared.blocks[dice(&w->dice) % SHARED];
	struct block was;

	pthread_mutex_lock(&shared.lock);
	was = *other;
	*other = *b;
	*b = was;
	pthread_mutex_unlock(&shared.lock);
}

/* A block that changed its place or size was freed and taken. */
static void
resize(struct worker *w, struct block *b)
{
	size_t was = counted_bytes(b->at);
	void *now =
	    uma_realloc(b->at, random_size(w), types[b->type], M_WAITOK);

	if (now != b->at || counted_bytes(now) != was) {
		b->at = now;
		count_out(w, b, was);
		count_in(w, b);
	}
}

static void
take(struct worker *w, struct block *b)
{
	static const int flags[] = { M_WAITOK, M_WAITOK | M_ZERO, M_NOWAIT };
	size_t size = random_size(w);
	int how = flags[dice(&w->dice) % 3];

	b->type = dice(&w->dice) % TYPES;
	if (dice(&w->dice) % 32 == 0)
		b->at = uma_malloc_aligned(size,
		    (size_t)16 << dice(&w->dice) % 9, types[b->type], how);
	else
		b->at = uma_malloc(size, types[b->type], how);
	REQUIRE(b->at != NULL);
	if ((how & M_ZERO) != 0)
		CHECK(all_bytes(b->at, size, 0));
	memset(b->at, 0x5a, size);
	count_in(w, b);
}

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->operations; i++) {
		struct block *b = &w->blocks[dice(&w->dice) % BLOCKS];

		if (b->at == NULL)
			take(w, b);
		else if (dice(&w->dice) % 8 == 0)
			resize(w, b);
		else
			drop(w, b);
		if (dice(&w->dice) % 4 == 0)
			swap_with_others(w, b);
	}
	return NULL;
}

static void
add_tally(struct tally *sum, const struct tally *more)
{
	sum->allocs += more->allocs;
	sum->frees += more->frees;
	sum->alloc_bytes += more->alloc_bytes;
	sum->free_bytes += more->free_bytes;
}

static void
check_all(struct worker *workers)
{
	for (unsigned t = 0; t < TYPES; t++) {
		struct tally sum = { 0 };

		for (unsigned i = 0; i < THREADS; i++)
			add_tally(&sum, &workers[i].tally[t]);
		CHECK(sum.allocs != 0);
		check_numbers(types[t], sum.allocs, sum.frees, sum.alloc_bytes,
		    sum.free_bytes);
	}
}

static void
free_all(struct worker *workers)
{
	for (unsigned i = 0; i < THREADS; i++) {
		for (unsigned b = 0; b < BLOCKS; b++)
			if (workers[i].blocks[b].at != NULL)
				drop(&workers[i], &workers[i].blocks[b]);
	}
	for (unsigned b = 0; b < SHARED; b++)
		if (shared.blocks[b].at != NULL)
			drop(&workers[0], &shared.blocks[b]);
}

static struct worker workers[THREADS];

static void
run_all(unsigned operations)
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].dice = i + 1;
		workers[i].operations = operations;
		REQUIRE(
		    pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

TEST_TIME(a_million_operations_in_each_of_eight_threads, 120)
{
	run_all(OPERATIONS);
	check_all(workers);
	free_all(workers);
	check_all(workers);
	for (unsigned t = 0; t < TYPES; t++)
		CHECK_EQ(numbers(types[t]).in_use_bytes, 0);
}

/* Readers at work must neither disturb the counters nor see nonsense. */
static _Atomic bool over;

static void *
watch(void *arg)
{
	uint64_t last[TYPES] = { 0 };

	(void)arg;
	while (!atomic_load(&over)) {
		for (unsigned t = 0; t < TYPES; t++) {
			struct uma_malloc_stats s = numbers(types[t]);

			/* Only an owner that sleeps hides a few for a while. */
			CHECK(s.allocs + 512 * THREADS >= last[t]);
			CHECK(s.allocs < (uint64_t)THREADS * OPERATIONS * 2);
			last[t] = s.allocs;
		}
	}
	return NULL;
}

TEST_TIME(readers_see_sense_and_disturb_nothing, 120)
{
	pthread_t watcher;

	REQUIRE(pthread_create(&watcher, NULL, watch, NULL) == 0);
	run_all(OPERATIONS / 10);
	atomic_store(&over, true);
	REQUIRE(pthread_join(watcher, NULL) == 0);
	check_all(workers);
}

/* More than one counter word holds before it is folded, on one CPU. */
TEST(many_folds)
{
	const uint64_t count = 300001;

	for (uint64_t i = 0; i < count; i++) {
		void *block = uma_malloc(32768, M_ONE, M_NOWAIT);

		REQUIRE(block != NULL);
		uma_mfree(block, M_ONE);
	}
	if (!is_debug())
		check_numbers(
		    M_ONE, count, count, count * 32768, count * 32768);
}

TEST(external_memory)
{
	uma_malloc_type_allocated(M_TWO, 1000);
	uma_malloc_type_allocated(M_TWO, 4096);
	uma_malloc_type_allocated(M_TWO, 0);
	uma_malloc_type_freed(M_TWO, 0);
	uma_malloc_type_freed(M_TWO, 1000);
	check_numbers(M_TWO, 2, 1, 5096, 1000);
	CHECK_EQ(numbers(M_TWO).size_count, 0);
}

TEST(classes_used)
{
	static const size_t sizes[] = { 300000, 1, 100, 1000, 32768, 40000 };
	struct uma_malloc_stats s;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		uma_mfree(uma_malloc(sizes[i], M_ONE, M_WAITOK), M_ONE);
	s = numbers(M_ONE);
	if (is_debug())
		SKIP("debug mode adds to sizes");
	REQUIRE(s.size_count == 5);
	CHECK_EQ(s.sizes[0], 16);
	CHECK_EQ(s.sizes[1], 112);
	CHECK_EQ(s.sizes[2], 1024);
	CHECK_EQ(s.sizes[3], 32768);
	CHECK_EQ(s.sizes[4], 65536);
}

/* One sample falls within 512 allocations, times the CPUs that were used. */
TEST(sampled_peak)
{
	const size_t count = 1024 * (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	size_t bytes = 0;
	void **blocks = calloc(count, sizeof *blocks);

	REQUIRE(blocks != NULL);
	for (size_t i = 0; i < count; i++) {
		blocks[i] = uma_malloc(40000, M_ONE, M_WAITOK);
		bytes = counted_bytes(blocks[i]);
	}
	for (size_t i = 0; i < count; i++)
		uma_mfree(blocks[i], M_ONE);
	CHECK(numbers(M_ONE).sampled_bytes_max >= bytes * count / 4);
	CHECK(numbers(M_ONE).sampled_bytes_max <= bytes * count);
	free(blocks);
}

/* A free with the wrong type is counted for the type it named. */
TEST(wrong_type_leaves_others_alone)
{
	void *block;
	size_t bytes;

	if (is_debug())
		SKIP("a crime in debug mode");
	uma_mfree(uma_malloc(64, M_THREE, M_WAITOK), M_THREE);
	block = uma_malloc(64, M_ONE, M_WAITOK);
	bytes = counted_bytes(block);
	uma_mfree(block, M_TWO);
	CHECK_EQ(numbers(M_ONE).in_use, 1);
	CHECK_EQ(numbers(M_ONE).in_use_bytes, bytes);
	CHECK_EQ(numbers(M_TWO).frees, 1);
	CHECK_EQ(numbers(M_TWO).in_use, 0);
	CHECK_EQ(numbers(M_TWO).in_use_bytes, 0);
	check_numbers(M_THREE, 1, 1, bytes, bytes);
}

/* ---- signals and fork ---- */

/* Each interrupted miss of a hostile library maps memory of its own. */
#define HANDLED (HOSTILE ? 4000 : 20000)

static _Atomic uint64_t in_handler;

static void
on_signal(int signo)
{
	void *block = uma_malloc(48, M_FOUR, M_NOWAIT);

	(void)signo;
	if (block == NULL)
		return;
	uma_mfree(block, M_FOUR);
	atomic_fetch_add(&in_handler, 1);
}

static void *
shoot(void *arg)
{
	pthread_t *at = arg;

	while (!atomic_load(&over)) {
		pthread_kill(*at, SIGUSR1);
		for (volatile int i = 0; i < 2000; i++)
			continue;
	}
	return NULL;
}

TEST_TIME(exact_with_signals, 60)
{
	pthread_t self = pthread_self();
	pthread_t shooter;
	uint64_t count = 0;
	size_t bytes = 0;

	signal(SIGUSR1, on_signal);
	REQUIRE(pthread_create(&shooter, NULL, shoot, &self) == 0);
	while (count < 2000000 && atomic_load(&in_handler) < HANDLED) {
		void *block = uma_malloc(48, M_FOUR, M_WAITOK);

		if (bytes == 0)
			bytes = counted_bytes(block);
		uma_mfree(block, M_FOUR);
		count++;
	}
	atomic_store(&over, true);
	REQUIRE(pthread_join(shooter, NULL) == 0);
	count += atomic_load(&in_handler);
	CHECK(atomic_load(&in_handler) > 0);
	check_numbers(M_FOUR, count, count, count * bytes, count * bytes);
}

static void *
churn(void *arg)
{
	(void)arg;
	while (!atomic_load(&over))
		uma_mfree(uma_malloc(200, M_FIVE, M_WAITOK), M_FIVE);
	return NULL;
}

/* In the child the numbers go on from where they were, and stay exact. */
TEST_TIME(exact_after_fork, 60)
{
	pthread_t churner;

	uma_mfree(uma_malloc(200, M_FIVE, M_WAITOK), M_FIVE);
	REQUIRE(pthread_create(&churner, NULL, churn, NULL) == 0);
	for (int round = 0; round < 50; round++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			struct uma_malloc_stats was = numbers(M_FIVE);
			void *block = uma_malloc(200, M_FIVE, M_WAITOK);
			struct uma_malloc_stats now = numbers(M_FIVE);

			uma_mfree(block, M_FIVE);
			_exit(now.allocs == was.allocs + 1 &&
				      now.in_use == was.in_use + 1
				  ? 0
				  : 1);
		}
		REQUIRE(waitpid(pid, &status, 0) == pid);
		CHECK_EQ(status, 0);
	}
	atomic_store(&over, true);
	REQUIRE(pthread_join(churner, NULL) == 0);
	CHECK_EQ(numbers(M_FIVE).in_use, 0);
}

TEST_MAIN
