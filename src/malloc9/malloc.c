/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking a block: the hit and all else.  See malloc9.h. */
#include "malloc9/inner.h"
#include "port/port.h"

#define WAIT_FLAGS  (M_NOWAIT | M_WAITOK)
#define KNOWN_FLAGS (WAIT_FLAGS | M_ZERO | M_USE_RESERVE | M_NODUMP | M_EXEC)

#define ALIGN_MIN 16u

/* No process has so many addresses in a row: half of what the page map knows */
#define ADDRESSES_MAX ((size_t)1 << 47)

#define SLEEP_MIN_NS UINT64_C(1000000)
#define SLEEP_DOUBLE 6u   /* times */
#define TELL_ROUNDS  100u /* about six seconds without memory */

bool malloc9_debug = UMA_CHECKED != 0;
bool malloc9_exec;

static void *take_large(size_t size, struct malloc_type *type, int flags);
UMA_SLOW static void *take(size_t bytes, size_t align, struct malloc_type *type,
    int flags, const char *function);
UMA_SLOW static void *count(void *block, size_t size, struct malloc_type *type,
    int flags, size_t index);
static void *take_array(size_t nmemb, size_t size, struct malloc_type *type,
    int flags, const char *function);

/* ---- the hit ---- */

/*
 * See malloc9.h.  All that is not a hit is a call in the last place, so that a
 * hit keeps nothing across a call.  What it saves is for want of registers:
 * two sequences and the arguments need more than are free.
 */
void *
uma_malloc(size_t size, struct malloc_type *type, int flags)
{
	size_t index;
	void *block;

	if (unlikely(!flags_plain(flags)) || unlikely(type == NULL))
		return take(size, ALIGN_MIN, type, flags, __func__);
	if (unlikely(!heap_hit_has(size)))
		return take_large(size, type, flags);
	index = heap_hit_index(size);
	if (unlikely(!class_open(type, index)))
		return take(size, ALIGN_MIN, type, flags, __func__);
	block = arch_pop(heap_hit_records(index), &percpu_rseq);
	if (unlikely(block == NULL))
		return take(size, ALIGN_MIN, type, flags, __func__);
	if (unlikely(
		!percpu_hit(type->ks_counters, PERCPU_IN, class_steps[index])))
		return count(block, size, type, flags, index);
	if ((flags & M_ZERO) != 0)
		return __builtin_memset(block, 0, size);
	return block;
}

/* A block was had, but its counter is to be folded, or is another's. */
static void *
count(
    void *block, size_t size, struct malloc_type *type, int flags, size_t index)
{
	ledger_count(type->ks_ledger, PERCPU_IN, heap_class_bytes(index));
	if ((flags & M_ZERO) != 0)
		__builtin_memset(block, 0, size);
	return block;
}

/*
 * Above the small classes.  The counter is as near as any; a type that took
 * such a block before has a ledger, and the library runs.
 */
static __attribute__((noinline)) void *
take_large(size_t size, struct malloc_type *type, int flags)
{
	void *block = NULL;
	size_t bytes;

	/* A small one comes here before the start: there are no classes. */
	if (likely(size > HEAP_SMALL_MAX) && size <= HEAP_LARGE_MAX &&
	    likely(class_open(type, class_of(size))))
		block = heap_alloc_once(size, ALIGN_MIN,
		    (flags & M_ZERO) != 0 ? HEAP_ZERO : HEAP_RAW, &bytes);
	if (unlikely(block == NULL))
		return take(size, ALIGN_MIN, type, flags, "uma_malloc");
	if (unlikely(!percpu_hit(type->ks_counters, PERCPU_IN,
		PERCPU_STEP(bytes / HEAP_UNIT_BYTES))))
		ledger_count(type->ks_ledger, PERCPU_IN, bytes);
	return block;
}

/* ---- the long way ---- */

void
request_check(const struct request *r)
{
	const char *rule = NULL;

	type_check(r->type, r->function);
	/* Only who is awake knows what is enabled. */
	if ((r->flags & M_EXEC) != 0 && heap_wake() && !malloc9_exec)
		rule = "executable memory is not enabled "
		       "(UMA_OPTIONS=malloc9:exec)";
	else if ((r->flags & ~KNOWN_FLAGS) != 0)
		rule = "unknown flags";
	else if ((r->flags & WAIT_FLAGS) == WAIT_FLAGS)
		rule = "both M_NOWAIT and M_WAITOK";
	else if ((r->flags & WAIT_FLAGS) == 0)
		rule = "neither M_NOWAIT nor M_WAITOK";
	else if (!is_pow2(r->align))
		rule = "alignment is not a power of two";
	if (rule != NULL)
		uma_crime(r->function, rule, NULL, r->type->ks_shortdesc);
}

/* Room to align in counts too. */
bool
request_too_large(const struct request *r)
{
	const char *rule = NULL;

	if (r->bytes > HEAP_MAX)
		rule = "size above PTRDIFF_MAX";
	else if (r->align > ADDRESSES_MAX)
		rule = "alignment above the address space";
	else if (r->bytes > ADDRESSES_MAX)
		rule = "size above the address space";
	/* With a tag: who is asleep does not know whether there is one. */
	else if (r->bytes + TAG_BYTES > ADDRESSES_MAX - r->align)
		rule = "size and alignment above the address space";
	if (rule != NULL && (r->flags & M_WAITOK) != 0)
		uma_crime(r->function, rule, NULL, r->type->ks_shortdesc);
	return rule != NULL;
}

