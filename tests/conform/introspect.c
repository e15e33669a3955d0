/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * introspect.c - mallinfo and its relatives say what is so
 */
#include "conform.h"

#include <sys/mman.h>
#include <uma/uma.h>

enum { BLOCKS = 20000, BYTES = 1000 };

static void *block[BLOCKS];

static void
take_blocks(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		block[i] = malloc(BYTES);
		REQUIRE(block[i] != NULL);
		memset(block[i], 1, BYTES);
	}
}

static void
free_blocks(void)
{
	for (int i = 0; i < BLOCKS; i++)
		free(block[i]);
}

TEST(used_and_free_bytes_are_the_arena)
{
	for (int i = 0; i < 3; i++) {
		struct mallinfo2 m = mallinfo2();

		CHECK_EQ(m.uordblks + m.fordblks, m.arena);
		CHECK(m.keepcost <= m.fordblks);
		if (i == 0)
			take_blocks();
		if (i == 1)
			free_blocks();
	}
}

TEST(used_bytes_follow_the_program)
{
	struct mallinfo2 before = mallinfo2();
	struct mallinfo2 during;
	struct mallinfo2 after;

	take_blocks();
	during = mallinfo2();
	free_blocks();
	after = mallinfo2();
	CHECK(during.uordblks >= before.uordblks + BLOCKS * BYTES);
	CHECK(during.uordblks <= before.uordblks + BLOCKS * BYTES * 2);
	/* Not all of it: stdio may keep a buffer from now on. */
	CHECK(after.uordblks < before.uordblks + 100000);
}

TEST(large_blocks_are_counted_apart)
{
	struct mallinfo2 before = mallinfo2();
	struct mallinfo2 during;
	struct mallinfo2 after;
	void *p = malloc(40u << 20);

	REQUIRE(p != NULL);
	during = mallinfo2();
	free(p);
	after = mallinfo2();
	CHECK_EQ(during.hblks, before.hblks + 1);
	CHECK(during.hblkhd >= before.hblkhd + (40u << 20));
	CHECK_EQ(after.hblks, before.hblks);
	CHECK_EQ(after.hblkhd, before.hblkhd);
}

/* The old structure is deprecated, which is no reason not to test it. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/* Zones of a program that shares the library are none of malloc's. */
static void *(*create)(
    const char *, int, void *, void *, void *, void *, int, uint16_t);
static void *(*alloc)(void *, void *, int);
static void (*give)(void *, void *, void *);

enum { ITEM = 1111 };

static void *
make_zone(void)
{
	void *zone;

	find_symbol("uma_zcreate", &create);
	find_symbol("uma_zalloc_arg", &alloc);
	find_symbol("uma_zfree_arg", &give);
	REQUIRE(create != NULL && alloc != NULL && give != NULL);
	zone = create("not malloc", ITEM, NULL, NULL, NULL, NULL, 7, 0);
	REQUIRE(zone != NULL);
	return zone;
}

TEST(zones_of_the_program_do_not_count)
{
	struct mallinfo2 before = mallinfo2();
	struct mallinfo2 after;
	void *zone;

	if (!on_uma())
		SKIP("for this library only");
	zone = make_zone();
	for (int i = 0; i < 10000; i++)
		REQUIRE(alloc(zone, NULL, M_WAITOK) != NULL);
	after = mallinfo2();
	/* In a hostile build a refusal has malloc give memory back. */
	CHECK(after.arena <= before.arena);
	CHECK(after.uordblks <= before.uordblks);
}

TEST(mallinfo_is_the_same_in_smaller_numbers)
{
	struct mallinfo2 wide = mallinfo2();
	struct mallinfo m = mallinfo();

	CHECK_EQ(m.arena, wide.arena);
	CHECK_EQ(m.uordblks, wide.uordblks);
	CHECK_EQ(m.fordblks, wide.fordblks);
	CHECK_EQ(m.hblks, wide.hblks);
	CHECK_EQ(m.hblkhd, wide.hblkhd);
	CHECK_EQ(m.keepcost, wide.keepcost);
}

TEST(trim_gives_memory_back_once)
{
	long full;
	long trimmed;

	take_blocks();
	full = resident_kib();
	free_blocks();
	CHECK_EQ(malloc_trim(0), 1);
	trimmed = resident_kib();
	CHECK(full - trimmed > BLOCKS / 1024 * BYTES * 8 / 10);
	take_blocks();
	free_blocks();
	CHECK_EQ(malloc_trim(0), 1);
	if (on_uma())
		CHECK_EQ(malloc_trim(0), 0);
}

/* The tags of a document close in the order in which they open. */
static bool
tags_match(const char *text)
{
	const char *open[16];
	int depth = 0;

	for (const char *at = strchr(text, '<'); at != NULL;
	     at = strchr(at + 1, '<')) {
		const char *end = strchr(at, '>');
		size_t name = strcspn(at + 1, " />\n");

		if (end == NULL || (at[1] != '/' && depth == 16))
			return false;
		if (at[1] == '/') {
			name = strcspn(at + 2, ">");
			if (depth == 0 ||
			    strncmp(open[--depth] + 1, at + 2, name) != 0 ||
			    strcspn(open[depth] + 1, " />\n") != name)
				return false;
		} else if (end[-1] != '/') {
			open[depth++] = at;
		}
	}
	return depth == 0;
}

