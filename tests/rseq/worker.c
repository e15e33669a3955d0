/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker - the process that is stopped, see force.h
 *
 * usage: rseq_worker FD CPU	the shared structure, and where to run
 */
#define _GNU_SOURCE
/* First: it has parameters that are called as what items.h has. */
#include <uma/fast.h>

#include "items.h"

#include "hostile.h"
#include "library.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITEM_BYTES  64
#define BIG_BYTES   40000 /* slabs of more than one granule */
#define SMALL_BYTES 100
#define LARGE_BYTES 300000
#define STOCK       24
#define MANY        300
#define LIMIT       64                 /* of the limited zone */
#define IN_HAND     2                  /* of four, when it is prepared */
#define CACHED      (HOSTILE ? 4 : 12) /* within two buckets */

static void *stock[STOCK]; /* what the first thread may free */
static void *handler_item;
static void *helper_item;
static uma_zone_t other_zone; /* to be destroyed */
static void *large;           /* not in the ledger: it is not of the class */

extern char inject_system_call[];
__asm__(".globl inject_system_call\n"
	"inject_system_call:\n\tsyscall\n\tint3\n");

static void
checkpoint(enum phase phase)
{
	sh->phase = phase;
	__asm__ volatile("int3" ::: "memory");
}

static bool
is_limited(enum scenario s)
{
	return s == VM_LIMITED_HAND || s == VM_LIMITED_INSIDE;
}

/* ---- what the helper does ---- */

static unsigned
my_index(void)
{
	uintptr_t area =
	    (uintptr_t)__builtin_thread_pointer() + (uintptr_t)__rseq_offset;

	return *(volatile unsigned *)(area + (sh->index - sh->area));
}

static void
helper_miss(void)
{
	void *item[MANY];
	int n = 0;

	while (n < MANY && (item[n] = take_if_any(HELPER)) != NULL)
		n++;
	expect(n == MANY || is_limited(sh->scenario), "a miss failed");
	for (int i = 0; i < n; i++)
		give(item[i], HELPER);
}

/* In the child: everything but what was on its way when it was made. */
static void
child(void)
{
	long used;

	give_all();
	used = (long)(numbers().used_items - used_before);
	uma_reclaim();
	expect(numbers().cached_items == 0, "reclaim left items (child)");
	sh->child_destroyed = is_malloc || vm_zone != NULL
				  ? used == 0
				  : uma_zdestroy(zone, M_NOWAIT) == 0;
	sh->child_used = used;
	_exit(0);
}

static void
helper_fork(void)
{
	int status = 0;
	pid_t pid;

	sh->child_used = -1;
	pid = fork();
	if (pid == 0)
		child();
	expect(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0,
	    "the child died");
}

static void
act(enum action action)
{
	if (action == POP)
		take(HELPER);
	else if (action == PUSH)
		give(helper_item, HELPER);
	else if (action == MISS)
		helper_miss();
	else if (action == RECLAIM)
		uma_reclaim();
	else if (action == BARRIER)
		expect(syscall(SYS_membarrier,
			   MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0) == 0,
		    "membarrier");
	else if (action == FORK)
		helper_fork();
}

static void *
helper(void *arg)
{
	for (;;) {
		while (sem_wait(&sh->go) != 0)
			continue;
		sem_post(&sh->started);
		act(sh->action);
		sh->helper_index = my_index();
		sem_post(&sh->done);
	}
	return arg;
}

/* ---- what the first thread does in handlers ---- */

static void
on_signal(int signo)
{
	void *a = take(HANDLER);
	void *b = take(HANDLER);

	(void)signo;
	take(HANDLER);
	give(b, HANDLER);
	give(handler_item, FIRST);
	give(a, HANDLER);
	checkpoint(HANDLED);
}

static void
on_unregister(int signo)
{
	(void)signo;
	expect(syscall(SYS_rseq, sh->area, AREA_BYTES, 1, SIGNATURE) == 0,
	    "unregister");
	checkpoint(HANDLED);
}

static void
register_again(void)
{
	const volatile int *cpu_id = (volatile int *)(sh->area + 4);

	if (*cpu_id < 0)
		expect(
		    syscall(SYS_rseq, sh->area, AREA_BYTES, 0, SIGNATURE) == 0,
		    "register again");
}

