/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/linux/cpu.c - CPUs, and whether the kernel keeps its word on rseq
 *
 * Only glibc's registration is used: one area a thread is all there can be.
 * Nothing here writes to it but the pointer to a critical section.
 *
 * The start-up check is cheap: the thread is registered, the kernel is not
 * one known to break the promise, membarrier works.  To see a section
 * aborted takes a second thread, as a section must not enter the kernel by
 * itself and a thread's own membarrier or signal would be just that.  That
 * costs more than a process start may, so it is asked for:
 * port_rseq_selftest().
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <signal.h>
#include <sys/utsname.h>

#include "port/arch/rseq_test.h"
#include "port/port.h"

#include "port/linux/sys.h"

/*
 * From this release on, arm64 kernels let a section go on after preemption
 * on the same CPU, so that two threads commit at once.
 */
#define RELEASE(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#if defined(__aarch64__)
#define FIRST_BROKEN_RELEASE RELEASE(6, 19)
#else
#define FIRST_BROKEN_RELEASE UINT32_MAX
#endif

/* What glibc before 2.35 and other C libraries lack. */
extern const ptrdiff_t __rseq_offset;
extern const unsigned __rseq_size;
#pragma weak __rseq_offset
#pragma weak __rseq_size

/* The kernel's layout of the area. */
#define CPU_ID_OFFSET   4
#define SECTION_OFFSET  8 /* rseq_cs */
#define MM_CID_OFFSET   24
#define CPU_ID_FEATURES 20 /* the size of the first layout */
#define MM_CID_FEATURES 28
#define AREA_BYTES      32
#define AT_FEATURE_SIZE 27 /* AT_RSEQ_FEATURE_SIZE */

#define CPU_MASK_BYTES    8192
#define CPU_SLOTS_DEFAULT 1024

#define PROOF_SPINS    (1u << 20)
#define PROOF_NS       UINT64_C(10000000000)
#define PROOF_BARRIERS 16
#define PROOF_SLICES   4 /* each a time slice of a few ms */

/* What two threads of the self-test share. */
struct proof {
	_Atomic uint32_t inside; /* the last round that entered the section */
	_Atomic uint32_t word;   /* the last round that had to be aborted */
	_Atomic bool over;
	_Atomic bool proved;
	int cpu; /* both run there and preempt each other; -1: use barriers */
	uint32_t rounds;
	uint64_t deadline_ns;
};

static enum port_rseq_kind offered(void);
static unsigned feature_bytes(void);
static bool area_live(void);
static bool kernel_keeps_promise(void);
static uint32_t kernel_release(void);
static long membarrier(int command);
static bool prove(int cpu, uint32_t rounds);
static void *spinner(void *arg);
static void *disturber(void *arg);
static bool give_up(struct proof *p);
static bool stay_on(int cpu);

/*
 * What stands in for the area of a thread that has none we trust: no index
 * but 0, and a CPU id whose sign says no.  Its offset from the thread
 * pointer must be the same in all threads, hence initial-exec.
 */
static _Thread_local struct {
	uint32_t cpu_id_start;
	int32_t cpu_id;
	unsigned char rest[AREA_BYTES - 8];
} no_area
    __attribute__((tls_model("initial-exec"), aligned(8))) = { .cpu_id = -1 };

static _Atomic bool rseq_trusted;

/* CPUs that this process may use, when it was first asked. */
static _Atomic unsigned cpus_usable;

/*
 * See port.h.  The kernel says how many bytes a set of CPUs has for it: that
 * counts every CPU that can ever come, where files can be faked.
 */