TEST(malloc_info_writes_glibc_s_document)
{
	char *text = NULL;
	size_t bytes = 0;
	size_t size = 0;
	const char *system;
	FILE *out = open_memstream(&text, &bytes);

	REQUIRE(out != NULL);
	CHECK_EQ(malloc_info(0, out), 0);
	REQUIRE(fclose(out) == 0);
	CHECK(strncmp(text, "<malloc version=\"1\">\n", 21) == 0);
	CHECK(bytes > 10 && strcmp(text + bytes - 10, "</malloc>\n") == 0);
	CHECK(tags_match(text));
	CHECK(strstr(text, "<heap nr=\"0\">") != NULL);
	CHECK(strstr(text, "<sizes>") != NULL);
	CHECK(strstr(text, "<total type=\"rest\" count=\"") != NULL);
	CHECK(strstr(text, "<total type=\"mmap\" count=\"") != NULL);
	CHECK(strstr(text, "<aspace type=\"total\" size=\"") != NULL);
	system = strstr(text, "<system type=\"current\" size=\"");
	REQUIRE(system != NULL);
	CHECK_EQ(
	    sscanf(system, "<system type=\"current\" size=\"%zu\"/>", &size),
	    1);
	CHECK(size > 0);
	free(text);
}

/* Each size ends where the next one begins, and each zone is malloc's. */
TEST(malloc_info_shows_no_zones_of_the_program)
{
	char *text = NULL;
	size_t bytes = 0;
	size_t below = 0;
	FILE *out;
	void *zone;

	if (!on_uma())
		SKIP("for this library only");
	zone = make_zone();
	give(zone, alloc(zone, NULL, M_WAITOK), NULL);
	take_blocks();
	free_blocks();
	out = open_memstream(&text, &bytes);
	REQUIRE(out != NULL && malloc_info(0, out) == 0 && fclose(out) == 0);
	for (char *at = strstr(text, "<size "); at != NULL;
	     at = strstr(at + 1, "<size ")) {
		size_t from = 0;
		size_t to = 0;

		CHECK_EQ(
		    sscanf(at, "<size from=\"%zu\" to=\"%zu\"", &from, &to), 2);
		CHECK(from > below && from <= to && to != ITEM);
		below = to;
	}
	CHECK(below >= BYTES);
	free(text);
}

TEST(malloc_info_refuses_options)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	REQUIRE(out != NULL);
	CHECK_EQ(malloc_info(1, out), EINVAL);
	CHECK_EQ(malloc_info(-1, out), EINVAL);
	REQUIRE(fclose(out) == 0);
	CHECK_EQ(bytes, 0);
	free(text);
}

TEST(malloc_stats_writes_to_standard_error)
{
	char text[4096];
	ssize_t n;
	int saved = dup(STDERR_FILENO);
	int file = memfd_create("stats", 0);

	REQUIRE(saved >= 0 && file >= 0);
	fflush(stderr);
	dup2(file, STDERR_FILENO);
	malloc_stats();
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	n = pread(file, text, sizeof text - 1, 0);
	REQUIRE(n > 0);
	text[n] = '\0';
	CHECK(strstr(text, "system bytes     = ") != NULL);
	CHECK(strstr(text, "in use bytes     = ") != NULL);
	CHECK(strstr(text, "Total (incl. mmap):\n") != NULL);
	close(file);
	close(saved);
}

TEST(mallopt_knows_glibc_s_parameters)
{
	CHECK_EQ(mallopt(M_ARENA_MAX, 2), 1);
	CHECK_EQ(mallopt(M_ARENA_TEST, 1), 1);
	CHECK_EQ(mallopt(M_MMAP_MAX, 65536), 1);
	CHECK_EQ(mallopt(M_MMAP_THRESHOLD, 128 * 1024), 1);
	CHECK_EQ(mallopt(M_MXFAST, 64), 1);
	CHECK_EQ(mallopt(M_PERTURB, 0), 1);
	CHECK_EQ(mallopt(M_TOP_PAD, 131072), 1);
	CHECK_EQ(mallopt(M_TRIM_THRESHOLD, 131072), 1);
	CHECK_EQ(mallopt(M_CHECK_ACTION, 3), 1);
}

TEST(mallopt_refuses_what_glibc_never_had)
{
	if (!on_uma())
		SKIP("glibc accepts any number");
	CHECK_EQ(mallopt(-9, 1), 0);
	CHECK_EQ(mallopt(0, 1), 0);
	CHECK_EQ(mallopt(5, 1), 0);
	CHECK_EQ(mallopt(12345, 1), 0);
}

TEST_MAIN
