/* SPDX-License-Identifier: BSD-2-Clause */
/* exec.c - memory to run code in, where malloc9:exec has enabled it */
#include "common.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static UMA_MALLOC_DEFINE(M_CODE, "code", "");
static UMA_MALLOC_DEFINE(M_SIZED, "sized", "");

/* A function that answers 42. */
#if defined(__x86_64__)
static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
#elif defined(__aarch64__)
static const unsigned char code[] = { 0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f,
	0xd6 };
#endif

static int
run(void *block)
{
	int (*function)(void);

	memcpy(block, code, sizeof code);
	__builtin___clear_cache(block, (char *)block + sizeof code);
	memcpy(&function, &block, sizeof function);
	return function();
}

/* The rights of the pages at an address, as the system tells them. */
static void
rights_of(const void *at, char *rights)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");

	REQUIRE(maps != NULL);
	strcpy(rights, "none");
	while (fgets(line, sizeof line, maps) != NULL) {
		unsigned long from, to;
		char got[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, got) == 3 &&
		    from <= (uintptr_t)at && (uintptr_t)at < to)
			strcpy(rights, got);
	}
	fclose(maps);
}

static void
check_block(void *block, size_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t kept = is_debug() ? 8 : 0;
	/* A mapping has 64 KiB at least. */
	const size_t least = size + kept > 65536 ? size + kept : 65536;
	char rights[5];

	REQUIRE(block != NULL);
	CHECK_EQ((uintptr_t)block % page, 0);
	CHECK_EQ(uma_malloc_usable_size(block) + kept,
	    (least + page - 1) / page * page);
	CHECK(all_bytes(block, size, 0));
	rights_of(block, rights);
	CHECK(strcmp(rights, "rwxp") == 0);
	CHECK_EQ(run(block), 42);
}

TEST(code_runs)
{
	static const size_t sizes[] = { 8, 4000, 5000, 100000,
		(size_t)40 << 20 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		void *block = uma_malloc_exec(sizes[i], M_CODE, M_WAITOK);
		char rights[5];

		check_block(block, sizes[i]);
		uma_mfree(block, M_CODE);
		rights_of(block, rights);
		CHECK(strcmp(rights, "none") == 0);
	}
	CHECK_EQ(numbers(M_CODE).allocs, 5);
	CHECK_EQ(numbers(M_CODE).in_use_bytes, 0);
}

TEST(every_way_to_ask)
{
	void *block = uma_malloc(100, M_CODE, M_NOWAIT | M_EXEC);

	check_block(block, 100);
	uma_mzfree(block, M_CODE);
	block = uma_malloc_domainset_exec(100, M_CODE, NULL, M_NOWAIT | M_ZERO);
	check_block(block, 100);
	uma_mfree(block, M_CODE);
	block = uma_malloc_aligned(100, 1 << 20, M_CODE, M_WAITOK | M_EXEC);
	check_block(block, 100);
	CHECK_EQ((uintptr_t)block % (1 << 20), 0);
	uma_mfree(block, M_CODE);
	block = uma_mallocarray(100, 100, M_CODE, M_WAITOK | M_EXEC);
	check_block(block, 10000);
	uma_mfree(block, M_CODE);
}

/* It moves to where code may run, also when it would fit. */
/* Its blocks are whole pages, which no class has. */
TEST(sizes)
{
	void *block = uma_malloc_exec(70000, M_SIZED, M_WAITOK);

	CHECK_EQ(numbers(M_SIZED).in_use, 1);
	CHECK_EQ(numbers(M_SIZED).size_count, 0);
	uma_mfree(block, M_SIZED);
}

TEST(realloc)
{
	char *block = uma_malloc(5000, M_CODE, M_WAITOK);

	memset(block, 7, 5000);
	block = uma_realloc(block, 4900, M_CODE, M_WAITOK | M_EXEC);
	CHECK(all_bytes(block, 4900, 7));
	CHECK_EQ(run(block), 42);
	block = uma_realloc(block, 90000, M_CODE, M_WAITOK | M_EXEC);
	CHECK(all_bytes(block + 10, 4890, 7));
	CHECK_EQ(run(block), 42);
	uma_mfree(block, M_CODE);
	CHECK_EQ(numbers(M_CODE).in_use, 0);
}

static void
check_refusal(void)
{
	uint64_t was = numbers(M_CODE).allocs;
	void *block;

	CHECK(uma_malloc_exec(100, M_CODE, M_NOWAIT) == NULL);
	CHECK(uma_malloc(100, M_CODE, M_NOWAIT | M_EXEC) == NULL);
	CHECK_EQ(numbers(M_CODE).allocs, was);
	DIES(uma_malloc_exec(100, M_CODE, M_WAITOK),
	    "uma: uma_malloc_exec: the system does not allow executable "
	    "memory: zone \"code\"");
	block = uma_malloc(100000, M_CODE, M_WAITOK);
	CHECK(uma_realloc(block, 10, M_CODE, M_NOWAIT | M_EXEC) == NULL);
	uma_mfree(block, M_CODE);
	CHECK_EQ(numbers(M_CODE).in_use, 0);
}

/* mprotect(PROT_EXEC) fails, as in a service with MemoryDenyWriteExecute. */
static bool
filter_out(unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

	uma_mfree(uma_malloc(10, M_CODE, M_WAITOK), M_CODE);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(refused_by_a_filter)
{
	if (!filter_out(EPERM))
		SKIP("no filters here");
	check_refusal();
}

/* That is no refusal: who can wait would, so only M_NOWAIT is asked. */
TEST(no_memory_for_another_mapping)
{
	if (!filter_out(ENOMEM))
		SKIP("no filters here");
	CHECK(uma_malloc_exec(100, M_CODE, M_NOWAIT) == NULL);
	CHECK_EQ(numbers(M_CODE).in_use, 0);
}

TEST(refused_by_the_kernel)
{
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
		SKIP("the kernel has no PR_SET_MDWE");
	check_refusal();
}

TEST_MAIN
