/* SPDX-License-Identifier: BSD-2-Clause */
#include "stats/stats.h"

#include "heap/heap.h"
#include "meta/meta.h"
#include "percpu/percpu.h"
#include "port/port.h"
#include "supply/supply.h"
#include "zone/zone.h"

#define LINE_BYTES 256

static void
read_zone(struct uma_zone *zone, struct uma_zone_stats *out)
{
	struct zone_reading r;
	size_t free_items;
	size_t bytes;

	zone_read(zone, &r);
	/* Beside others a free may have been seen and its allocation not. */
	if (r.frees > r.allocs)
		r.frees = r.allocs;
	keg_read(&zone->keg, &free_items, &bytes);
	__builtin_memset(out, 0, sizeof(*out));
	__builtin_memcpy(out->name, zone->name, sizeof(out->name));
	out->struct_bytes = sizeof(*out);
	out->item_bytes = zone->keg.layout.item_bytes;
	out->limit_items = zone->keg.items_max;
	out->used_items = r.allocs - r.frees;
	out->cached_items = r.cached;
	out->free_items = r.cached + free_items;
	out->allocs = r.allocs;
	out->frees = r.frees;
	out->fails = atomic_load_explicit(&zone->fails, memory_order_relaxed);
	out->sleeps = atomic_load_explicit(&zone->sleeps, memory_order_relaxed);
	out->misses = r.misses;
	out->slab_bytes = bytes;
	out->flags = zone->flags;
}

/* See stats.h. */
void
uma_stats_walk(
    void (*each)(const struct uma_zone_stats *zone, void *arg), void *arg)
{
	struct uma_zone *zone;

	for (uint32_t at = 0; (zone = registry_look(&at)) != NULL;) {
		struct uma_zone_stats stats;

		read_zone(zone, &stats);
		each(&stats, arg);
	}
}

/* See stats.h. */
void
uma_zone_stats(uma_zone_t zone, struct uma_zone_stats *out)
{
	zone_check(zone, __func__);
	read_zone(zone, out);
}

static void
add_zone(const struct uma_zone_stats *zone, void *arg)
{
	struct uma_stats *sum = arg;

	sum->zones++;
	sum->slab_bytes += zone->slab_bytes;
}

/* See stats.h. */
void
uma_stats(struct uma_stats *out)
{
	struct heap_reading h;
	struct uma_zone *zone;

	__builtin_memset(out, 0, sizeof(*out));
	out->struct_bytes = sizeof(*out);
	uma_stats_walk(add_zone, out);
	for (uint32_t at = 0; (zone = registry_look(&at)) != NULL;)
		out->emergencies += atomic_load_explicit(
		    &zone->keg.emergencies, memory_order_relaxed);
	heap_read(&h);
	out->large_bytes = h.large_bytes;
	out->large_allocs = h.large_allocs;
	out->large_frees = h.large_frees;
	out->mapped_bytes = supply_mapped_bytes();
	out->cached_bytes = supply_dirty_bytes();
	out->meta_bytes = meta_bytes();
	out->percpu_mode = percpu_kind();
	out->percpu_slots = percpu_slots();
}

/* One line; a number and its comma, as vmstat sets them. */
static void
put_number(struct text *t, uint64_t n, int width, const char *after)
{
	text_num(t, n, width);
	text_put(t, after);
}

static void
print_row(const struct uma_zone_stats *zone, void *arg)
{
	int fd = *(const int *)arg;
	char line[LINE_BYTES];
	char name[sizeof(zone->name) + 1];
	struct text t = { name, name + sizeof(name) - 1 };

	text_clean(&t, zone->name);
	text_put(&t, ":");
	*t.at = '\0';
	t = (struct text){ line, line + sizeof(line) };
	text_pad(&t, name, 20);
	text_put(&t, " ");
	put_number(&t, zone->item_bytes, 6, ", ");
	put_number(&t, zone->limit_items, 6, ",");
	put_number(&t, zone->used_items, 8, ",");
	put_number(&t, zone->free_items, 8, ",");
	put_number(&t, zone->allocs, 8, ",");
	put_number(&t, zone->fails, 4, ",");
	put_number(&t, zone->sleeps, 4, ",");
	put_number(&t, zone->xdomain, 4, "\n");
	port_write(fd, line, (size_t)(t.at - line));
}

/* See stats.h. */
void
uma_stats_print(int fd)
{
	static const char head[] =
	    "ITEM                   SIZE  LIMIT     USED     FREE      REQ"
	    "     FAILSLEEP XDOMAIN\n\n";

	port_write(fd, head, sizeof(head) - 1);
	uma_stats_walk(print_row, &fd);
	port_write(fd, "\n", 1);
}
