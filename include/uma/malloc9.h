/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc9.h - the kernel's malloc(9): memory by size, counted by purpose
 *
 * Every block belongs to a type, a static object that names what the memory
 * is for.  The library counts blocks and bytes of each type, in and out, on
 * each CPU apart: exactly, and for one store an operation.
 *
 *	UMA_MALLOC_DEFINE(M_CONN, "conn", "connections");
 *
 *	c = uma_malloc(sizeof(*c), M_CONN, M_WAITOK | M_ZERO);
 *	uma_mfree(c, M_CONN);
 *	uma_malloc_stats_print(1);
 *
 * The kernel's own spellings clash with the C library's.  Programs include
 * <sys/malloc.h> of the freebsd/ tree to have them, as macros:
 *
 *	malloc, malloc_aligned ...  uma_malloc, uma_malloc_aligned ...
 *	mallocarray                 uma_mallocarray
 *	realloc, reallocf           uma_realloc, uma_reallocf
 *	free, zfree                 uma_mfree, uma_mzfree
 *	malloc_type_..., malloc_desc2type, malloc_init, malloc_uninit
 *	                            the same with uma_ before it
 *	WOULD_OVERFLOW              uma_would_overflow
 *
 * Blocks come from the size-class zones of the drop-in malloc, and large ones
 * from its runs of pages.
 *
 * A caller's crime ends the process with one line on standard error:
 *
 *	uma: FUNCTION: RULE: ptr ADDRESS zone "NAME"
 *
 * where NAME is that of the malloc type.  With UMA_OPTIONS=malloc9:debug each
 * block remembers its type: a free with another one is a crime, and types with
 * memory out are told at exit.  Without, such a free is counted for the type
 * it names, and for no third one.
 */
#ifndef UMA_MALLOC9_H
#define UMA_MALLOC9_H

#include <uma/uma.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Besides M_NOWAIT, M_WAITOK and M_ZERO of uma.h. */
#ifndef M_USE_RESERVE
#define M_USE_RESERVE 0x0400 /* accepted: there is no reserve to dip into */
#endif
#ifndef M_NODUMP
#define M_NODUMP 0x0800 /* accepted: core dumps are the system's */
#endif
#ifndef M_EXEC
#define M_EXEC 0x4000 /* memory to run code in, if that is enabled */
#endif

#define UMA_MALLOC_VERSION 2020110501ul

/* A malloc type.  Its fields are the library's. */
struct malloc_type {
	struct malloc_type *ks_next;
	struct malloc_type *ks_prev;
	unsigned long ks_version;
	const char *ks_shortdesc;
	uint64_t ks_classes;   /* bit i: class i was used, the hit may go on */
	uintptr_t ks_counters; /* by CPU */
	void *ks_ledger;
	uintptr_t ks_state;
};

/*
 * UMA_MALLOC_DEFINE, UMA_MALLOC_DECLARE - make a type, and name one elsewhere
 *
 * `type` becomes an array of one, so it is passed by its name alone.  It is
 * registered when the program or shared object that holds it is loaded,
 * before its other constructors, and unregistered at dlclose(), after its
 * other destructors.  `static` may stand before it.
 */
#define UMA_MALLOC_DEFINE(type, shortdesc, longdesc) \
	struct malloc_type type[1] = { { 0, 0, UMA_MALLOC_VERSION, shortdesc, \
	    0, 0, 0, 0 } }; \
	__attribute__((constructor(101))) static void type##_load_(void) \
	{ \
		uma_malloc_init(type); \
	} \
	__attribute__((destructor(101))) static void type##_unload_(void) \
	{ \
		uma_malloc_uninit(type); \
	} \
	struct type##_defined_

#define UMA_MALLOC_DECLARE(type) extern struct malloc_type type[1]

/* Types of the library's own, for who needs no other. */
UMA_EXPORT extern struct malloc_type uma_m_devbuf[1];
UMA_EXPORT extern struct malloc_type uma_m_temp[1];

