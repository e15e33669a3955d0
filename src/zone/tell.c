/* SPDX-License-Identifier: BSD-2-Clause */
/* One line on an address that a tool has just reported: see watch.h. */
#include "port/port.h"
#include "zone/zone.h"

/*
 * Where an address lies in a slab whose items have gaps behind them; `from` is
 * its distance from the item, negative before a slab's first.
 */
static void
put_place(struct text *t, size_t bytes, ptrdiff_t from, bool is_free)
{
	size_t at = (size_t)from;

	if (from < 0) {
		text_num(t, -at, 0);
		text_put(t, " bytes before an item");
		return;
	}
	if (at >= bytes) {
		text_num(t, at - bytes, 0);
		text_put(t, " bytes behind an item");
		return;
	}
	text_num(t, at, 0);
	text_put(
	    t, is_free ? " bytes into a free item" : " bytes into an item");
}

void
zone_tell(const void *address)
{
	const struct slab *s = pagemap_find(address);
	const struct slab_layout *l;
	char line[192];
	struct text t = { line, line + sizeof(line) - 1 };
	const char *item;
	ptrdiff_t offset;

	if (s == NULL || !pagemap_is_slab(s->kind))
		return;
	l = &s->keg->layout;
	item = slab_item(s, l, 0);
	offset = (ptrdiff_t)((uintptr_t)address - (uintptr_t)item);
	if (offset > 0) {
		item += (size_t)offset / l->stride * l->stride;
		offset = (ptrdiff_t)((size_t)offset % l->stride);
	}
	text_put(&t, "uma: ptr ");
	text_hex(&t, (uintptr_t)address);
	text_put(&t, " is ");
	put_place(&t, l->item_bytes, offset, port_is_closed(item));
	text_put(&t, ": item ");
	text_hex(&t, (uintptr_t)item);
	text_put(&t, " zone \"");
	text_clean(&t, s->keg->name);
	text_put(&t, "\"");
	*t.at++ = '\n';
	port_print(line, (size_t)(t.at - line));
}
