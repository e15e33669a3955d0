/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object - zones that take their memory from a file
 */
#include "zone/common.h"

#include <fcntl.h>
#include <sys/mman.h>

#define COUNT 1000
#define ROOM  ((size_t)(HOSTILE ? 32 : 4) << 20)

static void *items[COUNT + 1];

/* Room for exactly `count`, through use, free and reclaim. */
static void
holds_exactly(uma_zone_t zone, int count, size_t bytes)
{
	for (int round = 0; round < 3; round++) {
		bool good = true;

		for (int i = 0; i < count; i++) {
			items[i] = uma_zalloc(zone, M_NOWAIT);
			REQUIRE(items[i] != NULL);
			pattern_fill(items[i], bytes, (uint64_t)i);
		}
		CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
		CHECK_EQ(zone_numbers(zone).used_items, count);
		CHECK_EQ(zone_numbers(zone).fails, round + 1);
		for (int i = 0; i < count; i++) {
			good =
			    good && pattern_holds(items[i], bytes, (uint64_t)i);
			uma_zfree(zone, items[i]);
		}
		CHECK(good);
		if (round == 1)
			uma_reclaim();
	}
}

TEST(anonymous)
{
	static const int counts[] = { 1, 2, 63, 100, COUNT };

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		uma_zone_t zone = zone_make("anon", 100, 7);

		CHECK_EQ(uma_zone_set_obj(zone, NULL, counts[i]), 1);
		holds_exactly(zone, counts[i], 100);
		CHECK_EQ(zone_numbers(zone).limit_items, counts[i]);
		zone_end(zone);
	}
}

TEST(anonymous_large_items)
{
	uma_zone_t zone = zone_make("anon", 100000, 7);

	CHECK_EQ(uma_zone_set_obj(zone, NULL, 5), 1);
	holds_exactly(zone, 5, 100000);
	zone_end(zone);
}

