/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/sim/memory.c - addresses, the pages behind them, and what was there
 *
 * Addresses are given out once and never again, so that fresh memory is zeros
 * without work, and memory that was given back is known for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "port/sim/inner.h"

#define ARENA_BYTES ((size_t)64 << 30)
#define PAGES       (ARENA_BYTES / PAGE)
#define NOTES_BYTES ((size_t)4 << 30)

enum { UNMAPPED, READABLE, WRITABLE };

/* What eight bytes or fewer were. */
struct note {
	char *at;
	size_t bytes;
	uint64_t was;
};

/* What sim_rewind() sets back beside what the notes say. */
struct mark {
	uintptr_t at; /* of the arena, from here on unused */
	uint64_t clock;
};

static struct {
	struct mark now;
	struct mark mark;
	unsigned char *pages; /* what each page is */
	struct note *notes;
	size_t noted;
	bool noting;
	uint16_t *writers; /* 1 + the CPU that wrote each line last */
	uint16_t *static_writers;
} memory;

/* The program's own variables. */
extern char __data_start[], _end[];

static void *
table(size_t bytes)
{
	void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (place == MAP_FAILED) {
		perror("sim: no address space");
		_Exit(2);
	}
	return place;
}

/* See inner.h. */
void
sim_memory_build(void)
{
	void *arena = mmap((void *)ARENA_AT, ARENA_BYTES,
	    PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
	    -1, 0);

	if (arena != (void *)ARENA_AT) {
		perror("sim: no address space");
		_Exit(2);
	}
	memory.now.at = ARENA_AT;
	memory.pages = table(PAGES);
	memory.notes = table(NOTES_BYTES);
}

/* ---- what was there ---- */

/* See sim.h. */
void
sim_mark(void)
{
	memory.now.clock = sim.clock;
	memory.mark = memory.now;
	memory.noted = 0;
	memory.noting = true;
}

/* See sim.h. */
void
sim_rewind(void)
{
	while (memory.noted != 0) {
		struct note n = memory.notes[--memory.noted];

		memcpy(n.at, &n.was, n.bytes);
	}
	memory.now = memory.mark;
	sim.clock = memory.now.clock;
}

/* See inner.h. */
void
sim_note(const void *address, size_t bytes)
{
	char *from = (char *)(uintptr_t)address;

	while (memory.noting && bytes != 0) {
		size_t part = min_size(bytes, sizeof(uint64_t));
		struct note *n = &memory.notes[memory.noted++];

		if (memory.noted == NOTES_BYTES / sizeof(*n))
			sim_fail("the run writes too much to be undone");
		n->at = from;
		n->bytes = part;
		memcpy(&n->was, from, part);
		from += part;
		bytes -= part;
	}
}

/* See sim.h. */
void
sim_write(uint64_t *word, uint64_t value)
{
	sim_note(word, sizeof(*word));
	*word = value;
}

/* ---- accesses ---- */

/* See sim.h. */
void
sim_count(void)
{
	if (memory.writers == NULL) {
		memory.writers =
		    table(ARENA_BYTES / CACHE_LINE * sizeof(uint16_t));
		memory.static_writers =
		    table(((size_t)(_end - __data_start) / CACHE_LINE + 2) *
			  sizeof(uint16_t));
	}
	sim.counts = (struct sim_counts){ 0 };
	sim.counting = true;
}

/* See sim.h. */
void
sim_counts(struct sim_counts *counts)
{
	*counts = sim.counts;
}

static unsigned
domain_of(unsigned cpu)
{
	return cpu * sim.machine.domains / sim.machine.cpus;
}

static void
count(uintptr_t at, bool write)
{
	unsigned cpu = sim.thread->cpu;
	uint16_t *writer;

	if (at - ARENA_AT < ARENA_BYTES)
		writer = &memory.writers[(at - ARENA_AT) / CACHE_LINE];
	else if (at - (uintptr_t)__data_start <
		 (uintptr_t)(_end - __data_start))
		writer =
		    &memory
			 .static_writers[at / CACHE_LINE -
					 (uintptr_t)__data_start / CACHE_LINE];
	else
		return;
	sim.counts.accesses++;
	if (*writer != 0 && *writer != cpu + 1) {
		sim.counts.shared++;
		sim.counts.remote += domain_of(*writer - 1u) != domain_of(cpu);
	}
	if (write)
		*writer = (uint16_t)(cpu + 1);
}

/* See inner.h. */
void
sim_access(const void *address, size_t bytes, bool write)
{
	uintptr_t at = (uintptr_t)address;

	if (at - ARENA_AT < ARENA_BYTES &&
	    memory.pages[(at - ARENA_AT) / PAGE] <
		(write ? WRITABLE : READABLE) &&
	    sim.thread != NULL)
		sim_fail("an access to memory that is not mapped");
	if (write) {
		sim.epoch++;
		sim_note(address, bytes);
	}
	if (unlikely(sim.counting) && sim.thread != NULL)
		count(at, write);
}

