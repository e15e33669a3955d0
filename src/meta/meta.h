/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meta - the library's own memory
 *
 * Why it is here.  Headers, buckets and zones must not come from zones: that
 * would be a circle.  Here is a plain allocator by size for them.
 *
 *	32 64 128 256 320 ... 4096  a free list each, cut from an arena
 *	above                       whole pages of their own
 *
 * What holds.
 *   1. An object is aligned to the largest power of two that divides its room,
 *      64 for any that is as large (a page for larger ones), and zeroed when
 *      handed out.
 *   2. Memory once used for an object of up to a page stays mapped for ever and
 *      is used for objects of that class only: a stale pointer reads an object.
 *   3. META_EMERGENCY takes no lock: for those whom the gate refuses.  As many
 *      objects as they ever had at once are kept for them.
 *
 * Locks.  One, above percpu's in the order of lock.h.
 * What it may touch.  base port watch lock.
 */
#ifndef META_META_H
#define META_META_H

#include "base/base.h"
#include "lock/lock.h"

enum meta_how { META_NORMAL, META_EMERGENCY };

/*
 * Enter the gate if it lets us.
 *
 * Returns:  META_NORMAL inside, or META_EMERGENCY; it goes to meta_leave().
 * Context:  anywhere.
 */
enum meta_how meta_enter(void);
void meta_leave(enum meta_how how);

/* Take a lock inside the gate; false where it, or the gate, refuses. */
UMA_NODISCARD static inline bool
meta_lock_take(struct lock *l, enum meta_how how) UMA_TRIES(true, l)
{
	return how == META_NORMAL && lock_take(l);
}

/*
 * Returns:  zeroed memory, or NULL.
 * Context:  META_NORMAL inside the gate; META_EMERGENCY anywhere.
 */
void *meta_take(size_t bytes, enum meta_how how);

/* `bytes` as asked when taken. */
void meta_give(void *object, size_t bytes, enum meta_how how);

/* What meta_take(bytes) really gives. */
size_t meta_room(size_t bytes);

/* Boot memory to cut from until the system may be asked. */
void meta_boot(void *memory, size_t bytes);
void meta_open(void);

/* Bytes taken from the system or from boot memory. */
size_t meta_bytes(void);

#endif /* META_META_H */