/*
 * uma_malloc_init, uma_malloc_uninit - register a type by hand
 *
 * A type that is unregistered with memory out is told on standard error:
 *
 *	uma: memory type NAME leaked memory on destroy (N allocations,
 *	N bytes leaked)
 *
 * in one line.  The blocks stay allocated.  While the process exits nothing is
 * unregistered.
 *
 * Needs:    a type made as UMA_MALLOC_DEFINE makes it.  Registering twice,
 *           and unregistering what is not registered, are crimes.
 * Owns:     the type must stay where it is until it is unregistered; no other
 *           thread uses it then.
 * Context:  not from a signal handler.
 */
UMA_EXPORT void uma_malloc_init(void *type);
UMA_EXPORT void uma_malloc_uninit(void *type);

/* A set of memory domains: a hint that this system does not need. */
struct domainset;

/*
 * uma_malloc, uma_malloc_aligned, uma_malloc_domainset,
 * uma_malloc_domainset_aligned - take a block
 *
 * Flags:    exactly one of
 *           M_NOWAIT  NULL rather than wait for memory
 *           M_WAITOK  wait; never returns NULL.  What no process can have,
 *                     a size above PTRDIFF_MAX or size and alignment above
 *                     the address space (2^47), is a crime
 *           and any of
 *           M_ZERO    the `size` bytes asked for are zero
 *           M_EXEC    as uma_malloc_exec()
 *           M_USE_RESERVE, M_NODUMP: accepted
 *           Any other is a crime.
 * Needs:    a registered type; `align` a power of two, of any size.
 * Returns:  the block, aligned to 16 and to `align`.  A size of 0 gives a
 *           block of its own.  errno is left alone.
 * Context:  thread-safe.  With M_NOWAIT also from a signal handler, whatever
 *           it interrupted.
 * Cost:     a hit is that of the drop-in malloc and one store more.
 */
UMA_EXPORT void *uma_malloc(size_t size, struct malloc_type *type, int flags);
UMA_EXPORT void *uma_malloc_aligned(
    size_t size, size_t align, struct malloc_type *type, int flags);
UMA_EXPORT void *uma_malloc_domainset(size_t size, struct malloc_type *type,
    struct domainset *domains, int flags);
UMA_EXPORT void *uma_malloc_domainset_aligned(size_t size, size_t align,
    struct malloc_type *type, struct domainset *domains, int flags);

/*
 * uma_mallocarray, uma_mallocarray_domainset - take room for `nmemb` items
 *
 * As uma_malloc().  A product that overflows is a crime, with M_NOWAIT too.
 */
UMA_EXPORT void *uma_mallocarray(
    size_t nmemb, size_t size, struct malloc_type *type, int flags);
UMA_EXPORT void *uma_mallocarray_domainset(size_t nmemb, size_t size,
    struct malloc_type *type, struct domainset *domains, int flags);

/*
 * uma_malloc_exec, uma_malloc_domainset_exec - take memory to run code in
 *
 * The block is of whole pages, 64 KiB at least, zero, in a mapping of its own
 * that can be read, written and executed at the same time: whoever can make the
 * program write there can make it run anything.  So it must be enabled for the
 * process, by UMA_OPTIONS=malloc9:exec; otherwise M_EXEC is a crime.
 *
 * Flags:    as uma_malloc().
 * Returns:  the block.  Where the system forbids such memory (SELinux,
 *           seccomp, PR_SET_MDWE): NULL with M_NOWAIT, a crime with M_WAITOK.
 * Cost:     system calls to take it and to give it back.
 */
UMA_EXPORT void *uma_malloc_exec(
    size_t size, struct malloc_type *type, int flags);
UMA_EXPORT void *uma_malloc_domainset_exec(size_t size,
    struct malloc_type *type, struct domainset *domains, int flags);

/*
 * uma_realloc, uma_reallocf - change a block's size, moving it when need be
 *
 * A block stays where it is if it fits and more than half of it is used, or it
 * is of the smallest class.  Large blocks may change their size in place.  With
 * M_ZERO what lies between the old usable size and `size` is zero.  A NULL
 * block is taken afresh.  With M_EXEC it always moves; without, whether a
 * block can still be executed afterwards is open.
 *
 * Returns:  the block; NULL as uma_malloc() does, and then the old block is
 *           untouched, or with uma_reallocf() freed.
 */
UMA_EXPORT void *uma_realloc(
    void *block, size_t size, struct malloc_type *type, int flags);
UMA_EXPORT void *uma_reallocf(
    void *block, size_t size, struct malloc_type *type, int flags);

