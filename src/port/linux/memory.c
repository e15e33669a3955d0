/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/linux/memory.c - address space and the pages behind it
 *
 * No call here replaces a mapping that it did not make itself: MAP_FIXED over
 * addresses that were free a moment ago would destroy what another thread
 * mapped there in between.
 */
#include <linux/auxvec.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>

#include "port/port.h"

#include "port/linux/sys.h"

/* What headers older than the running kernel do not name. */
#define ADVICE_POPULATE_WRITE 23
#define FIXED_NOREPLACE       0x100000
#define NAME_RANGE            0x53564d41 /* PR_SET_VMA */
#define NAME_ANONYMOUS        0          /* PR_SET_VMA_ANON_NAME */

#define NAME_BYTES       80 /* the kernel's limit, with the final 0 */
#define MAP_ANON_PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

/*
 * The kernel makes one change of the address space after another, so what was
 * done to memory that is unmapped comes before what is done to memory that is
 * mapped there later.  The sanitizer sees no calls of the kernel.
 */
#if UMA_THREAD_SANITIZED
void __tsan_acquire(void *);
void __tsan_release(void *);
static char changes;
#define BEFORE_UNMAP() __tsan_release(&changes)
#define AFTER_MAP()    __tsan_acquire(&changes)
#else
#define BEFORE_UNMAP() ((void)0)
#define AFTER_MAP()    ((void)0)
#endif

static long map(uintptr_t hint, size_t bytes, int prot, int flags);
static void *map_aligned(size_t bytes, size_t align, int prot, int flags);
static void *map_trimmed(size_t bytes, size_t align, int prot, int flags);
static void *map_try(
    uintptr_t hint, size_t bytes, size_t align, int prot, int flags);
static bool is_data_for(void *addr, size_t bytes);
static void *move(void *addr, size_t old_bytes, size_t bytes, size_t align);
static void vacate(void *addr, size_t bytes);
static bool touch(void *addr, size_t bytes);
static long advise(void *addr, size_t bytes, int advice);
static bool failed(long answer);

_Atomic bool linux_objects_mapped;

/* See port.h. */
size_t
port_page_bytes(void)
{
	static _Atomic size_t known;
	size_t bytes = atomic_load_explicit(&known, memory_order_relaxed);

	if (bytes == 0) {
		bytes = sys_aux(AT_PAGESZ);
		if (bytes == 0)
			bytes = 4096;
		atomic_store_explicit(&known, bytes, memory_order_relaxed);
	}
	return bytes;
}

/* SIZE_MAX: none. */
static size_t
limit_of(int resource)
{
	struct rlimit64 limit = { 0, 0 }; /* MemorySanitizer sees no kernel */
	long answer =
	    sys_call6(SYS_prlimit64, 0, resource, 0, sys_arg(&limit), 0, 0);

	if (answer < 0 || limit.rlim_cur == RLIM64_INFINITY)
		return SIZE_MAX;
	return limit.rlim_cur;
}

/* See port.h. */
size_t
port_map_limit(void)
{
	return min_size(limit_of(RLIMIT_AS), limit_of(RLIMIT_DATA));
}

/* See port.h. */
size_t
port_memory_bytes(void)
{
	struct sysinfo info = { 0 };

	sys_call(SYS_sysinfo, sys_arg(&info), 0, 0);
	return (size_t)info.totalram * max_size(info.mem_unit, 1);
}

/* See port.h. */
void *
port_reserve(size_t bytes, size_t align)
{
	return map_aligned(bytes, align, PROT_NONE, MAP_NORESERVE);
}

/* See port.h.  Only this step is charged under overcommit_memory=2. */
bool
port_commit(void *addr, size_t bytes)
{
	return sys_call(SYS_mprotect, sys_arg(addr), (long)bytes,
		   PROT_READ | PROT_WRITE) == 0;
}

/* See port.h. */
void *
port_map(size_t bytes, size_t align)
{
	return map_aligned(bytes, align, PROT_READ | PROT_WRITE, 0);
}

/* See port.h. */
bool
port_execute(void *addr, size_t bytes, bool *refused)
{
	long answer = sys_call(SYS_mprotect, sys_arg(addr), (long)bytes,
	    PROT_READ | PROT_WRITE | PROT_EXEC);

	*refused = answer != 0 && answer != -ENOMEM;
	return answer == 0;
}

/* See port.h. */
void *
port_zeros(size_t bytes, size_t align)
{
	return map_aligned(bytes, align, PROT_READ, MAP_NORESERVE);
}

