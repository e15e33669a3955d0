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

pagemap_slot pagemap_root[1u << PAGEMAP_ROOT_BITS];

/*
 * With e = magic * stride - 2^32, a distance n = q * stride + r gives
 * r * magic + q * e modulo 2^32.  That is below magic for r = 0 if q * e is,
 * and not below it nor wrapped for any r if (q + 1) * e is.
 */
uint64_t
pagemap_hit_make(uint32_t id, size_t stride)
{
	uint64_t magic = (UINT64_C(1) << 32) / stride;
	uint64_t e;

	if (stride > GRANULE)
		return 0;
	magic += magic * stride < UINT64_C(1) << 32;
	e = magic * stride - (UINT64_C(1) << 32);
	if ((GRANULE / stride + 1) * e >= magic)
		return 0;
	return (uint64_t)id << 32 | magic;
}

/* A leaf in reserve, for those who may not fail. */
static pagemap_slot spare;

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
	pagemap_slot *root = &pagemap_root[(uintptr_t)address / LEAF_SPAN];
	struct pagemap_leaf *none = NULL;
	struct pagemap_entry *e;

	/* release: publishes the zeros. */
	if (atomic_compare_exchange_strong_explicit(
		root, &none, *leaf, memory_order_release, memory_order_acquire))
		*leaf = NULL;
	e = pagemap_look(pagemap_root, address);
	/* relaxed: the address is published after this. */
	atomic_store_explicit(&e->header, header, memory_order_relaxed);
}

/* The leaf of an address, made if there is none. */
static struct pagemap_leaf *
leaf_make(uintptr_t a, enum meta_how how)
{
	pagemap_slot *root = &pagemap_root[a / LEAF_SPAN];
	/* acquire, pairs with the exchange below: its zeros. */
	struct pagemap_leaf *leaf =
	    atomic_load_explicit(root, memory_order_acquire);
	struct pagemap_leaf *mine;

	if (leaf != NULL)
		return leaf;
	mine = meta_take(sizeof(*mine), how);
	if (mine == NULL)
		return NULL;
	/* release: publishes the zeros.  A lost race loses the memory. */
	if (atomic_compare_exchange_strong_explicit(
		root, &leaf, mine, memory_order_release, memory_order_acquire))
		return mine;
	return leaf;
}

static struct pagemap_entry *
entry_make(uintptr_t a, enum meta_how how)
{
	if (a >> (GRANULE_BITS + PAGEMAP_LEAF_BITS + PAGEMAP_ROOT_BITS) != 0 ||
	    leaf_make(a, how) == NULL)
		return NULL;
	return pagemap_look(pagemap_root, (const void *)a);
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
	struct pagemap_entry *e = pagemap_look(pagemap_root, address);
	struct pages *pages;
	void *header;

	if (e == NULL)
		return NULL;
	/* relaxed: as pagemap_look(). */
	header = atomic_load_explicit(&e->header, memory_order_relaxed);
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
		struct pagemap_entry *e =
		    entry_make((uintptr_t)address + done, how);

		if (e == NULL) {
			pagemap_clear(address, done);
			return false;
		}
		/* relaxed: the address is published after this. */
		atomic_store_explicit(&e->header, header, memory_order_relaxed);
		atomic_store_explicit(&e->hit, hit, memory_order_relaxed);
	}
	return true;
}

/* Cannot fail: the leaves are there. */
void
pagemap_clear(const void *address, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += GRANULE) {
		struct pagemap_entry *e =
		    pagemap_look(pagemap_root, (const char *)address + done);
		struct pages *pages = pages_of(
		    atomic_load_explicit(&e->header, memory_order_relaxed));

		/* relaxed: nobody else has the address any more. */
		atomic_store_explicit(&e->hit, 0, memory_order_relaxed);
		atomic_store_explicit(&e->header, NULL, memory_order_relaxed);
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
	struct pagemap_entry *e = entry_make(a, how);
	enum pagemap_kind *kind;
	struct pages *mine;
	void *was;

	if (e == NULL)
		return NULL;
	/* acquire, pairs with the exchange below. */
	was = atomic_load_explicit(&e->header, memory_order_acquire);
	kind = was;
	if (was != NULL && *kind != PAGEMAP_LARGE)
		return pages_of(was);
	mine = pages_new(was, how);
	if (mine == NULL)
		return NULL;
	/* release: publishes the table. */
	if (atomic_compare_exchange_strong_explicit(&e->header, &was, mine,
		memory_order_release, memory_order_acquire))
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
		struct pagemap_entry *e =
		    pagemap_look(pagemap_root, (const void *)a);
		struct pages *pages = pages_of(
		    atomic_load_explicit(&e->header, memory_order_relaxed));

		atomic_store_explicit(
		    page_slot(pages, a), pages->under, memory_order_relaxed);
	}
}