/* To a child it is memory like any other: what it does there is its own. */
TEST(anonymous_after_a_fork)
{
	uma_zone_t zone = zone_make("anon", 200, 7);
	int status = -1;
	pid_t child;
	void *next;

	CHECK_EQ(uma_zone_set_obj(zone, NULL, COUNT), 1);
	items[0] = sure_zalloc(zone, M_NOWAIT);
	REQUIRE(items[0] != NULL);
	pattern_fill(items[0], 200, 0);
	child = fork();
	if (child == 0) {
		if (!pattern_holds(items[0], 200, 0))
			_exit(1);
		pattern_fill(items[0], 200, 1);
		next = sure_zalloc(zone, M_NOWAIT);
		if (next == NULL)
			_exit(2);
		pattern_fill(next, 200, 2);
		_exit(0);
	}
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK(pattern_holds(items[0], 200, 0));
	for (int i = 1; i < COUNT; i++) {
		items[i] = sure_zalloc(zone, M_NOWAIT);
		REQUIRE(items[i] != NULL);
		CHECK(!pattern_holds(items[i], 200, 2));
	}
	for (int i = 0; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	zone_end(zone);
}

static int init_calls;
static int fini_calls;

static void
init(void *item, int size)
{
	memset(item, 0, (size_t)size);
	init_calls++;
}

static void
fini(void *item, int size)
{
	(void)item;
	(void)size;
	fini_calls++;
}

/* Slabs are never given back, so fini runs at the end only. */
TEST(slabs_stay)
{
	uma_zone_t zone =
	    uma_zcreate("anon", 1000, NULL, NULL, init, fini, 7, 0);

	REQUIRE(zone != NULL);
	CHECK_EQ(uma_zone_set_obj(zone, NULL, 200), 1);
	holds_exactly(zone, 200, 1000);
	uma_reclaim();
	CHECK_EQ(fini_calls, 0);
	zone_end(zone);
	CHECK_EQ(fini_calls, init_calls);
	CHECK(init_calls >= 200);
}

/* ---- a file that another process maps ---- */

static int
file_of(size_t bytes)
{
	int fd = memfd_create("test", 0);

	REQUIRE(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	return fd;
}

/*
 * In a child with a mapping of its own: every item is found at the distance
 * from the first at which the parent has it, and is answered.
 */
static void
answer(int fd, size_t bytes)
{
	char *map = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *first = map;

	REQUIRE(map != MAP_FAILED);
	while (first + bytes <= map + ROOM && !pattern_holds(first, bytes, 0))
		first++;
	REQUIRE(first + bytes <= map + ROOM);
	for (int i = 0; i < COUNT; i++) {
		char *mine = first + ((char *)items[i] - (char *)items[0]);

		if (mine < map || mine + bytes > map + ROOM ||
		    !pattern_holds(mine, bytes, (uint64_t)i))
			_exit(1);
		pattern_fill(mine, bytes, (uint64_t)i + COUNT);
	}
	_exit(0);
}

static void
shared_through(uint64_t offset)
{
	uma_zone_t zone = zone_make("shared", 200, 7);
	int fd = file_of(ROOM);
	struct vm_object *object;
	bool good = true;
	int status = -1;
	pid_t child;

	object = uma_object_create(fd, offset, ROOM - offset);
	REQUIRE(object != NULL);
	CHECK_EQ(uma_zone_set_obj(zone, object, COUNT), 1);
	for (int i = 0; i < COUNT; i++) {
		items[i] = uma_zalloc(zone, M_NOWAIT);
		REQUIRE(items[i] != NULL);
		pattern_fill(items[i], 200, (uint64_t)i);
	}
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	child = fork();
	if (child == 0)
		answer(fd, 200);
	REQUIRE(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	for (int i = 0; i < COUNT; i++)
		good =
		    good && pattern_holds(items[i], 200, (uint64_t)i + COUNT);
	CHECK(good);
	for (int i = 0; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	/* The descriptor was duplicated: ours may go first. */
	close(fd);
	items[0] = uma_zalloc(zone, M_NOWAIT);
	REQUIRE(items[0] != NULL);
	uma_zfree(zone, items[0]);
	zone_end(zone);
}

TEST(shared_with_another_process)
{
	shared_through(0);
}

TEST(shared_at_an_offset)
{
	shared_through(65536);
	shared_through((uint64_t)sysconf(_SC_PAGESIZE) * 3);
}

TEST(too_small_leaves_the_zone_alone)
{
	uma_zone_t zone = zone_make("small", 1000, 7);
	int fd = file_of(4096);
	struct vm_object *object = uma_object_create(fd, 0, 4096);

	REQUIRE(object != NULL);
	CHECK_EQ(uma_zone_set_obj(zone, object, COUNT), 0);
	CHECK_EQ(zone_numbers(zone).limit_items, 0);
	uma_object_destroy(object);
	for (int i = 0; i < COUNT; i++)
		REQUIRE((items[i] = sure_zalloc(zone, M_NOWAIT)) != NULL);
	for (int i = 0; i < COUNT; i++)
		uma_zfree(zone, items[i]);
	uma_reclaim();
	CHECK_EQ(zone_numbers(zone).slab_bytes, 0);
	zone_end(zone);
	close(fd);
}

TEST(no_address_space)
{
	uma_zone_t zone = zone_make("vast", 1 << 30, 7);

	CHECK_EQ(uma_zone_set_obj(zone, NULL, 0x7fffffff), 0);
	CHECK_EQ(zone_numbers(zone).limit_items, 0);
	zone_end(zone);
}

TEST(objects_that_cannot_be)
{
	int fd = file_of(65536);
	int ends[2];

	REQUIRE(pipe(ends) == 0);
	errno = 0;
	CHECK(uma_object_create(-1, 0, 4096) == NULL);
	CHECK(uma_object_create(9999, 0, 4096) == NULL);
	CHECK(uma_object_create(fd, 0, 65537) == NULL);
	CHECK(uma_object_create(fd, 65536, 4096) == NULL);
	CHECK(uma_object_create(fd, UINT64_MAX - 4095, 8192) == NULL);
	CHECK(uma_object_create(ends[0], 0, 4096) == NULL);
	CHECK(uma_object_create(fd, 0, 0) == NULL);
	CHECK(uma_object_create(fd, 100, 4096) == NULL);
	CHECK_EQ(errno, 0);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

static int
open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

TEST(no_descriptor_is_lost)
{
	int before = open_descriptors();

	for (int i = 0; i < 50; i++) {
		int fd = file_of(ROOM);
		struct vm_object *object = uma_object_create(fd, 0, ROOM);
		uma_zone_t zone = zone_make("fd", 64, 7);

		REQUIRE(object != NULL);
		close(fd);
		if (i % 2 == 0)
			uma_object_destroy(object);
		else
			CHECK_EQ(uma_zone_set_obj(zone, object, 10), 1);
		zone_end(zone);
	}
	CHECK(open_descriptors() <= before + 1);
}

TEST_MAIN
