/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_zone.h - vm_zone(9), FreeBSD's zone allocator of 1997 to 2002
 *
 * A vm_zone hands out items of one size.  Its memory is zeroed once, when it
 * enters the zone, and never leaves the zone again before zdestroy(): an old
 * pointer always points at an item of the same type.  What the last user left
 * in a freed item stays there.
 *
 * The functions are uma_vm_*.  The old spellings (zinit, zalloc, zfree ...)
 * are inline functions over them, unless UMA_VM_ZONE_PREFIXED is defined
 * before this header is included: they are short words that other code uses,
 * and malloc(9) has a zfree() of its own, with other arguments.  One
 * translation unit can have only one of the two.
 *
 * A caller's crime ends the process with one line on standard error:
 *
 *	uma: zfree: RULE: ptr ADDRESS zone "NAME"
 */
#ifndef UMA_VM_ZONE_H
#define UMA_VM_ZONE_H

#include <stddef.h>
#include <stdint.h>

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

struct vm_object;
struct uma_zone;
struct vm_zone_row;

/* Flags of zinit() and zinitna(). */
#define ZONE_INTERRUPT 1  /* room reserved at once; a limit; never waits */
#define ZONE_BOOT      16 /* set by zbootinit(); not for callers */

/*
 * A zone.  Programs may define one, all zero, for zinitna() or zbootinit().
 * The first five fields may be read; the rest is the library's.
 */
struct vm_zone {
	const char *zname;
	int zsize;  /* bytes from one item to the next */
	int zmax;   /* most items there can be; 0: no limit */
	int zflags; /* ZONE_* */
	int zalloc; /* pages to add at a time: kept, not followed */

	uint32_t zstate;
	uint32_t zbootcount;
	struct uma_zone *zzone;
	struct vm_zone_row *zrow; /* in the table of all zones */
	char *zboot;              /* items of zbootinit() */
	uint32_t *zbootlinks;
	uint64_t zboothead;
	void *zhand[4]; /* kept for who may not wait for a lock */
	uint64_t zspare[7];
};

typedef struct vm_zone *vm_zone_t;

/*
 * uma_vm_zinit - make a zone
 *
 * `size` is rounded up to 32.  With ZONE_INTERRUPT the address space of
 * `nentries` items is reserved now, pages come on demand, and there will
 * never be more items.  Without, `nentries` has no meaning and is no limit.
 *
 * Needs:    size from 1 to 1 GiB; nentries and zalloc not negative; nentries
 *           at least 1 with ZONE_INTERRUPT.  Anything else is a crime.
 * Returns:  the zone, or NULL when there is no memory or address space.
 * Context:  thread-safe; not from a signal handler.
 * FreeBSD:  zinit, 1997 to 2002.
 */
UMA_EXPORT vm_zone_t uma_vm_zinit(
    const char *name, int size, int nentries, int flags, int zalloc);

/*
 * uma_vm_zinitna - make a zone in the caller's structure
 *
 * The structure is all zero, or zbootinit() filled it in: then the boot items
 * stay in the zone, `name` and `size` are those of zbootinit(), and with
 * ZONE_INTERRUPT the limit is nentries and the boot items together.  `object`
 * was room for the kernel's book-keeping: nothing is read or written there.
 *
 * Returns:  1; 0, with the structure as it was, when there is no memory or
 *           address space.
 * Context:  as uma_vm_zinit().  Once for a structure: again is a crime.
 * FreeBSD:  zinitna, 1997 to 2002; _zinit in the first revision.
 */
UMA_EXPORT int uma_vm_zinitna(vm_zone_t z, struct vm_object *object,
    const char *name, int size, int nentries, int flags, int zalloc);

/*
 * uma_vm_zbootinit - make a zone of the caller's items, and of no others
 *
 * `item` is an array of `nitems` items of `size` bytes, not rounded up.  It is
 * zeroed, its items are handed out before any other, and it is never given
 * back.  uma_vm_zinitna() on the same structure lets the zone grow.
 *
 * Needs:    item aligned to 8 if the zone's users need that; size >= 1;
 *           nitems >= 0.  `name` stays valid, and so does *z: for good, as
 *           a boot zone is never destroyed.
 * Context:  before everything else, uma_startup() too, as long as there are
 *           at most 64 such zones with 16384 items.  Not from a signal
 *           handler.
 * FreeBSD:  zbootinit, 1997 to 2002; _zbootinit in the first revision.
 */
UMA_EXPORT void uma_vm_zbootinit(
    vm_zone_t z, const char *name, int size, void *item, int nitems);

/*
 * uma_vm_zdestroy - end a zone
 *
 * Needs:    every item was freed, and the zone has no boot items: else it is
 *           a crime.  No other thread is inside a call on the zone.
 * Owns:     a zone of zinit() is gone; a structure given to zinitna() is the
 *           caller's again and may be given to zinitna() anew.
 * FreeBSD:  zdestroy, 2001 to 2002.
 */
