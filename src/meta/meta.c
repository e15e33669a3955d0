/* SPDX-License-Identifier: BSD-2-Clause */
#include "meta/meta.h"

#include "port/port.h"
#include "watch/watch.h"

/* Powers of two up to FINE, then four to a doubling. */
#define CLASS_MIN_BITS 5u
#define FINE_BITS      8u
#define CLASS_MAX_BITS 12u
#define FINE_FIRST     (FINE_BITS - CLASS_MIN_BITS + 1)
#define CLASSES        (FINE_FIRST + 4 * (CLASS_MAX_BITS - FINE_BITS))
#define CLASS_MAX      ((size_t)1 << CLASS_MAX_BITS)

/* The arena grows by this much address space, then by twice as much ... */
#define ARENA_MIN ((size_t)256 << 10)
#define ARENA_MAX ((size_t)4 << 20)

/* Looks for a free object before a page is mapped without the lock. */
#define TRIES 50u

struct free_object {
	struct free_object *next;
};

#define GUARDED UMA_GUARDED(&meta_lock)
static struct lock meta_lock;

static struct {
	struct free_object *free[CLASSES] GUARDED;
	char *at GUARDED; /* the arena's unused part */
	char *end GUARDED;
	size_t arena_bytes GUARDED;
	bool closed; /* boot: the system may not be asked yet */
	_Atomic size_t bytes;
	/*
	 * Given back without the lock, or kept for those who cannot take it;
	 * taken all at once.
	 */
	_Atomic(struct free_object *) late[CLASSES];
	_Atomic size_t owed[CLASSES]; /* to late: taken without the lock */
} meta;

static unsigned
class_of(size_t bytes)
{
	unsigned bits = bytes <= 1 ? 0 : highest_bit(bytes - 1);

	if (bits < CLASS_MIN_BITS)
		return 0;
	if (bits < FINE_BITS)
		return bits + 1 - CLASS_MIN_BITS;
	return FINE_FIRST + 4 * (bits - FINE_BITS) +
	       (unsigned)((bytes - 1) >> (bits - 2) & 3);
}

static void
clear(void *object, size_t bytes)
{
	watch_zero(object, bytes);
}

size_t
meta_room(size_t bytes)
{
	unsigned index = class_of(bytes);

	if (bytes > CLASS_MAX)
		return round_up(bytes, port_page_bytes());
	if (index < FINE_FIRST)
		return (size_t)1 << (index + CLASS_MIN_BITS);
	index -= FINE_FIRST;
	return (size_t)(5 + index % 4) << (FINE_BITS - 2 + index / 4);
}

static void
count_bytes(size_t bytes)
{
	/* relaxed: a statistic. */
	atomic_fetch_add_explicit(&meta.bytes, bytes, memory_order_relaxed);
}

/* Fresh zeroed memory, straight from the system. */
static void *
map(size_t bytes, size_t align)
{
	void *memory = port_map(bytes, align);

	if (memory == NULL)
		return NULL;
	count_bytes(bytes);
	port_label(memory, bytes, "uma:meta");
	return memory;
}

static bool
grow(void) UMA_REQUIRES(&meta_lock)
{
	size_t bytes = meta.arena_bytes;
	void *memory = NULL;

	if (meta.closed)
		return false;
	if (bytes == 0)
		bytes = ARENA_MIN;
	for (; memory == NULL && bytes >= CLASS_MAX; bytes /= 2)
		memory = map(bytes, CLASS_MAX);
	if (memory == NULL)
		return false;
	bytes *= 2; /* as the loop left it */
	meta.at = memory;
	meta.end = meta.at + bytes;
	meta.arena_bytes = min_size(2 * bytes, ARENA_MAX);
	return true;
}

/* Cut an object off the arena.  What alignment skips is lost. */
static void *
cut(size_t bytes, size_t align) UMA_REQUIRES(&meta_lock)
{
	char *at = (char *)round_up((uintptr_t)meta.at, align);

	if (meta.at == NULL || at > meta.end ||
	    (size_t)(meta.end - at) < bytes) {
		if (!grow())
			return NULL;
		at = (char *)round_up((uintptr_t)meta.at, align);
		/* Larger ones came here while nothing grew: boot. */
		if ((size_t)(meta.end - at) < bytes)
			return NULL;
	}
	meta.at = at + bytes;
	return at;
}

static struct free_object *
take_listed(unsigned index) UMA_REQUIRES(&meta_lock)
{
	struct free_object *object = meta.free[index];

	if (object == NULL)
		/* acquire, pairs with give_late(). */
		object = atomic_exchange_explicit(
		    &meta.late[index], NULL, memory_order_acquire);
	if (object != NULL)
		meta.free[index] = object->next;
	return object;
}

static void
give_late(struct free_object *object, unsigned index)
{
	/* relaxed: the exchange below publishes. */
	object->next =
	    atomic_load_explicit(&meta.late[index], memory_order_relaxed);
	/* release, pairs with the acquires of the same word. */
	while (!atomic_compare_exchange_weak_explicit(&meta.late[index],
	    &object->next, object, memory_order_release, memory_order_relaxed))
		;
}

