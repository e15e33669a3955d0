/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gap_test.c - the unused bytes behind items that a tool looks at
 *
 * Method: the library is told that valgrind runs it.  It is not there, so what
 * the library tells it does nothing.
 */
#include "harness.h"

#include <sys/mman.h>
#include <uma/uma.h>

#include "heap/heap.h"
#include "lock/lock.h"
#include "port/port.h"
#include "supplier.h"
#include "supply/supply.h"
#include "watch/watch.h"
#include "zone/zone.h"

enum { ITEM = 512, ITEMS = 200 };

enum port_tool __wrap_port_tool(void);

enum port_tool
__wrap_port_tool(void)
{
	return PORT_TOOL_VALGRIND;
}

/* Pools that the tool was told of. */
void __wrap_port_pool_make(const void *pool, size_t gap);
void __wrap_port_pool_end(const void *pool);

static int pools;

void
__wrap_port_pool_make(const void *pool, size_t gap)
{
	(void)pool;
	(void)gap;
	pools++;
}

void
__wrap_port_pool_end(const void *pool)
{
	(void)pool;
	pools--;
}

void *__real_port_map(size_t bytes, size_t align);
void *__wrap_port_map(size_t bytes, size_t align);

static bool no_map;

void *
__wrap_port_map(size_t bytes, size_t align)
{
	return no_map ? NULL : __real_port_map(bytes, align);
}

static uma_zone_t
make(void)
{
	uma_zone_t zone =
	    uma_zcreate("gap", ITEM, NULL, NULL, NULL, NULL, 7, 0);

	REQUIRE(zone != NULL);
	supply_trust(true);
	return zone;
}

TEST(items_lie_apart_and_not_where_a_slab_begins)
{
	uma_zone_t zone = make();
	const struct slab_layout *l = &zone->keg.layout;

	CHECK(watch_on);
	CHECK_EQ(l->stride, ITEM + watch_gap);
	CHECK(watch_gap >= 8);
	CHECK(l->lead != 0);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

/* The program decided how much there is, and others may map it, too. */
TEST(items_of_a_file_lie_as_without_a_tool)
{
	int fd = memfd_create("gap", MFD_CLOEXEC);
	uma_zone_t zone = make();
	void *items[ITEMS];
	struct vm_object *object;
	struct slab_layout bare;
	size_t bytes;

	slab_layout_choose(&bare, ITEM, 8);
	bytes = div_up(ITEMS, bare.items) * bare.slab_bytes;
	REQUIRE(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	object = uma_object_create(fd, 0, bytes);
	REQUIRE(object != NULL);
	CHECK_EQ(uma_zone_set_obj(zone, object, ITEMS), 1);
	CHECK_EQ(zone->keg.layout.stride, bare.stride);
	CHECK_EQ(zone->keg.layout.lead, bare.lead);
	for (int i = 0; i < ITEMS; i++)
		REQUIRE((items[i] = uma_zalloc(zone, M_NOWAIT)) != NULL);
	CHECK(uma_zalloc(zone, M_NOWAIT) == NULL);
	DIES(uma_zfree(zone, (char *)items[0] + watch_gap),
	    "uma: uma_zfree: pointer into an item: ptr %p zone \"gap\"",
	    (void *)((char *)items[0] + watch_gap));
	for (int i = 0; i < ITEMS; i++)
		uma_zfree(zone, items[i]);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	uma_object_destroy(object);
}

TEST(a_file_that_is_too_small_takes_no_gap)
{
	int fd = memfd_create("gap", MFD_CLOEXEC);
	uma_zone_t zone = make();
	struct vm_object *object;
	struct slab_layout before = zone->keg.layout;
	void *item;

	REQUIRE(fd >= 0 && ftruncate(fd, 4096) == 0);
	object = uma_object_create(fd, 0, 4096);
	REQUIRE(object != NULL);
	CHECK_EQ(uma_zone_set_obj(zone, object, ITEMS), 0);
	CHECK_EQ(zone->keg.layout.stride, before.stride);
	CHECK_EQ(zone->keg.layout.lead, before.lead);
	CHECK_EQ(zone->keg.layout.items, before.items);
	item = uma_zalloc(zone, M_NOWAIT);
	REQUIRE(item != NULL);
	uma_zfree(zone, item);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	uma_object_destroy(object);
}

/* What a tool was told of a supplier is taken back with it. */
TEST(a_supplier_and_none_again)
{
	uma_zone_t zone = make();
	void *item;

	uma_zone_set_allocf(zone, supply_nothing);
	CHECK_EQ(pools, 1);
	uma_zone_set_allocf(zone, supply_nothing);
	CHECK_EQ(pools, 1);
	uma_zone_set_allocf(zone, NULL);
	CHECK_EQ(pools, 0);
	item = uma_zalloc(zone, M_NOWAIT);
	REQUIRE(item != NULL);
	uma_zfree(zone, item);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
	CHECK_EQ(pools, 0);
}

enum { BLOCK = 30000, LESS = 5000, MORE = 60000, FILL = 0x5a };

static bool
is_filled(const unsigned char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (block[i] != FILL)
			return false;
	return true;
}

/* It always moves; without memory what fits stays, whole. */
TEST(a_block_that_cannot_move_stays_if_it_fits)
{
	unsigned char *block = uma_heap_alloc(BLOCK, HEAP_RAW);
	unsigned char *moved;

	REQUIRE(watch_on && block != NULL);
	memset(block, FILL, BLOCK);
	/* As in a handler inside the gate: nothing that lies free is used. */
	no_map = true;
	REQUIRE(gate_enter());
	CHECK(uma_heap_resize(block, MORE, "realloc") == NULL);
	CHECK(uma_heap_resize(block, LESS, "realloc") == block);
	gate_leave();
	no_map = false;
	CHECK(is_filled(block, BLOCK));
	moved = uma_heap_resize(block, LESS, "realloc");
	REQUIRE(moved != NULL);
	CHECK(moved != block);
	CHECK(is_filled(moved, LESS));
	uma_heap_free(moved, "free");
}

TEST_MAIN
