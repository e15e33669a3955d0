/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libc/exit.c - what this process did, told to `uma run` as it ends
 *
 * Why it is here.  `uma run` sums the zones of every process of a command.
 * Asking them from outside would need them alive; so each appends a record
 * to one file when it leaves, if UMA_OPTIONS says report:PATH.
 *
 *	uma-report 1 pid N comm NAME exe PATH
 *	zone KEY VALUE ... name NAME           one line per zone
 *	type KEY VALUE ... name NAME           one line per malloc(9) type
 *	total KEY VALUE ...
 *	end
 *
 * What holds.
 *   1. A record is one write() to a file opened for appending, so records of
 *      processes that end together do not mix.  One without `end` was cut
 *      short, and readers leave it out.
 *   2. fork copies the counters.  The child remembers them, and its record
 *      holds what it did itself; used and free items are as they are.
 *   3. A process that neither allocated nor freed leaves no record.  Nor does
 *      one that dies of a signal or replaces itself by exec: then its counts
 *      are lost.  Nor one made by a bare system call, which runs no handler:
 *      it may even share our memory (CLONE_VM), where its record would be
 *      taken for ours.
 *      Nor a child made behind our destructors: by then the C library has
 *      forgotten our fork handler.
 *   4. Nothing here allocates, uses stdio, or waits, as _exit() may be called
 *      from a signal handler.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <uma/malloc9.h>
#include <uma/stats.h>

#include "base/base.h"
#include "heap/heap.h"

#define LINE_BYTES 1024           /* longer than any zone's or type's line */
#define EDGE_BYTES (2 * PATH_MAX) /* the first and the last lines */

/* The counters that only grow, in the order of their keys below. */
enum { ALLOCS, FREES, FAILS, SLEEPS, XDOMAIN, MISSES, COUNTERS };

/* One zone's or type's counters when this process was forked. */
struct mark {
	uint64_t name_hash;
	uint64_t was[COUNTERS];
};

/* A walk over zones, then types: marks to make or subtract, text to write. */
struct walk {
	struct mark *marks;
	size_t mark_count;
	size_t mark_max;
	size_t mark_next; /* zones come in order of creation, and so do marks */
	char *at;
	char *end;
	uint64_t operations;
};

/* Written by the constructor and the fork handler, when alone. */
static struct {
	char path[PATH_MAX];
	pid_t pid;
	struct mark *marks;
	size_t mark_count;
	size_t mark_bytes;
	struct uma_stats was;
} report;

/* Set by the first to report.  Nothing is published by it: relaxed. */
static _Atomic bool reported;

static void watch(void);
static void report_once(void);
static void start_child(void);

/* ---- the ways out ---- */

/*
 * Registered first, so run last of the at_quick_exit functions; the exit()
 * path ends in the destructor, and _exit() is ours.
 */
__attribute__((destructor(101))) static void
report_at_exit(void)
{
	report_once();
}

static _Noreturn void
leave(int status)
{
	report_once();
	for (;;)
		syscall(SYS_exit_group, status);
}

UMA_EXPORT void
_exit(int status)
{
	leave(status);
}

UMA_EXPORT void
_Exit(int status)
{
	leave(status);
}

/* ---- the option ---- */

/*
 * The last `report:PATH` of the option string.  Read at the start, because
 * programs clear or overwrite their environment.  secure_getenv() answers
 * NULL in privileged programs, which must not write to a file so named.
 */
static bool
find_path(char *path, size_t path_bytes)
{
	const char *option = secure_getenv("UMA_OPTIONS");
	bool found = false;

	while (option != NULL && *option != '\0') {
		size_t length = strcspn(option, ",");
		size_t key = strlen("report:");

		if (length > key && length - key < path_bytes &&
		    strncmp(option, "report", key - 1) == 0 &&
		    (option[key - 1] == ':' || option[key - 1] == '=')) {
			memcpy(path, option + key, length - key);
			path[length - key] = '\0';
			found = true;
		}
		option += length;
		option += *option == ',';
	}
	return found;
}

__attribute__((constructor)) static void
watch(void)
{
	if (!find_path(report.path, sizeof report.path))
		return;
	report.pid = (pid_t)syscall(SYS_getpid);
	report.was.struct_bytes = sizeof report.was;
	uma_stats(&report.was);
	if (report.was.zones == 0) {
		/*
		 * Starts the library, so that its own fork handlers are
		 * registered before ours and its locks are free in the child
		 * when ours runs.
		 */
		uma_heap_free(uma_heap_alloc(1, HEAP_RAW), "free");
		start_child();
	} else {
		/* What the loader allocated before now is this process's. */
		memset(&report.was, 0, sizeof report.was);
	}
	/* Either refusal leaves less in the record, and no harm. */
	(void)at_quick_exit(report_at_exit);
	(void)pthread_atfork(NULL, NULL, start_child);
}

/* ---- what fork copied ---- */

static void *
map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void
count_one(const struct uma_zone_stats *zone, void *arg)
{
	size_t *count = arg;

	(void)zone;
	(*count)++;
}

