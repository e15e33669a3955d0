/* SPDX-License-Identifier: BSD-2-Clause */
/* common.h - what the tests of malloc(9) share */
#ifndef TESTS_MALLOC9_COMMON_H
#define TESTS_MALLOC9_COMMON_H

#include "harness.h"

#include <pthread.h>
#include <stdint.h>
#include <uma/malloc9.h>
#include <uma/stats.h>

#include "hostile.h"
#include "sanitized.h"

static inline struct uma_malloc_stats
numbers(struct malloc_type *type)
{
	struct uma_malloc_stats s;

	uma_malloc_stats(type, &s);
	CHECK_EQ(s.struct_bytes, sizeof s);
	return s;
}

/* A type's numbers are what the caller counted. */
static inline void
check_numbers(struct malloc_type *type, uint64_t allocs, uint64_t frees,
    uint64_t alloc_bytes, uint64_t free_bytes)
{
	struct uma_malloc_stats s = numbers(type);

	CHECK_EQ(s.allocs, allocs);
	CHECK_EQ(s.frees, frees);
	CHECK_EQ(s.alloc_bytes, alloc_bytes);
	CHECK_EQ(s.free_bytes, free_bytes);
	CHECK_EQ(s.in_use, allocs - frees);
	CHECK_EQ(s.in_use_bytes, alloc_bytes - free_bytes);
	CHECK(s.sampled_bytes_max >= s.in_use_bytes);
}

/* In debug mode the library keeps a few bytes of each block. */
static inline bool
is_debug(void)
{
	return uma_malloc_size(16) != 16;
}

/* What a block is counted as. */
static inline size_t
counted_bytes(const void *block)
{
	return uma_malloc_usable_size(block) + (is_debug() ? 8 : 0);
}

/* A small generator of its own, so that runs repeat. */
static inline uint32_t
dice(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

static inline bool
all_bytes(const void *block, size_t bytes, unsigned char value)
{
	const unsigned char *b = block;

	for (size_t i = 0; i < bytes; i++)
		if (b[i] != value)
			return false;
	return true;
}

/* What `f` writes to the descriptor it is given, in a child that exits. */
static inline void
written(void (*f)(int fd), char *text, size_t bytes)
{
	int ends[2];
	int status = -1;
	pid_t pid;

	REQUIRE(pipe(ends) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		f(ends[1]);
		exit(0);
	}
	close(ends[1]);
	harness_drain(ends[0], text, bytes);
	close(ends[0]);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

#endif /* TESTS_MALLOC9_COMMON_H */
