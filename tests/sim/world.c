/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios, and the books of their items: see world.h. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zone/inner.h"

#define ITEM_BYTES 32768
#define HAND_MAX   8
#define EXTRA_MAX  64

/* An item's first word while somebody holds it: a pattern and a number. */
#define STAMP(n)    (UINT64_C(0x57A3B1D5) << 32 | (n))
#define IS_STAMP(w) ((w) >> 32 == UINT64_C(0x57A3B1D5))

struct hand {
	uint64_t *items[HAND_MAX];
	unsigned count;
};

uma_zone_t world_zone;
struct world_books world_books;

static const struct scenario *playing;

static struct {
	struct hand hands[4];
	uint64_t *extra[EXTRA_MAX]; /* held by nobody's program */
	unsigned extras;
	unsigned destroyed;
	bool child;         /* a fork's: what others had in hand is lost */
	uint64_t stamp;     /* the last one given */
	uintptr_t counters; /* records to count in, or 0 */
	uint64_t events;
	uint64_t elsewhere; /* of them, by who could neither add nor fold */
} world, marked;

/* ---- scenarios ---- */

bool
scenario_has(const struct scenario *s, char flag)
{
	return strchr(s->flags, flag) != NULL;
}

bool
scenario_read(struct scenario *s, const char *text)
{
	char programs[64];
	char cpus[8];
	char *rest = programs;
	char *program;

	memset(s, 0, sizeof *s);
	snprintf(s->name, sizeof s->name, "%s", text);
	if (sscanf(text, "%15[a-z]/%63[a-zA-Z.]/%7[0-9]/%15[a-z]", s->state,
		programs, cpus, s->flags) < 3)
		return false;
	while ((program = strsep(&rest, ".")) != NULL && s->threads < 4) {
		snprintf(s->programs[s->threads], 16, "%.15s", program);
		s->cpus[s->threads] = (unsigned)(cpus[s->threads] - '0');
		if (s->cpus[s->threads++] >= WORLD_CPUS)
			return false;
	}
	return strlen(cpus) == s->threads;
}

/* Of one zone, its records and its slabs; and of locks. */
static bool
matters(const void *address)
{
	uintptr_t at = (uintptr_t)address;

	return at - (uintptr_t)world_zone < sizeof(struct uma_zone) ||
	       (at - world_zone->caches) % (1u << ARCH_CPU_SHIFT) <
		   CACHE_LINE ||
	       address == &percpu_seize_lock;
}

static void
interrupted(void)
{
	uint64_t *item = world_take(M_NOWAIT);

	if (item != NULL)
		world_give(item);
}

void
scenario_choices(const struct scenario *s, struct sim_choices *out)
{
	*out = (struct sim_choices){ .bound = 2,
		.plain = scenario_has(s, 'p'),
		.move = scenario_has(s, 'm'),
		.refuse = scenario_has(s, 'r'),
		.handler = scenario_has(s, 'h') ? interrupted : NULL };
	for (unsigned i = 0; i < s->threads; i++)
		if (strpbrk(s->programs[i], "r") != NULL)
			out->matters = matters;
}

/* ---- items ---- */

uint64_t *
world_take(int wait)
{
	uint64_t *item = uma_zalloc(world_zone, wait);

	if (item == NULL)
		return NULL;
	if (IS_STAMP(*item))
		sim_fail("an item was handed out twice");
	sim_write(item, STAMP(++world.stamp));
	world_books.taken++;
	return item;
}

void
world_give(uint64_t *item)
{
	if (!IS_STAMP(*item))
		sim_fail("an item lost its stamp");
	sim_write(item, 0);
	world_books.given++;
	uma_zfree(world_zone, item);
}

static void
hold(struct hand *hand, uint64_t *item)
{
	if (item != NULL)
		hand->items[hand->count++] = item;
}

/* Close and open it again. */
static void
drain(void)
{
	struct closer me;

	while (zone_close(world_zone, &me) != ZONE_CLOSED)
		port_yield();
	zone_open(world_zone, &me);
}

