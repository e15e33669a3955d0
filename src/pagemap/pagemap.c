/* SPDX-License-Identifier: BSD-2-Clause */
#include "pagemap/pagemap.h"

#include "port/port.h"

#define LEAF_SPAN (GRANULE << PAGEMAP_LEAF_BITS)
#define PAGES_MAX (GRANULE / 4096)

/*
 * A granule that slabs of private suppliers share, page by page.  It may be
 * part of a large block that its owner supplies a zone from: then that is
 * what its other pages are.
 */
struct pages {
	enum pagemap_kind kind;
	void *under;
	_Atomic(void *) headers[PAGES_MAX];
};

struct pagemap pagemap_root;

/*
 * The first leaf that anybody asks for: it is most processes' only one, and at
 * boot there may be no memory for another.
 */
static struct pagemap_leaf first_leaf;
static _Atomic bool first_taken;

/*
 * With e = magic * stride - 2^32, a distance n = q * stride + r gives
 * r * magic + q * e modulo 2^32.  That is below magic for r = 0 if q * e is,
 * and not below it nor wrapped for any r if (q + 1) * e is.
 */
uint64_t
pagemap_hit_make(uint32_t owner, size_t stride)
{
	uint64_t magic = (UINT64_C(1) << 32) / stride;
	uint64_t e;

	if (stride > GRANULE)
		return 0;
	magic += magic * stride < UINT64_C(1) << 32;
	e = magic * stride - (UINT64_C(1) << 32);
	if ((GRANULE / stride + 1) * e >= magic)
		return 0;
	return (uint64_t)owner << 32 | (uint32_t)(0 - magic);
}

/* A leaf in reserve, for those who may not fail. */
static _Atomic(struct pagemap_leaf *) spare;

static uintptr_t *
leaf_slot(const void *address)
{
	return &pagemap_root.leaves[(uintptr_t)address / LEAF_SPAN];
}

/* What the root has for a leaf; the distance is exact modulo 2^64. */
static uintptr_t
leaf_away(struct pagemap_leaf *leaf)
{
	return (uintptr_t)leaf - (uintptr_t)pagemap_root.zeros;
}

/* The leaf of an address; NULL if there is none. */
static struct pagemap_leaf *
leaf_of(const void *address)
{
	uintptr_t away;

	if ((uintptr_t)address / LEAF_SPAN >> PAGEMAP_ROOT_BITS != 0)
		return NULL;
	/* acquire, pairs with leaf_enter(): its zeros. */
	away = __atomic_load_n(leaf_slot(address), __ATOMIC_ACQUIRE);
	return away == 0
		   ? NULL
		   : (struct pagemap_leaf *)(away +
					     (uintptr_t)pagemap_root.zeros);
}

