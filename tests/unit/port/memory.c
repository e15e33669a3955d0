/* SPDX-License-Identifier: BSD-2-Clause */
/* Address space and pages, as port.h promises them. */
#include "harness.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "filter.h"
#include "port/port.h"
#include "sanitized.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

enum access { READ, WRITE };

static bool
aligned(const void *p, size_t align)
{
	return ((uintptr_t)p & (align - 1)) == 0;
}

/* The signal that ends a process which reads or writes there; 0 for none. */
static int
touching_ends_by(char *at, enum access access)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		const struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		if (access == WRITE)
			*(volatile char *)at = 1;
		else
			(void)*(volatile char *)at;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool
all_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static size_t
resident(void *p, size_t bytes)
{
	static unsigned char vec[65536];
	size_t pages = bytes / port_page_bytes();
	size_t n = 0;

	REQUIRE(pages <= sizeof vec);
	REQUIRE(mincore(p, bytes, vec) == 0);
	for (size_t i = 0; i < pages; i++)
		n += vec[i] & 1;
	return n;
}

/*
 * Whether the entry of /proc/self/smaps that holds `p` has a line with `word`.
 */
static bool
smaps_says(const void *p, const char *word)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false, found = false;

	REQUIRE(f != NULL);
	while (fgets(line, sizeof line, f) != NULL) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		found = found || (inside && strstr(line, word) != NULL);
	}
	fclose(f);
	return found;
}

TEST(page_size_is_the_systems)
{
	CHECK_EQ(port_page_bytes(), sysconf(_SC_PAGESIZE));
	CHECK_EQ(port_page_bytes(), sysconf(_SC_PAGESIZE));
}

TEST(map_limit)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (SANITIZED)
		SKIP("a sanitizer needs more addresses");
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	CHECK(port_map_limit() == SIZE_MAX);
	limit.rlim_cur = 3 * GIB;
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	CHECK_EQ(port_map_limit(), 3 * GIB);
	limit.rlim_cur = 2 * GIB;
	REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
	CHECK_EQ(port_map_limit(), 2 * GIB);
}

TEST(reserve_is_aligned_at_any_power)
{
	for (size_t align = port_page_bytes(); align <= 4 * GIB; align *= 2) {
		/* Odd sizes, so that luck does not align the next one. */
		size_t bytes = 3 * port_page_bytes();
		char *a = port_reserve(bytes, align);
		char *b = port_reserve(bytes, align);

		CHECK(a != NULL && aligned(a, align));
		CHECK(b != NULL && aligned(b, align) && b != a);
		CHECK(port_mapped(a, bytes) && port_mapped(b, bytes));
		port_unmap(a, bytes);
		port_unmap(b, bytes);
		CHECK(!port_mapped(a, bytes) && !port_mapped(b, bytes));
	}
}

/* Bytes of address space in use, read without stdio, which maps some. */
static size_t
space_used(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);

	REQUIRE(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
	close(fd);
	return strtoul(text, NULL, 10) * port_page_bytes();
}

/* However it found an aligned place, the rest of its search is unmapped. */
TEST(reserve_keeps_only_what_was_asked)
{
	for (int i = 0; i < 256; i++) {
		size_t align = (64 * KIB) << i % 15;
		size_t bytes = port_page_bytes() * (size_t)(1 + i % 7);
		size_t before = space_used();
		char *p = i % 2 == 0 ? port_reserve(bytes, align)
				     : port_map(bytes, align);

		REQUIRE(p != NULL);
		CHECK(aligned(p, align));
		CHECK_EQ(space_used() - before, bytes);
	}
}

/* Most of the address space is used up, yet an aligned place is found. */
TEST(reserve_under_a_tight_limit)
{
	struct rlimit limit = { GIB, GIB };
	size_t kept = 0;

	if (SANITIZED)
		SKIP("a sanitizer needs more addresses");
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	while (port_reserve(16 * MIB, 2 * MIB) != NULL)
		kept += 16 * MIB;
	CHECK(kept >= 900 * MIB);
	CHECK(kept <= GIB);
}

TEST(reserve_refused_leaves_errno)
{
	errno = 77;
	CHECK(port_reserve(SIZE_MAX - 64 * KIB + 1, 64 * KIB) == NULL);
	CHECK(port_reserve((size_t)1 << 62, (size_t)1 << 21) == NULL);
	CHECK(port_map((size_t)1 << 62, (size_t)1 << 21) == NULL);
	CHECK_EQ(errno, 77);
}

