/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs and restartable sequences, as port.h promises them. */
#include "harness.h"

#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "port/arch/arch.h"
#include "port/port.h"
#if ARCH_HAS_RSEQ
#include "port/arch/rseq_test.h"
#endif

/* What glibc registers with. */
#if defined(__aarch64__) && defined(__AARCH64EB__)
#define RSEQ_SIGNATURE 0x00bc28d4
#elif defined(__aarch64__)
#define RSEQ_SIGNATURE 0xd428bc00
#else
#define RSEQ_SIGNATURE 0x53053053
#endif

extern const ptrdiff_t __rseq_offset;
extern const unsigned __rseq_size;
#pragma weak __rseq_offset
#pragma weak __rseq_size

static char *
self(void)
{
	return __builtin_thread_pointer();
}

static int32_t
read_int(intptr_t offset)
{
	return *(volatile int32_t *)(void *)(self() + offset);
}

/* Take this thread's registration away, as any library may. */
static bool
unregister(void)
{
	void *area = self() + __rseq_offset;

	for (unsigned bytes = 32; bytes <= 256; bytes += 32)
		if (syscall(SYS_rseq, area, bytes, 1, RSEQ_SIGNATURE) == 0)
			return true;
	return false;
}

TEST(slots_hold_every_cpu)
{
	unsigned slots = port_cpu_slots();
	FILE *f = fopen("/sys/devices/system/cpu/possible", "r");
	char line[4096] = "";

	CHECK(slots > 0);
	CHECK_EQ(port_cpu_slots(), slots);
	CHECK(sched_getcpu() < (int)slots);
	CHECK(sysconf(_SC_NPROCESSORS_CONF) <= (long)slots);
	if (f == NULL)
		SKIP("no list of possible CPUs");
	REQUIRE(fgets(line, sizeof line, f) != NULL);
	for (char *at = line; at != NULL; at = strpbrk(at, ",-")) {
		at += *at == ',' || *at == '-';
		CHECK(strtoul(at, NULL, 10) < slots);
	}
	fclose(f);
}

/* A mask of one CPU must not shrink the array that all of them index. */
TEST(slots_do_not_follow_the_affinity)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		SKIP("may not set the affinity");
	CHECK(port_cpu_slots() >= (unsigned)sysconf(_SC_NPROCESSORS_CONF));
}

/* Written from the rule anew: what the kernel and libc together offer. */
static enum port_rseq_kind
expected_kind(void)
{
	unsigned long feature = getauxval(27);

	if (&__rseq_size == NULL || __rseq_size == 0 ||
	    read_int(__rseq_offset + 4) < 0)
		return PORT_RSEQ_NONE;
	if (__rseq_size > 32)
		return PORT_RSEQ_CID;
	if (__rseq_size == 20 || __rseq_size == 32)
		return feature >= 28 ? PORT_RSEQ_CID : PORT_RSEQ_CPU;
	return __rseq_size >= 28 ? PORT_RSEQ_CID : PORT_RSEQ_CPU;
}

TEST(kind_and_offsets)
{
	intptr_t area = 0, index = 0;
	enum port_rseq_kind kind = port_rseq(&area, &index);

	CHECK_EQ(kind, expected_kind());
	if (kind == PORT_RSEQ_NONE)
		SKIP("no restartable sequences here");
	CHECK_EQ(area, __rseq_offset);
	CHECK_EQ(index - area, kind == PORT_RSEQ_CID ? 24 : 4);
	CHECK(read_int(index) >= 0);
	CHECK(read_int(index) < (int32_t)port_cpu_slots());
	CHECK(port_rseq_live());
	CHECK(port_rseq_barrier());
}

static void *
index_while_others_live(void *arg)
{
	pthread_barrier_t *all_here = arg;
	intptr_t area, index;

	CHECK(port_rseq(&area, &index) != PORT_RSEQ_NONE);
	CHECK(port_rseq_live());
	for (int i = 0; i < 1000; i++)
		CHECK((uint32_t)read_int(index) < port_cpu_slots());
	pthread_barrier_wait(all_here);
	return NULL;
}

