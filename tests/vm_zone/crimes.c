/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crimes - wrong use of vm_zones: each ends the process with its exact line
 */
#include "vm_zone/common.h"

#include <uma/malloc9.h>

static char boot[10][48];
static struct vm_zone boot_zone;
static UMA_MALLOC_DEFINE(M_OTHER, "other", "");

TEST(sizes)
{
	static const int sizes[] = { 0, -1, INT32_MIN, (1 << 30) + 1,
		INT32_MAX };
	static struct vm_zone store;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		DIES(zinit("bad", sizes[i], 0, 0, 0),
		    "uma: zinit: size not from 1 to 1073741824: zone \"bad\"");
		DIES(zinitna(&store, NULL, "bad", sizes[i], 0, 0, 0),
		    "uma: zinitna: size not from 1 to 1073741824: "
		    "zone \"bad\"");
		DIES(zbootinit(&store, "bad", sizes[i], boot, 1),
		    "uma: zbootinit: size not from 1 to 1073741824: "
		    "zone \"bad\"");
	}
	DIES(zinit(NULL, 0, 0, 0, 0),
	    "uma: zinit: size not from 1 to 1073741824: zone \"?\"");
}

TEST(other_arguments)
{
	static struct vm_zone store;

	DIES(zinit("bad", 8, -1, 0, 0),
	    "uma: zinit: negative nentries: zone \"bad\"");
	DIES(zinit("bad", 8, 1, ZONE_INTERRUPT, -1),
	    "uma: zinit: negative zalloc: zone \"bad\"");
	DIES(zinit("bad", 8, 1, 2, 0),
	    "uma: zinit: unknown flags: zone \"bad\"");
	DIES(zinit("bad", 8, 1, ZONE_BOOT, 0),
	    "uma: zinit: unknown flags: zone \"bad\"");
	DIES(zinit("bad", 8, 0, ZONE_INTERRUPT, 0),
	    "uma: zinit: ZONE_INTERRUPT with no entries: zone \"bad\"");
	DIES(zinitna(NULL, NULL, "bad", 8, 0, 0, 0),
	    "uma: zinitna: not a zone: zone \"bad\"");
	DIES(zbootinit(NULL, "bad", 8, boot, 1),
	    "uma: zbootinit: not a zone: zone \"bad\"");
	DIES(zbootinit(&store, "bad", 8, boot, -1),
	    "uma: zbootinit: negative nitems: zone \"bad\"");
	DIES(zbootinit(&store, "bad", 8, NULL, 1),
	    "uma: zbootinit: item is NULL: zone \"bad\"");
	zbootinit(&store, "full", 8, boot, 10);
	DIES(zinitna(&store, NULL, NULL, 0, INT32_MAX, ZONE_INTERRUPT, 0),
	    "uma: zinitna: too many entries: zone \"full\"");
}

TEST(not_a_zone)
{
	static struct vm_zone never;
	vm_zone_t z = zinit("zone", 64, 0, 0, 0);
	void *item = zalloc(z);
	struct uma_vm_zone_stats s;

	DIES(zalloc(NULL), "uma: zalloc: not a zone");
	DIES(zfree(NULL, item), "uma: zfree: not a zone");
	DIES(zdestroy(NULL), "uma: zdestroy: not a zone");
	DIES(uma_vm_zone_stats(NULL, &s), "uma: uma_vm_zone_stats: not a zone");
	DIES(zalloc(&never), "uma: zalloc: not a zone: ptr %p", (void *)&never);
	DIES(zfree(&never, item), "uma: zfree: not a zone: ptr %p",
	    (void *)&never);
	DIES(zalloc((vm_zone_t)((char *)z + 1)),
	    "uma: zalloc: not a zone: ptr %p", (void *)((char *)z + 1));
	zfree(z, item);
	zdestroy(z);
}

TEST(made_twice)
{
	static struct vm_zone store;

	CHECK_EQ(zinitna(&store, NULL, "once", 64, 0, 0, 0), 1);
	DIES(zinitna(&store, NULL, "twice", 64, 0, 0, 0),
	    "uma: zinitna: zone already in use: ptr %p zone \"once\"",
	    (void *)&store);
	DIES(zbootinit(&store, "twice", 64, boot, 1),
	    "uma: zbootinit: zone already in use: ptr %p zone \"once\"",
	    (void *)&store);
	zdestroy(&store);
	zbootinit(&boot_zone, "boot", 48, boot, 10);
	DIES(zbootinit(&boot_zone, "twice", 48, boot, 10),
	    "uma: zbootinit: zone already in use: ptr %p zone \"boot\"",
	    (void *)&boot_zone);
	CHECK_EQ(zinitna(&boot_zone, NULL, NULL, 0, 0, 0, 0), 1);
	DIES(zinitna(&boot_zone, NULL, NULL, 0, 0, 0, 0),
	    "uma: zinitna: zone already in use: ptr %p zone \"boot\"",
	    (void *)&boot_zone);
}

