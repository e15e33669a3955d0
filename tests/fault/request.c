/* SPDX-License-Identifier: BSD-2-Clause */
/* The wrappers: see request.h. */
#include "fault/request.h"

#include <string.h>

#include "port/port.h"

/*
 * Without the barrier no record of another CPU can be emptied, and destroy
 * has no way to say so: it tries until it can.
 */
enum { BARRIERS_REFUSED_MAX = 3 };

struct request_log request_log;

/* The objects mapped last, in a ring. */
static struct {
	uintptr_t start;
	size_t bytes;
} objects[REQUEST_OBJECTS];
static unsigned object_count;

/* What the linker makes of the names. */
void *__real_port_reserve(size_t bytes, size_t align);
void *__wrap_port_reserve(size_t bytes, size_t align);
bool __real_port_commit(void *addr, size_t bytes);
bool __wrap_port_commit(void *addr, size_t bytes);
void *__real_port_map(size_t bytes, size_t align);
void *__wrap_port_map(size_t bytes, size_t align);
void *__real_port_zeros(size_t bytes, size_t align);
void *__wrap_port_zeros(size_t bytes, size_t align);
void __real_port_unmap(void *addr, size_t bytes);
void __wrap_port_unmap(void *addr, size_t bytes);
void *__real_port_remap(
    void *addr, size_t old_bytes, size_t bytes, size_t align);
void *__wrap_port_remap(
    void *addr, size_t old_bytes, size_t bytes, size_t align);
bool __real_port_populate(void *addr, size_t bytes);
bool __wrap_port_populate(void *addr, size_t bytes);
bool __real_port_forget(void *addr, size_t bytes);
bool __wrap_port_forget(void *addr, size_t bytes);
bool __real_port_mapped(const void *addr, size_t bytes);
bool __wrap_port_mapped(const void *addr, size_t bytes);
int __real_port_object_hold(int fd, uint64_t offset, size_t bytes);
int __wrap_port_object_hold(int fd, uint64_t offset, size_t bytes);
void *__real_port_object_map(
    int fd, uint64_t offset, size_t bytes, size_t align);
void *__wrap_port_object_map(
    int fd, uint64_t offset, size_t bytes, size_t align);
bool __wrap_supply_look_due(void);
bool __real_port_rseq_barrier(void);
bool __wrap_port_rseq_barrier(void);

/* Else time would decide, and each run have other requests. */
bool
__wrap_supply_look_due(void)
{
	return request_log.looks;
}

/* Whether the request that is made now is to be refused. */
static bool
refuse(const char *name)
{
	/* relaxed: threads may count at once; one alone is refused. */
	unsigned number =
	    __atomic_add_fetch(&request_log.count, 1, __ATOMIC_RELAXED);
	bool yes = request_log.from != 0 && number >= request_log.from &&
		   (request_log.to == 0 || number <= request_log.to);

	for (int i = 0; i < REQUEST_PLANS; i++)
		yes = yes || number == request_log.plan[i];
	if (yes) {
		request_log.refused++;
		if (request_log.last != NULL)
			strncpy(request_log.last, name + strlen("__wrap_"),
			    REQUEST_NAME_BYTES - 1);
	}
	return yes;
}

/* The port's own steps on the way are counted as a whole. */
static bool nested;

static void
count_pages(const void *got, size_t bytes)
{
	if (got != NULL && !nested)
		(void)__atomic_add_fetch(&request_log.pages,
		    (long)(bytes / port_page_bytes()), __ATOMIC_RELAXED);
}

void *
__wrap_port_reserve(size_t bytes, size_t align)
{
	void *got = NULL;

	if (!refuse(__func__) && !request_log.no_more)
		got = __real_port_reserve(bytes, align);

	count_pages(got, bytes);
	return got;
}

bool
__wrap_port_commit(void *addr, size_t bytes)
{
	return !refuse(__func__) && __real_port_commit(addr, bytes);
}

void *
__wrap_port_map(size_t bytes, size_t align)
{
	void *got = refuse(__func__) ? NULL : __real_port_map(bytes, align);

	count_pages(got, bytes);
	return got;
}

void *
__wrap_port_zeros(size_t bytes, size_t align)
{
	void *got = refuse(__func__) ? NULL : __real_port_zeros(bytes, align);

	count_pages(got, bytes);
	return got;
}

void
__wrap_port_unmap(void *addr, size_t bytes)
{
	if (!nested)
		request_log.pages -= (long)(bytes / port_page_bytes());
	__real_port_unmap(addr, bytes);
}

void *
__wrap_port_remap(void *addr, size_t old_bytes, size_t bytes, size_t align)
{
	void *got = NULL;

	if (refuse(__func__))
		return NULL;
	nested = true;
	got = __real_port_remap(addr, old_bytes, bytes, align);
	nested = false;
	if (got != NULL)
		request_log.pages += (long)(bytes / port_page_bytes()) -
				     (long)(old_bytes / port_page_bytes());
	return got;
}

bool
__wrap_port_populate(void *addr, size_t bytes)
{
	return !refuse(__func__) && __real_port_populate(addr, bytes);
}

bool
__wrap_port_forget(void *addr, size_t bytes)
{
	return !refuse(__func__) && __real_port_forget(addr, bytes);
}

bool
__wrap_port_mapped(const void *addr, size_t bytes)
{
	return !refuse(__func__) && __real_port_mapped(addr, bytes);
}

int
__wrap_port_object_hold(int fd, uint64_t offset, size_t bytes)
{
	return refuse(__func__) ? -1
				: __real_port_object_hold(fd, offset, bytes);
}

void *
__wrap_port_object_map(int fd, uint64_t offset, size_t bytes, size_t align)
{
	void *got;

	if (refuse(__func__))
		return NULL;
	nested = true;
	got = __real_port_object_map(fd, offset, bytes, align);
	nested = false;
	count_pages(got, bytes);
	if (got != NULL) {
		unsigned i = object_count++ % REQUEST_OBJECTS;

		objects[i].start = (uintptr_t)got;
		objects[i].bytes = bytes;
	}
	return got;
}

bool
request_in_object(const void *start, size_t bytes)
{
	for (unsigned i = 0; i < REQUEST_OBJECTS; i++)
		if ((uintptr_t)start >= objects[i].start &&
		    (uintptr_t)start + bytes <=
			objects[i].start + objects[i].bytes)
			return true;
	return false;
}

bool
__wrap_port_rseq_barrier(void)
{
	static unsigned in_a_row;

	if (in_a_row < BARRIERS_REFUSED_MAX && refuse(__func__)) {
		in_a_row++;
		return false;
	}
	in_a_row = 0;
	return __real_port_rseq_barrier();
}