/* ---- port.h: memory ---- */

static size_t
page_of(const void *address)
{
	return ((uintptr_t)address - ARENA_AT) / PAGE;
}

static void
set_pages(const void *address, size_t bytes, int what)
{
	unsigned char *first = &memory.pages[page_of(address)];

	sim_note(first, div_up(bytes, PAGE));
	memset(first, what, div_up(bytes, PAGE));
}

static void *
take(size_t bytes, size_t align)
{
	uintptr_t at = round_up(memory.now.at, max_size(align, PAGE));

	if (bytes > ARENA_BYTES || at - ARENA_AT > ARENA_BYTES - bytes)
		return NULL;
	memory.now.at = at + round_up(bytes, PAGE);
	return (void *)at;
}

/* See port.h. */
size_t
port_page_bytes(void)
{
	return PAGE;
}

/* See port.h. */
size_t
port_map_limit(void)
{
	return SIZE_MAX;
}

/* See port.h.  Much less than there is, so that some lies outside windows. */
size_t
port_memory_bytes(void)
{
	return (size_t)1 << 30;
}

/* See port.h. */
void *
port_reserve(size_t bytes, size_t align)
{
	return sim_point(POINT_MAY_FAIL) ? NULL : take(bytes, align);
}

/* See port.h. */
bool
port_commit(void *addr, size_t bytes)
{
	if (sim_point(POINT_MAY_FAIL))
		return false;
	set_pages(addr, bytes, WRITABLE);
	return true;
}

static void *
map(size_t bytes, size_t align, int what)
{
	void *place = sim_point(POINT_MAY_FAIL) ? NULL : take(bytes, align);

	if (place != NULL)
		set_pages(place, bytes, what);
	return place;
}

/* See port.h. */
void *
port_map(size_t bytes, size_t align)
{
	return map(bytes, align, WRITABLE);
}

/* See port.h. */
void *
port_zeros(size_t bytes, size_t align)
{
	return map(bytes, align, READABLE);
}

/* See port.h. */
void
port_unmap(void *addr, size_t bytes)
{
	(void)sim_point(POINT_CALL);
	set_pages(addr, bytes, UNMAPPED);
}

/* See port.h.  It always moves. */
void *
port_remap(void *addr, size_t old_bytes, size_t bytes, size_t align)
{
	void *place = port_map(bytes, align);

	if (place == NULL)
		return NULL;
	/* Fresh memory, of which a rewind makes fresh memory again. */
	sim_note(place, min_size(old_bytes, bytes));
	memcpy(place, addr, min_size(old_bytes, bytes));
	set_pages(addr, old_bytes, UNMAPPED);
	return place;
}

/* See port.h. */
bool
port_populate(void *addr, size_t bytes)
{
	return !sim_point(POINT_MAY_FAIL) && port_mapped(addr, bytes);
}

/* See port.h. */
bool
port_forget(void *addr, size_t bytes)
{
	uint64_t *word = addr;

	if (sim_point(POINT_MAY_FAIL))
		return false;
	for (size_t i = 0; i < bytes / sizeof(*word); i++)
		if (word[i] != 0)
			sim_write(&word[i], 0);
	return true;
}

/* See port.h. */
bool
port_mapped(const void *addr, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		if (memory.pages[page_of((const char *)addr + i)] == UNMAPPED)
			return false;
	return true;
}

/* See port.h.  There is nothing to run here. */
bool
port_execute(void *addr, size_t bytes, bool *refused)
{
	*refused = false;
	return !sim_point(POINT_MAY_FAIL) && port_mapped(addr, bytes);
}

/* See port.h. */
void
port_huge(void *addr, size_t bytes, bool wanted)
{
	(void)addr;
	(void)bytes;
	(void)wanted;
}

/* See port.h. */
void
port_name(void *addr, size_t bytes, const char *name)
{
	(void)addr;
	(void)bytes;
	(void)name;
}

/* ---- port.h: objects ---- */

/* See port.h.  There are no descriptors. */
int
port_object_hold(int fd, uint64_t offset, size_t bytes)
{
	(void)fd;
	(void)offset;
	(void)bytes;
	return -1;
}

/* See port.h. */
void *
port_object_map(int fd, uint64_t offset, size_t bytes, size_t align)
{
	(void)fd;
	(void)offset;
	(void)bytes;
	(void)align;
	return NULL;
}

/* See port.h. */
void
port_object_drop(int fd)
{
	(void)fd;
}