/* Two lists as one: a walk along the first. */
static struct free_object *
joined(struct free_object *few, struct free_object *many)
{
	struct free_object *last = few;

	if (few == NULL)
		return many;
	while (last->next != NULL)
		last = last->next;
	last->next = many;
	return few;
}

/*
 * One of those that were given late: all, and all but one go back, in a moment,
 * as who comes meanwhile finds none.  They may be many; what was given in that
 * moment is not.
 */
static struct free_object *
take_late(unsigned index)
{
	_Atomic(struct free_object *) *late = &meta.late[index];
	/* acquire, both exchanges, pairs with give_late(). */
	struct free_object *object =
	    atomic_exchange_explicit(late, NULL, memory_order_acquire);
	struct free_object *rest = object == NULL ? NULL : object->next;
	struct free_object *more = NULL;

	/* release, as in give_late(). */
	while (rest != NULL &&
	       !atomic_compare_exchange_strong_explicit(late, &more, rest,
		   memory_order_release, memory_order_relaxed)) {
		more =
		    atomic_exchange_explicit(late, NULL, memory_order_acquire);
		rest = joined(more, rest);
		more = NULL;
	}
	return object;
}

/* A page, cut into objects; the others are for the next who comes like this. */
static void *
map_late(unsigned index, size_t room)
{
	size_t page = port_page_bytes();
	char *memory = map(round_up(room, page), page);

	for (size_t at = room; memory != NULL && at + room <= page;
	     at += room) {
		struct free_object *more = (void *)(memory + at);

		give_late(more, index);
	}
	return memory;
}

/* Without the lock. */
static void *
take_emergency(unsigned index, size_t room)
{
	void *object = take_late(index);

	/* Another thread may just have them in its hand. */
	for (unsigned tries = 0; object == NULL && tries < TRIES; tries++) {
		arch_relax();
		object = take_late(index);
	}
	if (object != NULL)
		clear(object, room);
	else
		object = map_late(index, room);
	/* relaxed: a count. */
	if (object != NULL)
		atomic_fetch_add_explicit(
		    &meta.owed[index], 1, memory_order_relaxed);
	return object;
}

/* Whether one that comes back is for who cannot take the lock. */
static bool
is_owed(unsigned index)
{
	/* relaxed: a count. */
	size_t owed =
	    atomic_load_explicit(&meta.owed[index], memory_order_relaxed);

	while (owed != 0)
		if (atomic_compare_exchange_weak_explicit(&meta.owed[index],
			&owed, owed - 1, memory_order_relaxed,
			memory_order_relaxed))
			return true;
	return false;
}

enum meta_how
meta_enter(void)
{
	return gate_enter() ? META_NORMAL : META_EMERGENCY;
}

void
meta_leave(enum meta_how how)
{
	if (how == META_NORMAL)
		gate_leave();
}

void *
meta_take(size_t bytes, enum meta_how how)
{
	unsigned index = class_of(bytes);
	size_t room = meta_room(bytes);
	void *object;

	if (how == META_EMERGENCY)
		return bytes > CLASS_MAX ? map(room, port_page_bytes())
					 : take_emergency(index, room);
	if (bytes > CLASS_MAX && !meta.closed)
		return map(room, port_page_bytes());
	if (!lock_take(&meta_lock))
		return meta_take(bytes, META_EMERGENCY);
	object = bytes > CLASS_MAX ? NULL : take_listed(index);
	if (object == NULL)
		object = cut(room, min_size(room & -room, CLASS_MAX));
	lock_drop(&meta_lock);
	if (object != NULL)
		clear(object, room);
	return object;
}

/* To a tool, what is left of a bucket must not look like a use of its items. */
static void
rest(void *object, size_t room)
{
	if (unlikely(watch_on))
		clear(object, room);
}

void
meta_give(void *memory, size_t bytes, enum meta_how how)
{
	struct free_object *object = memory;
	unsigned index = class_of(bytes);

	if (bytes > CLASS_MAX) {
		port_unmap(memory, meta_room(bytes));
		count_bytes(-meta_room(bytes));
		return;
	}
	rest(object, meta_room(bytes));
	if (is_owed(index) || how == META_EMERGENCY || !lock_take(&meta_lock)) {
		give_late(object, index);
		return;
	}
	object->next = meta.free[index];
	meta.free[index] = object;
	lock_drop(&meta_lock);
}

/* unchecked: at boot nobody else is here. */
void
meta_boot(void *memory, size_t bytes) UMA_UNCHECKED_LOCKS
{
	clear(memory, bytes);
	meta.at = memory;
	meta.end = meta.at + bytes;
	meta.closed = true;
	count_bytes(bytes);
}

void
meta_open(void)
{
	meta.closed = false;
}

size_t
meta_bytes(void)
{
	return atomic_load_explicit(&meta.bytes, memory_order_relaxed);
}
