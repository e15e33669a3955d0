/* SPDX-License-Identifier: BSD-2-Clause */
#include "pagemap/pagemap.h"

#include "port/port.h"

#define LEAF_SPAN (GRANULE << PAGEMAP_LEAF_BITS)
#define PAGES_MAX (GRANULE / 4096)

/* A granule that slabs of private suppliers share, page by page. */
struct pages {
	enum pagemap_kind kind;
	_Atomic pagemap_entry entries[PAGES_MAX];
};

pagemap_slot pagemap_root[1u << PAGEMAP_ROOT_BITS];

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

static _Atomic pagemap_entry *
granule_entry(uintptr_t a, enum meta_how how)
{
	struct pagemap_leaf *leaf;

	if (a >> (GRANULE_BITS + PAGEMAP_LEAF_BITS + PAGEMAP_ROOT_BITS) != 0)
		return NULL;
	leaf = leaf_make(a, how);
	if (leaf == NULL)
		return NULL;
	return &leaf->entries[a / GRANULE % (1u << PAGEMAP_LEAF_BITS)];
}

static struct pages *
pages_of(pagemap_entry entry)
{
	struct pages *pages = pagemap_header(entry);

	if (pagemap_id(entry) != 0 || pages == NULL ||
	    pages->kind != PAGEMAP_PAGES)
		return NULL;
	return pages;
}

pagemap_entry
pagemap_find(const void *address)
{
	pagemap_entry entry = pagemap_granule(address);
	struct pages *pages = entry == 0 ? NULL : pages_of(entry);
	size_t page;

	if (pages == NULL)
		return entry;
	page = (uintptr_t)address % GRANULE / port_page_bytes();
	/* relaxed: as pagemap_granule(). */
	return atomic_load_explicit(
	    &pages->entries[page], memory_order_relaxed);
}

bool
pagemap_set(
    const void *address, size_t bytes, pagemap_entry entry, enum meta_how how)
{
	for (size_t done = 0; done < bytes; done += GRANULE) {
		_Atomic pagemap_entry *e =
		    granule_entry((uintptr_t)address + done, how);

		if (e == NULL) {
			pagemap_clear(address, done);
			return false;
		}
		/* relaxed: the address is published after this. */
		atomic_store_explicit(e, entry, memory_order_relaxed);
	}
	return true;
}

/* Cannot fail: the leaves are there. */
void
pagemap_clear(const void *address, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += GRANULE) {
		uintptr_t a = (uintptr_t)address + done;
		struct pagemap_leaf *leaf = atomic_load_explicit(
		    &pagemap_root[a / LEAF_SPAN], memory_order_relaxed);

		atomic_store_explicit(
		    &leaf->entries[a / GRANULE % (1u << PAGEMAP_LEAF_BITS)], 0,
		    memory_order_relaxed);
	}
}

/* The page table of a granule, made if the granule is unused. */
static struct pages *
pages_make(uintptr_t a, enum meta_how how)
{
	_Atomic pagemap_entry *e = granule_entry(a, how);
	pagemap_entry was;
	struct pages *mine;

	if (e == NULL)
		return NULL;
	/* acquire, pairs with the exchange below. */
	was = atomic_load_explicit(e, memory_order_acquire);
	if (was != 0)
		return pages_of(was);
	mine = meta_take(sizeof(*mine), how);
	if (mine == NULL)
		return NULL;
	mine->kind = PAGEMAP_PAGES;
	/* release: publishes the kind. */
	if (atomic_compare_exchange_strong_explicit(e, &was,
		pagemap_make(0, mine), memory_order_release,
		memory_order_acquire))
		return mine;
	meta_give(mine, sizeof(*mine), how);
	return pages_of(was);
}

bool
pagemap_set_pages(
    const void *address, size_t bytes, pagemap_entry entry, enum meta_how how)
{
	size_t page_bytes = port_page_bytes();

	for (size_t done = 0; done < bytes; done += page_bytes) {
		uintptr_t a = (uintptr_t)address + done;
		struct pages *pages = pages_make(a, how);
		pagemap_entry none = 0;

		/* relaxed: the address is published after this. */
		if (pages == NULL ||
		    !atomic_compare_exchange_strong_explicit(
			&pages->entries[a % GRANULE / page_bytes], &none, entry,
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
		struct pages *pages =
		    pages_of(pagemap_granule((const void *)a));

		atomic_store_explicit(&pages->entries[a % GRANULE / page_bytes],
		    0, memory_order_relaxed);
	}
}
