/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * close - closing and destroying a zone while others free and reclaim
 *
 * zone_close() says so, then strips the records that were seen owned.  An
 * owner of one that was not seen yet sees that the zone is closed and puts
 * nothing in.  await_items() reads the walkers before it counts what is out.
 * That hits and seizing work is shown by seize.pml: here they are one step.
 *
 * Bounds: 2 CPUs, 2 items out, freed by a thread each; one reclaimer; one
 * destroyer that tries M_NOWAIT, and M_WAITOK after that.
 * Holds: M_NOWAIT refuses only while a user has an item; when the zone goes,
 * every item is in the keg and every cache empty; a reclaimer touches no zone
 * that is gone; nothing waits for ever.
 *
 * Mutations: SAW_LATE NO_CHECK WALKERS_LATE NO_RETIRE
 *	SAW_LATE      the CPU is noted after the zone was found open
 *	NO_CHECK      an owner does not ask whether the zone is closed
 *	WALKERS_LATE  what is out is counted before the walkers are read
 *	NO_RETIRE     a dead zone does not wait for its walkers
 */
#define CPUS   2
#define ITEMS  2
#define CAP    2
#define OWNED  100
#define MARK   110
#define CLOSED 111

byte word[CPUS];   /* count, or owned, marked, closed */
bool bucket[CPUS]; /* there is one: capacity is not 0 */
bool seen[CPUS];
bool closed;
bool dead;         /* zone->state */
bool gone;         /* taken apart */
byte walkers;
bool seize_lock;
byte users = ITEMS;
byte keg;
byte had; /* what users had when what is out was counted */

proctype freer(byte t)
{
	byte c, n;

	if
	:: c = 0
	:: c = 1
	fi;
	/* percpu_push */
	atomic {
		if
		:: bucket[c] && word[c] < CAP -> word[c]++; users--; goto done
		:: else
		fi
	}
	/* zone_free_miss */
	if
	:: closed -> goto give_one
	:: !closed
	fi;
	/* percpu_own */
	atomic {
		if
		:: word[c] >= OWNED -> goto give_one
		:: else -> n = word[c]; word[c] = OWNED + t
		fi
	}
#ifndef SAW_LATE
	seen[c] = true;
#endif
	/* cache_push */
#ifndef NO_CHECK
	if
	:: closed -> word[c] = n; goto give_one
	:: !closed
	fi;
#endif
#ifdef SAW_LATE
	seen[c] = true;
#endif
	atomic { bucket[c] = true; word[c] = n + 1; users-- }
	goto done;
give_one:
	/* keg_return */
	atomic { keg++; users-- }
done:
	skip
}

/* strip_batch() of the CPUs seen. */
inline strip()
{
	c = 0;
	do
	:: c < CPUS && seen[c] ->
		atomic { !seize_lock; seize_lock = true }
		assert(!gone);
		atomic {
			word[c] < OWNED || word[c] == CLOSED;
			hand = (word[c] == CLOSED -> 0 : word[c]);
			word[c] = MARK
		}
		bucket[c] = false;
		if
		:: closed -> word[c] = CLOSED
		:: !closed -> word[c] = 0
		fi;
		seize_lock = false;
		/* keg_dispose(): idle slabs count as out until it is done. */
		assert(!gone);
		atomic { keg = keg + hand; hand = 0 }
		c++
	:: c < CPUS && !seen[c] -> c++
	:: c == CPUS -> break
	od
}

/* zone_reclaim_all() */
proctype reclaimer()
{
	byte c, hand;

	/* registry_next */
	walkers++;
	if
	:: dead -> goto drop
	:: !dead
	fi;
	strip();
drop:
	walkers--
}

inline zone_open()
{
	atomic { !seize_lock; seize_lock = true }
	closed = false;
	c = 0;
	do
	:: c < CPUS ->
		if
		:: word[c] == CLOSED -> word[c] = 0
		:: else
		fi;
		c++
	:: else -> break
	od;
	seize_lock = false
}

proctype destroyer()
{
	byte c, hand, walking, out;
	bool nowait = true;

close:
	closed = true;
	strip();
await_items:
#ifdef WALKERS_LATE
	atomic { out = ITEMS - keg; had = users }
	walking = walkers;
#else
	walking = walkers;
	atomic { out = ITEMS - keg; had = users }
#endif
	if
	:: out == 0 -> goto retire
	:: out != 0 && (walking != 0 || !nowait) -> goto await_items
	:: out != 0 && walking == 0 && nowait ->
		/* EWOULDBLOCK */
		assert(had > 0);
		zone_open();
		nowait = false;
		goto close
	fi;
retire:
	dead = true;
#ifndef NO_RETIRE
	walkers == 0;
#endif
	gone = true;
	assert(keg == ITEMS && users == 0);
	assert(word[0] == 0 || word[0] == CLOSED);
	assert(word[1] == 0 || word[1] == CLOSED)
}

init {
	atomic {
		run freer(0);
		run freer(1);
		run reclaimer();
		run destroyer()
	}
}