/* ---- the call under test ---- */

static void
ctor(void *item, int size, void *arg)
{
	(void)item;
	(void)size;
	(void)arg;
}

static bool
is_push(enum scenario s)
{
	return s == FREE || s == FREE_ARG || s == FREE_DTOR || s == FREE_MISS ||
	       s == FAST_FREE || s == NEAR_FREE || s == FREE_BLOCK ||
	       s == FREE_BLOCK_MISS || s == REALLOC_NONE || s == REALLOC_MOVE ||
	       s == VM_FREE || s == VM_FREE_BIG || s == TYPED_FREE ||
	       s == TYPED_FREE_COUNT;
}

/* Whether the block under test is of the type of one use. */
static bool
is_fresh(enum scenario s)
{
	return s == TYPED_CLASS || s == TYPED_FIRST || s == TYPED_LARGE ||
	       s == TYPED_FREE_LARGE;
}

/* From 0 to 3, as by chance; 0 for the first try. */
static unsigned
out_of_step(void)
{
	return (unsigned)sh->tried * 0x9E3779B9u >> 30;
}

/* The zone, or the type, that this round is about. */
static void
make_zone(enum scenario s)
{
	bool callbacks = s == ALLOC_CTOR || s == FREE_DTOR;

	is_malloc = s >= MALLOC;
	is_typed = s >= TYPED_ALLOC;
	vm_zone = NULL;
	if (s == VM_ALLOC || s == VM_FREE || s == VM_FREE_BIG ||
	    is_limited(s)) {
		vm_zone = uma_vm_zinit("force",
		    s == VM_FREE_BIG ? BIG_BYTES : ITEM_BYTES,
		    is_limited(s) ? LIMIT : 0,
		    is_limited(s) ? ZONE_INTERRUPT : 0, 1);
		zone = vm_zone->zzone;
	} else if (!is_malloc)
		zone = uma_zcreate("force", ITEM_BYTES, callbacks ? ctor : NULL,
		    callbacks ? ctor : NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	if (s == DESTROY) {
		other_zone = uma_zcreate("other", ITEM_BYTES, NULL, NULL, NULL,
		    NULL, UMA_ALIGN_PTR, 0);
		uma_zfree(other_zone, uma_zalloc(other_zone, M_WAITOK));
	}
	if (is_fresh(s)) {
		memset(fresh, 0, sizeof fresh);
		fresh->ks_version = UMA_MALLOC_VERSION;
		fresh->ks_shortdesc = "fresh";
		uma_malloc_init(fresh);
	}
	if (is_fresh(s) && s != TYPED_FIRST)
		/* So that the counters are open on this CPU. */
		for (unsigned i = 0; i < 2 + out_of_step(); i++)
			uma_mfree(uma_malloc(s == TYPED_CLASS ? SMALL_BYTES
							      : LARGE_BYTES,
				      fresh, M_NOWAIT),
			    fresh);
}

/*
 * Not in step any more with a hostile library, which refuses memory, takes
 * records away and folds counters in patterns of its own.
 */
static void
break_step(void)
{
	for (unsigned n = out_of_step(); n > 0; n--) {
		void *item;

		uma_reclaim();
		item = take(FIRST);
		give(item, FIRST);
	}
	if (sh->tried / 2 % 2 != 0)
		free(malloc(LARGE_BYTES));
}

/*
 * Users have all, but for some in this CPU's cache and not enough in the hand:
 * as when a free found the hand full and went on to the cache, and others took
 * what was in the hand meanwhile.
 */
static void
make_short(void)
{
	void *item[LIMIT];
	int n = 0;

	while (n < LIMIT && (item[n] = take_if_any(FIRST)) != NULL)
		n++;
	for (int i = 0; i < IN_HAND; i++)
		give(item[i], FIRST);
	for (int i = IN_HAND; i < IN_HAND + CACHED; i++) {
		gives(item[i], FIRST);
		uma_zfree(zone, item[i]);
	}
}

/* The record at rest: has an item, and room for one. */
static void
prepare(enum scenario s)
{
	make_zone(s);
	break_step();
	used_before = numbers().used_items;
	for (int i = 0; i < STOCK; i++)
		stock[i] = take(FIRST);
	for (int i = STOCK / 2; i < STOCK; i++)
		give(stock[i], FIRST);
	helper_item = take(HELPER);
	handler_item = stock[0];
	if (is_push(s))
		take(FIRST);
	else
		give(stock[1], FIRST);
	if (s == ALLOC_MISS || s == ALLOC_INSTALL || s == FREE_MISS ||
	    s == MALLOC_MISS || s == FREE_BLOCK_MISS)
		uma_reclaim();
	while (s == ALLOC_EMPTY && numbers().cached_items != 0)
		take(FIRST);
	if (is_limited(s))
		make_short();
}

static struct library library;

static void
find_library(void)
{
	library = library_find();
	expect(library.zalloc != NULL && library.zalloc != uma_zalloc &&
		   library.zfree != NULL && library.zfree != uma_zfree,
	    "the library's hits are not to be found");
}

/* Functions, to be found by their names. */
static __attribute__((noinline)) void *
fast_alloc(void)
{
	return uma_fast_zalloc(zone, M_NOWAIT);
}

static __attribute__((noinline)) void
fast_free(void *item)
{
	uma_fast_zfree(zone, item);
}

/* Of an inner header: what malloc's hits come to when they miss. */
void *uma_heap_alloc(size_t bytes, int how);

static void *
call_alloc(enum scenario s, void *other)
{
	if (is_typed)
		return uma_malloc(
		    BLOCK_BYTES, is_fresh(s) ? fresh : uma_m_temp, M_NOWAIT);
	if (vm_zone != NULL)
		return uma_vm_zalloc(vm_zone);
	if (s == FAST_ALLOC)
		return fast_alloc();
	if (s == ALLOC_ARG)
		return uma_zalloc_arg(zone, &sh, M_NOWAIT);
	if (s == ALLOC_ZERO)
		return library.zalloc(zone, M_NOWAIT | M_ZERO);
	if (s == NEAR_ALLOC)
		return uma_zalloc(zone, M_NOWAIT);
	if (!is_malloc)
		return library.zalloc(zone, M_NOWAIT);
	if (s == CALLOC)
		return calloc(1, BLOCK_BYTES);
	if (s == ALIGNED)
		return aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	if (s == HEAP_ALLOC)
		return uma_heap_alloc(BLOCK_BYTES, 0);
	if (s == REALLOC_GROW || s == REALLOC_SHRINK)
		return realloc(other, BLOCK_BYTES);
	return malloc(BLOCK_BYTES);
}

/* Where locks may be taken, and another's fork waits until it is left. */
static void
enter_gate(void)
{
	bool (*enter)(void) = (bool (*)(void))sh->gate_enter;

	expect(enter(), "the gate is closed");
}

static void
leave_gate(void)
{
	void (*leave)(void) = (void (*)(void))sh->gate_leave;

	leave();
}

/* A hostile library may refuse once, after the section under test. */
static void
take_tested(enum scenario s, void *other)
{
	void *item = call_alloc(s, other);

	if (item == NULL && HOSTILE)
		item = call_alloc(s, other);
	took(item, FIRST);
	if (is_fresh(s))
		note_fresh(item);
}

static void
call_free(enum scenario s, void *item)
{
	if (is_typed)
		uma_mfree(item, uma_m_temp);
	else if (vm_zone != NULL)
		uma_vm_zfree(vm_zone, item);
	else if (s == FAST_FREE)
		fast_free(item);
	else if (s == FREE_ARG)
		uma_zfree_arg(zone, item, &sh);
	else if (s == NEAR_FREE)
		uma_zfree(zone, item);
	else if (!is_malloc)
		library.zfree(zone, item);
	else if (s == REALLOC_MOVE)
		large = realloc(item, LARGE_BYTES);
	else if (s == REALLOC_NONE)
		expect(realloc(item, 0) == NULL, "realloc to 0");
	else
		free(item);
}

/* A type's numbers, when `out` of its blocks, all of one size, are. */
static void
expect_type(struct malloc_type *type, long out, uint64_t bytes)
{
	struct uma_malloc_stats s = { .struct_bytes = sizeof s };

	uma_malloc_stats(type, &s);
	expect((long)s.in_use == out && s.allocs - s.frees == s.in_use,
	    "a type has lost count");
	expect(s.in_use_bytes == s.in_use * bytes &&
		   s.alloc_bytes - s.free_bytes == s.in_use_bytes,
	    "a type has lost bytes");
}

static void
settle_types(enum scenario s)
{
	long of_fresh = held_fresh();

	expect_type(uma_m_temp, held() - of_fresh, BLOCK_BYTES);
	if (is_fresh(s))
		expect_type(fresh, of_fresh, BLOCK_BYTES);
	give_all();
	expect_type(uma_m_temp, 0, BLOCK_BYTES);
	if (is_fresh(s)) {
		expect_type(fresh, 0, BLOCK_BYTES);
		uma_malloc_uninit(fresh);
	}
}

/* What the call left, or moved to, in large blocks. */
static void
put_large(enum scenario s)
{
	if (s == TYPED_LARGE) {
		expect_type(fresh, 1, uma_malloc_usable_size(large));
		uma_mfree(large, fresh);
	} else if (s != TYPED_FREE_LARGE)
		free(large);
	large = NULL;
}

static void
settle(enum scenario scenario)
{
	struct uma_zone_stats s;

	s = numbers();
	expect((long)(s.used_items - used_before) == held(), "used != held");
	if (is_typed)
		settle_types(scenario);
	else
		give_all();
	expect(numbers().used_items == used_before, "items are lost");
	uma_reclaim();
	s = numbers();
	expect(s.used_items == used_before, "items are lost by reclaim");
	expect(s.cached_items == 0, "reclaim left items");
	if (is_malloc)
		return;
	/* zinit()'s zones never give slabs back. */
	expect(s.slab_bytes == 0 || vm_zone != NULL,
	    "a slab never got all its items back");
	if (vm_zone != NULL)
		uma_vm_zdestroy(vm_zone);
	else
		expect(uma_zdestroy(zone, M_NOWAIT) == 0,
		    "destroy finds items out");
}

static void
run(enum scenario s)
{
	void *other = NULL;

	prepare(s);
	if (s == REALLOC_GROW)
		other = malloc(SMALL_BYTES);
	if (s == REALLOC_SHRINK)
		other = malloc(LARGE_BYTES);
	if (is_push(s))
		gives(stock[2], FIRST);
	if (s == TYPED_FREE_LARGE)
		large = uma_malloc(LARGE_BYTES, fresh, M_NOWAIT);
	if (s == VM_LIMITED_INSIDE)
		enter_gate();
	checkpoint(READY);
	if (s == TYPED_LARGE)
		large = uma_malloc(LARGE_BYTES, fresh, M_NOWAIT);
	else if (s == TYPED_FREE_LARGE)
		uma_mfree(large, fresh);
	else if (s == DESTROY)
		expect(uma_zdestroy(other_zone, M_NOWAIT) == 0,
		    "the other zone stays");
	else if (is_push(s))
		call_free(s, stock[2]);
	else
		take_tested(s, other);
	if (s == VM_LIMITED_INSIDE)
		leave_gate();
	checkpoint(DONE);
	register_again();
	put_large(s);
	settle(s);
	checkpoint(SETTLED);
}

static void
set_up(int fd, int cpu)
{
	struct sigaction on = { .sa_handler = on_signal };
	struct sigaction off = { .sa_handler = on_unregister };
	bool has_cid = getauxval(27) >= 28; /* AT_RSEQ_FEATURE_SIZE */
	cpu_set_t one;

	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (sh == MAP_FAILED || __rseq_size == 0)
		exit(2);
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
	sigaction(SIGUSR1, &on, NULL);
	sigaction(SIGUSR2, &off, NULL);
	sh->area =
	    (uintptr_t)__builtin_thread_pointer() + (uintptr_t)__rseq_offset;
	sh->index = sh->area + (has_cid ? 24 : 4);
	sh->system_call = (uintptr_t)inject_system_call;
}

int
main(int argc, char **argv)
{
	struct uma_stats s = { .struct_bytes = sizeof s };
	pthread_t t;

	if (argc != 3)
		return 2;
	set_up(atoi(argv[1]), atoi(argv[2]));
	find_library();
	uma_stats(&s);
	if (s.percpu_mode == 0)
		return 77;
	if (pthread_create(&t, NULL, helper, NULL) != 0)
		return 2;
	checkpoint(SETTLED);
	for (;;)
		run(sh->scenario);
}
