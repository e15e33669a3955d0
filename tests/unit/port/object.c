/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory behind a descriptor, as port.h promises it. */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "port/port.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static int
file_of(size_t bytes)
{
	int fd = (int)memfd_create("object", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	return fd;
}

TEST(map_and_share)
{
	int fd = file_of(MIB);
	char *a, *b;

	a = port_object_map(fd, 0, MIB, 4 * KIB);
	b = port_object_map(fd, 64 * KIB, 64 * KIB, 4 * KIB);
	REQUIRE(a != NULL && b != NULL);
	CHECK_EQ(a[64 * KIB], 0);
	a[64 * KIB + 5] = 9;
	CHECK_EQ(b[5], 9);
	port_object_drop(fd);
	CHECK_EQ(fcntl(fd, F_GETFD), -1);
	CHECK_EQ(a[64 * KIB + 5], 9);
}

TEST(map_is_aligned)
{
	size_t page = port_page_bytes();
	int fd = file_of(MIB);

	for (size_t align = page; align <= 1024 * MIB; align *= 4) {
		/* Odd sizes, so that luck does not align the next one. */
		char *p = port_object_map(fd, page, 3 * page, align);

		REQUIRE(p != NULL);
		CHECK(((uintptr_t)p & (align - 1)) == 0);
		p[0] = 1;
		CHECK(port_mapped(p, 3 * page));
	}
}

static void *
map_often(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 200; i++) {
		char *p = port_object_map(fd, 0, 64 * KIB, 2 * MIB);

		if (!CHECK(p != NULL))
			break;
		CHECK_EQ(p[1], 5);
		port_unmap(p, 64 * KIB);
	}
	return NULL;
}

/* Aligned places are sought while other threads map; none is lost. */
TEST(map_in_many_threads)
{
	pthread_t threads[4];
	int fd = file_of(64 * KIB);
	char *p = port_object_map(fd, 0, 64 * KIB, 4 * KIB);

	REQUIRE(p != NULL);
	p[1] = 5;
	for (int i = 0; i < 4; i++)
		REQUIRE(pthread_create(&threads[i], NULL, map_often, &fd) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

TEST(map_refused)
{
	int fd = file_of(MIB);
	int ends[2];

	REQUIRE(pipe(ends) == 0);
	errno = 77;
	CHECK(port_object_map(-1, 0, MIB, 4 * KIB) == NULL);
	CHECK(port_object_map(ends[0], 0, 4 * KIB, 4 * KIB) == NULL);
	CHECK(port_object_map(fd, 1, 4 * KIB, 4 * KIB) == NULL);
	CHECK(port_object_map(fd, 0, (size_t)1 << 62, 2 * MIB) == NULL);
	CHECK_EQ(errno, 77);
}

TEST(hold_asks_for_the_bytes)
{
	int fd = file_of(MIB);
	int held;

	errno = 77;
	held = port_object_hold(fd, MIB - 4 * KIB, 4 * KIB);
	REQUIRE(held >= 3);
	CHECK(held != fd);
	CHECK((fcntl(held, F_GETFD) & FD_CLOEXEC) != 0);
	port_object_drop(fd);
	CHECK(port_object_map(held, 0, MIB, 4 * KIB) != NULL);
	CHECK_EQ(port_object_hold(held, MIB - 4 * KIB, 4 * KIB + 1), -1);
	CHECK_EQ(port_object_hold(held, MIB, 1), -1);
	CHECK_EQ(port_object_hold(held, UINT64_MAX, 2), -1);
	CHECK_EQ(port_object_hold(fd, 0, 1), -1);
	CHECK_EQ(errno, 77);
}

TEST(hold_of_what_has_no_size_is_refused)
{
	int ends[2];
	int next;

	REQUIRE(pipe(ends) == 0);
	next = dup(0);
	close(next);
	CHECK_EQ(port_object_hold(ends[0], 0, 1), -1);
	CHECK_EQ(port_object_hold(ends[1], 0, 0), -1);
	/* The copies it examined are closed. */
	CHECK_EQ(dup(0), next);
}

/* A program without standard error must not come to print into a file. */
TEST(hold_avoids_the_standard_descriptors)
{
	int fd = file_of(4 * KIB);
	int held;

	close(0);
	close(2);
	held = port_object_hold(fd, 0, 4 * KIB);
	CHECK(held >= 3);
	CHECK_EQ(fcntl(0, F_GETFD), -1);
	CHECK_EQ(fcntl(2, F_GETFD), -1);
}

/* Only a low descriptor is left. */
TEST(hold_without_descriptors)
{
	int fd = file_of(4 * KIB);
	struct rlimit few = { 3, 3 };

	close(0);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
	errno = 77;
	CHECK_EQ(port_object_hold(fd, 0, 4 * KIB), -1);
	CHECK_EQ(errno, 77);
	CHECK_EQ(fcntl(0, F_GETFD), -1);
}

/* Forgetting must not answer "zeros" for a file that kept its bytes. */
TEST(forget_drops_the_objects_contents)
{
	int fd = file_of(MIB);
	char *p = port_object_map(fd, 0, MIB, 64 * KIB);
	char *anonymous = port_map(64 * KIB, 64 * KIB);
	struct stat status = { 0 }; /* see holds() */

	REQUIRE(p != NULL && anonymous != NULL);
	memset(p, 1, MIB);
	CHECK(port_forget(p, 128 * KIB));
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[128 * KIB - 1], 0);
	CHECK_EQ(p[128 * KIB], 1);
	port_forget(p, MIB);
	CHECK(fstat(fd, &status) == 0 && status.st_blocks < 256);
	anonymous[9] = 1;
	CHECK(port_forget(anonymous, 64 * KIB));
	CHECK_EQ(anonymous[9], 0);
}

TEST(forget_says_when_the_file_is_kept)
{
	int fd = (int)memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *p;

	REQUIRE(fd >= 0 && ftruncate(fd, MIB) == 0);
	p = port_object_map(fd, 0, MIB, 64 * KIB);
	REQUIRE(p != NULL);
	memset(p, 1, MIB);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) != 0)
		SKIP("a kernel without this seal");
	CHECK(port_forget(p, MIB) == (p[0] == 0 && p[MIB - 1] == 0));
}

TEST_MAIN
