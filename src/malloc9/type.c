/* SPDX-License-Identifier: BSD-2-Clause */
/* Registering types, and finding what belongs to one: see malloc9.h. */
#include "malloc9/inner.h"
#include "port/port.h"

#define REGISTERED ((uintptr_t)0x6d397479)

/* The system is asked so often to tell of the process's end. */
#define ASKS 1024u

/* Of the list, and of the unused ledgers. */
struct lock types_lock;

/* Set by the system when the process exits; destructors come after it. */
static _Atomic bool exiting;

/* The library's own types are registered from the start. */
struct malloc_type uma_m_devbuf[1] = { { uma_m_temp, NULL, UMA_MALLOC_VERSION,
    "devbuf", 0, 0, NULL, REGISTERED } };
struct malloc_type uma_m_temp[1] = { { NULL, uma_m_devbuf, UMA_MALLOC_VERSION,
    "temp", 0, 0, NULL, REGISTERED } };

static struct malloc_type *first UMA_GUARDED(&types_lock) = uma_m_devbuf;
static struct malloc_type *last UMA_GUARDED(&types_lock) = uma_m_temp;

void
malloc9_enter(void)
{
	while (!gate_enter())
		port_yield();
}

/* A fork under way is over sooner or later: then both can be had. */
void
malloc9_lock(void)
{
	while (!gate_lock(&types_lock))
		port_yield();
}

void
malloc9_unlock(void)
{
	gate_unlock(&types_lock);
}

static void
at_exit(void)
{
	/* relaxed: whoever asks runs after it, in the same thread. */
	atomic_store_explicit(&exiting, true, memory_order_relaxed);
}

/*
 * Destructors run at dlclose() and at exit, where nothing is unregistered.
 * What was asked for before the program's start is told only after its
 * destructors: so it is asked for again as more types come and are first used,
 * ever more rarely in the end.
 */
static void
watch_exit(void)
{
	static _Atomic uint32_t calls;
	/* relaxed: any one of the calls will do. */
	uint32_t call =
	    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;

	if (call <= ASKS || is_pow2(call))
		port_at_exit(at_exit);
}

/* ---- the list ---- */

static void
insert(struct malloc_type *type)
{
	malloc9_lock();
	type->ks_next = NULL;
	type->ks_prev = last;
	if (last != NULL)
		last->ks_next = type;
	else
		first = type;
	last = type;
	type->ks_state = REGISTERED;
	malloc9_unlock();
}

/* Off the list, once; `known` to calls with its blocks all the same, or not. */
static void
take_out(struct malloc_type *type, bool known)
{
	malloc9_lock();
	if (first == type || type->ks_prev != NULL) {
		if (type->ks_prev != NULL)
			type->ks_prev->ks_next = type->ks_next;
		else
			first = type->ks_next;
		if (type->ks_next != NULL)
			type->ks_next->ks_prev = type->ks_prev;
		else
			last = type->ks_prev;
	}
	type->ks_next = NULL;
	type->ks_prev = NULL;
	if (!known)
		type->ks_state = 0;
	malloc9_unlock();
}

/* The first type, or the one behind another, which is still registered. */
static struct malloc_type *
next_type(const struct malloc_type *type)
{
	struct malloc_type *next;

	malloc9_lock();
	next = type == NULL ? first : type->ks_next;
	malloc9_unlock();
	return next;
}

/* See malloc9.h. */
void
uma_malloc_type_list(
    void (*each)(struct malloc_type *type, void *arg), void *arg)
{
	struct malloc_type *type = NULL;

	while ((type = next_type(type)) != NULL)
		each(type, arg);
}

