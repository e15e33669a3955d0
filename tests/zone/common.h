/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * common.h - what the tests of zones share: threads, CPUs, patterns, numbers
 */
#ifndef TESTS_ZONE_COMMON_H
#define TESTS_ZONE_COMMON_H

#include "harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>
#include <uma/stats.h>
#include <uma/uma.h>

#include "cpus.h"
#include "hostile.h"
#include "sanitized.h"

/* A plain zone of this size and alignment. */
static inline uma_zone_t
zone_make(const char *name, int size, int align)
{
	uma_zone_t zone;

	zone = uma_zcreate(name, size, NULL, NULL, NULL, NULL, align, 0);
	REQUIRE(zone != NULL);
	return zone;
}

/* uma_zalloc(), asked again: see hostile.h. */
static inline void *
sure_zalloc(uma_zone_t zone, int wait)
{
	void *item = uma_zalloc(zone, wait);

	return item != NULL || !HOSTILE ? item : uma_zalloc(zone, wait);
}

/*
 * An item whose free will find a cache of this CPU that has room for it: some
 * others were just taken out, which are the caller's, too.
 */
enum { ZONE_OTHERS = 6 };

static inline void *
zone_take_warm(uma_zone_t zone, void **others)
{
	void *item;

	for (int i = 0; i < ZONE_OTHERS; i++)
		others[i] = uma_zalloc(zone, M_WAITOK);
	for (int i = 0; i < ZONE_OTHERS; i++)
		uma_zfree(zone, others[i]);
	item = uma_zalloc(zone, M_WAITOK);
	for (int i = 0; i < ZONE_OTHERS; i++)
		others[i] = uma_zalloc(zone, M_WAITOK);
	return item;
}

static inline void
zone_give_warm(uma_zone_t zone, void *item, void **others)
{
	uma_zfree(zone, item);
	for (int i = 0; i < ZONE_OTHERS; i++)
		uma_zfree(zone, others[i]);
}

/* Destroy a zone that must be empty. */
static inline void
zone_end(uma_zone_t zone)
{
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

static inline struct uma_zone_stats
zone_numbers(uma_zone_t zone)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	uma_zone_stats(zone, &s);
	return s;
}

static inline struct uma_stats
library_numbers(void)
{
	struct uma_stats s = { .struct_bytes = sizeof s };

	uma_stats(&s);
	return s;
}

/* ---- patterns: each byte depends on the seed and on its place ---- */

static inline unsigned char
pattern_byte(uint64_t seed, size_t i)
{
	return (unsigned char)((seed * 0x9e3779b97f4a7c15u >> 56) + i * 7);
}

static inline void
pattern_fill(void *item, size_t bytes, uint64_t seed)
{
	unsigned char *b = item;

	for (size_t i = 0; i < bytes; i++)
		b[i] = pattern_byte(seed, i);
}

static inline bool
pattern_holds(const void *item, size_t bytes, uint64_t seed)
{
	const unsigned char *b = item;

	for (size_t i = 0; i < bytes; i++)
		if (b[i] != pattern_byte(seed, i))
			return false;
	return true;
}

static inline bool
all_bytes(const void *item, size_t bytes, unsigned char value)
{
	const unsigned char *b = item;

	for (size_t i = 0; i < bytes; i++)
		if (b[i] != value)
			return false;
	return true;
}

/* ---- threads and CPUs ---- */

static inline pthread_t
thread_start(void *(*body)(void *), void *arg)
{
	pthread_t t;

	REQUIRE(pthread_create(&t, NULL, body, arg) == 0);
	return t;
}

static inline void *
thread_join(pthread_t t)
{
	void *result = NULL;

	REQUIRE(pthread_join(t, &result) == 0);
	return result;
}

/* Let others run: to make a race likely, never to decide a test. */
static inline void
nap_us(long us)
{
	const struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&t, NULL);
}

/* Run `body` in a thread of its own on the n-th CPU, and wait for it. */
struct elsewhere {
	int cpu;
	void (*body)(void *arg);
	void *arg;
};

static inline void *
elsewhere_main(void *arg)
{
	const struct elsewhere *e = arg;

	REQUIRE(cpu_pin(e->cpu));
	e->body(e->arg);
	return NULL;
}

static inline void
run_on_cpu(int cpu, void (*body)(void *arg), void *arg)
{
	struct elsewhere e = { cpu, body, arg };

	thread_join(thread_start(elsewhere_main, &e));
}

/* ---- small things ---- */

/* Bytes of this process in memory. */
static inline size_t
rss_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	REQUIRE(f != NULL);
	REQUIRE(fscanf(f, "%*s %lu", &pages) == 1);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A small generator of its own, so that runs repeat. */
static inline uint32_t
dice(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

#endif /* TESTS_ZONE_COMMON_H */