/*
 * uma_mfree, uma_mzfree - give a block back
 *
 * uma_mzfree() first zeroes all of it that was usable.  NULL is ignored.
 *
 * Needs:    a block of this type; it may also be one of the drop-in malloc.
 *           A foreign pointer, a pointer into a block, an item of a zone and
 *           a block that is known to be free are crimes.
 * Context:  as uma_malloc() with M_NOWAIT.
 */
UMA_EXPORT void uma_mfree(void *block, struct malloc_type *type);
UMA_EXPORT void uma_mzfree(void *block, struct malloc_type *type);

/* uma_malloc_usable_size - bytes of a block that may be used; 0 for NULL. */
UMA_EXPORT size_t uma_malloc_usable_size(const void *block);

/* uma_malloc_size - the class that serves a size; 0 if none does. */
UMA_EXPORT size_t uma_malloc_size(size_t size);

/* uma_would_overflow - whether nmemb * size is more than a size_t holds. */
static __inline int
uma_would_overflow(size_t nmemb, size_t size)
{
	return size != 0 && nmemb > SIZE_MAX / size;
}

/*
 * uma_malloc_type_allocated, uma_malloc_type_freed - count memory from
 * elsewhere for a type
 *
 * Each counts one block of `size` bytes; a size of 0 counts nothing.
 */
UMA_EXPORT void uma_malloc_type_allocated(
    struct malloc_type *type, unsigned long size);
UMA_EXPORT void uma_malloc_type_freed(
    struct malloc_type *type, unsigned long size);

/*
 * uma_malloc_type_list - call `each` for every registered type, in order
 *
 * Needs:    no type is unregistered meanwhile.  `each` may register types;
 *           whether it sees them is open.
 * Context:  not from a signal handler.
 */
UMA_EXPORT void uma_malloc_type_list(
    void (*each)(struct malloc_type *type, void *arg), void *arg);

/*
 * uma_malloc_desc2type - the first type of this short description, or NULL
 *
 * Others may register and unregister types meanwhile.
 *
 * Needs:    a description: NULL is a crime.
 * Context:  thread-safe; not from a signal handler.
 */
UMA_EXPORT struct malloc_type *uma_malloc_desc2type(const char *shortdesc);

#define UMA_MALLOC_SIZES_MAX 64

/*
 * What a type did.  Bytes are those of the blocks handed out, classes and
 * pages, not those asked for.
 *
 * The greatest number of bytes is sampled: looked at when these numbers are
 * read, and when a CPU has made 512 allocations of the type for each CPU that
 * uses it.  What came and went between two looks is not in it.  A handler that
 * interrupted the library looks for itself alone.
 */
struct uma_malloc_stats {
	size_t struct_bytes;
	char name[64];
	uint64_t in_use;       /* blocks out */
	uint64_t in_use_bytes; /* and their bytes */
	uint64_t allocs;       /* ever */
	uint64_t frees;
	uint64_t alloc_bytes;
	uint64_t free_bytes;
	uint64_t sampled_bytes_max;
	/* How large its blocks ever were, up to 256 KiB, rising. */
	unsigned size_count;
	uint32_t sizes[UMA_MALLOC_SIZES_MAX];
};

/*
 * uma_malloc_stats - one type's numbers
 *
 * uma_malloc_stats_walk - the same for each type that ever was used and is
 * still registered, in order of first use; but one may come in the place of a
 * type that was unregistered
 *
 * Numbers are exact when the type is at rest, and nearly so when it is not.
 *
 * Context:  any thread, any signal handler; no lock is held around `each`.
 */
UMA_EXPORT void uma_malloc_stats(
    struct malloc_type *type, struct uma_malloc_stats *out);
UMA_EXPORT void uma_malloc_stats_walk(
    void (*each)(const struct uma_malloc_stats *type, void *arg), void *arg);

/*
 * uma_malloc_stats_print - write the table of all types to a descriptor
 *
 * The layout is that of FreeBSD's `vmstat -m`, byte for byte: types without
 * a request are left out.
 *
 * Context:  allocates nothing; safe in a signal handler.
 */
UMA_EXPORT void uma_malloc_stats_print(int fd);

#ifdef __cplusplus
}
#endif

#endif /* UMA_MALLOC9_H */
