/* SPDX-License-Identifier: BSD-2-Clause */
#include "pagemap/pagemap.h"

#include "port/port.h"

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
_Static_assert(offsetof(struct pages, under) == PAGEMAP_SECOND, "no keg");

_Atomic(struct pagemap_leaf *) pagemap_root[1u << PAGEMAP_ROOT_BITS];

/*
 * The first leaf that anybody asks for: it is most processes' only one, and at
 * boot there may be no memory for another.
 */
static struct pagemap_leaf first_leaf;
static _Atomic bool first_taken;

struct pagemap_window pagemap_window = PAGEMAP_NO_WINDOW;
/* A second name: the library reaches what it exports through a table. */
extern struct pagemap_window uma_window
    __attribute__((alias("pagemap_window")));

/*
 * Where all memory is the caller's: the words of one leaf's span of addresses.
 * Else the window has twice the addresses that the process can fill, and its
 * words an eight-thousandth of them, which costs memory where they are used.
 */
#define FIXED_GRANULES ((size_t)1 << PAGEMAP_LEAF_BITS)
#define WINDOW_MIN     ((size_t)64 << 20)
#define WINDOW_MAX     ((size_t)4 << 40)

static size_t
window_bytes(void)
{
	size_t most = min_size(port_memory_bytes(), port_map_limit());
	size_t want = min_size(max_size(most, WINDOW_MIN / 2), WINDOW_MAX / 2);

	return 2 * pow2_up(want);
}

static void
window_set(uintptr_t middle, uint64_t *words, size_t granules)
{
	uintptr_t half = granules / 2 * GRANULE;

	pagemap_window.base =
	    round_down(middle, GRANULE) - min_size(half, middle);
	pagemap_window.words = words;
	/* release, pairs with arch_is_below(): the two above. */
	__atomic_store_n(&pagemap_window.granules, granules, __ATOMIC_RELEASE);
}

void
pagemap_open(const void *memory)
{
	static uint64_t fixed[FIXED_GRANULES];
	size_t granules = window_bytes() / GRANULE;
	uint64_t *words = NULL;

	if (memory != NULL) {
		window_set((uintptr_t)memory, fixed, FIXED_GRANULES);
		return;
	}
	for (; words == NULL && granules >= WINDOW_MIN / GRANULE; granules /= 2)
		words = port_map(granules * sizeof(*words), port_page_bytes());
	if (words == NULL)
		return;
	granules *= 2; /* as the loop left it */
	port_label(words, granules * sizeof(*words), "uma:meta");
	window_set((uintptr_t)words, words, granules);
}

/* What a granule's word is; outside the window it has none. */
static void
word_set(const void *address, uint64_t hit)
{
	uintptr_t i =
	    ((uintptr_t)address - pagemap_window.base) >> GRANULE_BITS;

	/* relaxed: nobody else has the address, yet or any more. */
	if (i < pagemap_window.granules)
		__atomic_store_n(
		    &pagemap_window.words[i], hit, __ATOMIC_RELAXED);
}

/*
 * With e = magic * stride - 2^32, which is not 0, a distance n = q * stride + r
 * gives r * magic + q * e modulo 2^32.  For r = 0 that is above 0 and below
 * magic if q * e is.  For any other r it is not below magic, and not above 2^32
 * if (q + 1) * e is not above magic.
 */
uint32_t
pagemap_magic(size_t stride)
{
	uint64_t magic = (UINT64_C(1) << 32) / stride + 1;
	uint64_t e = magic * stride - (UINT64_C(1) << 32);

	if (stride > GRANULE || GRANULE / stride * e >= magic ||
	    ((GRANULE - 1) / stride + 1) * e > magic)
		return 0;
	return (uint32_t)magic;
}

/* A leaf in reserve, for those who may not fail. */
static _Atomic(struct pagemap_leaf *) spare;

