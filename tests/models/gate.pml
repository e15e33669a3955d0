/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate - who may take locks, and fork (lock/gate.c, lock/lock.c)
 *
 * Threads enter, take a lock, and leave; who waits for the lock gives up when
 * another thread forks.  A signal handler interrupts each once, anywhere: it
 * enters for itself, or it forks.  A third thread forks from outside, or it
 * enters and leaves once.  The cells are read one after the other.
 *
 * Bounds: 2 threads that enter twice, each with a handler that runs once and
 * may fork; one more that does one thing once.
 * Holds: when fork copies the process nobody else is inside and the lock is
 * free or the forker's own, but for two handlers' forks at once: of those each
 * may find the other's thread inside, with the lock; no third one.  The child
 * counts its one thread right; nothing waits for ever.
 *
 * Mutations: CHECK_FIRST NO_OWN OWN_ALONE SUM_FIRST LATE_FORK NESTED LOCK_WAITS
 *	CHECK_FIRST  a thread looks for forks before it is counted
 *	NO_OWN       a handler that forks waits for its own thread to leave
 *	OWN_ALONE    it allows for its own thread only: no nested_forks
 *	SUM_FIRST    it looks how many it allows for after it has counted
 *	LATE_FORK    a forker looks inside before it tells of its fork
 *	NESTED       a handler enters though its thread is inside
 *	LOCK_WAITS   who waits for the lock does not look for forks
 *
 * Holes: BETWEEN TWO_NESTED
 *	BETWEEN      a handler forks that interrupted its thread between two
 *	             states, where it cannot tell whether it is counted
 *	TWO_NESTED   handlers of two threads inside fork at once, and what one
 *	             is in the middle of must not be lost to the other's child
 * Each is a wrong that the code has; whoever mends it moves the name away.
 */
#define THREADS 2
#define THIRD   2
#define ROUNDS  2

mtype = { OUTSIDE, ENTERING, INSIDE, LEAVING };

mtype gate[3] = OUTSIDE;
byte own_forks[3];
byte cell[3];
bool admitted[3]; /* gate_enter() said true */
byte forks;
byte nested_forks;
bool excused[3];  /* another handler that forks need not wait for it */
byte lock;        /* thread + 1 */
bool handled[THREADS];

#ifdef TWO_NESTED
#define EXCUSED(other) false
#else
#define EXCUSED(other) (own && excused[other])
#endif
#define MAY_BE_INSIDE(other) (t == other || EXCUSED(other))

inline count_inside()
{
	sum = cell[0];
	sum = sum + cell[1];
	sum = sum + cell[2]
}

/* What a handler that forks allows for. */
#ifdef NO_OWN
#define ALLOWED 0
#else
#ifdef OWN_ALONE
#define ALLOWED own
#else
#define ALLOWED (own -> nested_forks : 0)
#endif
#endif

inline tell_of_fork()
{
	own_forks[t]++;
	if
	:: own ->
		atomic { nested_forks++; excused[t] = true }
	:: else
	fi;
	forks++
}

/* gate_fork_prepare(), the copy, gate_fork_parent(). */
inline fork()
{
	own = (gate[t] == OUTSIDE -> 0 : 1);
#ifndef LATE_FORK
	tell_of_fork();
#endif
	do
	::
#ifdef SUM_FIRST
		count_inside();
		allowed = ALLOWED;
#else
		allowed = ALLOWED;
		count_inside();
#endif
		if
		:: sum <= allowed -> break
		:: else -> /* port_yield() */
			cell[0] + cell[1] + cell[2] <= ALLOWED
		fi
	od;
#ifdef LATE_FORK
	tell_of_fork();
#endif
	atomic {
		assert(lock == 0 || MAY_BE_INSIDE(lock - 1));
		assert(!admitted[0] || MAY_BE_INSIDE(0));
		assert(!admitted[1] || MAY_BE_INSIDE(1));
		assert(!admitted[2] || MAY_BE_INSIDE(2));
		/* gate_fork_child() */
		assert((gate[t] == INSIDE -> 1 : 0) == cell[t])
	}
	own_forks[t]--;
	if
	:: own ->
		atomic { nested_forks--; excused[t] = nested_forks != 0 }
	:: else
	fi;
	forks--
}

/* What a handler that allocates does, once; not interrupted itself. */
inline enter_in_handler()
{
	if
#ifndef NESTED
	:: gate[t] != OUTSIDE
#endif
	:: gate[t] == OUTSIDE ->
		gate[t] = ENTERING;
		cell[t]++;
		gate[t] = INSIDE;
		atomic {
			refused = forks != own_forks[t];
			admitted[t] = !refused
		}
		if
		:: !refused ->
			if
			:: atomic { lock == 0 -> lock = t + 1 }
				lock = 0
#ifndef LOCK_WAITS
			:: lock != 0 && forks != own_forks[t]
#endif
			fi
		:: else
		fi;
		admitted[t] = false;
		gate[t] = LEAVING;
		cell[t]--;
		gate[t] = OUTSIDE
#ifdef NESTED
	:: gate[t] != OUTSIDE ->
		atomic { lock == 0; lock = t + 1 }
		lock = 0
#endif
	fi
}

#ifdef BETWEEN
#define MAY_FORK_HERE true
#else
#define MAY_FORK_HERE (gate[t] == OUTSIDE || gate[t] == INSIDE)
#endif

/* A signal may come here. */
inline signal()
{
	if
	:: true
	:: atomic { !handled[t] -> handled[t] = true }
		enter_in_handler()
	:: atomic { !handled[t] && MAY_FORK_HERE ->
			handled[t] = true }
		fork()
	fi
}

inline leave()
{
	admitted[t] = false;
	excused[t] = false;
	gate[t] = LEAVING;
	signal();
	cell[t]--;
	signal();
	gate[t] = OUTSIDE;
	signal()
}

inline take_lock()
{
	if
	:: atomic { lock == 0 -> lock = t + 1 }
		signal();
		lock = 0;
		signal()
#ifndef LOCK_WAITS
	:: lock != 0 && forks != own_forks[t]
#endif
	fi
}

proctype thread(byte t)
{
	byte own, round, sum, allowed;
	bool refused, late;

	do
	:: round == ROUNDS -> break
	:: else ->
		round++;
		signal();
		gate[t] = ENTERING;
		signal();
#ifdef CHECK_FIRST
		late = forks != own_forks[t];
#endif
		cell[t]++;
		signal();
		gate[t] = INSIDE;
		signal();
#ifndef CHECK_FIRST
		atomic {
			refused = forks != own_forks[t];
			admitted[t] = !refused
		}
#else
		refused = late;
		admitted[t] = !refused;
#endif
		if
		:: !refused -> take_lock()
		:: else
		fi;
		leave()
	od
}

/* No signal comes here. */
inline visit()
{
	cell[t]++;
	atomic {
		refused = forks != own_forks[t];
		admitted[t] = !refused
	}
	if
	:: !refused ->
		if
		:: atomic { lock == 0 -> lock = t + 1 }
			lock = 0
#ifndef LOCK_WAITS
		:: lock != 0 && forks != own_forks[t]
#endif
		fi
	:: else
	fi;
	admitted[t] = false;
	cell[t]--
}

proctype third()
{
	byte own, sum, allowed;
	byte t = THIRD;
	bool refused;

	if
	:: fork()
	:: visit()
	fi
}

init {
	atomic {
		run thread(0);
		run thread(1);
		run third()
	}
	_nr_pr == 1;
	assert(cell[0] == 0 && cell[1] == 0 && forks == 0 && lock == 0);
	assert(cell[2] == 0 && nested_forks == 0)
}
