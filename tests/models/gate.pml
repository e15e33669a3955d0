/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate - who may take locks, and fork (lock/gate.c, lock/lock.c)
 *
 * Threads enter, take a lock, and leave; who waits for the lock gives up when
 * another thread forks.  A signal handler interrupts each once, anywhere: it
 * enters for itself, or it forks.  A third thread forks from outside.  The
 * cells are read one after the other.
 *
 * Bounds: 2 threads that enter twice, of which one's handler may fork; one
 * forker; each handler runs once.
 * Holds: when fork copies the process nobody else is inside and the lock is
 * free or the forker's own; the child counts its one thread right; nothing
 * waits for ever.
 *
 * Mutations: CHECK_FIRST NO_OWN LATE_FORK NESTED LOCK_WAITS
 *	CHECK_FIRST  a thread looks for forks before it is counted
 *	NO_OWN       a handler that forks waits for its own thread to leave
 *	LATE_FORK    a forker looks inside before it tells of its fork
 *	NESTED       a handler enters though its thread is inside
 *	LOCK_WAITS   who waits for the lock does not look for forks
 *
 * Holes: BETWEEN TWO_NESTED
 *	BETWEEN      a handler forks that interrupted its thread between two
 *	             states, where it cannot tell whether it is counted
 *	TWO_NESTED   handlers of two threads inside fork at once: each waits
 *	             for the other
 * Each is a wrong that the code has; whoever mends it moves the name away.
 */
#define THREADS 2
#define FORKER  2 /* the third thread */
#define ROUNDS  2

mtype = { OUTSIDE, ENTERING, INSIDE, LEAVING };

mtype gate[3] = OUTSIDE;
byte own_forks[3];
byte cell[3];
bool admitted[3]; /* gate_enter() said true */
byte forks;
byte lock;        /* thread + 1 */
bool handled[THREADS];

/* gate_fork_prepare(), the copy, gate_fork_parent(). */
inline fork()
{
#ifdef NO_OWN
	own = 0;
#else
	own = (gate[t] == OUTSIDE -> 0 : 1);
#endif
#ifndef LATE_FORK
	own_forks[t]++;
	forks++;
#endif
	do
	:: sum = cell[0];
		sum = sum + cell[1];
		if
		:: sum <= own -> break
		:: else -> cell[0] + cell[1] <= own /* port_yield() */
		fi
	od;
#ifdef LATE_FORK
	own_forks[t]++;
	forks++;
#endif
	atomic {
		assert(lock == 0 || lock == t + 1);
		assert(t == 0 || !admitted[0]);
		assert(t == 1 || !admitted[1]);
		/* gate_fork_child() */
		assert((gate[t] == INSIDE -> 1 : 0) == cell[t])
	}
	own_forks[t]--;
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
#ifdef TWO_NESTED
#define MAY_FORK true
#else
#define MAY_FORK (t == 0)
#endif

/* A signal may come here. */
inline signal()
{
	if
	:: true
	:: atomic { !handled[t] -> handled[t] = true }
		enter_in_handler()
	:: atomic { !handled[t] && MAY_FORK && MAY_FORK_HERE ->
			handled[t] = true }
		fork()
	fi
}

inline leave()
{
	admitted[t] = false;
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
	byte own, round, sum;
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

proctype forker()
{
	byte own, sum;
	byte t = FORKER;

	fork()
}

init {
	atomic {
		run thread(0);
		run thread(1);
		run forker()
	}
	_nr_pr == 1;
	assert(cell[0] == 0 && cell[1] == 0 && forks == 0 && lock == 0)
}