unsigned
port_cpu_slots(void)
{
	static unsigned char mask[CPU_MASK_BYTES];
	static _Atomic unsigned known;
	unsigned slots = atomic_load_explicit(&known, memory_order_relaxed);
	unsigned usable = 0;
	long bytes = -EINVAL;

	if (slots != 0)
		return slots;
	for (long size = 128; bytes == -EINVAL && size <= CPU_MASK_BYTES;
	     size *= 2)
		bytes = sys_call(SYS_sched_getaffinity, 0, size, sys_arg(mask));
	slots = bytes > 0 ? (unsigned)bytes * 8 : CPU_SLOTS_DEFAULT;
	/* Racing callers write the same. */
	for (long i = 0; i < bytes; i++)
		usable += count_bits(mask[i]);
	atomic_store_explicit(
	    &cpus_usable, usable == 0 ? 1 : usable, memory_order_relaxed);
	atomic_store_explicit(&known, slots, memory_order_relaxed);
	return slots;
}

/* See port.h. */
unsigned
port_cpu_count(void)
{
	(void)port_cpu_slots();
	return atomic_load_explicit(&cpus_usable, memory_order_relaxed);
}

/* See port.h. */
enum port_rseq_kind
port_rseq(intptr_t *area, intptr_t *index)
{
	enum port_rseq_kind kind = offered();

	if (!area_live() || !kernel_keeps_promise() ||
	    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ) != 0)
		kind = PORT_RSEQ_NONE;
	atomic_store_explicit(
	    &rseq_trusted, kind != PORT_RSEQ_NONE, memory_order_relaxed);
	if (kind == PORT_RSEQ_NONE) {
		*area =
		    (intptr_t)&no_area - (intptr_t)__builtin_thread_pointer();
		*index = *area;
		return kind;
	}
	*area = __rseq_offset;
	*index =
	    *area + (kind == PORT_RSEQ_CID ? MM_CID_OFFSET : CPU_ID_OFFSET);
	return kind;
}

/* See port.h. */
bool
port_rseq_barrier(void)
{
	return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ) == 0;
}

/* See port.h. */
bool
port_rseq_live(void)
{
	return atomic_load_explicit(&rseq_trusted, memory_order_relaxed) &&
	       area_live();
}

/* See port.h. */
bool
port_rseq_selftest(void)
{
	int error = errno;
	intptr_t area, index;
	unsigned cpu = 0;
	bool proved;

	if (port_rseq(&area, &index) == PORT_RSEQ_NONE ||
	    sys_call(SYS_getcpu, sys_arg(&cpu), 0, 0) != 0)
		return false;
	proved = prove(-1, PROOF_BARRIERS) && prove((int)cpu, PROOF_SLICES);
	/* The library that makes threads may have set it. */
	errno = error;
	return proved;
}

/* What the C library and the kernel together have to offer. */
static enum port_rseq_kind
offered(void)
{
	unsigned bytes = feature_bytes();

	if (bytes >= MM_CID_FEATURES)
		return PORT_RSEQ_CID;
	if (&__rseq_size != NULL && __rseq_size >= CPU_ID_FEATURES)
		return PORT_RSEQ_CPU;
	return PORT_RSEQ_NONE;
}

/*
 * The bytes of the area that the kernel keeps up to date.  C libraries that
 * say 20 or 32 mean the first layout but register all 32 bytes, and there
 * the kernel may know better.
 */
static unsigned
feature_bytes(void)
{
	if (&__rseq_size == NULL)
		return 0;
	if (__rseq_size == CPU_ID_FEATURES || __rseq_size == AREA_BYTES)
		return (unsigned)min_size(sys_aux(AT_FEATURE_SIZE), AREA_BYTES);
	return __rseq_size;
}

/* Whether this thread is registered: libraries can undo it at any time. */
static bool
area_live(void)
{
	const char *tp = __builtin_thread_pointer();
	const volatile int32_t *cpu_id;

	if (&__rseq_offset == NULL || &__rseq_size == NULL || __rseq_size == 0)
		return false;
	cpu_id = (const volatile void *)(tp + __rseq_offset + CPU_ID_OFFSET);
	return *cpu_id >= 0;
}

static bool
kernel_keeps_promise(void)
{
	return FIRST_BROKEN_RELEASE == UINT32_MAX ||
	       kernel_release() < FIRST_BROKEN_RELEASE;
}

