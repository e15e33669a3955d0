/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * force.h - what the parent and the worker of the breakpoint test share
 *
 * The parent (force.c) traces the worker's first thread and stops it at any
 * instruction.  The worker says where it stands by a breakpoint of its own,
 * a checkpoint, with the phase beside it:
 *
 *	READY    the zone is prepared; the next call is the one under test
 *	HANDLED  in a signal handler, its work done
 *	DONE     the call under test has returned
 *	SETTLED  all is freed, counted and destroyed: the verdict is in
 *
 * Its second thread, the helper, is not traced: it acts on request while the
 * first one stands.
 */
#ifndef TESTS_RSEQ_FORCE_H
#define TESTS_RSEQ_FORCE_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

enum phase { READY = 1, HANDLED, DONE, SETTLED };

/* Which call is under test, on what sort of zone. */
enum scenario {
	ALLOC,
	ALLOC_ARG,
	ALLOC_ZERO,
	ALLOC_CTOR,
	ALLOC_MISS,    /* nothing cached, no bucket: owns the record */
	ALLOC_EMPTY,   /* nothing cached, an empty bucket of great age */
	ALLOC_INSTALL, /* owns the record to put a bucket in */
	FREE,
	FREE_ARG,
	FREE_DTOR,
	FREE_MISS,
	FAST_ALLOC, /* inlined into the worker: uma/fast.h */
	FAST_FREE,
	NEAR_ALLOC, /* linked into the worker; the others are the library's */
	NEAR_FREE,
	DESTROY, /* of a zone of one record, of great age: owns it */
	VM_ALLOC,
	VM_FREE,
	VM_FREE_BIG,
	VM_LIMITED_HAND,   /* fills the hand from the cache, after its own */
	VM_LIMITED_INSIDE, /* inside the gate, as a handler in a miss */
	MALLOC,
	MALLOC_MISS,
	CALLOC,
	ALIGNED,
	HEAP_ALLOC, /* what a hit of malloc that missed comes to */
	REALLOC_GROW,
	REALLOC_SHRINK,
	FREE_BLOCK,
	FREE_BLOCK_MISS,
	REALLOC_NONE,
	REALLOC_MOVE, /* the push, after the counter of large blocks */
	TYPED_ALLOC,
	TYPED_ALLOC_COUNT, /* the counter, after the block */
	TYPED_FREE,
	TYPED_FREE_COUNT,
	TYPED_CLASS, /* a type's first block of its size: counts apart */
	TYPED_FIRST, /* a type's first block: owns the counter */
	TYPED_LARGE, /* the counter, after the heap's */
	TYPED_FREE_LARGE,
	SCENARIOS,
};

/* What happens while the first thread stands. */
enum action {
	NOTHING,
	SIGNAL,
	MIGRATE,
	POP,
	PUSH,
	MISS,
	RECLAIM,
	BARRIER,
	UNREGISTER,
	INJECT,
	FORK,
	ACTIONS,
};

struct shared {
	/* Set by the parent. */
	enum scenario scenario;
	enum action action;   /* for the helper */
	int tried;            /* how often the call did not come by the stop */
	uintptr_t gate_enter; /* the library's functions */
	uintptr_t gate_leave;
	sem_t go;
	/* Set by the helper. */
	sem_t started;
	sem_t done;
	unsigned helper_index;
	long child_used; /* what a forked child found in users' hands */
	bool child_destroyed;
	/* Set by the first thread. */
	enum phase phase;
	uintptr_t area;        /* its struct rseq */
	uintptr_t index;       /* its index there, see arch.h */
	uintptr_t system_call; /* `syscall; int3` */
	/* Set by all. */
	long broken;
	char why[128]; /* the first thing that was wrong */
};

#define AREA_BYTES 32
#define SIGNATURE  0x53053053

#endif /* TESTS_RSEQ_FORCE_H */