static void
count_type(const struct uma_malloc_stats *type, void *arg)
{
	size_t *count = arg;

	(void)type;
	(*count)++;
}

static size_t
count_lines(void)
{
	size_t count = 0;

	uma_stats_walk(count_one, &count);
	uma_malloc_stats_walk(count_type, &count);
	return count;
}

/* Of a zone's name, or a type's: `kind` keeps them apart. */
static uint64_t
hash(const char *kind, const char *name)
{
	uint64_t h = 14695981039346656037u ^ (unsigned char)*kind;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return h;
}

static void
read_counters(const struct uma_zone_stats *zone, uint64_t now[COUNTERS])
{
	now[ALLOCS] = zone->allocs;
	now[FREES] = zone->frees;
	now[FAILS] = zone->fails;
	now[SLEEPS] = zone->sleeps;
	now[XDOMAIN] = zone->xdomain;
	now[MISSES] = zone->misses;
}

/* The rest stays zero. */
static void
read_type_counters(const struct uma_malloc_stats *type, uint64_t now[COUNTERS])
{
	memset(now, 0, COUNTERS * sizeof *now);
	now[ALLOCS] = type->allocs;
	now[FREES] = type->frees;
}

static void
mark_one(const struct uma_zone_stats *zone, void *arg)
{
	struct walk *walk = arg;
	struct mark *mark;

	if (walk->mark_count == walk->mark_max)
		return;
	mark = &walk->marks[walk->mark_count++];
	mark->name_hash = hash("zone", zone->name);
	read_counters(zone, mark->was);
}

static void
mark_type(const struct uma_malloc_stats *type, void *arg)
{
	struct walk *walk = arg;
	struct mark *mark;

	if (walk->mark_count == walk->mark_max)
		return;
	mark = &walk->marks[walk->mark_count++];
	mark->name_hash = hash("type", type->name);
	read_type_counters(type, mark->was);
}

/* Count afresh from here.  Without memory for the marks: not at all. */
static void
start_child(void)
{
	struct walk walk = { 0 };
	size_t count;

	if (report.marks != NULL)
		munmap(report.marks, report.mark_bytes);
	report.marks = NULL;
	report.mark_count = 0;
	report.pid = 0;
	count = count_lines();
	report.mark_bytes = (count + 1) * sizeof *walk.marks;
	walk.marks = map(report.mark_bytes);
	if (walk.marks == NULL)
		return;
	walk.mark_max = count;
	uma_stats_walk(mark_one, &walk);
	uma_malloc_stats_walk(mark_type, &walk);
	report.marks = walk.marks;
	report.mark_count = walk.mark_count;
	report.was.struct_bytes = sizeof report.was;
	uma_stats(&report.was);
	report.pid = (pid_t)syscall(SYS_getpid);
	atomic_store_explicit(&reported, false, memory_order_relaxed);
}

/*
 * Take away what was counted before the fork.  Both lists are in order of
 * creation, so the mark of a zone is after the marks of the zones before it;
 * a zone without one is newer than the fork.
 */
static void
subtract_mark(struct walk *walk, const char *kind, const char *name,
    uint64_t now[COUNTERS])
{
	uint64_t name_hash = hash(kind, name);
	size_t i = walk->mark_next;

	while (i < walk->mark_count && walk->marks[i].name_hash != name_hash)
		i++;
	if (i == walk->mark_count)
		return;
	walk->mark_next = i + 1;
	for (int c = 0; c < COUNTERS; c++)
		now[c] -= min_size(now[c], walk->marks[i].was[c]);
}

/* ---- the text ---- */

static void
put(struct walk *w, const char *s)
{
	while (*s != '\0' && w->at < w->end)
		*w->at++ = *s++;
}

/* A name from outside, by the rule of text_clean(), which cannot be called. */
static void
put_name(struct walk *w, const char *s, bool is_word)
{
	for (; *s != '\0' && w->at < w->end; s++) {
		bool is_clean = *s >= (is_word ? '!' : ' ') && *s <= '~';

		*w->at++ = is_clean ? *s : '?';
	}
}

