/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uma.h - typed zones: the interface of the Universal Memory Allocator
 *
 * This is the interface of 2002 (API level 2002), whole.  A zone hands out
 * items of one size and keeps free ones in their initialised state:
 *
 *	memory enters  -> init(item)       once per entry
 *	uma_zalloc_arg -> ctor(item, arg)  every allocation
 *	uma_zfree_arg  -> dtor(item, arg)  every free
 *	memory leaves  -> fini(item)       once per exit
 *
 * Set in init what survives from one user to the next (locks, list heads,
 * magic numbers), and in ctor what each user needs afresh.  The destructor
 * leaves the item as init left it.  The library writes nothing into a free
 * item of a zone that has an init or fini function or the NOFREE flag.
 *
 * No lock of the library is held around any callback.  A constructor may
 * allocate from any zone, its own included.
 *
 * A caller's crime (foreign pointer, double free, bad argument) ends the
 * process with one line on standard error:
 *
 *	uma: FUNCTION: RULE: ptr ADDRESS zone "NAME"
 */
#ifndef UMA_UMA_H
#define UMA_UMA_H

#include <stddef.h>
#include <stdint.h>
#if __STDC_HOSTED__
#include <sys/types.h> /* u_int8_t and friends, for sources of 2002 */
#endif

#ifndef UMA_API
#define UMA_API 2002
#endif
#if UMA_API != 2002
#error "uma.h: UMA_API: only level 2002 exists"
#endif

#ifndef UMA_EXPORT
#if defined(__GNUC__)
#define UMA_EXPORT __attribute__((visibility("default")))
#else
#define UMA_EXPORT
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Wait flags.  Exactly one of the first two; 0 alone means M_WAITOK. */
#ifndef M_NOWAIT
#define M_NOWAIT 0x0001 /* never wait for memory; may return NULL */
#endif
#ifndef M_WAITOK
#define M_WAITOK 0x0002 /* wait for memory; never returns NULL */
#endif
#ifndef M_ZERO
#define M_ZERO 0x0100 /* zero the item before the constructor runs */
#endif

/* What uma_startup() is given: UMA_SLAB_SIZE * UMA_BOOT_PAGES bytes. */
#define UMA_SLAB_SIZE  65536
#define UMA_BOOT_PAGES 32

/* An upper bound on the smallest item, whatever the page size. */
#define UMA_SMALLEST_UNIT 8

struct uma_zone;
typedef struct uma_zone *uma_zone_t;

/* Runs on every allocation, before the item is handed out.  May block. */
typedef void (*uma_ctor)(void *mem, int size, void *arg);

/* Runs on every free; leaves the item as init left it. */
typedef void (*uma_dtor)(void *mem, int size, void *arg);

/* Runs once when an item's memory enters the zone. */
typedef void (*uma_init)(void *mem, int size);

/* Runs once when an item's memory leaves the zone; undoes init. */
typedef void (*uma_fini)(void *mem, int size);

/* Zone flags. */
#define UMA_ZONE_PAGEABLE 0x0001 /* hand out items before pages back them */
#define UMA_ZONE_ZINIT    0x0002 /* init zeroes; replaces the caller's init */
#define UMA_ZONE_STATIC   0x0004 /* size fixed by prealloc or set_obj */
#define UMA_ZONE_OFFPAGE  0x0008 /* slab headers off the slab: always so */
#define UMA_ZONE_MALLOC   0x0010 /* for the library's malloc only */
#define UMA_ZONE_NOFREE   0x0020 /* never give slabs back */

/* Alignment is a mask: a power of two less one. */
#define UMA_ALIGN_PTR   ((int)sizeof(void *) - 1)
#define UMA_ALIGN_LONG  ((int)sizeof(long) - 1)
#define UMA_ALIGN_INT   ((int)sizeof(int) - 1)
#define UMA_ALIGN_SHORT ((int)sizeof(short) - 1)
#define UMA_ALIGN_CHAR  ((int)sizeof(char) - 1)
#define UMA_ALIGN_CACHE (64 - 1)

