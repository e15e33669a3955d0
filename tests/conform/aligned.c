/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aligned.c - the aligned functions, at every power of two to 1 GiB
 */
#include "conform.h"

#define GIB ((size_t)1 << 30)

static void *
by_posix_memalign(size_t align, size_t bytes)
{
	void *p = NULL;

	return posix_memalign(&p, align, bytes) == 0 ? p : NULL;
}

static void *
by_aligned_alloc(size_t align, size_t bytes)
{
	return aligned_alloc(align, bytes);
}

static void *
by_memalign(size_t align, size_t bytes)
{
	return memalign(align, bytes);
}

typedef void *(*aligned_function)(size_t align, size_t bytes);

static const aligned_function functions[] = { by_posix_memalign,
	by_aligned_alloc, by_memalign };

static void
check_one(aligned_function take, size_t align, size_t bytes)
{
	unsigned char *p = take(align, bytes);
	size_t usable;

	REQUIRE(p != NULL);
	REQUIRE(aligned_to(p, align));
	REQUIRE(aligned_to(p, 16));
	usable = malloc_usable_size(p);
	REQUIRE(usable >= bytes);
	if (usable != 0) {
		p[0] = 1;
		p[usable - 1] = 2;
	}
	free(p);
}

TEST(every_power_of_two_to_one_gib)
{
	static const size_t sizes[] = { 0, 1, 16, 100, 4096, 5000, 32768, 40000,
		65537, 5u << 20 };

	for (size_t f = 0; f < COUNT_OF(functions); f++)
		for (size_t align = sizeof(void *); align <= GIB; align *= 2)
			for (size_t i = 0; i < COUNT_OF(sizes); i++)
				check_one(functions[f], align, sizes[i]);
}

TEST(many_sizes_at_each_alignment_to_64_kib)
{
	for (size_t align = 16; align <= 65536; align *= 2)
		for (size_t bytes = 1; bytes < 70000; bytes += 509)
			check_one(by_memalign, align, bytes);
}

/* Three at a time: of a class that is less aligned not all are. */
TEST(whatever_class_a_size_has_is_aligned)
{
	void *p[3];

	for (size_t align = 32; align <= 4096; align *= 2) {
		for (size_t bytes = 16; bytes <= 9000; bytes += 16) {
			for (size_t i = 0; i < COUNT_OF(p); i++) {
				p[i] = memalign(align, bytes);
				REQUIRE(p[i] != NULL);
				REQUIRE(aligned_to(p[i], align));
			}
			for (size_t i = 0; i < COUNT_OF(p); i++)
				free(p[i]);
		}
	}
}

TEST(aligned_blocks_alive_together_do_not_touch)
{
	enum { EACH = 8, ALIGNMENTS = 17 };
	unsigned char *p[ALIGNMENTS][EACH];

	for (unsigned a = 0; a < ALIGNMENTS; a++) {
		for (unsigned i = 0; i < EACH; i++) {
			p[a][i] = by_aligned_alloc((size_t)16 << a, 1000);
			REQUIRE(p[a][i] != NULL);
			stamp(p[a][i], 1000, a * 8 + i);
		}
	}
	for (unsigned a = 0; a < ALIGNMENTS; a++) {
		for (unsigned i = 0; i < EACH; i++) {
			REQUIRE(stamped(p[a][i], 1000, a * 8 + i));
			free(p[a][i]);
		}
	}
}

TEST(size_need_not_be_a_multiple_of_the_alignment)
{
	for (size_t bytes = 1; bytes < 64; bytes++)
		check_one(by_aligned_alloc, 64, bytes);
}

TEST(memalign_takes_the_next_power_of_two)
{
	for (size_t align = 0; align <= 5000; align++) {
		size_t power = 1;
		void *p = memalign(align, 33);

		while (power < align)
			power *= 2;
		REQUIRE(p != NULL);
		REQUIRE(aligned_to(p, power));
		free(p);
	}
}

