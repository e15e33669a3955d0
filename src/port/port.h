/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port - all the core asks of the world
 *
 * A new system is one new folder that defines these functions and nothing
 * more.  Sizes are bytes; addresses and sizes of memory calls are multiples of
 * port_page_bytes().  No function sets errno (the Linux port saves it), calls
 * malloc, or calls back into the library.  All are safe in a signal handler,
 * but for those that say otherwise.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include "base/base.h"
#include "port/arch/arch.h"

/* ---- memory ---- */

/* The page size, a power of two from 4 KiB to 64 KiB. */
size_t port_page_bytes(void);

/*
 * Bytes the process may map, the least of its limits on addresses and on data;
 * SIZE_MAX for none.
 */
size_t port_map_limit(void);

/* Bytes of memory that the machine has; a guess will do. */
size_t port_memory_bytes(void);

/*
 * Reserve address space without access: costs no memory and no commit charge.
 *
 * Needs:    `align` a power of two.
 * Returns:  the range, aligned, or NULL.
 */
void *port_reserve(size_t bytes, size_t align);

/* Make part of a reservation readable and writable, zero-filled on demand. */
bool port_commit(void *addr, size_t bytes);

/* Reserve and commit in one step: fresh zeros.  NULL when refused. */
void *port_map(size_t bytes, size_t align);

/*
 * Let code be run in a range that can be read and written.
 *
 * Returns:  false with the range as it was; `refused` says whether this is
 *           not allowed, or only cannot be had now.
 */
bool port_execute(void *addr, size_t bytes, bool *refused);

/* Fresh zeros that can only be read.  Never charged as memory. */
void *port_zeros(size_t bytes, size_t align);

/* Give addresses back to the system: any page range of one or more mappings. */
void port_unmap(void *addr, size_t bytes);

/*
 * Change the size of a range got from port_map(), moving it when need be.
 * Needs:    `align` as for port_map(); kept across a move.
 * Returns:  the range at its new place, or NULL with the old one untouched.
 */
void *port_remap(void *addr, size_t old_bytes, size_t bytes, size_t align);

/* Back the range with physical pages now.  False when the system refuses. */
bool port_populate(void *addr, size_t bytes);

/*
 * Keep the addresses, drop the contents.  True: the range reads as zeros
 * afterwards.  False: it may hold anything.
 */
bool port_forget(void *addr, size_t bytes);

/* Whether every page of the range is mapped. */
bool port_mapped(const void *addr, size_t bytes);

/*
 * Ask for huge pages behind the range, or refuse them; a wish.  What is not
 * filled from one end to the other is better off without.
 */
void port_huge(void *addr, size_t bytes, bool wanted);

/* Name the range for the system's tools; a wish. */
void port_name(void *addr, size_t bytes, const char *name);

/* Label what the library has mapped: it has that name, and small pages. */
static inline void
port_label(void *addr, size_t bytes, const char *name)
{
	port_huge(addr, bytes, false);
	port_name(addr, bytes, name);
}

/* ---- backing objects ---- */

/* Duplicate the descriptor if its file holds offset + bytes; else -1. */
int port_object_hold(int fd, uint64_t offset, size_t bytes);

/* Map a range of an object, shared; NULL when refused. */
void *port_object_map(int fd, uint64_t offset, size_t bytes, size_t align);

void port_object_drop(int fd);

/* ---- threads ---- */

struct slab;
struct keg_work;

/*
 * What the library keeps of a thread.  Zero when a thread starts.  Only the
 * thread itself, and signal handlers on top of it, read or write it.
 */
struct port_self {
	unsigned gate;  /* lock room: where this thread stands, see lock.h */
	unsigned forks; /* lock room: forks this thread has under way */
	unsigned edges; /* lock room: those that begin or end just now */
	int32_t others; /* lock room: of its cell, as it came in */
	/* keg room: slabs in its hand, and what it has under way. */
	struct slab *leaving;
	struct keg_work *work;
	unsigned mediums; /* heap room: blocks taken */
	/* Of hostile builds: see config.h. */
	uint32_t owns;     /* zone room */
	unsigned supplies; /* supply room */
	unsigned trusts;   /* supply room: see supply_trust() */
};

struct port_self *port_self(void);

/*
 * A number of this thread: even and not 0, the same for its whole life, of no
 * other living thread, below 2^47.
 */
uintptr_t port_thread_id(void);

/*
 * Sleep while *word == expected, at most `timeout_ns` (0: no limit).
 *
 * Returns:  false when that time was up.
 */
bool port_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns);