TEST(reserve_has_no_access_until_committed)
{
	char *p = port_reserve(MIB, 64 * KIB);

	REQUIRE(p != NULL);
	CHECK_EQ(touching_ends_by(p, READ), SIGSEGV);
	CHECK_EQ(resident(p, MIB), 0);
	CHECK(port_commit(p + 64 * KIB, 64 * KIB));
	CHECK(all_zero(p + 64 * KIB, 64 * KIB));
	CHECK_EQ(touching_ends_by(p + 64 * KIB, WRITE), 0);
	CHECK_EQ(touching_ends_by(p + 128 * KIB - 1, WRITE), 0);
	CHECK_EQ(touching_ends_by(p + 128 * KIB, WRITE), SIGSEGV);
	CHECK_EQ(touching_ends_by(p + 64 * KIB - 1, READ), SIGSEGV);
}

TEST(commit_of_nothing_is_refused)
{
	char *p = port_reserve(MIB, 64 * KIB);

	port_unmap(p, MIB);
	errno = 77;
	CHECK(!port_commit(p, MIB));
	CHECK_EQ(errno, 77);
}

TEST(map_is_fresh_zeros)
{
	for (size_t align = 4 * KIB; align <= GIB; align *= 8) {
		char *p = port_map(192 * KIB, align);

		REQUIRE(p != NULL);
		CHECK(aligned(p, align));
		CHECK(all_zero(p, 192 * KIB));
		memset(p, 0xa5, 192 * KIB);
	}
}

TEST(zeros_can_only_be_read)
{
	char *p = port_zeros(2 * MIB, 2 * MIB);

	REQUIRE(p != NULL);
	CHECK(aligned(p, 2 * MIB));
	CHECK(all_zero(p, 2 * MIB));
	CHECK_EQ(touching_ends_by(p, WRITE), SIGSEGV);
}

TEST(unmap_spans_mappings)
{
	size_t page = port_page_bytes();
	char *p = port_reserve(16 * page, 16 * page);

	REQUIRE(p != NULL && port_commit(p + 4 * page, 4 * page));
	port_unmap(p + page, 10 * page);
	CHECK(port_mapped(p, page));
	CHECK(!port_mapped(p + page, page));
	CHECK(!port_mapped(p + 10 * page, page));
	CHECK(port_mapped(p + 11 * page, 5 * page));
}

TEST(mapped_looks_at_every_page)
{
	size_t bytes = 16 * MIB;
	size_t page = port_page_bytes();
	char *p = port_map(bytes, page);

	REQUIRE(p != NULL);
	CHECK(port_mapped(p, bytes));
	CHECK_EQ(resident(p, bytes), 0);
	port_unmap(p + bytes - page, page);
	errno = 77;
	CHECK(!port_mapped(p, bytes));
	CHECK(port_mapped(p, bytes - page));
	CHECK_EQ(errno, 77);
}

/* A filter that does not let a program ask: what it has it has. */
TEST(mapped_believes_who_may_not_ask)
{
	if (!filter(SYS_mincore, 1, (unsigned)port_page_bytes(),
		SECCOMP_RET_ERRNO | EPERM))
		SKIP("no filters here");
	errno = 77;
	CHECK(port_mapped((void *)(64 * KIB), port_page_bytes()));
	CHECK(!port_mapped((void *)(64 * KIB), 2 * port_page_bytes()));
	CHECK_EQ(errno, 77);
}

/* Fill with a pattern that tells pages apart, and look for it. */
static void
mark(char *p, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 4 * KIB)
		memcpy(p + at, &at, sizeof at);
}

static bool
marked(const char *p, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 4 * KIB)
		if (memcmp(p + at, &at, sizeof at) != 0)
			return false;
	return true;
}