bool
request_wait(const struct request *r, unsigned round)
{
	char line[160];
	struct text t = { line, line + sizeof(line) - 1 };

	if ((r->flags & M_NOWAIT) != 0)
		return false;
	port_sleep(
	    SLEEP_MIN_NS << (round < SLEEP_DOUBLE ? round : SLEEP_DOUBLE));
	if (round % TELL_ROUNDS == TELL_ROUNDS - 1) {
		text_put(&t, "uma: ");
		text_put(&t, r->function);
		text_put(&t, ": still waiting for memory: zone \"");
		text_clean(&t, r->type->ks_shortdesc);
		text_put(&t, "\"");
		*t.at++ = '\n';
		port_print(line, (size_t)(t.at - line));
	}
	return true;
}

/* Whole pages, zero.  That it is not allowed is no reason to wait. */
static void *
take_exec(const struct request *r)
{
	void *block = uma_heap_alloc_aligned(
	    r->bytes + tag_bytes(), max_size(r->align, ALIGN_MIN), HEAP_ALONE);
	bool refused;

	if (block == NULL ||
	    port_execute(block, uma_heap_usable(block, r->function), &refused))
		return block;
	uma_heap_free(block, r->function);
	if (refused && (r->flags & M_WAITOK) != 0)
		uma_crime(r->function,
		    "the system does not allow executable memory", NULL,
		    r->type->ks_shortdesc);
	return NULL;
}

/* Only the bytes asked for are zeroed; the heap knows of fresh pages. */
static void *
take_raw(const struct request *r)
{
	size_t bytes = r->bytes + tag_bytes();
	bool zero = (r->flags & M_ZERO) != 0;
	bool small = bytes <= HEAP_SMALL_MAX && r->align <= HEAP_SMALL_MAX;
	void *block =
	    uma_heap_alloc_aligned(bytes, max_size(r->align, ALIGN_MIN),
		zero && !small ? HEAP_ZERO : HEAP_RAW);

	if (block != NULL && zero && small)
		__builtin_memset(block, 0, r->bytes);
	return block;
}

/* Without a ledger a block could not be counted, so that comes first. */
void *
request_fill(const struct request *r)
{
	struct ledger *l;
	void *block = NULL;
	size_t bytes;

	if (request_too_large(r))
		return NULL;
	if ((r->flags & M_WAITOK) != 0)
		type_begin(r->type);
	for (unsigned round = 0;; round++) {
		l = type_ledger(r->type, r->function);
		if (l != NULL)
			block = (r->flags & M_EXEC) != 0 ? take_exec(r)
							 : take_raw(r);
		if (block != NULL)
			break;
		if (!request_wait(r, round))
			return NULL;
	}
	bytes = block_bytes(block, r->function);
	if (malloc9_debug)
		tag_set(block, bytes, l);
	type_count(r->type, l, PERCPU_IN, bytes);
	return block;
}

static void *
take(size_t bytes, size_t align, struct malloc_type *type, int flags,
    const char *function)
{
	struct request r = { bytes, align, type, flags, function };

	request_check(&r);
	return request_fill(&r);
}

/* ---- the rest of the family ---- */

/* See malloc9.h. */
void *
uma_malloc_aligned(
    size_t size, size_t align, struct malloc_type *type, int flags)
{
	return take(size, align, type, flags, __func__);
}

/* See malloc9.h. */
void *
uma_malloc_domainset(
    size_t size, struct malloc_type *type, struct domainset *domains, int flags)
{
	(void)domains;
	return take(size, ALIGN_MIN, type, flags, __func__);
}

/* See malloc9.h. */
void *
uma_malloc_domainset_aligned(size_t size, size_t align,
    struct malloc_type *type, struct domainset *domains, int flags)
{
	(void)domains;
	return take(size, align, type, flags, __func__);
}

static void *
take_array(size_t nmemb, size_t size, struct malloc_type *type, int flags,
    const char *function)
{
	size_t bytes;

	type_check(type, function);
	if (__builtin_mul_overflow(nmemb, size, &bytes))
		uma_crime(function, "nmemb * size overflows", NULL,
		    type->ks_shortdesc);
	return take(bytes, ALIGN_MIN, type, flags, function);
}

/* See malloc9.h. */
void *
uma_mallocarray(size_t nmemb, size_t size, struct malloc_type *type, int flags)
{
	return take_array(nmemb, size, type, flags, __func__);
}

/* See malloc9.h. */
void *
uma_mallocarray_domainset(size_t nmemb, size_t size, struct malloc_type *type,
    struct domainset *domains, int flags)
{
	(void)domains;
	return take_array(nmemb, size, type, flags, __func__);
}

/* See malloc9.h. */
void *
uma_malloc_exec(size_t size, struct malloc_type *type, int flags)
{
	return take(size, ALIGN_MIN, type, flags | M_EXEC, __func__);
}

/* See malloc9.h. */
void *
uma_malloc_domainset_exec(
    size_t size, struct malloc_type *type, struct domainset *domains, int flags)
{
	(void)domains;
	return take(size, ALIGN_MIN, type, flags | M_EXEC, __func__);
}

/* ---- sizes ---- */

/* See malloc9.h. */
size_t
uma_malloc_usable_size(const void *block)
{
	size_t bytes = uma_heap_usable(block, __func__);

	return bytes - min_size(bytes, tag_bytes());
}

/* See malloc9.h.  Only who is awake knows of debug mode. */
size_t
uma_malloc_size(size_t size)
{
	(void)heap_wake();
	for (unsigned index = 0; index < HEAP_CLASSES; index++) {
		size_t bytes = heap_class_bytes(index) - tag_bytes();

		if (size <= bytes)
			return bytes;
	}
	return 0;
}