/* Wake up to `count` threads that sleep on `word`. */
void port_wake(_Atomic uint32_t *word, int count);

/* Let other threads run. */
void port_yield(void);

/* Sleep for about so long. */
void port_sleep(uint64_t ns);

/*
 * Wait a turn for a thread that is done soon.  After many it sleeps: one of a
 * real-time class never yields to a thread of a lower priority on its CPU.
 */
static inline void
port_give_way(unsigned *turns)
{
	if (++*turns <= 64)
		port_yield();
	else
		port_sleep(50000);
}

/* A clock that never goes back. */
uint64_t port_now_ns(void);

/* The same clock, some milliseconds behind, for a fraction of the time. */
uint64_t port_tick_ns(void);

/*
 * Call these around every fork, the three in the usual places.  Once.
 * Not for signal handlers.
 */
void port_at_fork(
    void (*prepare)(void), void (*parent)(void), void (*child)(void));

/*
 * Call this when the process exits, before the destructors of those who were
 * loaded before now; a wish.  errno is left alone.  Not for signal handlers.
 */
void port_at_exit(void (*call)(void));

/* ---- CPUs ---- */

/* One more than the highest index a CPU of this system can ever have. */
unsigned port_cpu_slots(void);

/* How many CPUs this process may use: 1 or more, at its start. */
unsigned port_cpu_count(void);

enum port_rseq_kind { PORT_RSEQ_NONE, PORT_RSEQ_CPU, PORT_RSEQ_CID };

/*
 * Whether restartable sequences can be had here, by a look;
 * port_rseq_selftest() says whether they can be trusted.
 *
 * `area` is the offset of the thread's struct rseq from the thread pointer,
 * `index` the offset of its 32-bit index (cpu_id or mm_cid).  With
 * PORT_RSEQ_NONE both are the offset of harmless memory of the thread, as the
 * hit writes a pointer to area + 8 even when it then misses.
 */
enum port_rseq_kind port_rseq(intptr_t *area, intptr_t *index);

/*
 * Whether sequences were seen to be aborted, by the barrier and by preemption:
 * a proof for tests and tools, in a few time slices.  False: not proved.
 * Starts threads, so it is not for signal handlers nor for start-up.
 */
bool port_rseq_selftest(void);

/*
 * Abort every restartable sequence that a thread of this process is in, and
 * order memory between all of them and the caller.  False: not possible.
 */
bool port_rseq_barrier(void);

/* Whether this thread's sequences are protected now (it may change). */
bool port_rseq_live(void);

/* ---- tools that watch memory ---- */

/* Who runs this process, or was built into it; no two of them go together. */
enum port_tool {
	PORT_TOOL_NONE,
	PORT_TOOL_VALGRIND,
	PORT_TOOL_ADDRESS, /* the sanitizers, by what they watch */
	PORT_TOOL_MEMORY,
	PORT_TOOL_THREAD,
};

/* Look for one.  Until this was called the functions below do nothing. */
enum port_tool port_tool(void);

/* What a range is to the tool from now on; see watch.h. */
enum port_mark { PORT_CLOSED, PORT_FRESH, PORT_KEPT };

void port_mark(void *addr, size_t bytes, enum port_mark mark);

/* Whether the byte is known to be closed. */
bool port_is_closed(const void *addr);

/*
 * What the caller has done comes before what a later port_order_after() of the
 * same address is followed by.  port_mark() of a range does both for its start:
 * closing is before, opening is after.
 */
void port_order_before(void *addr);
void port_order_after(void *addr);

/* Whether pointers in a range keep what they point to from being leaked. */
void port_root(void *addr, size_t bytes, bool is_root);

/*
 * Who has what, for reports of wrong frees and leaks.  Items that may lie in
 * memory of a malloc that the tool knows too belong to a pool, any address;
 * others to NULL.
 */
void port_pool_make(const void *pool, size_t gap);
void port_pool_end(const void *pool);
void port_pool_take(const void *pool, void *item, size_t bytes);
void port_pool_give(const void *pool, void *item);

/*
 * Have `tell` called after a report on an address; a wish.  It may print, and
 * must take no lock.
 */
void port_on_report(void (*tell)(const void *addr));

/* ---- the rest ---- */

/* The user's option string, or NULL.  NULL in privileged programs. */
const char *port_options(void);

/* Print to standard error, without waiting for a reader that is stuck. */
void port_print(const char *text, size_t bytes);

/* Write all of it to a descriptor; for statistics. */
void port_write(int fd, const char *text, size_t bytes);

/* End the process as a crash. */
_Noreturn void port_abort(void);

#endif /* PORT_PORT_H */