TEST(remap_moves_and_keeps)
{
	for (size_t align = 4 * KIB; align <= 4 * MIB; align *= 4) {
		char *p = port_map(MIB, align);
		char *wall = p + MIB;
		size_t before;
		char *q;

		REQUIRE(p != NULL);
		mark(p, MIB);
		/* Whatever is behind it, it cannot grow there. */
		mmap(wall, 4 * KIB, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		before = space_used();
		q = port_remap(p, MIB, 5 * MIB, align);
		CHECK_EQ(space_used() - before, 4 * MIB);
		REQUIRE(q != NULL && q != p);
		CHECK(aligned(q, align));
		CHECK(marked(q, MIB));
		CHECK(all_zero(q + MIB, 4 * MIB));
		CHECK_EQ(touching_ends_by(q + 5 * MIB - 1, WRITE), 0);
		CHECK(!port_mapped(p, MIB));
		CHECK(port_remap(q, 5 * MIB, 64 * KIB, align) == q);
		CHECK(marked(q, 64 * KIB));
		CHECK(!port_mapped(q + 64 * KIB, 4 * KIB));
	}
}

TEST(remap_grows_in_place_if_it_can)
{
	char *p = port_map(8 * MIB, 2 * MIB);

	REQUIRE(p != NULL);
	mark(p, 2 * MIB);
	port_unmap(p + 2 * MIB, 6 * MIB);
	CHECK(port_remap(p, 2 * MIB, 8 * MIB, 2 * MIB) == p);
	CHECK(marked(p, 2 * MIB));
	CHECK(all_zero(p + 2 * MIB, 6 * MIB));
}

TEST(remap_refused_leaves_all)
{
	struct rlimit limit = { GIB, GIB };
	char *p = port_map(MIB, 64 * KIB);
	char *page = port_map(MIB, 4 * KIB);

	REQUIRE(p != NULL && page != NULL);
	mark(p, MIB);
	mark(page, MIB);
	if (SANITIZED)
		SKIP("a sanitizer needs more addresses");
	REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
	errno = 77;
	CHECK(port_remap(p, MIB, 2 * GIB, 64 * KIB) == NULL);
	CHECK(port_remap(page, MIB, 2 * GIB, 4 * KIB) == NULL);
	CHECK(port_remap(p, MIB, SIZE_MAX - 64 * KIB + 1, 64 * KIB) == NULL);
	CHECK_EQ(errno, 77);
	CHECK(marked(p, MIB));
	CHECK(marked(page, MIB));
	/* No refusal keeps addresses of its own. */
	for (int i = 0; i < 30; i++)
		CHECK(port_remap(p, MIB, 900 * MIB, 64 * KIB) == NULL);
	CHECK(port_reserve(800 * MIB, 64 * KIB) != NULL);
	CHECK(marked(p, MIB));
}

/* A megabyte that cannot grow where it is. */
static char *
walled_in(void)
{
	char *p = port_map(MIB, 64 * KIB);

	REQUIRE(p != NULL);
	mark(p, MIB);
	mmap(p + MIB, 4 * KIB, PROT_READ,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	return p;
}

/* A limit on data refuses the move when its target was unmapped for it. */
TEST(remap_gives_up_its_target)
{
	struct rlimit data = { MIB, MIB };
	char *p = walled_in();
	size_t before = space_used();

	if (SANITIZED)
		SKIP("a sanitizer needs more data");
	REQUIRE(setrlimit(RLIMIT_DATA, &data) == 0);
	errno = 77;
	CHECK(port_remap(p, MIB, 5 * MIB, 64 * KIB) == NULL);
	CHECK_EQ(errno, 77);
	CHECK_EQ(space_used(), before);
	CHECK(marked(p, MIB));
}

TEST(remap_moves_within_a_limit_on_data)
{
	struct rlimit data = { GIB, GIB };
	char *p = walled_in();
	char *q;

	if (SANITIZED)
		SKIP("a sanitizer needs more data");
	REQUIRE(setrlimit(RLIMIT_DATA, &data) == 0);
	q = port_remap(p, MIB, 5 * MIB, 64 * KIB);
	REQUIRE(q != NULL && q != p);
	CHECK(marked(q, MIB));
	CHECK(all_zero(q + MIB, 4 * MIB));
	CHECK_EQ(touching_ends_by(q + 5 * MIB - 1, WRITE), 0);
}

/* A target that is still there may be another's by now: it is left alone. */
TEST(remap_loses_addresses_at_worst)
{
	char *p = walled_in();
	size_t before;

	if (!filter(SYS_mremap, 3, MREMAP_MAYMOVE | MREMAP_FIXED,
		SECCOMP_RET_ERRNO | ENOMEM))
		SKIP("no filters here");
	before = space_used();
	errno = 77;
	CHECK(port_remap(p, MIB, 5 * MIB, 64 * KIB) == NULL);
	CHECK_EQ(errno, 77);
	CHECK_EQ(space_used() - before, 5 * MIB);
	CHECK(marked(p, MIB));
}

/* The aligned place below the first is taken, so a wider range is mapped. */
TEST(map_that_is_not_charged_keeps_nothing)
{
	size_t page = port_page_bytes();
	char *p = port_map(3 * page, GIB);
	size_t before;

	REQUIRE(p != NULL);
	if (!filter(SYS_mprotect, 2, PROT_READ | PROT_WRITE,
		SECCOMP_RET_ERRNO | ENOMEM))
		SKIP("no filters here");
	before = space_used();
	errno = 77;
	for (int i = 0; i < 10; i++)
		if (port_map(3 * page, GIB) != NULL)
			before += 3 * page;
	CHECK_EQ(errno, 77);
	CHECK_EQ(space_used(), before);
}

TEST(populate_backs_every_page_and_keeps_contents)
{
	char *p = port_map(4 * MIB, 2 * MIB);

	REQUIRE(p != NULL);
	port_huge(p, 4 * MIB, false);
	p[MIB] = 42;
	CHECK(resident(p, 4 * MIB) < 4 * MIB / port_page_bytes());
	CHECK(port_populate(p, 4 * MIB));
	CHECK_EQ(resident(p, 4 * MIB), 4 * MIB / port_page_bytes());
	CHECK_EQ(p[MIB], 42);
}

TEST(populate_refused)
{
	char *p = port_map(MIB, 64 * KIB);

	REQUIRE(p != NULL);
	port_unmap(p + MIB / 2, 64 * KIB);
	errno = 77;
	CHECK(!port_populate(p, MIB));
	CHECK(!port_populate(port_reserve(MIB, 64 * KIB), MIB));
	CHECK_EQ(errno, 77);
}

/* A kernel before 5.14 does not know the advice: the pages are touched. */
TEST(populate_on_an_old_kernel)
{
	char *p = port_map(4 * MIB, 2 * MIB);

	REQUIRE(p != NULL);
	port_huge(p, 4 * MIB, false);
	memset(p + MIB, 42, 64 * KIB);
	if (!filter(SYS_madvise, 2, 23, SECCOMP_RET_ERRNO | EINVAL))
		SKIP("no filters here");
	errno = 77;
	CHECK(port_populate(p, 4 * MIB));
	CHECK_EQ(resident(p, 4 * MIB), 4 * MIB / port_page_bytes());
	for (size_t i = 0; i < 64 * KIB; i++)
		REQUIRE(p[MIB + i] == 42);
	port_unmap(p + MIB, 64 * KIB);
	CHECK(!port_populate(p, 4 * MIB));
	CHECK_EQ(errno, 77);
}

TEST(populate_without_memory)
{
	char *p = port_map(MIB, 64 * KIB);

	REQUIRE(p != NULL);
	if (!filter(SYS_madvise, 2, 23, SECCOMP_RET_ERRNO | ENOMEM))
		SKIP("no filters here");
	CHECK(!port_populate(p, MIB));
}

TEST(forget_reads_as_zeros)
{
	char *p = port_map(MIB, 64 * KIB);

	REQUIRE(p != NULL);
	port_huge(p, MIB, false);
	memset(p, 1, MIB);
	CHECK(port_forget(p + 64 * KIB, 128 * KIB));
	CHECK_EQ(resident(p, MIB), (MIB - 128 * KIB) / port_page_bytes());
	CHECK(all_zero(p + 64 * KIB, 128 * KIB));
	CHECK(p[64 * KIB - 1] == 1 && p[192 * KIB] == 1);
}

/* The system refuses to drop locked pages, and then they hold anything. */
TEST(forget_says_when_it_did_not)
{
	char *p = port_map(64 * KIB, 64 * KIB);

	REQUIRE(p != NULL);
	memset(p, 1, 64 * KIB);
	if (mlock(p, 64 * KIB) != 0)
		SKIP("may not lock memory");
	errno = 77;
	CHECK(port_forget(p, 64 * KIB) == all_zero(p, 64 * KIB));
	CHECK_EQ(errno, 77);
}

TEST(huge_pages_are_asked_for)
{
	char *p = port_map(4 * MIB, 2 * MIB);

	REQUIRE(p != NULL);
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
		SKIP("a kernel without transparent huge pages");
	port_huge(p, 4 * MIB, true);
	CHECK(smaps_says(p, " hg"));
	port_huge(p, 4 * MIB, false);
	CHECK(smaps_says(p, " nh"));
	CHECK(!smaps_says(p, " hg"));
}

TEST(names_are_seen)
{
	char *p = port_map(MIB, 64 * KIB);
	char *probe = port_map(MIB, 64 * KIB);
	char *q = port_map(MIB, 64 * KIB);

	REQUIRE(p != NULL && q != NULL && probe != NULL);
	if (prctl(0x53564d41, 0, probe, MIB, "probe") != 0)
		SKIP("a kernel without names for mappings");
	errno = 77;
	/* Not a name for the kernel as it is, nor one that is too long. */
	port_name(p, MIB, "uma $[odd]\n");
	CHECK(smaps_says(p, "[anon:uma ??odd??]"));
	port_name(q, MIB,
	    "uma 6789012345678901234567890123456789012345678901234567890123456"
	    "789012345678901234567890");
	CHECK(smaps_says(q, "[anon:uma 67890123456789"));
	CHECK_EQ(errno, 77);
}

/* The second question would end the process. */
TEST(names_are_not_asked_for_again)
{
	char *p = port_map(MIB, 64 * KIB);

	REQUIRE(p != NULL);
	if (!filter(SYS_prctl, 0, 0x53564d41, SECCOMP_RET_ERRNO | EINVAL))
		SKIP("no filters here");
	errno = 77;
	port_name(p, MIB, "uma");
	CHECK_EQ(errno, 77);
	REQUIRE(filter(SYS_prctl, 0, 0x53564d41, SECCOMP_RET_KILL_PROCESS));
	port_name(p, MIB, "uma");
}

TEST_MAIN
