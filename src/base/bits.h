/* SPDX-License-Identifier: BSD-2-Clause */
/* base/bits.h - arithmetic on sizes, powers of two and single bits */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#define BITS_PER_WORD 64u

static inline bool
is_pow2(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* `align` is a power of two; the caller knows that it does not overflow. */
static inline size_t
round_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static inline size_t
round_down(size_t n, size_t align)
{
	return n & ~(align - 1);
}

static inline size_t
div_up(size_t n, size_t by)
{
	return n / by + (n % by != 0);
}

static inline size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t
max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Index of the lowest set bit; `x` is not zero. */
static inline unsigned
lowest_bit(uint64_t x)
{
	return (unsigned)__builtin_ctzll(x);
}

/* Index of the highest set bit; `x` is not zero. */
static inline unsigned
highest_bit(uint64_t x)
{
	return 63u - (unsigned)__builtin_clzll(x);
}

/* How many bits are set; not the builtin, which may call a library. */
static inline unsigned
count_bits(uint64_t x)
{
	const uint64_t ones = UINT64_MAX / 255;

	x -= x >> 1 & UINT64_MAX / 3;
	x = (x & UINT64_MAX / 5) + (x >> 2 & UINT64_MAX / 5);
	x = (x + (x >> 4)) & UINT64_MAX / 17;
	return (unsigned)(x * ones >> 56);
}

/* The smallest power of two that is not below `n`; n from 1 to 2^63. */
static inline size_t
pow2_up(size_t n)
{
	return n <= 1 ? 1 : (size_t)1 << (highest_bit(n - 1) + 1);
}

#endif /* BASE_BITS_H */