/*
 * uma_zcreate - create a zone
 *
 * Needs:    `size` from 1 to 1 GiB; `align` a power of two less one, at most
 *           the slab's size less one (65535); any combination of the flags
 *           above.  Anything else is a crime.  The name is copied (first 63
 *           bytes).  Any callback may be NULL.
 * Returns:  the zone; NULL when there is no memory for it.
 * Owns:     the zone is the caller's until uma_zdestroy() returns 0.
 * Context:  thread-safe; not from a signal handler.  Starts the library when
 *           nothing has started it yet.
 * Cost:     no item memory is taken until the first allocation.
 * FreeBSD:  2002, which had no way to report failure and always waited.
 */
UMA_EXPORT uma_zone_t uma_zcreate(const char *name, int size, uma_ctor ctor,
    uma_dtor dtor, uma_init uminit, uma_fini fini, int align, uint16_t flags);

/*
 * uma_zdestroy - destroy a zone
 *
 * Flags:    M_NOWAIT  refuse while items are out
 *           M_WAITOK  wait until the last one is freed
 * Returns:  0 when the zone is gone: every item in it saw fini once and its
 *           memory is back with the library.  EWOULDBLOCK, with M_NOWAIT only,
 *           when items are out, or the system refuses membarrier(2): the zone
 *           is as it was and can be used on.
 * Owns:     after 0 the handle is dead; using it is a crime.
 * Context:  no other thread may be inside a call on the zone that could
 *           allocate.  Frees may race with the waiting form.  Not from a
 *           callback of the zone itself, nor from a signal handler.
 * FreeBSD:  2002 promised this; no FreeBSD release did it.
 */
UMA_EXPORT int uma_zdestroy(uma_zone_t zone, int wait);

/*
 * uma_zalloc_arg, uma_zalloc - take one item
 *
 * The item is as init left it, then as the constructor made it with `arg`
 * (NULL for uma_zalloc); unspecified bytes in a zone without callbacks.
 *
 * Flags:    M_NOWAIT, or M_WAITOK, or 0 which means M_WAITOK; and M_ZERO:
 *           every byte of the item is zero before the constructor runs.
 * Returns:  the item, aligned as the zone was created; NULL with M_NOWAIT
 *           only, when there is no memory or a zone of fixed size is
 *           exhausted.  What other threads are moving between layers, or
 *           making, at that moment is not waited for.  errno is left alone.
 * Owns:     the item is the caller's until freed to the same zone, by any
 *           thread, once.
 * Context:  thread-safe.  With M_NOWAIT also from a signal handler, whatever
 *           it interrupted, if the zone's callbacks allow it.
 * Cost:     a hit in this CPU's cache writes two cache lines, of a free
 *           three, takes no lock and executes no atomic instruction.
 */
UMA_EXPORT void *uma_zalloc_arg(uma_zone_t zone, void *arg, int wait);
UMA_EXPORT void *uma_zalloc(uma_zone_t zone, int wait);

/*
 * uma_zfree_arg, uma_zfree - give an item back
 *
 * The destructor sees `arg` (NULL for uma_zfree).  A NULL item is ignored.
 *
 * Needs:    an item that this zone handed out and that is not free.  A foreign
 *           pointer, a pointer into an item and an item of another zone are
 *           crimes, seen at once.  So is a double free: seen at once if the
 *           item is on top of this CPU's bucket, and otherwise when it reaches
 *           its slab, by whatever call takes it there.
 * Context:  as uma_zalloc_arg().
 */
UMA_EXPORT void uma_zfree_arg(uma_zone_t zone, void *item, void *arg);
UMA_EXPORT void uma_zfree(uma_zone_t zone, void *item);

/*
 * uma_prealloc - fill a zone ahead of use
 *
 * Makes `itemcnt` more items exist, rounded up to whole slabs, initialised
 * and (unless PAGEABLE) backed, in the slab layer.  Constructors do not run.
 * They stay while the zone lies idle, until something is freed or a reclaim.
 * In a STATIC zone this fixes the size for good.
 *
 * Needs:    itemcnt >= 0.
 * Context:  waits for memory as M_WAITOK does.
 */
UMA_EXPORT void uma_prealloc(uma_zone_t zone, int itemcnt);

/*
 * uma_reclaim - give unused memory of all zones back to the system
 *
 * Empties the caches of all CPUs and every depot, runs fini on the items of
 * empty slabs (not in NOFREE zones) and returns their pages.
 *
 * Context:  thread-safe; not from a callback or a signal handler.  While
 *           another thread forks it does nothing, or not all of it.
 * Cost:     one membarrier for each batch of zones.
 */
