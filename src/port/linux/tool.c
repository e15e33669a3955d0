/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/linux/tool.c - valgrind and the sanitizers
 *
 * valgrind is spoken to by its client requests, which are instructions that do
 * nothing elsewhere.  A sanitizer is a library in the program: its functions
 * are there or they are not.  So one build of this library serves all of them,
 * and none; it need not be built for a sanitizer itself.
 */
#include "port/port.h"

#include <pthread.h>
#include <signal.h>

/* Client requests, by the numbers that valgrind gave them. */
enum {
	RUNNING = 0x1001,
	MALLOC_LIKE = 0x1301,
	FREE_LIKE = 0x1302,
	CREATE_POOL = 0x1303,
	DESTROY_POOL = 0x1304,
	POOL_ALLOC = 0x1305,
	POOL_FREE = 0x1306,
	MAKE_NOACCESS = 0x4d430000, /* 'M', 'C': memcheck's own */
	MAKE_UNDEFINED = 0x4d430001,
	MAKE_DEFINED = 0x4d430002,
	GET_VBITS = 0x4d430008,
	VBITS_NO_ACCESS = 3, /* an answer */
};

#define WEAK __attribute__((weak))

WEAK void __asan_poison_memory_region(const volatile void *, size_t);
WEAK void __asan_unpoison_memory_region(const volatile void *, size_t);
WEAK int __asan_address_is_poisoned(const volatile void *);
WEAK void *__asan_get_report_address(void);
WEAK void __asan_set_error_report_callback(void (*)(const char *));
WEAK void __lsan_register_root_region(const void *, size_t);
WEAK void __lsan_unregister_root_region(const void *, size_t);
WEAK void __msan_allocated_memory(const volatile void *, size_t);
WEAK void __msan_poison(const volatile void *, size_t);
WEAK void __msan_unpoison(const volatile void *, size_t);
WEAK void __tsan_acquire(void *);
WEAK void __tsan_release(void *);
WEAK void __tsan_write_range(void *, long);

static enum port_tool tool;
static void (*report_teller)(const void *addr);

static uintptr_t
request(uintptr_t what, const void *a, uintptr_t b, uintptr_t c)
{
	const uintptr_t words[6] = { what, (uintptr_t)a, b, c, 0, 0 };

	return arch_valgrind(words, 0);
}

/* See port.h.  Runtimes of before they could do this are as none. */
enum port_tool
port_tool(void)
{
	if (request(RUNNING, NULL, 0, 0) != 0)
		tool = PORT_TOOL_VALGRIND;
	else if (__asan_poison_memory_region != NULL)
		tool = PORT_TOOL_ADDRESS;
	else if (__msan_allocated_memory != NULL)
		tool = PORT_TOOL_MEMORY;
	else if (__tsan_acquire != NULL && __tsan_write_range != NULL)
		tool = PORT_TOOL_THREAD;
	return tool;
}

static void
mark_valgrind(void *addr, size_t bytes, enum port_mark mark)
{
	static const uintptr_t what[] = { MAKE_NOACCESS, MAKE_UNDEFINED,
		MAKE_DEFINED };

	(void)request(what[mark], addr, bytes, 0);
}

static void
mark_memory(void *addr, size_t bytes, enum port_mark mark)
{
	if (mark == PORT_CLOSED)
		__msan_poison(addr, bytes);
	else if (mark == PORT_FRESH)
		__msan_allocated_memory(addr, bytes);
	else
		__msan_unpoison(addr, bytes);
}

/* Its name stands in reports of a use that races with a free. */
__attribute__((noinline)) static void
item_freed(void *addr, size_t bytes)
{
	__tsan_write_range(addr, (long)bytes);
	__tsan_release(addr);
}

/* See port.h. */
void
port_mark(void *addr, size_t bytes, enum port_mark mark)
{
	if (tool == PORT_TOOL_VALGRIND)
		mark_valgrind(addr, bytes, mark);
	else if (tool == PORT_TOOL_ADDRESS && mark == PORT_CLOSED)
		__asan_poison_memory_region(addr, bytes);
	else if (tool == PORT_TOOL_ADDRESS)
		__asan_unpoison_memory_region(addr, bytes);
	else if (tool == PORT_TOOL_MEMORY)
		mark_memory(addr, bytes, mark);
	else if (tool == PORT_TOOL_THREAD && mark == PORT_CLOSED)
		item_freed(addr, bytes);
	else if (tool == PORT_TOOL_THREAD)
		__tsan_acquire(addr);
}

/* See port.h. */
bool
port_is_closed(const void *addr)
{
	unsigned char bits = 0;

	if (tool == PORT_TOOL_VALGRIND)
		return request(GET_VBITS, addr, (uintptr_t)&bits, 1) ==
		       VBITS_NO_ACCESS;
	return tool == PORT_TOOL_ADDRESS &&
	       __asan_address_is_poisoned(addr) != 0;
}

/* See port.h. */
void
port_order_before(void *addr)
{
	if (tool == PORT_TOOL_THREAD)
		__tsan_release(addr);
}

/* See port.h. */
void
port_order_after(void *addr)
{
	if (tool == PORT_TOOL_THREAD)
		__tsan_acquire(addr);
}

/*
 * See port.h.  memcheck takes all memory for roots that is no block.
 * LeakSanitizer has a lock around its list, and a handler that comes while
 * this thread holds it would wait for ever: none comes.
 */
void
port_root(void *addr, size_t bytes, bool is_root)
{
	sigset_t all, before;

	if (tool != PORT_TOOL_ADDRESS || __lsan_register_root_region == NULL)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (is_root)
		__lsan_register_root_region(addr, bytes);
	else
		__lsan_unregister_root_region(addr, bytes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* See port.h. */
void
port_pool_make(const void *pool, size_t gap)
{
	if (tool == PORT_TOOL_VALGRIND)
		(void)request(CREATE_POOL, pool, gap, 0);
}

/* See port.h. */
void
port_pool_end(const void *pool)
{
	if (tool == PORT_TOOL_VALGRIND)
		(void)request(DESTROY_POOL, pool, 0, 0);
}

/* See port.h. */
void
port_pool_take(const void *pool, void *item, size_t bytes)
{
	if (tool != PORT_TOOL_VALGRIND)
		return;
	if (pool != NULL)
		(void)request(POOL_ALLOC, pool, (uintptr_t)item, bytes);
	else
		(void)request(MALLOC_LIKE, item, bytes, 0);
}

/* See port.h. */
void
port_pool_give(const void *pool, void *item)
{
	if (tool != PORT_TOOL_VALGRIND)
		return;
	if (pool != NULL)
		(void)request(POOL_FREE, pool, (uintptr_t)item, 0);
	else
		(void)request(FREE_LIKE, item, 0, 0);
}

static void
after_report(const char *text)
{
	(void)text;
	report_teller(__asan_get_report_address());
}

/* See port.h. */
void
port_on_report(void (*tell)(const void *addr))
{
	report_teller = tell;
	if (tool == PORT_TOOL_ADDRESS &&
	    __asan_set_error_report_callback != NULL &&
	    __asan_get_report_address != NULL)
		__asan_set_error_report_callback(after_report);
}