UMA_EXPORT void uma_vm_zdestroy(vm_zone_t z);

/*
 * uma_vm_zalloc - take an item
 *
 * Returns:  the item; NULL when there is no memory, when all items of a
 *           ZONE_INTERRUPT zone are out, and when those of a boot zone are.
 *           Never waits for memory.  errno is left alone.
 * Owns:     the item is the caller's until freed to the same zone, once, by
 *           any thread.  The item that a thread freed last is the one it gets
 *           next, but free boot items come first.
 * Context:  thread-safe; also from a signal handler, whatever it interrupted.
 *           A handler that interrupted a call of its own thread on this or
 *           any other zone, or on malloc, can reach what its CPU has cached
 *           (in the generic mode nothing of that) and four items that a
 *           ZONE_INTERRUPT zone keeps for it from its first allocation on:
 *           below the limit it may see NULL after those.  Frees fill the four
 *           up again before anything else.
 * FreeBSD:  zalloc and zalloci: here one function serves both.
 */
UMA_EXPORT void *uma_vm_zalloc(vm_zone_t z);

/*
 * uma_vm_zfree - give an item back
 *
 * Needs:    an item of this zone that is out.  NULL, a foreign pointer, a
 *           pointer into an item, an item of another zone and a second free
 *           that is seen (at once for boot items; else at the latest when the
 *           item reaches its slab) are crimes.
 * Context:  as uma_vm_zalloc().
 * FreeBSD:  zfree and zfreei.
 */
UMA_EXPORT void uma_vm_zfree(vm_zone_t z, void *item);

/* Numbers of one zone. */
struct uma_vm_zone_stats {
	uint64_t used;     /* items in users' hands */
	uint64_t free;     /* items there are, and not used */
	uint64_t requests; /* successful allocations so far */
};

UMA_EXPORT void uma_vm_zone_stats(vm_zone_t z, struct uma_vm_zone_stats *out);

/*
 * uma_vm_zone_print - write the table of all vm_zones to a descriptor
 *
 * As `sysctl vm.zone` printed it, latest zone first, in the layout of
 * March 2002: see vm_zone(3) for why that one.  Nothing is read from the
 * structures of zinitna() and zbootinit(): a zone whose structure is gone, in
 * a shared object that was closed, is listed with what it was last known for.
 *
 * Context:  allocates nothing.  In a signal handler that interrupted the
 *           library the table may end early.
 */
UMA_EXPORT void uma_vm_zone_print(int fd);

#ifdef __cplusplus
}
#endif

#endif /* UMA_VM_ZONE_H */

/* By themselves: who had the header without them may want them after all. */
#if !defined(UMA_VM_ZONE_PREFIXED) && !defined(UMA_VM_ZONE_NAMES_H)
#define UMA_VM_ZONE_NAMES_H

#ifdef zfree
#error "uma/vm_zone.h: malloc(9)'s zfree is active here: a file has one zfree"
#endif
/* For headers that come later to see that the word is taken. */
#define zfree zfree

/* The first revision's way to say: not ZONE_INTERRUPT. */
#define ZONE_WAIT 0

static __inline vm_zone_t
zinit(const char *name, int size, int nentries, int flags, int zalloc)
{
	return uma_vm_zinit(name, size, nentries, flags, zalloc);
}

static __inline int
zinitna(vm_zone_t z, struct vm_object *object, const char *name, int size,
    int nentries, int flags, int zalloc)
{
	return uma_vm_zinitna(z, object, name, size, nentries, flags, zalloc);
}

static __inline void
zbootinit(vm_zone_t z, const char *name, int size, void *item, int nitems)
{
	uma_vm_zbootinit(z, name, size, item, nitems);
}

static __inline void
zdestroy(vm_zone_t z)
{
	uma_vm_zdestroy(z);
}

static __inline void *
zalloc(vm_zone_t z)
{
	return uma_vm_zalloc(z);
}

static __inline void *
zalloci(vm_zone_t z)
{
	return uma_vm_zalloc(z);
}

static __inline void
zfree(vm_zone_t z, void *item)
{
	uma_vm_zfree(z, item);
}

static __inline void
zfreei(vm_zone_t z, void *item)
{
	uma_vm_zfree(z, item);
}

/* The first revision's names.  A function in the kernel: one word longer. */
#define _zinit     zinitna
#define _zbootinit zbootinit

/* Of 2001: the kernel's start called them.  Here the first use starts all. */
static __inline void
vm_zone_init(void)
{
}

static __inline void
vm_zone_init2(void)
{
}
#endif /* !UMA_VM_ZONE_PREFIXED && !UMA_VM_ZONE_NAMES_H */