UMA_EXPORT void uma_reclaim(void);

/*
 * Page suppliers.  `pflag` carries eight bits from the allocating function to
 * the freeing one; see UMA_SLAB_* below.  An allocating function returns
 * memory of `size` bytes that belongs to nothing else, aligned to a page and
 * to the zone's alignment, or NULL.  An aligned block of malloc will do.
 * NULL, misaligned, overlapping or unmapped memory fails the allocation
 * cleanly (the last three are handed back to the freeing function).
 */
typedef void *(*uma_alloc)(uma_zone_t zone, int size, uint8_t *pflag, int wait);
typedef void (*uma_free)(void *item, int size, uint8_t pflag);

/*
 * uma_zone_set_allocf, uma_zone_set_freef - plug in a page supplier
 *
 * Needs:    before the first allocation and prealloc; later is a crime.
 *           A zone with an allocf and no freef never gives slabs back.
 * Context:  the functions run with no lock of the library held.
 */
UMA_EXPORT void uma_zone_set_allocf(uma_zone_t zone, uma_alloc allocf);
UMA_EXPORT void uma_zone_set_freef(uma_zone_t zone, uma_free freef);

/*
 * Set by an allocf, seen by the freef.  The library sets PRIV before it calls
 * an allocf, and for slabs of its own BOOT, KMEM or KMAP.
 */
#define UMA_SLAB_BOOT   0x01 /* from boot memory; stays until the zone's end */
#define UMA_SLAB_KMEM   0x02 /* from the library's own supply */
#define UMA_SLAB_KMAP   0x04 /* from a backing object */
#define UMA_SLAB_PRIV   0x08 /* from a private supplier */
#define UMA_SLAB_OFFP   0x10 /* free for a supplier's use */
#define UMA_SLAB_MALLOC 0x20 /* free for a supplier's use */

/*
 * A backing object: a range of a file descriptor (memfd, file, hugetlbfs)
 * that a zone takes its memory from.
 */
struct vm_object;

/*
 * uma_object_create - name a range of a file as a backing object
 *
 * Needs:    `offset` page-aligned; the file at least offset + bytes long.
 *           The range is mapped MAP_SHARED.
 * Returns:  the object, or NULL (errno untouched) when the descriptor or
 *           range cannot be used or there is no memory.
 * Owns:     the descriptor is duplicated.  The object is the caller's until
 *           uma_object_destroy(), or, once a zone took it, the zone's.
 */
UMA_EXPORT struct vm_object *uma_object_create(
    int fd, uint64_t offset, size_t bytes);
UMA_EXPORT void uma_object_destroy(struct vm_object *object);

/*
 * uma_zone_set_obj - take a zone's memory from an object
 *
 * The address space for `size` items is reserved at once, the zone can hold
 * exactly `size` items, and it never gives slabs back.  Item i of the zone
 * lies at the same offset of the object in every process that maps it.
 * With a NULL object it is anonymous memory, which a child of fork() has a copy
 * of like that of any zone.  An object that was given stays shared: see
 * CAVEATS.
 *
 * Needs:    before the first allocation; size >= 1.
 * Returns:  1 on success; 0, with the zone unchanged, when the address space
 *           cannot be had or the object is too small.
 */
UMA_EXPORT int uma_zone_set_obj(
    uma_zone_t zone, struct vm_object *object, int size);

/*
 * uma_startup, uma_startup2 - start the library by hand
 *
 * uma_startup() takes UMA_SLAB_SIZE * UMA_BOOT_PAGES bytes and makes zones
 * work from them before the system's page supplier may be used; caches are
 * off.  uma_startup2() opens the page supplier and the caches.  `hash` and
 * `elems` (a power of two) described the malloc hash of 2002: the page map
 * made it needless; `hash`, which may be NULL, is zeroed, no more.  Under a
 * preloaded malloc, which started the library, both calls are only checked.
 *
 * Programs need not call either: the first use of the library starts it.
 *
 * Needs:    uma_startup() first of all calls, once, bootmem not NULL; then
 *           uma_startup2(), once.  Any other order is a crime.
 */
UMA_EXPORT void uma_startup(void *bootmem);
UMA_EXPORT void uma_startup2(void *hash, unsigned long elems);

#ifdef __cplusplus
}
#endif

#endif /* UMA_UMA_H */
