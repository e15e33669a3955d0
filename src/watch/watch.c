/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch/watch.h"

/* Wide enough for the tools to tell whose end was passed. */
#define GAP ((size_t)16)

bool watch_on;
size_t watch_gap;

/* What slabs come from and go to is one thing to a tool that watches order. */
static char slabs_order;

void
watch_start(void (*tell)(const void *address))
{
	enum port_tool tool = port_tool();

	watch_on = tool != PORT_TOOL_NONE;
	if (tool == PORT_TOOL_VALGRIND || tool == PORT_TOOL_ADDRESS)
		watch_gap = GAP;
	port_on_report(tell);
}

void
watch_take(const void *pool, void *item, size_t bytes, bool kept)
{
	port_pool_take(pool, item, bytes);
	port_mark(item, bytes, kept ? PORT_KEPT : PORT_FRESH);
}

bool
watch_give(const void *pool, void *item, size_t bytes)
{
	bool was_out = !port_is_closed(item);

	port_pool_give(pool, item);
	port_mark(item, bytes, PORT_CLOSED);
	return was_out;
}

void
watch_slab_made(const struct watch_slab *slab)
{
	port_order_after(&slabs_order);
	port_mark(slab->base, slab->bytes, PORT_CLOSED);
	for (size_t i = 0; i < slab->items; i++)
		port_order_before(slab->first + i * slab->stride);
	port_root(slab->base, slab->bytes, true);
}

void
watch_slab_ended(const struct watch_slab *slab)
{
	for (size_t i = 0; i < slab->items; i++)
		port_order_after(slab->first + i * slab->stride);
	port_root(slab->base, slab->bytes, false);
	port_order_before(&slabs_order);
}