/* ---- programs ---- */

/* As malloc(9) does. */
static void
count_event(void)
{
	uint32_t folds = 0;

	world.events++;
	if (percpu_count(world.counters, PERCPU_IN, PERCPU_STEP(3)))
		return;
	if (gate_enter()) {
		folds = percpu_fold(world.counters, PERCPU_IN, PERCPU_STEP(3));
		gate_leave();
	}
	world.elsewhere += folds == 0;
}

static void
destroy(int wait)
{
	if (uma_zdestroy(world_zone, wait) == 0)
		world.destroyed++;
	else if (wait == M_WAITOK)
		sim_fail("a destroy that waits came back without");
}

static void
live_and_die(void)
{
	uma_zone_t zone =
	    uma_zcreate("other", ITEM_BYTES, NULL, NULL, NULL, NULL, 0, 0);
	void *item = zone == NULL ? NULL : uma_zalloc(zone, M_NOWAIT);

	if (item != NULL)
		uma_zfree(zone, item);
	if (zone != NULL && uma_zdestroy(zone, M_WAITOK) != 0)
		sim_fail("a destroy that waits came back without");
}

static void
fork_here(struct hand *hand, bool child)
{
	if (sim_fork(child)) {
		world.child = true;
		hold(hand, world_take(M_NOWAIT));
		if (hand->count != 0)
			world_give(hand->items[--hand->count]);
	}
}

static void
call(struct hand *hand, char letter)
{
	switch (letter) {
	case 'a':
	case 'w':
		hold(hand, world_take(letter == 'a' ? M_NOWAIT : M_WAITOK));
		break;
	case 'f':
		if (hand->count != 0)
			world_give(hand->items[--hand->count]);
		break;
	case 'd':
		drain();
		break;
	case 'r':
		uma_reclaim();
		break;
	case 'x':
	case 'X':
		destroy(letter == 'x' ? M_NOWAIT : M_WAITOK);
		break;
	case 'z':
		live_and_die();
		break;
	case 'c':
		count_event();
		break;
	case 'k':
	case 'K':
		fork_here(hand, letter == 'k');
		break;
	default:
		sim_fail("a letter that is no call");
	}
}

static void
play(void *arg)
{
	const char *program = arg;
	unsigned number = sim_self();

	for (; *program != '\0'; program++)
		call(&world.hands[number], *program);
}

/* ---- states ---- */

static void
setup_zone(void *arg)
{
	bool loose = strcmp(playing->state, "loose") == 0;
	bool fixed = loose || strcmp(playing->state, "fixed") == 0;

	(void)arg;
	world_zone = uma_zcreate("world", ITEM_BYTES, NULL, NULL, NULL, NULL, 0,
	    fixed ? UMA_ZONE_STATIC : 0);
	if (world_zone == NULL)
		sim_fail("no zone");
	if (fixed)
		uma_prealloc(world_zone, 4);
	while (world.extras < (fixed ? 4 : EXTRA_MAX))
		world.extra[world.extras++] = world_take(M_NOWAIT);
	for (unsigned i = 0; i < playing->threads; i++) {
		for (const char *p = playing->programs[i]; *p != '\0'; p++)
			if (*p == 'f')
				hold(&world.hands[i],
				    world.extra[--world.extras]);
	}
	while (loose && world.extras > 2)
		world_give(world.extra[--world.extras]);
	drain();
	if (gate_enter()) {
		world.counters = percpu_take(1);
		gate_leave();
	}
}

static bool
is_full(void)
{
	struct cache *c = percpu_record(world_zone->caches, sim_cpu());
	uint64_t word = atomic_load_explicit(&c->word, memory_order_relaxed);

	return c->full != NULL && WORD_COUNT(word) == WORD_CAPACITY(word) &&
	       atomic_load_explicit(&c->kept, memory_order_relaxed) ==
		   c->full->capacity;
}

