/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones that take their memory from a backing object: see uma.h. */
#include "port/port.h"
#include "zone/inner.h"

struct vm_object {
	int fd;
	uint64_t offset;
	size_t bytes;
};

static struct vm_object *
object_new(int fd, uint64_t offset, size_t bytes)
{
	struct vm_object *object = NULL;

	if (!gate_insist())
		return NULL;
	object = meta_take(sizeof(*object), META_NORMAL);
	gate_leave();
	if (object == NULL)
		return NULL;
	object->fd = fd;
	object->offset = offset;
	object->bytes = bytes;
	return object;
}

/* See uma.h. */
struct vm_object *
uma_object_create(int fd, uint64_t offset, size_t bytes)
{
	struct vm_object *object;
	int mine;

	if (bytes == 0 || offset % port_page_bytes() != 0)
		return NULL;
	mine = port_object_hold(fd, offset, bytes);
	if (mine < 0)
		return NULL;
	object = object_new(mine, offset, bytes);
	if (object == NULL)
		port_object_drop(mine);
	return object;
}

/* See uma.h. */
void
uma_object_destroy(struct vm_object *object)
{
	enum meta_how how;

	if (object == NULL)
		return;
	port_object_drop(object->fd);
	how = meta_enter();
	meta_give(object, sizeof(*object), how);
	meta_leave(how);
}

/*
 * All items in an object that was given, where they are without a tool, as
 * others map them too.  False, with the zone unchanged.
 */
static bool
settle_in(struct uma_zone *zone, struct vm_object *object, size_t items)
{
	struct keg *keg = &zone->keg;
	struct slab_layout l;
	size_t bytes;
	void *memory;

	slab_layout_choose(&l, keg->layout.item_bytes, keg->layout.align);
	bytes = div_up(items, l.items) * l.slab_bytes;
	if (object->bytes < bytes)
		return false;
	memory = port_object_map(
	    object->fd, object->offset, bytes, max_size(GRANULE, l.align));
	if (memory == NULL || !zone_settle(zone, memory, bytes, items))
		return false;
	keg_shape(keg, l.item_bytes, l.align, 0);
	return true;
}

/* See uma.h. */
int
uma_zone_set_obj(uma_zone_t zone, struct vm_object *object, int size)
{
	struct keg *keg;

	zone_check(zone, __func__);
	keg = &zone->keg;
	if (atomic_load_explicit(&keg->used, memory_order_relaxed) ||
	    keg->object != NULL)
		uma_crime(__func__, "zone already in use", NULL, zone->name);
	if (size < 1)
		uma_crime(__func__, "item count below 1", NULL, zone->name);
	/* Without one it is memory that nobody shares, a child neither. */
	if (object == NULL ? !zone_reserve(zone, (size_t)size)
			   : !settle_in(zone, object, (size_t)size))
		return 0;
	zone->object = object;
	zone->ends_early = (size_t)size % keg->layout.items != 0;
	zone_aim_hit(zone);
	return 1;
}
