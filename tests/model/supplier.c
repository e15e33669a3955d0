/* SPDX-License-Identifier: BSD-2-Clause */
/* A page supplier of the test's own, which knows every run it gave out. */
#include "model/reference.h"

#include <sys/mman.h>
#include <unistd.h>

#define POOL_BYTES ((size_t)512 << 20)

enum { RUNS = 20000, MISPLACED = 64 };

struct run {
	char *at;
	int size;
	int zone; /* NO_OWNER: given back */
	uint8_t pflag;
	bool bad; /* misaligned on purpose */
};

static struct run runs[RUNS];
static unsigned run_count;
static char *pool;
static size_t pool_used;

/* The lowest run given back that fits exactly, or fresh addresses. */
static struct run *
find_place(int size, size_t align)
{
	struct run *r;

	for (unsigned i = 0; i < run_count; i++)
		if (runs[i].zone == NO_OWNER && runs[i].size == size &&
		    (uintptr_t)runs[i].at % align == 0)
			return &runs[i];
	if (pool == NULL) {
		pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (pool == MAP_FAILED)
			play_fail("no memory for the test's own supplier");
	}
	pool_used += -(uintptr_t)(pool + pool_used) & (align - 1);
	if (run_count == RUNS || pool_used + (size_t)size > POOL_BYTES)
		return NULL;
	r = &runs[run_count++];
	r->at = pool + pool_used;
	r->size = size;
	pool_used += (size_t)size;
	return r;
}

bool
supplier_is_full(void)
{
	return run_count > RUNS / 2 || pool_used > POOL_BYTES / 2;
}

void *
supplier_take(int zone, int size, uint8_t *pflag)
{
	static uint8_t turn;
	struct play_zone *z = &play_zones[zone];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t align = (size_t)z->made.align + 1;
	struct run *r;

	if (size <= 0 || (size_t)size % page != 0)
		play_fail("a supplier is asked for %d bytes", size);
	if (z->refuse != 0 && z->refuse_kind == 0) {
		z->refuse--;
		z->refused = play_call.supplier_null = true;
		return NULL;
	}
	r = find_place(size, align > page ? align : page);
	if (r == NULL) {
		z->refused = play_call.supplier_null = true;
		return NULL;
	}
	r->zone = zone;
	/* Any bits but those that mean something to the library. */
	*pflag = r->pflag = (uint8_t)(UMA_SLAB_PRIV | (turn++ & 0xc0));
	r->bad = z->refuse != 0;
	if (r->bad) {
		z->refuse--;
		z->refused = play_call.supplier_null = true;
		return r->at + MISPLACED;
	}
	return r->at;
}

void
supplier_give(int zone, void *memory, int size, uint8_t pflag)
{
	for (unsigned i = 0; i < run_count; i++) {
		struct run *r = &runs[i];

		if (r->zone != zone ||
		    memory != r->at + (r->bad ? MISPLACED : 0))
			continue;
		if (size != r->size || pflag != r->pflag)
			play_fail("a supplier gave %d bytes, flags %#x, and "
				  "gets back %d, %#x",
			    r->size, r->pflag, size, pflag);
		r->zone = NO_OWNER;
		r->bad = false;
		memset(r->at, 0xa5, 64);
		return;
	}
	play_fail("a supplier gets back %p, which it never gave", memory);
}

/* A zone is gone: its runs are back, or it had nobody to give them to. */
void
supplier_check_gone(int zone)
{
	for (unsigned i = 0; i < run_count; i++) {
		if (runs[i].zone != zone)
			continue;
		if ((play_zones[zone].made.kind & WITH_FREEF) != 0)
			play_fail("the supplier misses %p of a destroyed zone",
			    (void *)runs[i].at);
		/* Nobody owns it now, and nobody gets it again. */
		runs[i].zone = BLOCK;
	}
}

/* For another sequence: nobody has anything of it any more. */
void
supplier_forget(void)
{
	run_count = 0;
	pool_used = 0;
}
