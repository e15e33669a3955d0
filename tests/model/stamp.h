/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stamp.h - an item's owner, written over every byte of it
 *
 * Each word of a stamped item depends on the stamp and on its place, so an
 * item that overlaps another, or that anybody writes to, is seen wherever.
 */
#ifndef TESTS_MODEL_STAMP_H
#define TESTS_MODEL_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
stamp_word(uint64_t stamp, size_t i)
{
	return (stamp ^ i * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
}

static inline void
stamp_fill(void *item, size_t bytes, uint64_t stamp)
{
	unsigned char *at = item;
	size_t i = 0;

	for (; i + 8 <= bytes; i += 8) {
		uint64_t word = stamp_word(stamp, i);

		memcpy(at + i, &word, 8);
	}
	if (i < bytes) {
		uint64_t word = stamp_word(stamp, i);

		memcpy(at + i, &word, bytes - i);
	}
}

/* Whether the first `bytes` of an item are as stamped. */
static inline bool
stamp_holds(const void *item, size_t bytes, uint64_t stamp)
{
	const unsigned char *at = item;
	size_t i = 0;

	for (; i + 8 <= bytes; i += 8) {
		uint64_t word;

		/* Not memcmp(), which sanitizers put a function in front of. */
		memcpy(&word, at + i, 8);
		if (word != stamp_word(stamp, i))
			return false;
	}
	if (i < bytes) {
		uint64_t word = stamp_word(stamp, i);

		return memcmp(at + i, &word, bytes - i) == 0;
	}
	return true;
}

static inline bool
stamp_zeros(const void *item, size_t bytes)
{
	const unsigned char *at = item;

	/* The first is zero, and each is as the one before. */
	return bytes == 0 || (at[0] == 0 && memcmp(at, at + 1, bytes - 1) == 0);
}

/* A generator of random numbers; any seed will do. */
static inline uint64_t
stamp_dice(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* A number from 0 to n - 1. */
static inline unsigned
stamp_below(uint64_t *state, unsigned n)
{
	return (unsigned)((stamp_dice(state) >> 32) * n >> 32);
}

#endif /* TESTS_MODEL_STAMP_H */
