/* SPDX-License-Identifier: BSD-2-Clause */
/* port/linux/object.c - memory behind a descriptor */
#include <fcntl.h>
#include <linux/mman.h>
#include <sys/stat.h>

#include "port/port.h"

#include "port/linux/sys.h"

#define FIRST_FREE_FD 3
#define PLACE_TRIES   16

static bool holds(int fd, uint64_t offset, size_t bytes);
static int dup_above_standard(int fd);
static void *map_at(
    uintptr_t hint, int fd, uint64_t offset, size_t bytes, size_t align);

/* See port.h.  The copy is examined: `fd` may be closed meanwhile. */
int
port_object_hold(int fd, uint64_t offset, size_t bytes)
{
	int copy = dup_above_standard(fd);

	if (copy >= 0 && !holds(copy, offset, bytes)) {
		port_object_drop(copy);
		return -1;
	}
	return copy;
}

/*
 * See port.h.  A place found aligned is given as a hint after it was freed:
 * another thread may be faster, and then it is tried again.
 */
void *
port_object_map(int fd, uint64_t offset, size_t bytes, size_t align)
{
	void *range = map_at(0, fd, offset, bytes, align);

	for (int i = 0; range == NULL && i < PLACE_TRIES; i++) {
		void *place = port_reserve(bytes, align);

		if (place == NULL)
			return NULL;
		port_unmap(place, bytes);
		range = map_at((uintptr_t)place, fd, offset, bytes, align);
	}
	if (range != NULL)
		atomic_store_explicit(
		    &linux_objects_mapped, true, memory_order_relaxed);
	return range;
}

/* See port.h. */
void
port_object_drop(int fd)
{
	sys_call(SYS_close, fd, 0, 0);
}

/* Only a regular file, which a memfd and a file of huge pages are, can say. */
static bool
holds(int fd, uint64_t offset, size_t bytes)
{
	int error = errno;
	struct stat status = { 0 }; /* MemorySanitizer knows not all fstats */
	bool known = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
		     status.st_size >= 0;

	errno = error;
	return known && bytes <= UINT64_MAX - offset &&
	       offset + bytes <= (uint64_t)status.st_size;
}

static int
dup_above_standard(int fd)
{
	long copy = sys_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

	return copy < 0 ? -1 : (int)copy;
}

static void *
map_at(uintptr_t hint, int fd, uint64_t offset, size_t bytes, size_t align)
{
	long place = sys_call6(SYS_mmap, (long)hint, (long)bytes,
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, (long)offset);

	if ((unsigned long)place > -4096ul)
		return NULL;
	if (((uintptr_t)place & (align - 1)) == 0)
		return (void *)place;
	port_unmap((void *)place, bytes);
	return NULL;
}