/* The running kernel as RELEASE(major, minor); the worst if it won't say. */
static uint32_t
kernel_release(void)
{
	struct utsname name;
	uint32_t number[2] = { 0, 0 };
	const char *at = name.release;

	if (sys_call(SYS_uname, sys_arg(&name), 0, 0) != 0)
		return UINT32_MAX;
	for (int i = 0; i < 2; i++, at++) {
		while (*at >= '0' && *at <= '9')
			number[i] = number[i] * 10 + (uint32_t)(*at++ - '0');
		if (*at != '.')
			break;
	}
	return RELEASE(number[0], number[1]);
}

static long
membarrier(int command)
{
	return sys_call(SYS_membarrier, command, 0, 0);
}

/*
 * Run a spinner and a disturber for some rounds.  With `cpu` given both are
 * tied to it: the disturber runs only when the spinner was preempted.
 */
static bool
prove(int cpu, uint32_t rounds)
{
	struct proof p = { .cpu = cpu,
		.rounds = rounds,
		.deadline_ns = port_now_ns() + PROOF_NS };
	sigset_t all, before;
	pthread_t a, b;
	bool both;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	both = pthread_create(&a, NULL, spinner, &p) == 0;
	if (both && pthread_create(&b, NULL, disturber, &p) != 0) {
		atomic_store_explicit(&p.over, true, memory_order_seq_cst);
		pthread_join(a, NULL);
		both = false;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!both)
		return false;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	return atomic_load_explicit(&p.proved, memory_order_seq_cst);
}

/*
 * Spin in the section until every round was aborted.  An abort before the
 * section said that it was entered counts for nothing, and a round in which
 * nothing happened is not used again: the disturber may answer it late.
 */
static void *
spinner(void *arg)
{
	struct proof *p = arg;
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	volatile uint64_t *section = (void *)(area + SECTION_OFFSET);
	bool tied = stay_on(p->cpu);
	uint32_t aborted = 0;
	uint32_t round = 1;

	while (tied && area_live() && !give_up(p)) {
		enum rseq_test_end end = rseq_test_spin(
		    area, &p->inside, &p->word, round, PROOF_SPINS);

		*section = 0;
		if (end == RSEQ_TEST_SAW)
			break;
		if (atomic_load_explicit(&p->inside, memory_order_seq_cst) !=
		    round)
			continue;
		round++;
		aborted += end == RSEQ_TEST_ABORTED;
		if (aborted == p->rounds) {
			atomic_store_explicit(
			    &p->proved, true, memory_order_seq_cst);
			break;
		}
	}
	atomic_store_explicit(&p->over, true, memory_order_seq_cst);
	return NULL;
}

/* Have the section aborted, and only then change the word it watches. */
static void *
disturber(void *arg)
{
	struct proof *p = arg;
	bool tied = stay_on(p->cpu);

	while (tied && !give_up(p)) {
		uint32_t round =
		    atomic_load_explicit(&p->inside, memory_order_seq_cst);

		if (round ==
		    atomic_load_explicit(&p->word, memory_order_seq_cst)) {
			port_yield();
			continue;
		}
		if (p->cpu < 0 && !port_rseq_barrier())
			break;
		atomic_store_explicit(&p->word, round, memory_order_seq_cst);
	}
	atomic_store_explicit(&p->over, true, memory_order_seq_cst);
	return NULL;
}

static bool
give_up(struct proof *p)
{
	return atomic_load_explicit(&p->over, memory_order_seq_cst) ||
	       port_now_ns() > p->deadline_ns;
}

/* Tie this thread to a CPU; a negative one means any. */
static bool
stay_on(int cpu)
{
	uint64_t mask[CPU_MASK_BYTES / 8] = { 0 };

	if (cpu < 0)
		return true;
	if ((unsigned)cpu >= CPU_MASK_BYTES * 8)
		return false;
	mask[cpu / 64] |= UINT64_C(1) << cpu % 64;
	return sys_call(
		   SYS_sched_setaffinity, 0, sizeof(mask), sys_arg(mask)) == 0;
}