static bool
is_same(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* See malloc9.h.  A name can go with its type, but not under the lock. */
struct malloc_type *
uma_malloc_desc2type(const char *shortdesc)
{
	struct malloc_type *type;

	if (shortdesc == NULL)
		uma_crime(__func__, "description is NULL", NULL, NULL);
	malloc9_lock();
	for (type = first; type != NULL; type = type->ks_next) {
		if (is_same(type->ks_shortdesc, shortdesc))
			break;
	}
	malloc9_unlock();
	return type;
}

/* ---- registering ---- */

/* A type of another make, or no type at all, may have any name. */
static void
check_version(const struct malloc_type *type, const char *function)
{
	if (type == NULL)
		uma_crime(function, "malloc type is NULL", NULL, NULL);
	if (type->ks_version != UMA_MALLOC_VERSION ||
	    type->ks_shortdesc == NULL)
		uma_crime(function, "not a malloc type", type, NULL);
}

void
type_check(const struct malloc_type *type, const char *function)
{
	check_version(type, function);
	if (type->ks_state != REGISTERED)
		uma_crime(function, "malloc type is not registered", NULL,
		    type->ks_shortdesc);
}

/* See malloc9.h. */
void
uma_malloc_init(void *data)
{
	struct malloc_type *type = data;

	check_version(type, __func__);
	if (type->ks_state == REGISTERED)
		uma_crime(__func__, "malloc type is registered already", NULL,
		    type->ks_shortdesc);
	type->ks_classes = 0;
	type->ks_counters = 0;
	type->ks_ledger = NULL;
	watch_exit();
	insert(type);
}

static void
tell_leak(const struct uma_malloc_stats *s)
{
	char line[256];
	struct text t = { line, line + sizeof(line) };

	text_put(&t, "uma: memory type ");
	text_clean(&t, s->name);
	text_put(&t, " leaked memory on destroy (");
	text_num(&t, s->in_use, 0);
	text_put(&t, " allocations, ");
	text_num(&t, s->in_use_bytes, 0);
	text_put(&t, " bytes leaked)\n");
	port_print(line, (size_t)(t.at - line));
}

static struct ledger *
get_ledger(const struct malloc_type *type)
{
	/* acquire, pairs with the exchange in type_ledger(). */
	return __atomic_load_n(&type->ks_ledger, __ATOMIC_ACQUIRE);
}

/* See malloc9.h. */
void
uma_malloc_uninit(void *data)
{
	struct malloc_type *type = data;
	struct uma_malloc_stats s;
	struct ledger *l;
	bool stays = atomic_load_explicit(&exiting, memory_order_relaxed);

	type_check(type, __func__);
	l = get_ledger(type);
	if (l != NULL && ledger_read(l, &s) &&
	    (s.in_use != 0 || s.in_use_bytes != 0) && (!stays || malloc9_debug))
		tell_leak(&s);
	/* At exit later destructors may still use it, but its memory may go. */
	take_out(type, stays);
	if (stays)
		return;
	type->ks_classes = 0;
	type->ks_counters = 0;
	type->ks_ledger = NULL;
	if (l != NULL)
		ledger_end(l);
}

/* ---- what belongs to a type ---- */

void
type_begin(const struct malloc_type *type)
{
	if (get_ledger(type) == NULL)
		watch_exit();
}

struct ledger *
type_ledger(struct malloc_type *type, const char *function)
{
	void *none = NULL;
	struct ledger *l;

	type_check(type, function);
	l = get_ledger(type);
	if (likely(l != NULL))
		return l;
	/* Only who is awake knows of debug mode. */
	if (!heap_wake())
		return NULL;
	l = ledger_make(type->ks_shortdesc);
	if (l == NULL)
		return NULL;
	/* release, pairs with get_ledger(). */
	if (__atomic_compare_exchange_n(&type->ks_ledger, &none, l, false,
		__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return l;
	ledger_drop(l);
	return none;
}

/* A block as large as those of a class was taken. */
static void
note_class(struct ledger *l, size_t index)
{
	uint64_t bit = UINT64_C(1) << index;

	/* relaxed: once set it stays. */
	if ((atomic_load_explicit(&l->classes, memory_order_relaxed) & bit) ==
	    0)
		atomic_fetch_or_explicit(
		    &l->classes, bit, memory_order_relaxed);
}

/*
 * From the second block of a class on, a hit may count it; the counters must
 * be there before the bit says so.  Of runs the rest of the way looks like a
 * hit, so it is only for who has sequences.
 */
static void
open_class(struct malloc_type *type, struct ledger *l, size_t index)
{
	uint64_t bit = UINT64_C(1) << index;
	/* acquire, pairs with find_records(). */
	uintptr_t records =
	    atomic_load_explicit(&l->records, memory_order_acquire);

	if (malloc9_debug || percpu_mode != PERCPU_RSEQ || records == 0 ||
	    class_open(type, index))
		return;
	__atomic_store_n(&type->ks_counters, records, __ATOMIC_RELAXED);
	/* release, pairs with class_open(). */
	__atomic_fetch_or(&type->ks_classes, bit, __ATOMIC_RELEASE);
}

void
type_count(struct malloc_type *type, struct ledger *l, enum percpu_way way,
    size_t bytes)
{
	size_t index = class_of(bytes);

	if (l == NULL)
		return;
	ledger_count(l, way, bytes);
	if (way != PERCPU_IN)
		return;
	if (index != CLASS_RUN && bytes == heap_class_bytes(index))
		note_class(l, index);
	open_class(type, l, index);
	/* What is as large as a medium block may be a run. */
	if (bytes > HEAP_SMALL_MAX)
		open_class(type, l, CLASS_RUN);
}

/* See malloc9.h. */
void
uma_malloc_type_allocated(struct malloc_type *type, unsigned long size)
{
	struct ledger *l = type_ledger(type, __func__);

	if (l != NULL && size != 0)
		ledger_count(l, PERCPU_IN, size);
}

/* See malloc9.h. */
void
uma_malloc_type_freed(struct malloc_type *type, unsigned long size)
{
	struct ledger *l = type_ledger(type, __func__);

	if (l != NULL && size != 0)
		ledger_count(l, PERCPU_OUT, size);
}