TEST(destroyed)
{
	static struct vm_zone store;
	vm_zone_t z = zinit("busy", 64, 0, 0, 0);
	vm_zone_t limited = zinit("limited", 64, 8, ZONE_INTERRUPT, 0);
	void *item = zalloc(z);
	void *other = zalloc(limited);

	DIES(zdestroy(z), "uma: zdestroy: items are out: ptr %p zone \"busy\"",
	    (void *)z);
	DIES(zdestroy(limited),
	    "uma: zdestroy: items are out: ptr %p zone \"limited\"",
	    (void *)limited);
	zfree(z, item);
	zfree(limited, other);
	zdestroy(z);
	zdestroy(limited);
	zinitna(&store, NULL, "store", 64, 0, 0, 0);
	zdestroy(&store);
	DIES(zalloc(&store), "uma: zalloc: zone was destroyed: ptr %p",
	    (void *)&store);
	DIES(zdestroy(&store), "uma: zdestroy: zone was destroyed: ptr %p",
	    (void *)&store);
	zbootinit(&boot_zone, "boot", 48, boot, 10);
	DIES(zdestroy(&boot_zone),
	    "uma: zdestroy: zone has boot items: ptr %p zone \"boot\"",
	    (void *)&boot_zone);
	zinitna(&boot_zone, NULL, NULL, 0, 0, 0, 0);
	DIES(zdestroy(&boot_zone),
	    "uma: zdestroy: zone has boot items: ptr %p zone \"boot\"",
	    (void *)&boot_zone);
}

/* Known to be dead until 64 more are. */
TEST(destroyed_long_ago)
{
	enum { REST = 64 };
	vm_zone_t z = zinit("first", 64, 10, ZONE_INTERRUPT, 0);
	vm_zone_t later;

	zdestroy(z);
	for (int i = 1; i < REST; i++) {
		later = zinit("later", 128, 10, i % 2 * ZONE_INTERRUPT, 0);
		CHECK(later != z);
		zdestroy(later);
	}
	later = zinit("last", 128, 10, ZONE_INTERRUPT, 0);
	CHECK(later != z);
	DIES(zalloc(z), "uma: zalloc: zone was destroyed: ptr %p", (void *)z);
	DIES(zfree(z, zalloc(later)), "uma: zfree: zone was destroyed: ptr %p",
	    (void *)z);
	DIES(zdestroy(z), "uma: zdestroy: zone was destroyed: ptr %p",
	    (void *)z);
	zdestroy(later);
}

static void
free_dies(vm_zone_t z, const char *name, void *item, const char *rule)
{
	DIES(zfree(z, item), "uma: zfree: %s: ptr %p zone \"%s\"", rule, item,
	    name);
}

static void
foreign_items_die(vm_zone_t z, const char *name)
{
	static char data[64];
	char local[64] = { 0 };
	vm_zone_t other = zinit("other", 64, 0, 0, 0);
	uma_zone_t plain = zone_make("plain", 64, 7);
	char *item = sure_vm_zalloc(other);
	char *theirs = sure_zalloc(plain, M_NOWAIT);
	char *heap = malloc(100);

	DIES(zfree(z, NULL), "uma: zfree: item is NULL: zone \"%s\"", name);
	free_dies(z, name, data, "foreign pointer");
	free_dies(z, name, local, "foreign pointer");
	free_dies(z, name, heap, "foreign pointer");
	free_dies(z, name, (void *)1, "foreign pointer");
	free_dies(z, name, (void *)UINTPTR_MAX, "foreign pointer");
	free_dies(z, name, z, "foreign pointer");
	free_dies(z, name, item, "item of another zone");
	free_dies(z, name, theirs, "item of another zone");
	free_dies(z, name, item + 8, "pointer into an item");
	free(heap);
	uma_zfree(plain, theirs);
	zfree(other, item);
	zone_end(plain);
	zdestroy(other);
}

