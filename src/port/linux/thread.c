/* SPDX-License-Identifier: BSD-2-Clause */
/* port/linux/thread.c - threads, waiting, clocks and fork */
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "port/port.h"

#include "port/linux/sys.h"

#define SECOND_NS 1000000000u

static struct timespec timespec_of(uint64_t ns);
static uint64_t later(uint64_t ns);

/*
 * Initial-exec on purpose.  The dynamic model asks __tls_get_addr(), which
 * may allocate, and this is asked inside malloc and in signal handlers.
 * It and cpu.c's have 72 bytes, which fit the space that the loader keeps for
 * libraries loaded late.
 */
static _Thread_local struct port_self self
    __attribute__((tls_model("initial-exec")));

/* See port.h. */
struct port_self *
port_self(void)
{
	return &self;
}

/*
 * See port.h.  User addresses have 48 bits on some machines, and thread
 * pointers are multiples of 16 at least.
 */
uintptr_t
port_thread_id(void)
{
	return (uintptr_t)__builtin_thread_pointer() >> 1;
}

/*
 * See port.h.  A deadline rather than a span, so that signals do not
 * lengthen the wait.  A wake ends it even if the word is unchanged.
 */
bool
port_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
	struct timespec deadline = timespec_of(later(timeout_ns));
	long answer;

	do {
		answer = sys_call6(SYS_futex, sys_arg(word),
		    FUTEX_WAIT_BITSET_PRIVATE, expected,
		    timeout_ns == 0 ? 0 : sys_arg(&deadline), 0,
		    FUTEX_BITSET_MATCH_ANY);
	} while (answer == -EINTR);
	return answer != -ETIMEDOUT;
}

/* See port.h. */
void
port_wake(_Atomic uint32_t *word, int count)
{
	sys_call(SYS_futex, sys_arg(word), FUTEX_WAKE_PRIVATE, count);
}

/* See port.h. */
void
port_yield(void)
{
	sys_call(SYS_sched_yield, 0, 0, 0);
}

/* See port.h. */
void
port_sleep(uint64_t ns)
{
	struct timespec deadline = timespec_of(later(ns));
	long answer;

	do {
		answer = sys_call6(SYS_clock_nanosleep, CLOCK_MONOTONIC,
		    TIMER_ABSTIME, sys_arg(&deadline), 0, 0, 0);
	} while (answer == -EINTR);
}

static uint64_t
read_clock(clockid_t clock)
{
	int error = errno;
	struct timespec now = { 0, 0 };

	clock_gettime(clock, &now);
	errno = error;
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* See port.h. */
uint64_t
port_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* See port.h. */
uint64_t
port_tick_ns(void)
{
	return read_clock(CLOCK_MONOTONIC_COARSE);
}

/*
 * See port.h.  glibc keeps the first 48 handlers of a process in a static
 * table and asks malloc for more room only then, which this library cannot
 * serve yet: it is asked before it wakes, so that no fork copies it half awake.
 * Going on without would hang a child some day.
 */
void
port_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	if (pthread_atfork(prepare, parent, child) != 0)
		uma_die("port", "no room for fork handlers", __func__);
}

/* See port.h. */
void
port_at_exit(void (*call)(void))
{
	int error = errno;

	(void)atexit(call);
	errno = error;
}

static struct timespec
timespec_of(uint64_t ns)
{
	struct timespec t;

	t.tv_sec = (time_t)(ns / SECOND_NS);
	t.tv_nsec = (long)(ns % SECOND_NS);
	return t;
}

/* The moment `ns` from now, or the last one there is. */
static uint64_t
later(uint64_t ns)
{
	uint64_t now = port_now_ns();

	return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}
