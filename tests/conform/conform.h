/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conform.h - what the programs under a preloaded malloc share
 *
 * The programs are not linked to the library: they run on whatever malloc the
 * process got.  Run without LD_PRELOAD they test the C library's, which is how
 * an assertion shows that it is about malloc and not about one implementation.
 * Where glibc 2.36 differs on purpose or by age, on_uma() says so.
 *
 * UMA_CONFORM in the environment says that the library must be there: "rseq"
 * for its usual per-CPU mode, "sequences" if that must not be the generic one
 * here, "generic" for that.
 */
#ifndef TESTS_CONFORM_CONFORM_H
#define TESTS_CONFORM_CONFORM_H

#include "harness.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>

#include <uma/stats.h>

#include "hostile.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Function and data pointers have one size on every system with dlsym(). */
static inline void
find_symbol(const char *name, void *function)
{
	void *found = dlsym(RTLD_DEFAULT, name);

	memcpy(function, &found, sizeof found);
}

static inline bool
on_uma(void)
{
	return dlsym(RTLD_DEFAULT, "uma_heap_alloc") != NULL;
}

/* A preload that fails is only a warning of the dynamic linker. */
TEST(runs_on_the_malloc_it_is_meant_to_test)
{
	const char *wanted = getenv("UMA_CONFORM");
	void (*stats)(struct uma_stats *) = NULL;
	struct uma_stats s = { 0 };

	if (wanted == NULL)
		SKIP("any malloc will do");
	REQUIRE(on_uma());
	find_symbol("uma_stats", &stats);
	REQUIRE(stats != NULL);
	stats(&s);
	if (strcmp(wanted, "generic") == 0)
		CHECK_EQ(s.percpu_mode, 0);
	if (strcmp(wanted, "sequences") == 0)
		CHECK(s.percpu_mode != 0);
}

/* Keeps a size from the compiler, which would warn of absurd ones. */
static inline size_t
opaque(size_t n)
{
	volatile size_t hidden = n;

	return hidden;
}

static inline uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Fill a block with a pattern that differs between owners and positions. */
static inline void
stamp(void *block, size_t bytes, unsigned owner)
{
	unsigned char *at = block;

	for (size_t i = 0; i < bytes; i++)
		at[i] = (unsigned char)(owner + i + (i >> 8));
}

static inline bool
stamped(const void *block, size_t bytes, unsigned owner)
{
	const unsigned char *at = block;
	unsigned wrong = 0;

	for (size_t i = 0; i < bytes; i++)
		wrong |=
		    at[i] ^ (unsigned)(unsigned char)(owner + i + (i >> 8));
	return wrong == 0;
}

static inline bool
all_zero(const void *block, size_t bytes)
{
	const unsigned char *at = block;
	unsigned wrong = 0;

	for (size_t i = 0; i < bytes; i++)
		wrong |= at[i];
	return wrong == 0;
}

static inline bool
aligned_to(const void *block, size_t align)
{
	return (uintptr_t)block % align == 0;
}

/* Memory that this process has in physical pages. */
static inline long
resident_kib(void)
{
	char text[128] = "";
	long pages = 0;
	FILE *in = fopen("/proc/self/statm", "r");

	REQUIRE(in != NULL);
	REQUIRE(fgets(text, sizeof text, in) != NULL);
	fclose(in);
	REQUIRE(sscanf(text, "%*s %ld", &pages) == 1);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The status of a child that must end by itself; signals count as 1000 up. */
static inline int
status_of(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : 1000 + WTERMSIG(status);
}

#endif /* TESTS_CONFORM_CONFORM_H */
