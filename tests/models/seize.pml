/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seize - taking a record away from another CPU (percpu_seize)
 *
 * The seizer marks the record, which waits for an owner to release it; has
 * the kernel abort every section (membarrier); and looks whether its mark is
 * still there.  If a section committed over it, it marks again.
 *
 * Bounds: one record, 2 threads that take turns on its CPU and allocate and
 * free once, one seizer that strips the record twice; 2 items, a bucket of 2.
 * Holds: an item is in one place; what is stripped is what the word said last;
 * an owner's record is written by nobody else.
 *
 * Mutations: NO_BARRIER NO_VERIFY OVER_OWNER FIRST_WORD
 *	NO_BARRIER  running sections are not aborted
 *	NO_VERIFY   the mark is not looked for after the barrier
 *	OVER_OWNER  the mark is put over a local owner's
 *	FIRST_WORD  the word of the first mark counts, though the mark was lost
 */
#define THREADS 2
#define ITEMS   2
#define CAP     2
#define OWNED   100
#define MARK    (OWNED + THREADS) /* the seizer's token */

byte occupied;            /* thread + 1 */
bool inside[THREADS];     /* in a section */
bool aborted[THREADS];    /* by the barrier */
byte word;
byte slots[CAP];
byte depot[ITEMS];
byte depot_count;
byte holder[ITEMS];

#define ENTER \
	atomic { \
		occupied == 0; \
		occupied = t + 1; \
		inside[t] = true; \
		aborted[t] = false \
	}

#define LEAVE atomic { occupied = 0; inside[t] = false }

/*
 * One instruction, unless the thread is preempted before it or the barrier
 * came: after that no instruction of the section runs.
 */
#define STEP(instruction, failed) \
	atomic { \
		if \
		:: !aborted[t] -> instruction \
		:: true -> occupied = 0; inside[t] = false; goto failed \
		fi \
	}

#define COMMIT(value, failed) \
	STEP(word = value; occupied = 0; inside[t] = false, failed)

#define OWN(failed) \
	ENTER; \
	n = word; \
	if \
	:: n >= OWNED -> LEAVE; goto failed \
	:: else \
	fi; \
	COMMIT(OWNED + t, failed)

#define RELEASE(count) d_step { assert(word == OWNED + t); word = count }

proctype thread(byte t)
{
	byte n, item;

	/* percpu_pop */
	ENTER;
	n = word;
	if
	:: n == 0 || n >= OWNED -> LEAVE; goto alloc_miss
	:: else
	fi;
	STEP(item = slots[n - 1], alloc_miss);
	COMMIT(n - 1, alloc_miss);
	goto allocated;
alloc_miss:
	OWN(take_one);
	if
	:: n > 0 -> item = slots[n - 1]; RELEASE(n - 1); goto allocated
	:: else -> RELEASE(0)
	fi;
take_one:
	atomic {
		if
		:: depot_count > 0 ->
			depot_count--;
			item = depot[depot_count]
		:: else -> goto done
		fi
	}
allocated:
	atomic {
		assert(item > 0 && holder[item - 1] == 0);
		holder[item - 1] = t + 1
	}
	/* percpu_push */
	atomic { holder[item - 1] = 0 }
	ENTER;
	n = word;
	if
	:: n >= CAP -> LEAVE; goto free_miss
	:: else
	fi;
	STEP(slots[n] = item, free_miss);
	COMMIT(n + 1, free_miss);
	goto done;
free_miss:
	OWN(give_one);
	if
	:: n < CAP -> slots[n] = item; RELEASE(n + 1); goto done
	:: else -> RELEASE(n)
	fi;
give_one:
	atomic { depot[depot_count] = item; depot_count++ }
done:
	skip
}

inline mark()
{
	atomic {
#ifdef OVER_OWNER
		true;
#else
		word < OWNED || word == MARK;
#endif
		was = word;
		word = MARK
	}
}

/* membarrier(PRIVATE_EXPEDITED_RSEQ), one CPU after the other. */
inline barrier()
{
	skip;
#ifndef NO_BARRIER
	d_step { if :: inside[0] -> aborted[0] = true :: else fi };
	d_step { if :: inside[1] -> aborted[1] = true :: else fi }
#endif
}

proctype seizer()
{
	byte was, last, round;

	do
	:: round == 2 -> break
	:: else ->
		mark();
		last = was;
again:		barrier();
#ifndef NO_VERIFY
		mark();
		if
		:: was != MARK ->
#ifndef FIRST_WORD
			last = was;
#endif
			goto again
		:: else
		fi;
#endif
		/* cache_strip */
		do
		:: last > 0 && last < OWNED ->
			last--;
			atomic {
				depot[depot_count] = slots[last];
				depot_count++
			}
		:: else -> break
		od;
		atomic { assert(word == MARK); word = 0 }
		round++
	od
}

init {
	byte i;
	byte seen[ITEMS];

	atomic {
		slots[0] = 1;
		word = 1;
		depot[0] = 2;
		depot_count = 1;
		run thread(0);
		run thread(1);
		run seizer()
	}
	_nr_pr == 1;
	d_step {
		assert(word + depot_count == ITEMS);
		do
		:: i < word -> seen[slots[i] - 1]++; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < depot_count -> seen[depot[i] - 1]++; i++
		:: else -> break
		od;
		assert(seen[0] == 1 && seen[1] == 1)
	}
}