static void
put_number(struct walk *w, const char *before, uint64_t value)
{
	char digits[24];
	char *d = digits + sizeof digits - 1;

	*d = '\0';
	do {
		*--d = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	put(w, before);
	put(w, d);
}

static void
put_pair(struct walk *w, const char *key, uint64_t value)
{
	put(w, " ");
	put(w, key);
	put_number(w, " ", value);
}

/* In place, as the stack of a signal handler may be a small one. */
static void
put_exe(struct walk *w)
{
	ssize_t length = readlink("/proc/self/exe", w->at, PATH_MAX);

	for (; length > 0; length--, w->at++) {
		if ((unsigned char)*w->at < ' ')
			*w->at = '?';
	}
}

static void
put_head(struct walk *w)
{
	char comm[17] = "";

	(void)prctl(PR_GET_NAME, comm, 0, 0, 0);
	put(w, "uma-report 1");
	put_pair(w, "pid", (uint64_t)report.pid);
	put(w, " comm ");
	put_name(w, comm[0] != '\0' ? comm : "?", true);
	put(w, " exe ");
	put_exe(w);
	put(w, "\n");
}

static void
put_zone(const struct uma_zone_stats *zone, void *arg)
{
	struct walk *w = arg;
	uint64_t now[COUNTERS];

	/* Zones made since they were counted may find no room. */
	if (w->end - w->at < LINE_BYTES + PATH_MAX)
		return;
	read_counters(zone, now);
	subtract_mark(w, "zone", zone->name, now);
	w->operations += now[ALLOCS] + now[FREES];
	put(w, "zone");
	put_pair(w, "size", zone->item_bytes);
	put_pair(w, "limit", zone->limit_items);
	put_pair(w, "used", zone->used_items);
	put_pair(w, "free", zone->free_items);
	put_pair(w, "cached", zone->cached_items);
	put_pair(w, "allocs", now[ALLOCS]);
	put_pair(w, "frees", now[FREES]);
	put_pair(w, "fails", now[FAILS]);
	put_pair(w, "sleeps", now[SLEEPS]);
	put_pair(w, "xdomain", now[XDOMAIN]);
	put_pair(w, "misses", now[MISSES]);
	put_pair(w, "slab", zone->slab_bytes);
	put_pair(w, "flags", zone->flags);
	put(w, " name ");
	put_name(w, zone->name, false);
	put(w, "\n");
}

/* What types did, zones did: it is no operation of its own. */
static void
put_type(const struct uma_malloc_stats *type, void *arg)
{
	struct walk *w = arg;
	uint64_t now[COUNTERS];

	if (w->end - w->at < LINE_BYTES + PATH_MAX)
		return;
	read_type_counters(type, now);
	subtract_mark(w, "type", type->name, now);
	put(w, "type");
	put_pair(w, "used", type->in_use);
	put_pair(w, "bytes", type->in_use_bytes);
	put_pair(w, "allocs", now[ALLOCS]);
	put_pair(w, "frees", now[FREES]);
	put_pair(w, "sampled", type->sampled_bytes_max);
	for (unsigned i = 0; i < type->size_count; i++)
		put_number(w, i == 0 ? " sizes " : ",", type->sizes[i]);
	put(w, " name ");
	put_name(w, type->name, false);
	put(w, "\n");
}

static void
put_total(struct walk *w)
{
	struct uma_stats now = { .struct_bytes = sizeof now };
	uint64_t allocs, frees;

	uma_stats(&now);
	allocs = now.large_allocs - report.was.large_allocs;
	frees = now.large_frees - report.was.large_frees;
	w->operations += allocs + frees;
	put(w, "total");
	put_pair(w, "zones", now.zones);
	put_pair(w, "mapped", now.mapped_bytes);
	put_pair(w, "slab", now.slab_bytes);
	put_pair(w, "large", now.large_bytes);
	put_pair(w, "cached", now.cached_bytes);
	put_pair(w, "meta", now.meta_bytes);
	put_pair(w, "large_allocs", allocs);
	put_pair(w, "large_frees", frees);
	put_pair(w, "emergencies", now.emergencies - report.was.emergencies);
	put_pair(w, "mode", (uint64_t)now.percpu_mode);
	put_pair(w, "slots", now.percpu_slots);
	put(w, "\nend\n");
}

#define BIT_OF(signal) (UINT64_C(1) << ((signal)-1))

/*
 * The signals of a write that is refused would end a process that ends well:
 * they are held back, and taken away with the refusal.
 */
static void
write_quietly(long fd, const char *text, size_t bytes)
{
	const uint64_t refusals = BIT_OF(SIGXFSZ) | BIT_OF(SIGPIPE);
	const struct timespec none = { 0, 0 };
	uint64_t before;

	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &refusals, &before,
		sizeof before) != 0)
		return;
	if (syscall(SYS_write, fd, text, bytes) < 0)
		syscall(SYS_rt_sigtimedwait, &refusals, NULL, &none,
		    sizeof refusals);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
}

/*
 * The file is there already: `uma run` made it.  It is not made again for a
 * process that outlives the tool.  A pipe that nobody reads is not waited for.
 */
static void
append(const char *text, size_t bytes)
{
	long fd = syscall(SYS_openat, AT_FDCWD, report.path,
	    O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);

	if (fd < 0)
		return;
	write_quietly(fd, text, bytes);
	syscall(SYS_close, fd);
}

static void
report_once(void)
{
	struct walk w = { .marks = report.marks,
		.mark_count = report.mark_count };
	size_t bytes;
	char *text;

	if (report.pid == 0 || report.pid != (pid_t)syscall(SYS_getpid))
		return;
	if (atomic_exchange_explicit(&reported, true, memory_order_relaxed))
		return;
	bytes = round_up(count_lines() * LINE_BYTES + 2 * EDGE_BYTES, 65536);
	text = map(bytes);
	if (text == NULL)
		return;
	w.at = text;
	w.end = text + bytes;
	put_head(&w);
	uma_stats_walk(put_zone, &w);
	uma_malloc_stats_walk(put_type, &w);
	put_total(&w);
	if (w.operations != 0)
		append(text, (size_t)(w.at - text));
	munmap(text, bytes);
}
