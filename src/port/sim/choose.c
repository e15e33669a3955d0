/* SPDX-License-Identifier: BSD-2-Clause */
/* port/sim/choose.c - which schedule is played: see sim.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/sim/inner.h"

/* From a seed, one of so many calls that may fail is refused. */
#define REFUSED 16

enum mode { PLAIN, SEARCH, REPLAY, RANDOM };

/* What was decided at a point where something else could have been. */
struct decision {
	uint64_t at;
	uint32_t choice;
	uint32_t options;
	bool free; /* not of the bound */
};

static struct {
	enum mode mode;
	uint64_t points; /* passed in this run */
	unsigned spent;  /* of the bound */
	uint64_t random;
	uint64_t mask; /* an event where the random bits below are zero */
	/* A search's path; or a schedule to replay.  `next` comes next. */
	struct decision *path;
	size_t length;
	size_t next;
	/* What this run did that was not to go on. */
	struct decision *taken;
	size_t taken_length;
	size_t room; /* of both */
} choose;

static void
append(struct decision **list, size_t *length, struct decision d)
{
	if (*length == choose.room || choose.room == 0) {
		choose.room = choose.room == 0 ? 4096 : 2 * choose.room;
		choose.path = realloc(choose.path, choose.room * sizeof(d));
		choose.taken = realloc(choose.taken, choose.room * sizeof(d));
		if (choose.path == NULL || choose.taken == NULL)
			_Exit(2);
	}
	(*list)[(*length)++] = d;
}

/* xorshift64*: good bits above. */
static uint64_t
draw(void)
{
	choose.random ^= choose.random >> 12;
	choose.random ^= choose.random << 25;
	choose.random ^= choose.random >> 27;
	return choose.random * UINT64_C(0x2545F4914F6CDD1D) >> 16;
}

/* See inner.h. */
void
sim_begin(void)
{
	choose.points = 0;
	choose.spent = 0;
	choose.next = 0;
	choose.taken_length = 0;
}

/* See sim.h. */
uint64_t
sim_points(void)
{
	return choose.points;
}

static unsigned
replayed(uint64_t at)
{
	if (choose.next < choose.length && choose.path[choose.next].at == at)
		return choose.path[choose.next++].choice;
	return 0;
}

/* Down the path of the search, and on where it ends. */
static unsigned
searched(struct decision here)
{
	if (choose.next < choose.length) {
		if (choose.path[choose.next].at != here.at)
			return 0;
		here = choose.path[choose.next++];
		choose.spent += !here.free && here.choice != 0;
		return here.choice;
	}
	if (here.options > 1) {
		append(&choose.path, &choose.length, here);
		choose.next++;
	}
	return 0;
}

/* Another thread as likely as all else together. */
static unsigned
drawn(enum sim_point kind)
{
	unsigned options = sim_options(kind);
	unsigned last =
	    1 +
	    (kind == POINT_STEP && sim.choices.move ? sim.machine.cpus - 1 : 1);

	if (options < 2)
		return 0;
	if (draw() % 2 == 0 || options <= last)
		return 1 + (unsigned)(draw() % (options - 1));
	return options - 1 - (unsigned)(draw() % last);
}

/* See inner.h. */
unsigned
sim_choose(enum sim_point kind)
{
	struct decision here = { .at = choose.points++ };

	switch (choose.mode) {
	case PLAIN:
		return 0;
	case SEARCH:
		if (choose.next == choose.length &&
		    choose.spent < sim.choices.bound)
			here.options = sim_options(kind);
		here.choice = searched(here);
		break;
	case REPLAY:
		here.choice = replayed(here.at);
		break;
	case RANDOM:
		if (kind == POINT_MAY_FAIL && sim.choices.refuse &&
		    draw() % REFUSED == 0)
			here.choice = sim_options(kind) - 1;
		else if ((draw() & choose.mask) == 0)
			here.choice = drawn(kind);
		break;
	}
	if (here.choice != 0)
		append(&choose.taken, &choose.taken_length, here);
	return here.choice;
}

/* See inner.h. */
unsigned
sim_choose_next(unsigned count)
{
	struct decision here = {
		.at = choose.points, .options = count, .free = true
	};

	if (!sim.choosing || count < 2)
		return 0;
	choose.points++;
	if (choose.mode == SEARCH)
		here.choice = searched(here);
	else if (choose.mode == REPLAY)
		here.choice = replayed(here.at);
	else if (choose.mode == RANDOM)
		here.choice = (uint32_t)(draw() % count);
	if (here.choice != 0)
		append(&choose.taken, &choose.taken_length, here);
	return here.choice;
}

static void
set_mode(const struct sim_choices *choices, enum mode mode)
{
	sim.choices = *choices;
	if (sim.choices.points == 0)
		sim.choices.points = 1 << 20;
	sim.choosing = true;
	choose.mode = mode;
	choose.length = 0;
}

/* See sim.h. */
void
sim_search(const struct sim_choices *choices)
{
	set_mode(choices, SEARCH);
}

/* See sim.h. */
bool
sim_next(void)
{
	while (choose.length != 0) {
		struct decision *last = &choose.path[choose.length - 1];

		if (last->choice + 1 < last->options) {
			last->choice++;
			return true;
		}
		choose.length--;
	}
	return false;
}

/* See sim.h. */
void
sim_random(const struct sim_choices *choices, uint64_t seed, unsigned n)
{
	set_mode(choices, RANDOM);
	choose.mask = (UINT64_C(1) << n) - 1;
	choose.random = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
	for (int i = 0; i < 8; i++)
		(void)draw();
}

/* See sim.h. */
void
sim_replay(const struct sim_choices *choices, const char *schedule)
{
	set_mode(choices, REPLAY);
	while (*schedule != '\0') {
		char *end;
		struct decision d = { .at = strtoull(schedule, &end, 10) };

		if (*end == ':')
			d.choice = (uint32_t)strtoul(end + 1, &end, 10);
		if (end == schedule)
			break;
		append(&choose.path, &choose.length, d);
		schedule = end + (*end == ',');
	}
}

/* See sim.h. */
void
sim_schedule(char *text, size_t bytes)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < choose.taken_length; i++) {
		int n = snprintf(text + used, bytes - used, "%s%llu:%u",
		    i == 0 ? "" : ",", (unsigned long long)choose.taken[i].at,
		    choose.taken[i].choice);

		if (n < 0 || (size_t)n >= bytes - used) {
			text[used] = '\0';
			return;
		}
		used += (size_t)n;
	}
}
