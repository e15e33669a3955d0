/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * late - frees without a lock (keg_give_late, keg_list, keg_adopt_all)
 *
 * A thread that the gate refuses pins the slab, sets its item's late bit and
 * lists the slab unless it is listed.  Who holds the keg's lock takes the
 * list, clears `listed`, merges the late bits, and disposes of a slab that is
 * idle.  The last holder comes when all others are done.
 *
 * Bounds: 2 slabs of 2 and 1 items, 3 threads that free one each, 2 holders.
 * Holds: nobody writes the header of a slab that is gone; the list is whole;
 * no item is forgotten: in the end both slabs are gone.
 *
 * Mutations: CLEAR_AFTER NO_PINS NO_LISTED PIN_AFTER
 *	CLEAR_AFTER  `listed` is cleared after the merge
 *	NO_PINS      a pinned slab may be disposed of
 *	NO_LISTED    a listed slab may be disposed of
 *	PIN_AFTER    the pin comes after the late bit
 */
#define SLABS   2
#define THREADS 3
#define NOWHERE 99

byte limit[SLABS];
byte free_count[SLABS];
byte late_bits[SLABS];
byte pins[SLABS];
bool listed[SLABS];
byte late_next[SLABS] = NOWHERE;
byte late = NOWHERE; /* keg->late */
bool gone[SLABS];
bool lock;

inline there(s)
{
	assert(!gone[s])
}

/* keg_give_late() */
proctype freer(byte s)
{
	byte was;

#ifndef PIN_AFTER
	atomic { there(s); pins[s]++ }
	atomic { there(s); late_bits[s]++ }
#else
	atomic { there(s); late_bits[s]++ }
	atomic { there(s); pins[s]++ }
#endif
	/* keg_list() */
	atomic { there(s); was = listed[s]; listed[s] = true }
	if
	:: was -> goto unpin
	:: !was
	fi;
	atomic { there(s); late_next[s] = late }
again:	atomic {
		if
		:: late == late_next[s] -> late = s
		:: else -> there(s); late_next[s] = late; goto again
		fi
	}
unpin:	atomic { there(s); pins[s]-- }
}

/* slab_merge() */
inline merge(s)
{
	atomic {
		there(s);
		free_count[s] = free_count[s] + late_bits[s];
		late_bits[s] = 0;
		assert(free_count[s] <= limit[s])
	}
}

/* keg_adopt_all() */
inline adopt_all()
{
	atomic { s = late; late = NOWHERE }
	do
	:: s == NOWHERE -> break
	:: else ->
		atomic { there(s); next = late_next[s] }
#ifdef CLEAR_AFTER
		merge(s);
		atomic { there(s); listed[s] = false }
#else
		atomic { there(s); listed[s] = false }
		merge(s);
#endif
		s = next
	od
}

/* slab_is_idle() and detach_idle(), one slab after the other. */
inline detach_idle()
{
	s = 0;
	do
	:: s == SLABS -> break
	:: s < SLABS && (gone[s] || free_count[s] != limit[s]) -> s++
	:: s < SLABS && !gone[s] && free_count[s] == limit[s] ->
#ifndef NO_PINS
		if
		:: pins[s] != 0 -> goto kept
		:: else
		fi;
#endif
#ifndef NO_LISTED
		if
		:: listed[s] -> goto kept
		:: else
		fi;
#endif
		gone[s] = true;
kept:		s++
	od
}

proctype holder()
{
	byte s, next;

	atomic { !lock; lock = true }
	adopt_all();
	detach_idle();
	lock = false
}

init {
	byte s, next;

	atomic {
		limit[0] = 2;
		limit[1] = 1;
		run freer(0);
		run freer(0);
		run freer(1);
		run holder();
		run holder()
	}
	_nr_pr == 1;
	adopt_all();
	detach_idle();
	assert(gone[0] && gone[1])
}