/* See port.h. */
void
port_unmap(void *addr, size_t bytes)
{
	/* Whoever is there next is not told of by us. */
	port_mark(addr, bytes, PORT_KEPT);
	BEFORE_UNMAP();
	sys_call(SYS_munmap, sys_arg(addr), (long)bytes, 0);
}

/* See port.h. */
void *
port_remap(void *addr, size_t old_bytes, size_t bytes, size_t align)
{
	int may_move = align <= port_page_bytes() ? MREMAP_MAYMOVE : 0;
	long place;

	BEFORE_UNMAP();
	place = sys_call6(SYS_mremap, sys_arg(addr), (long)old_bytes,
	    (long)bytes, may_move, 0, 0);
	AFTER_MAP();
	if (!failed(place))
		return (void *)place;
	if (may_move != 0 || bytes <= old_bytes)
		return NULL;
	return move(addr, old_bytes, bytes, align);
}

/* The answers of a filter that does not know or like a call. */
static bool
is_denied(long answer)
{
	return answer == -EPERM || answer == -EACCES || answer == -ENOSYS;
}

/* See port.h. */
bool
port_populate(void *addr, size_t bytes)
{
	long answer;
	int tries = 16;

	do {
		answer = advise(addr, bytes, ADVICE_POPULATE_WRITE);
	} while ((answer == -EINTR || answer == -EAGAIN) && --tries > 0);
	/*
	 * EINVAL is also the answer for a range that may not be written.
	 * Asked for no bytes, only a kernel before 5.14 still says so, as it
	 * does not know the advice.
	 */
	if (is_denied(answer) ||
	    (answer == -EINVAL && advise(addr, 0, ADVICE_POPULATE_WRITE) != 0))
		return touch(addr, bytes);
	return answer == 0;
}

/*
 * See port.h.  On a shared mapping MADV_DONTNEED keeps the file's contents,
 * so where one may be met a hole is punched instead: MADV_REMOVE, which
 * private memory refuses with EINVAL.
 */
bool
port_forget(void *addr, size_t bytes)
{
	bool zeroed = true;

	if (atomic_load_explicit(&linux_objects_mapped, memory_order_relaxed)) {
		long answer = advise(addr, bytes, MADV_REMOVE);

		if (answer == 0)
			return true;
		zeroed = answer == -EINVAL;
	}
	return advise(addr, bytes, MADV_DONTNEED) == 0 && zeroed;
}

/* See port.h. */
bool
port_mapped(const void *addr, size_t bytes)
{
	unsigned char resident[512];
	size_t page_bytes = port_page_bytes();
	uintptr_t at = (uintptr_t)addr;

	while (bytes > 0) {
		size_t step = min_size(bytes, sizeof(resident) * page_bytes);

		long answer = sys_call(
		    SYS_mincore, (long)at, (long)step, sys_arg(resident));

		/* Who may not ask has to believe. */
		if (is_denied(answer))
			return true;
		if (answer != 0)
			return false;
		at += step;
		bytes -= step;
	}
	return true;
}