TEST(every_thread_has_an_index)
{
	pthread_barrier_t all_here;
	pthread_t threads[8];
	intptr_t area, index;

	if (port_rseq(&area, &index) == PORT_RSEQ_NONE)
		SKIP("no restartable sequences here");
	pthread_barrier_init(&all_here, NULL, 8);
	for (int i = 0; i < 8; i++)
		REQUIRE(pthread_create(&threads[i], NULL,
			    index_while_others_live, &all_here) == 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

TEST(not_live_before_it_was_asked)
{
	CHECK(!port_rseq_live());
}

TEST(barrier_in_a_forked_child)
{
	intptr_t area, index;
	int status = 0;
	pid_t pid;

	if (port_rseq(&area, &index) == PORT_RSEQ_NONE)
		SKIP("no restartable sequences here");
	pid = fork();
	if (pid == 0) {
		bool good = port_rseq(&area, &index) != PORT_RSEQ_NONE &&
			    port_rseq_live() && port_rseq_barrier();

		_exit(good ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
}

static void *
none_in_a_thread(void *arg)
{
	intptr_t area, index;

	(void)arg;
	CHECK_EQ(port_rseq(&area, &index), PORT_RSEQ_NONE);
	CHECK_EQ(read_int(area + 4), -1);
	CHECK_EQ(read_int(index), 0);
	*(volatile uint64_t *)(void *)(self() + area + 8) = UINT64_MAX;
	return (void *)area;
}

/* What the hit reads and writes when nothing can be trusted. */
static void
check_none(void)
{
	intptr_t area, index;
	pthread_t thread;
	void *there = NULL;
	bool has_area = &__rseq_offset != NULL;

	CHECK_EQ(port_rseq(&area, &index), PORT_RSEQ_NONE);
	CHECK(!has_area || area != __rseq_offset);
	CHECK_EQ(read_int(area + 4), -1);
	CHECK_EQ(read_int(index), 0);
	CHECK(!port_rseq_live());
	CHECK(!port_rseq_selftest());
	*(volatile uint64_t *)(void *)(self() + area + 8) = 1;
	REQUIRE(pthread_create(&thread, NULL, none_in_a_thread, NULL) == 0);
	pthread_join(thread, &there);
	CHECK_EQ((intptr_t)there, area);
	CHECK(*(volatile uint64_t *)(void *)(self() + area + 8) == 1);
	CHECK_EQ(read_int(area + 4), -1);
}

static void *
lose_registration(void *arg)
{
	intptr_t area, index;

	(void)arg;
	CHECK(port_rseq_live());
	REQUIRE(unregister());
	CHECK(!port_rseq_live());
	CHECK_EQ(port_rseq(&area, &index), PORT_RSEQ_NONE);
	return NULL;
}

TEST(live_sees_a_lost_registration)
{
	intptr_t area, index;
	pthread_t thread;

	if (port_rseq(&area, &index) == PORT_RSEQ_NONE)
		SKIP("no restartable sequences here");
	REQUIRE(pthread_create(&thread, NULL, lose_registration, NULL) == 0);
	pthread_join(thread, NULL);
}

/* The C library was told not to register: the program starts itself so. */
TEST(without_rseq_harmless_memory)
{
	int status = 0;
	pid_t pid;

	if (getenv("WITHOUT_RSEQ") != NULL) {
		check_none();
		return;
	}
	pid = fork();
	if (pid == 0) {
		/* Its report is not part of this one. */
		dup2(STDERR_FILENO, STDOUT_FILENO);
		setenv("WITHOUT_RSEQ", "1", 1);
		setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
		execl("/proc/self/exe", "cpu", "without_rseq_harmless_memory",
		    "--no-fork", NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
}

#if ARCH_HAS_RSEQ

TEST_TIME(selftest_proves_aborts, 120)
{
	intptr_t area, index;

	if (port_rseq(&area, &index) == PORT_RSEQ_NONE)
		SKIP("no restartable sequences here");
	CHECK(port_rseq_selftest());
	CHECK(port_rseq_live());
}

struct watch {
	_Atomic uint32_t inside;
	_Atomic uint32_t word;
	_Atomic bool over;
	bool registered;
	bool saw;
};

/* One round without the kernel's protection must see the word change. */
static void *
watch_unprotected(void *arg)
{
	struct watch *w = arg;
	void *area = self() + __rseq_offset;

	w->registered = !unregister();
	for (int i = 0; i < 1000 && !w->saw && !w->registered; i++)
		w->saw = rseq_test_spin(area, &w->inside, &w->word, 1,
			     1 << 20) == RSEQ_TEST_SAW;
	atomic_store(&w->over, true);
	return NULL;
}

TEST_TIME(selftest_can_fail, 120)
{
	struct watch w = { 0 };
	intptr_t area, index;
	pthread_t thread;

	if (port_rseq(&area, &index) == PORT_RSEQ_NONE)
		SKIP("no restartable sequences here");
	REQUIRE(pthread_create(&thread, NULL, watch_unprotected, &w) == 0);
	while (atomic_load(&w.inside) == 0 && !atomic_load(&w.over))
		port_yield();
	CHECK(port_rseq_barrier());
	atomic_store(&w.word, 1);
	pthread_join(thread, NULL);
	REQUIRE(!w.registered);
	CHECK(w.saw);
}

#endif

TEST_MAIN
