/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of all vm_zones, and its table; the dead.  See vm_zone.h. */
#include "vm_zone/vm_zone.h"

#include "lock/lock.h"
#include "port/port.h"
#include "zone/zone.h"

#define NAME_WIDTH 12
#define LINE_BYTES 160
#define LINES      32 /* written at a time */

#define DEAD_REST 64u

static struct lock all_lock;

static struct {
	struct vm_zone_row *first UMA_GUARDED(&all_lock); /* the latest */
	uint32_t numbers UMA_GUARDED(&all_lock);
	/* A ring: each takes the place of the one that has rested. */
	struct vm_zone *dead[DEAD_REST] UMA_GUARDED(&all_lock);
	unsigned deaths UMA_GUARDED(&all_lock);
} all;

/*
 * Take the lock, inside the gate.  False: this is a handler that interrupted
 * its own thread inside.
 */
static bool
enter(void) UMA_TRIES(true, &all_lock)
{
	while (gate_insist()) {
		if (lock_take(&all_lock))
			return true;
		gate_leave();
		port_yield();
	}
	return false;
}

/* For who may not be such a handler. */
UMA_SLOW static void
insist(void) UMA_ACQUIRES(&all_lock)
{
	while (!enter())
		port_yield();
}

static void
leave(void) UMA_RELEASES(&all_lock)
{
	gate_unlock(&all_lock);
}

void
vm_zone_row_start(struct vm_zone_row *row, const char *name, int size, int max)
{
	struct text t = { row->name, row->name + sizeof(row->name) - 1 };

	text_put(&t, name);
	*t.at = '\0';
	row->size = size;
	/* relaxed: nobody sees it yet. */
	atomic_store_explicit(&row->max, max, memory_order_relaxed);
}

void
vm_zone_list(struct vm_zone_row *row)
{
	insist();
	row->number = ++all.numbers;
	row->next = all.first;
	if (row->next != NULL)
		row->next->prev = row;
	all.first = row;
	leave();
}

void
vm_zone_unlist(struct vm_zone_row *row)
{
	insist();
	if (row->prev != NULL)
		row->prev->next = row->next;
	else
		all.first = row->next;
	if (row->next != NULL)
		row->next->prev = row->prev;
	leave();
}

struct vm_zone *
vm_zone_rest(struct vm_zone *z)
{
	struct vm_zone **place;
	struct vm_zone *rested;

	insist();
	place = &all.dead[all.deaths++ % DEAD_REST];
	rested = *place;
	*place = z;
	leave();
	return rested;
}

/* Waits for nothing: all counters are atomic. */
static void
read_numbers(const struct vm_zone_row *row, struct uma_vm_zone_stats *out)
{
	uint64_t total = row->boot_count;
	/* acquire, pairs with the release in complete(). */
	struct uma_zone *zone =
	    atomic_load_explicit(&row->zone, memory_order_acquire);
	uint64_t frees;
	struct zone_reading r;

	/*
	 * acquire, pairs with vm_zone_boot_give(): frees first, and what was
	 * freed was counted as taken, or used could be below 0.
	 */
	frees = atomic_load_explicit(&row->boot_frees, memory_order_acquire);
	out->requests =
	    atomic_load_explicit(&row->boot_allocs, memory_order_relaxed);
	out->used = out->requests - frees;
	if (zone != NULL) {
		zone_read(zone, &r);
		total += tally_get(&zone->keg.items);
		out->requests += r.allocs;
		out->used += r.allocs > r.frees ? r.allocs - r.frees : 0;
	}
	out->free = total > out->used ? total - out->used : 0;
}

/* See uma/vm_zone.h. */
void
uma_vm_zone_stats(vm_zone_t z, struct uma_vm_zone_stats *out)
{
	vm_zone_check(z, "uma_vm_zone_stats");
	read_numbers(z->zrow, out);
}

/*
 * The name in twelve columns and two blanks; a colon goes where its last
 * character that is no blank is followed.
 */
static void
put_name(struct text *t, const char *name)
{
	char field[NAME_WIDTH + 3];
	size_t used = 0;
	size_t end = 1;

	for (; used < NAME_WIDTH && name[used] != '\0'; used++) {
		char c = name[used];

		field[used] = c >= ' ' && c <= '~' ? c : '?';
		if (c != ' ')
			end = used + 1;
	}
	for (; used < NAME_WIDTH + 2; used++)
		field[used] = ' ';
	field[end] = ':';
	field[used] = '\0';
	text_put(t, field);
}

static void
put_row(struct text *t, const struct vm_zone_row *row)
{
	struct uma_vm_zone_stats s;
	/* relaxed: a number stands for itself. */
	int max = atomic_load_explicit(&row->max, memory_order_relaxed);

	read_numbers(row, &s);
	put_name(t, row->name);
	text_num(t, (uint64_t)row->size, 6);
	text_put(t, ", ");
	text_num(t, (uint64_t)max, 8);
	text_put(t, ", ");
	text_num(t, s.used, 6);
	text_put(t, ", ");
	text_num(t, s.free, 6);
	text_put(t, ", ");
	text_num(t, s.requests, 8);
	text_put(t, "\n");
}

/*
 * The lines of the latest zones before `number`, which becomes that of the
 * last of them; false if there are none.  Without the lock no row is sure to
 * stay, so each time the place is looked for: hence several lines.
 */
static bool
put_rows(struct text *t, uint32_t *number)
{
	struct vm_zone_row *row;
	unsigned count = 0;

	if (!enter())
		return false;
	for (row = all.first; row != NULL && row->number >= *number;
	     row = row->next)
		;
	for (; row != NULL && count < LINES; row = row->next) {
		*number = row->number;
		put_row(t, row);
		count++;
	}
	leave();
	return count != 0;
}

/* See uma/vm_zone.h. */
void
uma_vm_zone_print(int fd)
{
	static const char head[] =
	    "\nITEM            SIZE     LIMIT     USED    FREE  REQUESTS\n";
	uint32_t number = UINT32_MAX;
	bool any = false;
	char lines[LINES * LINE_BYTES];
	struct text t = { lines, lines + sizeof(lines) };

	port_write(fd, head, sizeof(head) - 1);
	while (put_rows(&t, &number)) {
		if (!any)
			port_write(fd, "\n", 1);
		any = true;
		port_write(fd, lines, (size_t)(t.at - lines));
		t.at = lines;
	}
}
