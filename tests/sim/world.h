/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - a zone on the simulated machine, whose users keep books
 *
 * A scenario is written "state/programs/cpus/flags", for example
 * "half/a.d/01/m": the CPUs' caches are half full, one thread takes an item
 * on CPU 0 while another drains the zone on CPU 1, and threads are moved.
 *
 * states	 of the records of CPUs 0 and 1
 *	cold	 never owned
 *	empty	 owned, no item in them
 *	half	 one item in load, room for another
 *	full	 load and one more bucket full, nothing in the depot
 *	depot	 no item in them, a full bucket in the depot
 *	fixed	 the zone is of fixed size and all its items are out
 *	loose	 the same, but for two items that are in their slab
 * programs	 one for each thread, a letter for each call
 *	a	 take an item; w: wait for one
 *	f	 free one
 *	d	 close and open the zone, which drains it
 *	r	 uma_reclaim()
 *	x	 destroy the zone if nothing is out; X: wait until nothing is
 *	z	 make another zone, use it, destroy it
 *	c	 count an event, with a fold now and then
 *	k	 fork, and go on as the child; K: as the parent
 * flags
 *	m	 threads are moved  h  a handler takes and frees an item
 *	p	 plain accesses are points  r  the system refuses
 *	g	 the generic mode  i  the index is mm_cid
 *
 * An item carries the stamp of who holds it.  Every call checks the stamps,
 * and when a run is over nothing is lost, nothing is there twice, and the
 * zone's counters say what the books say.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "port/sim/sim.h"
#include "zone/zone.h"

#define WORLD_CPUS 3u /* the last one belongs to nobody's program */

struct scenario {
	char name[64];
	char state[16];
	char programs[4][16];
	unsigned cpus[4];
	unsigned threads;
	char flags[16];
};

/* False: this is no scenario. */
bool scenario_read(struct scenario *s, const char *text);
bool scenario_has(const struct scenario *s, char flag);
void scenario_choices(const struct scenario *s, struct sim_choices *out);

/* Build the machine and the state.  Ends the program if that fails. */
void world_build(const struct scenario *s);

/*
 * One run from the marked state, and the look at what it left.
 * Returns:  false when either found something wrong: see sim_failure().
 */
bool world_run(const struct scenario *s);

/* ---- what the programs are made of; for threads of other tests too ---- */

extern uma_zone_t world_zone;

/* Take, NULL without; free.  Both check the item's stamp and keep books. */
uint64_t *world_take(int wait);
void world_give(uint64_t *item);

/* The zone at rest: nothing lost, nothing twice.  In a quiet thread. */
void world_check(uint64_t live);

/* What the books say was taken and given. */
struct world_books {
	uint64_t taken;
	uint64_t given;
};
extern struct world_books world_books;

#endif /* TESTS_SIM_WORLD_H */
