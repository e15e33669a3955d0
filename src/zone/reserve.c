/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones whose room is set aside ahead: see zone.h. */
#include "port/port.h"
#include "zone/inner.h"

/* No entry in the map yet, but room for all: see furnish() of keg. */
bool
zone_settle(struct uma_zone *zone, void *memory, size_t bytes, size_t items)
{
	struct keg *keg = &zone->keg;
	enum meta_how how = meta_enter();
	bool ok = pagemap_set(memory, bytes, NULL, 0, how);

	meta_leave(how);
	if (!ok) {
		port_unmap(memory, bytes);
		return false;
	}
	keg->object = memory;
	keg->object_bytes = bytes;
	keg->items_max = items;
	keg->nofree = true;
	return true;
}

bool
zone_reserve(struct uma_zone *zone, size_t items)
{
	struct keg *keg = &zone->keg;
	size_t slabs = div_up(items, keg->layout.items);
	size_t bytes = slabs * keg->layout.slab_bytes;
	void *memory;

	if (slabs > PTRDIFF_MAX / keg->layout.slab_bytes)
		return false;
	memory = port_reserve(bytes, max_size(GRANULE, keg->layout.align));
	if (memory == NULL)
		return false;
	if (!port_commit(memory, bytes)) {
		port_unmap(memory, bytes);
		return false;
	}
	port_label(memory, bytes, "uma:object");
	return zone_settle(zone, memory, bytes, items);
}