/* Enter a leaf where there is none.  False: there is one. */
static bool
leaf_enter(const void *address, struct pagemap_leaf *leaf)
{
	uintptr_t none = 0;

	/* release: publishes its zeros. */
	return __atomic_compare_exchange_n(leaf_slot(address), &none,
	    leaf_away(leaf), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static size_t
leaf_index(const void *address)
{
	return (uintptr_t)address % LEAF_SPAN / GRANULE;
}

/* Where the header of an address is; NULL if it has no leaf. */
static _Atomic(void *) *
header_slot(const void *address)
{
	struct pagemap_leaf *leaf = leaf_of(address);

	return leaf == NULL ? NULL : &leaf->headers[leaf_index(address)];
}

void *
pagemap_hold_leaf(enum meta_how how)
{
	/* acquire, pairs with pagemap_drop_leaf(). */
	struct pagemap_leaf *leaf =
	    atomic_exchange_explicit(&spare, NULL, memory_order_acquire);

	return leaf != NULL ? leaf : meta_take(sizeof(*leaf), how);
}

void
pagemap_drop_leaf(void *leaf)
{
	struct pagemap_leaf *none = NULL;

	/* release: its zeros.  A second one is of no use. */
	if (leaf != NULL &&
	    !atomic_compare_exchange_strong_explicit(&spare, &none, leaf,
		memory_order_release, memory_order_relaxed))
		port_unmap(leaf, sizeof(struct pagemap_leaf));
}

void
pagemap_set_held(const void *address, void *header, void **leaf)
{
	if (leaf_enter(address, *leaf))
		*leaf = NULL;
	/* relaxed: the address is published after this. */
	atomic_store_explicit(
	    header_slot(address), header, memory_order_relaxed);
}

static struct pagemap_leaf *
leaf_take(enum meta_how how)
{
	/* relaxed: it is zero, and one thread's. */
	if (!atomic_exchange_explicit(&first_taken, true, memory_order_relaxed))
		return &first_leaf;
	return meta_take(sizeof(struct pagemap_leaf), how);
}

/* The leaf of an address, made if there is none. */
static struct pagemap_leaf *
leaf_make(const void *address, enum meta_how how)
{
	struct pagemap_leaf *leaf = leaf_of(address);

	if (leaf != NULL ||
	    (uintptr_t)address / LEAF_SPAN >> PAGEMAP_ROOT_BITS != 0)
		return leaf;
	leaf = leaf_take(how);
	/* A lost race loses the memory. */
	if (leaf == NULL || leaf_enter(address, leaf))
		return leaf;
	return leaf_of(address);
}

static struct pages *
pages_of(void *header)
{
	struct pages *pages = header;

	return pages != NULL && pages->kind == PAGEMAP_PAGES ? pages : NULL;
}

static _Atomic(void *) *
page_slot(struct pages *pages, uintptr_t a)
{
	return &pages->headers[a % GRANULE / port_page_bytes()];
}

void *
pagemap_find(const void *address)
{
	_Atomic(void *) *slot = header_slot(address);
	struct pages *pages;
	void *header;

	if (slot == NULL)
		return NULL;
	/* relaxed: as pagemap_hit(). */
	header = atomic_load_explicit(slot, memory_order_relaxed);
	pages = pages_of(header);
	return pages == NULL
		   ? header
		   : atomic_load_explicit(page_slot(pages, (uintptr_t)address),
			 memory_order_relaxed);
}

bool
pagemap_set(const void *address, size_t bytes, void *header, uint64_t hit,
    enum meta_how how)
{
	for (size_t done = 0; done < bytes; done += GRANULE) {
		const char *at = (const char *)address + done;
		struct pagemap_leaf *leaf = leaf_make(at, how);
		size_t i = leaf_index(at);

		if (leaf == NULL) {
			pagemap_clear(address, done);
			return false;
		}
		/* relaxed: the address is published after this. */
		atomic_store_explicit(
		    &leaf->headers[i], header, memory_order_relaxed);
		__atomic_store_n(&leaf->hits[i], hit, __ATOMIC_RELAXED);
	}
	return true;
}

/* Cannot fail: the leaves are there. */
void
pagemap_clear(const void *address, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += GRANULE) {
		const char *at = (const char *)address + done;
		struct pagemap_leaf *leaf = leaf_of(at);
		size_t i = leaf_index(at);
		struct pages *pages = pages_of(atomic_load_explicit(
		    &leaf->headers[i], memory_order_relaxed));

		/* relaxed: nobody else has the address any more. */
		__atomic_store_n(&leaf->hits[i], 0, __ATOMIC_RELAXED);
		atomic_store_explicit(
		    &leaf->headers[i], NULL, memory_order_relaxed);
		if (pages != NULL)
			meta_give(pages, sizeof(*pages), META_EMERGENCY);
	}
}

static struct pages *
pages_new(void *under, enum meta_how how)
{
	struct pages *pages = meta_take(sizeof(*pages), how);

	if (pages == NULL)
		return NULL;
	pages->kind = PAGEMAP_PAGES;
	pages->under = under;
	for (size_t i = 0; i < PAGES_MAX; i++)
		/* relaxed: published with the table. */
		atomic_store_explicit(
		    &pages->headers[i], under, memory_order_relaxed);
	return pages;
}

/* The page table of a granule, made if it is nobody's or a large block's. */
static struct pages *
pages_make(uintptr_t a, enum meta_how how)
{
	_Atomic(void *) *slot;
	enum pagemap_kind *kind;
	struct pages *mine;
	void *was;

	if (leaf_make((const void *)a, how) == NULL)
		return NULL;
	slot = header_slot((const void *)a);
	/* acquire, pairs with the exchange below. */
	was = atomic_load_explicit(slot, memory_order_acquire);
	kind = was;
	if (was != NULL && *kind != PAGEMAP_LARGE)
		return pages_of(was);
	mine = pages_new(was, how);
	if (mine == NULL)
		return NULL;
	/* release: publishes the table. */
	if (atomic_compare_exchange_strong_explicit(
		slot, &was, mine, memory_order_release, memory_order_acquire))
		return mine;
	meta_give(mine, sizeof(*mine), how);
	return pages_of(was);
}

bool
pagemap_set_pages(
    const void *address, size_t bytes, void *header, enum meta_how how)
{
	size_t page_bytes = port_page_bytes();

	for (size_t done = 0; done < bytes; done += page_bytes) {
		uintptr_t a = (uintptr_t)address + done;
		struct pages *pages = pages_make(a, how);
		void *none = pages == NULL ? NULL : pages->under;

		/* relaxed: the address is published after this. */
		if (pages == NULL ||
		    !atomic_compare_exchange_strong_explicit(
			page_slot(pages, a), &none, header,
			memory_order_relaxed, memory_order_relaxed)) {
			pagemap_clear_pages(address, done);
			return false;
		}
	}
	return true;
}

/* The tables stay: they are small, and others may be reading them. */
void
pagemap_clear_pages(const void *address, size_t bytes)
{
	size_t page_bytes = port_page_bytes();

	for (size_t done = 0; done < bytes; done += page_bytes) {
		uintptr_t a = (uintptr_t)address + done;
		struct pages *pages = pages_of(atomic_load_explicit(
		    header_slot((const void *)a), memory_order_relaxed));

		if (pages == NULL)
			__builtin_unreachable(); /* they were set */
		atomic_store_explicit(
		    page_slot(pages, a), pages->under, memory_order_relaxed);
	}
}