TEST(foreign_items)
{
	vm_zone_t z = zinit("mine", 100, 0, 0, 0);
	vm_zone_t limited = zinit("limited", 100, 10, ZONE_INTERRUPT, 0);
	char *item = sure_vm_zalloc(z);

	foreign_items_die(z, "mine");
	free_dies(z, "mine", item + 32, "pointer into an item");
	free_dies(limited, "limited", item, "item of another zone");
	foreign_items_die(limited, "limited");
	zbootinit(&boot_zone, "boot", 48, boot, 10);
	foreign_items_die(&boot_zone, "boot");
	zinitna(&boot_zone, NULL, NULL, 0, 0, 0, 0);
	foreign_items_die(&boot_zone, "boot");
	zfree(z, item);
}

/* A block of a malloc that shares the library's zones. */
TEST(blocks_of_uma_malloc)
{
	extern void *uma_heap_alloc(size_t bytes, int how);
	vm_zone_t z = zinit("mine", 100, 0, 0, 0);
	void *small = uma_heap_alloc(100, 0);
	void *large = uma_heap_alloc(1 << 20, 0);

	free_dies(z, "mine", small, "block of malloc");
	free_dies(z, "mine", large, "block of malloc");
	z = zinit("limited", 100, 10, ZONE_INTERRUPT, 0);
	free_dies(z, "limited", small, "block of malloc");
	free_dies(z, "limited", large, "block of malloc");
}

/* Items of either kind, given to malloc(9), the other zones and each other. */
TEST(items_given_to_other_interfaces)
{
	vm_zone_t z = zinit("mine", 100, 10, ZONE_INTERRUPT, 0);
	uma_zone_t plain = zone_make("plain", 64, 7);
	void *item = zalloc(z);
	void *first;

	zbootinit(&boot_zone, "boot", 48, boot, 10);
	first = zalloc(&boot_zone);
	DIES(uma_mfree(item, M_OTHER),
	    "uma: uma_mfree: item of a zone: ptr %p zone \"mine\"", item);
	DIES(uma_mfree(first, M_OTHER),
	    "uma: uma_mfree: item of a boot zone: ptr %p zone \"boot\"", first);
	DIES(uma_mfree((char *)first + 8, M_OTHER),
	    "uma: uma_mfree: item of a boot zone: ptr %p zone \"boot\"",
	    (void *)((char *)first + 8));
	DIES(uma_malloc_usable_size(first),
	    "uma: uma_malloc_usable_size: item of a boot zone: ptr %p zone "
	    "\"boot\"",
	    first);
	DIES(uma_zfree(plain, first),
	    "uma: uma_zfree: item of a boot zone: ptr %p zone \"plain\"",
	    first);
	free_dies(z, "mine", first, "item of a boot zone");
	free_dies(&boot_zone, "boot", item, "item of another zone");
}

TEST(double_free)
{
	vm_zone_t z = zinit("twice", 64, 0, 0, 0);
	void *item = zalloc(z);
	char *entry;

	zfree(z, item);
	free_dies(z, "twice", item, "double free");
	zbootinit(&boot_zone, "boot", 48, boot, 10);
	item = zalloc(&boot_zone);
	entry = zalloc(&boot_zone);
	zfree(&boot_zone, item);
	zfree(&boot_zone, entry);
	/* Boot items show it at any depth. */
	free_dies(&boot_zone, "boot", item, "double free");
	free_dies(&boot_zone, "boot", entry, "double free");
	free_dies(&boot_zone, "boot", entry + 1, "pointer into an item");
	free_dies(&boot_zone, "boot", boot[0], "double free");
	zdestroy(z);
}

/* Seen at any depth while the hand is not full. */
TEST(double_free_of_an_item_in_the_hand)
{
	enum { ALL = 8 };
	vm_zone_t z = zinit("twice", 64, ALL, ZONE_INTERRUPT, 0);
	void *items[ALL];

	for (int i = 0; i < ALL; i++) {
		items[i] = sure_vm_zalloc(z);
		REQUIRE(items[i] != NULL);
	}
	zfree(z, items[0]);
	free_dies(z, "twice", items[0], "double free");
	zfree(z, items[1]);
	free_dies(z, "twice", items[0], "double free");
	free_dies(z, "twice", items[1], "double free");
	for (int i = 2; i < ALL; i++)
		zfree(z, items[i]);
	zdestroy(z);
}

TEST_MAIN