/* Bring the record of this CPU into the state. */
static void
setup_record(void *arg)
{
	const char *state = playing->state;

	(void)arg;
	if (strcmp(state, "empty") == 0 || strcmp(state, "half") == 0 ||
	    strcmp(state, "depot") == 0)
		world_give(world.extra[--world.extras]);
	if (strcmp(state, "empty") == 0 || strcmp(state, "depot") == 0)
		world.extra[world.extras++] = world_take(M_NOWAIT);
	while (strcmp(state, "full") == 0 && !is_full())
		world_give(world.extra[--world.extras]);
}

static void
setup_depot(void *arg)
{
	(void)arg;
	while (strcmp(playing->state, "depot") == 0 &&
	       tally_get(&world_zone->depot.buckets) == 0)
		world_give(world.extra[--world.extras]);
}

/* A zone is destroyed only when nobody holds an item of it. */
static void
setup_end(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < playing->threads; i++) {
		if (strpbrk(playing->programs[i], "xX") == NULL)
			continue;
		while (world.extras != 0)
			world_give(world.extra[--world.extras]);
	}
}

static void
must(bool good)
{
	if (!good) {
		fprintf(stderr, "sim: no start: %s\n", sim_failure());
		exit(2);
	}
}

void
world_build(const struct scenario *s)
{
	struct sim_machine machine = { .cpus = WORLD_CPUS,
		.domains = 1,
		.kind = scenario_has(s, 'i') ? PORT_RSEQ_CID : PORT_RSEQ_CPU,
		.options = scenario_has(s, 'g') ? "percpu:generic" : NULL };

	playing = s;
	sim_build(&machine);
	must(sim_quietly(WORLD_CPUS - 1, setup_zone, NULL));
	must(sim_quietly(0, setup_record, NULL));
	must(sim_quietly(1, setup_record, NULL));
	must(sim_quietly(WORLD_CPUS - 1, setup_depot, NULL));
	must(sim_quietly(WORLD_CPUS - 1, setup_end, NULL));
	marked = world;
	sim_mark();
}

/* ---- what a run left ---- */

void
world_check(uint64_t live)
{
	struct zone_reading now;

	zone_read(world_zone, &now);
	if (now.allocs != world_books.taken || now.frees != world_books.given)
		sim_fail("the zone's counters are not those of the books");
	drain();
	if (keg_out(&world_zone->keg) != live)
		sim_fail("an item was lost, or is there twice");
	zone_read(world_zone, &now);
	if (now.cached != 0)
		sim_fail("a drained zone counts items in its caches");
}

static void
check_counters(void)
{
	struct percpu_sum sum;

	percpu_sum(world.counters, &sum);
	if (sum.events[PERCPU_IN] != world.events - world.elsewhere ||
	    sum.units[PERCPU_IN] != 3 * sum.events[PERCPU_IN])
		sim_fail("an event was lost, or counted twice");
}

/* In a fork's child things in hand are lost, but it can go on. */
static void
check_child(void)
{
	uint64_t *item;

	drain();
	item = world_take(M_NOWAIT);
	if (item != NULL)
		world_give(item);
	else if (!world_zone->keg.frozen)
		sim_fail("a child has no memory");
}

static void
check(void *arg)
{
	uint64_t live = world_books.taken - world_books.given;

	(void)arg;
	check_counters();
	if (world.destroyed > 1 || (world.destroyed == 1 && live != 0))
		sim_fail("a zone was destroyed with items out");
	if (world.destroyed != 0)
		return;
	if (world.child)
		check_child();
	else
		world_check(live);
}

bool
world_run(const struct scenario *s)
{
	static struct world_books before;

	if (before.taken == 0)
		before = world_books;
	world = marked;
	world_books = before;
	sim_rewind();
	for (unsigned i = 0; i < s->threads; i++)
		sim_thread(s->cpus[i], play, (void *)(uintptr_t)s->programs[i]);
	return sim_run() && sim_quietly(WORLD_CPUS - 1, check, NULL);
}