/* Enter a leaf where there is none.  False: there is one. */
static bool
leaf_enter(const void *address, struct pagemap_leaf *leaf)
{
	struct pagemap_leaf *none = NULL;

	/* release: publishes its zeros. */
	return atomic_compare_exchange_strong_explicit(
	    &pagemap_root[pagemap_root_index(address)], &none, leaf,
	    memory_order_release, memory_order_relaxed);
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
		meta_give(leaf, sizeof(struct pagemap_leaf), META_EMERGENCY);
}

static struct pages *
pages_of(void *header)
{
	struct pages *pages = header;

	return pages != NULL && pages->kind == PAGEMAP_PAGES ? pages : NULL;
}

/*
 * What a granule is from now on.  A table that lies there from before goes: the
 * granule is the caller's, whole.
 */
static void
slot_put(_Atomic(void *) *slot, void *header)
{
	/* relaxed: the address is published after this, or nobody has it. */
	struct pages *pages =
	    pages_of(atomic_load_explicit(slot, memory_order_relaxed));

	atomic_store_explicit(slot, header, memory_order_relaxed);
	if (pages != NULL)
		meta_give(pages, sizeof(*pages), META_EMERGENCY);
}

void
pagemap_set_held(const void *address, void *header, void **leaf)
{
	if (leaf_enter(address, *leaf))
		*leaf = NULL;
	slot_put(pagemap_slot(address), header);
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
	struct pagemap_leaf *leaf = pagemap_leaf(address);

	if (leaf != NULL ||
	    pagemap_root_index(address) >> PAGEMAP_ROOT_BITS != 0)
		return leaf;
	leaf = leaf_take(how);
	/* A lost race loses the memory. */
	if (leaf == NULL || leaf_enter(address, leaf))
		return leaf;
	return pagemap_leaf(address);
}

static _Atomic(void *) *
page_slot(struct pages *pages, uintptr_t a)
{
	return &pages->headers[a % GRANULE / port_page_bytes()];
}

void *
pagemap_find(const void *address)
{
	void *header = pagemap_granule(address);
	struct pages *pages = pages_of(header);

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

		if (leaf == NULL) {
			pagemap_clear(address, done);
			return false;
		}
		slot_put(&leaf->headers[pagemap_leaf_index(at)], header);
		word_set(at, done == 0 ? hit : 0);
	}
	return true;
}

/* Cannot fail: the leaves are there. */
void
pagemap_clear(const void *address, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += GRANULE) {
		const char *at = (const char *)address + done;

		word_set(at, 0);
		slot_put(pagemap_slot(at), NULL);
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

/* The page table of a granule, made if it is nobody's or a block's. */
static struct pages *
pages_make(uintptr_t a, enum meta_how how)
{
	_Atomic(void *) *slot;
	enum pagemap_kind *kind;
	struct pages *mine;
	void *was;

	if (leaf_make((const void *)a, how) == NULL)
		return NULL;
	slot = pagemap_slot((const void *)a);
	/* acquire, pairs with the exchange below. */
	was = atomic_load_explicit(slot, memory_order_acquire);
	kind = was;
	if (was != NULL && *kind != PAGEMAP_LARGE && *kind != PAGEMAP_BLOCK)
		return pages_of(was);
	mine = pages_new(was, how);
	if (mine == NULL)
		return NULL;
	/* What starts there is an item of another, as long as it is one's. */
	word_set((const void *)a, 0);
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

/*
 * The tables stay, as others may be reading them: until the granule is one
 * owner's again.
 */
void
pagemap_clear_pages(const void *address, size_t bytes)
{
	size_t page_bytes = port_page_bytes();

	for (size_t done = 0; done < bytes; done += page_bytes) {
		uintptr_t a = (uintptr_t)address + done;
		struct pages *pages = pages_of(atomic_load_explicit(
		    pagemap_slot((const void *)a), memory_order_relaxed));

		if (pages == NULL)
			__builtin_unreachable(); /* they were set */
		atomic_store_explicit(
		    page_slot(pages, a), pages->under, memory_order_relaxed);
	}
}
