/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * harness.h - what all benchmark programs share: rows, clocks, memory
 *
 * A benchmark program runs one named row and prints its numbers, one
 * `METRIC VALUE` a line, less being better for each.  scripts/bench starts
 * programs, interleaves the peers and compares.
 *
 *	program ROW     run that row
 *	program --list  print the names of all rows
 *	program --who   print the file that malloc comes from
 *
 * Nothing here calls malloc before or during a measurement, so what is seen
 * is the peer's memory and the peer's time.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* The clock of rows with one thread: a busy machine does not move it. */
#define BENCH_ALONE  CLOCK_THREAD_CPUTIME_ID
/* The clock of rows where threads may wait for each other. */
#define BENCH_SHARED CLOCK_MONOTONIC

struct row {
	const char *name;
	void (*run)(const struct row *row);
	size_t item_bytes;
	size_t item_count;
	bool is_random; /* free in random order, not last in first out */
};

/* Does `rounds` rounds of the thing measured. */
typedef void bench_work(void *arg, uint64_t rounds);

/* bench_main - the body of main(); `rows` ends with a NULL name. */
int bench_main(int argc, char **argv, const struct row *rows);

/*
 * bench_measure - how long one round takes
 *
 * Warms up while it finds a number of rounds that takes long enough, then
 * times several blocks of that many.
 *
 * Returns:  the median block's nanoseconds per round.
 */
double bench_measure(bench_work *work, void *arg, clockid_t clock);

/* bench_ns - nanoseconds on `clock`. */
uint64_t bench_ns(clockid_t clock);

/* bench_print - print one result. */
void bench_print(const char *metric, double value);

/* bench_pin - keep this thread on the n-th allowed CPU, where permitted. */
void bench_pin(unsigned n);

/* bench_unpin - let threads started from now on run on every allowed CPU. */
void bench_unpin(void);

/* bench_spawn - start a thread; ends the program when it cannot. */
void bench_spawn(void *(*body)(void *arg), void *arg);

/* bench_join - wait for the thread started last. */
void bench_join(void);

/* bench_pages - zeroed memory that is not malloc's, resident from the start. */
void *bench_pages(size_t bytes);

/* bench_shuffled - the numbers 0 to count - 1 in an order of no pattern. */
uint32_t *bench_shuffled(size_t count);

/*
 * bench_resident - anonymous and shared memory of this process, but no file's:
 *                  which pages of the C library it has touched depends on the
 *                  peer
 * bench_peak_rss - the highest number of all resident bytes
 */
uint64_t bench_resident(void);
uint64_t bench_peak_rss(void);

/* bench_need - end the program with `what` unless `ok`. */
void bench_need(bool ok, const char *what);

/* bench_random - the next of a fixed sequence; the same in every run. */
static inline uint64_t
bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/*
 * bench_keep - make the compiler believe that the item is used
 *
 * Without it a compiler that knows malloc removes the pair being measured.
 */
static inline void
bench_keep(void *item)
{
	__asm__ volatile("" : : "r"(item) : "memory");
}

#endif /* BENCH_HARNESS_H */