TEST(aligned_alloc_refuses_what_is_no_power_of_two)
{
	if (!on_uma())
		SKIP("glibc before 2.38 takes any alignment");
	for (size_t align = 0; align <= 5000; align++) {
		void *p;

		if (align != 0 && (align & (align - 1)) == 0)
			continue;
		errno = 0;
		p = aligned_alloc(align, 64);
		REQUIRE(p == NULL);
		REQUIRE(errno == EINVAL);
	}
}

/* What a failing posix_memalign() must leave alone. */
static void
check_refused(size_t align, size_t bytes, int error)
{
	char mark;
	void *p = &mark;

	errno = 12345;
	CHECK_EQ(posix_memalign(&p, align, bytes), error);
	CHECK(p == &mark);
	/* glibc sets errno as well, which POSIX allows and nobody needs. */
	CHECK(errno == 12345 || !on_uma());
}

TEST(posix_memalign_refuses_and_touches_nothing)
{
	static const size_t bad[] = { 0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 17, 24, 40,
		63, 65, 96, 4095, 4097, 12288, GIB + 8, SIZE_MAX };

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		check_refused(opaque(bad[i]), 64, EINVAL);
	check_refused(64, opaque(SIZE_MAX), ENOMEM);
	check_refused(64, opaque(PTRDIFF_MAX), ENOMEM);
	check_refused(GIB, opaque(SIZE_MAX - GIB), ENOMEM);
	check_refused(opaque((size_t)1 << 62), 64, ENOMEM);
	check_refused(4096, opaque((size_t)1 << 47), ENOMEM);
}

TEST(posix_memalign_keeps_errno_on_success)
{
	void *p = NULL;

	errno = 12345;
	CHECK_EQ(posix_memalign(&p, 4096, 100), 0);
	CHECK_EQ(errno, 12345);
	free(p);
}

TEST(absurd_alignments_fail_cleanly)
{
	errno = 0;
	CHECK(memalign(opaque(SIZE_MAX), 1) == NULL);
	CHECK_EQ(errno, EINVAL);
	errno = 0;
	CHECK(memalign(opaque(((size_t)1 << 63) + 1), 1) == NULL);
	CHECK_EQ(errno, EINVAL);
	errno = 0;
	CHECK(memalign(opaque((size_t)1 << 62), 1) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(aligned_alloc(opaque((size_t)1 << 62), 1) == NULL);
	CHECK_EQ(errno, ENOMEM);
	errno = 0;
	CHECK(aligned_alloc(opaque((size_t)1 << 63), 1) == NULL);
	CHECK_EQ(errno, ENOMEM);
}

TEST(valloc_and_pvalloc_give_pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	static const size_t sizes[] = { 1, 100, 4095, 4096, 4097, 70000 };

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t whole = (sizes[i] + page - 1) / page * page;
		char *v = valloc(sizes[i]);
		char *p = pvalloc(sizes[i]);

		REQUIRE(v != NULL && p != NULL);
		CHECK(aligned_to(v, page));
		CHECK(aligned_to(p, page));
		CHECK(malloc_usable_size(v) >= sizes[i]);
		CHECK(malloc_usable_size(p) >= whole);
		memset(p, 1, whole);
		free(v);
		free(p);
	}
}

TEST(pvalloc_rounding_does_not_overflow)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - page + 2,
		SIZE_MAX - page + 1, SIZE_MAX - page, PTRDIFF_MAX };

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		errno = 0;
		CHECK(pvalloc(opaque(sizes[i])) == NULL);
		CHECK_EQ(errno, ENOMEM);
	}
}

TEST(aligned_blocks_can_be_resized)
{
	for (size_t align = 16; align <= 1 << 20; align *= 4) {
		unsigned char *p = memalign(align, 1000);

		REQUIRE(p != NULL);
		stamp(p, 1000, 9);
		p = realloc(p, 100000);
		REQUIRE(p != NULL);
		REQUIRE(stamped(p, 1000, 9));
		stamp(p, 100000, 7);
		p = realloc(p, 500);
		REQUIRE(p != NULL);
		REQUIRE(stamped(p, 500, 7));
		free(p);
	}
}

TEST_MAIN