/* See port.h. */
void
port_huge(void *addr, size_t bytes, bool wanted)
{
	advise(addr, bytes, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* See port.h. */
void
port_name(void *addr, size_t bytes, const char *name)
{
	static _Atomic bool refused;
	char clean[NAME_BYTES];
	size_t n = 0;

	if (atomic_load_explicit(&refused, memory_order_relaxed))
		return;
	for (; n < NAME_BYTES - 1 && name[n] != '\0'; n++) {
		char c = name[n];
		bool bad = c < ' ' || c > '~' || c == '[' || c == ']' ||
			   c == '\\' || c == '$' || c == '`';

		clean[n] = bad ? '?' : c;
	}
	clean[n] = '\0';
	/* The name is good, so EINVAL means a kernel built without names. */
	if (sys_call6(SYS_prctl, NAME_RANGE, NAME_ANONYMOUS, sys_arg(addr),
		(long)bytes, sys_arg(clean), 0) == -EINVAL)
		atomic_store_explicit(&refused, true, memory_order_relaxed);
}

/* The kernel's answer. */
static long
map(uintptr_t hint, size_t bytes, int prot, int flags)
{
	long place = sys_call6(SYS_mmap, (long)hint, (long)bytes, prot,
	    MAP_ANON_PRIVATE | flags, -1, 0);

	AFTER_MAP();
	return place;
}

/*
 * The exact size first: the kernel often places it well.  Then the aligned
 * address just below, as the kernel goes downward.  Then a wider range.
 */
static void *
map_aligned(size_t bytes, size_t align, int prot, int flags)
{
	long place = map(0, bytes, prot, flags);
	void *range;

	if (failed(place))
		return NULL;
	if (((uintptr_t)place & (align - 1)) == 0)
		return (void *)place;
	port_unmap((void *)place, bytes);
	range = map_try(
	    round_down((uintptr_t)place, align), bytes, align, prot, flags);
	if (range != NULL)
		return range;
	return map_trimmed(bytes, align, prot, flags);
}

/*
 * The wide range is mapped without access, so that only what stays of it is
 * ever charged.
 */
static void *
map_trimmed(size_t bytes, size_t align, int prot, int flags)
{
	size_t slack = align - port_page_bytes();
	uintptr_t start, range;
	size_t head;
	long place;

	if (bytes > SIZE_MAX - slack)
		return NULL;
	place = map(0, bytes + slack, PROT_NONE, flags);
	if (failed(place))
		return NULL;
	start = (uintptr_t)place;
	range = round_up(start, align);
	head = range - start;
	if (head > 0)
		port_unmap((void *)start, head);
	if (slack > head)
		port_unmap((void *)(range + bytes), slack - head);
	if (prot != PROT_NONE &&
	    sys_call(SYS_mprotect, (long)range, (long)bytes, prot) != 0) {
		port_unmap((void *)range, bytes);
		return NULL;
	}
	return (void *)range;
}

/* Map at `hint` or any other aligned address; NULL if it falls elsewhere. */
static void *
map_try(uintptr_t hint, size_t bytes, size_t align, int prot, int flags)
{
	long place = map(hint, bytes, prot, flags);

	if (failed(place))
		return NULL;
	if (((uintptr_t)place & (align - 1)) == 0)
		return (void *)place;
	port_unmap((void *)place, bytes);
	return NULL;
}

/*
 * Whether a limit on data bears this much more of a target.  Newer kernels ask
 * before they unmap it and older ones after: see vacate().
 */
static bool
is_data_for(void *addr, size_t bytes)
{
	return limit_of(RLIMIT_DATA) == SIZE_MAX ||
	       (port_commit(addr, bytes) &&
		   sys_call(SYS_mprotect, sys_arg(addr), (long)bytes,
		       PROT_NONE) == 0);
}

/*
 * Move a range to an aligned place that is larger.  The reservation is larger
 * still at first: a limit on address space that cannot bear the growth should
 * refuse that, not the move, which may fail after it unmapped its target.
 */
static void *
move(void *addr, size_t old_bytes, size_t bytes, size_t align)
{
	size_t growth = bytes - old_bytes;
	char *target;
	long place;

	if (bytes > SIZE_MAX - growth)
		return NULL;
	target = port_reserve(bytes + growth, align);
	if (target == NULL)
		return NULL;
	port_unmap(target + bytes, growth);
	if (!is_data_for(target + old_bytes, growth)) {
		port_unmap(target, bytes);
		return NULL;
	}
	place = sys_call6(SYS_mremap, sys_arg(addr), (long)old_bytes,
	    (long)bytes, MREMAP_MAYMOVE | MREMAP_FIXED, sys_arg(target), 0);
	if (failed(place)) {
		vacate(target, bytes);
		return NULL;
	}
	return (void *)place;
}

/*
 * Give up the target of a move that failed.  The kernel may have unmapped it
 * already and another thread taken the place, so it is unmapped only if it
 * can be taken once more.  If not, better to lose addresses than to unmap
 * what is not ours.
 */
static void
vacate(void *addr, size_t bytes)
{
	long place = sys_call6(SYS_mmap, sys_arg(addr), (long)bytes, PROT_NONE,
	    MAP_ANON_PRIVATE | MAP_NORESERVE | FIXED_NOREPLACE, -1, 0);

	if (!failed(place))
		port_unmap((void *)place, bytes);
}

/* Write to each page, keeping what is there whoever else writes. */
static bool
touch(void *addr, size_t bytes)
{
	size_t page_bytes = port_page_bytes();

	if (!port_mapped(addr, bytes))
		return false;
	for (size_t at = 0; at < bytes; at += page_bytes) {
		_Atomic uint32_t *word = (void *)((char *)addr + at);

		atomic_fetch_or_explicit(word, 0, memory_order_relaxed);
	}
	return true;
}

static long
advise(void *addr, size_t bytes, int advice)
{
	return sys_call(SYS_madvise, sys_arg(addr), (long)bytes, advice);
}

/* Whether a call that returns an address returned an error. */
static bool
failed(long answer)
{
	return (unsigned long)answer > -4096ul;
}
