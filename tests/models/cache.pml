/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache - hits, and misses that own the record (percpu/own.c, zone/cache.c)
 *
 * A thread occupies a CPU for the time of a section; at any step it may lose
 * the CPU and is aborted then.  A miss owns the record by a section and works
 * on it without a CPU until it releases it.
 *
 * Bounds: 3 threads, 2 CPUs, 2 items, buckets of 2; each thread allocates
 * and frees once.
 * Holds: an item is in one place; an owner's record is written by nobody else;
 * in the end every item is in a cache or in the depot, once.
 *
 * Mutations: RESUMES PLAIN_OWN HIT_OWNED
 *	RESUMES    a section goes on after preemption
 *	PLAIN_OWN  owning is a load and a store, not a section
 *	HIT_OWNED  an owned word still says how many items there are
 */
#ifndef THREADS
#define THREADS 3
#endif
#define CPUS  2
#define ITEMS 2
#define CAP   2
#define OWNED 100

byte occupied[CPUS];     /* thread + 1 */
byte word[CPUS];         /* count, or OWNED + thread */
byte kept[CPUS];         /* HIT_OWNED: the count under an owned word */
byte slots[4];           /* item + 1, at cpu * CAP + index */
byte depot[ITEMS];
byte depot_count;
byte holder[ITEMS];      /* thread + 1; 0 in the allocator */

inline enter()
{
	atomic {
		if
		:: occupied[0] == 0 -> c = 0
		:: occupied[1] == 0 -> c = 1
		fi;
		occupied[c] = t + 1
	}
}

inline leave()
{
	occupied[c] = 0
}

/* Between two instructions of a section. */
#ifdef RESUMES
#define BETWEEN(failed) \
	if \
	:: true \
	:: true -> leave(); occupied[c] == 0 -> occupied[c] = t + 1 \
	fi
#else
#define BETWEEN(failed) \
	if \
	:: true \
	:: true -> leave(); goto failed \
	fi
#endif

#ifdef HIT_OWNED
#define COUNT (word[c] >= OWNED -> kept[c] : word[c])
#else
#define COUNT word[c]
#endif

#ifdef PLAIN_OWN
#define OWN(failed) \
	enter(); \
	n = word[c]; \
	leave(); \
	if \
	:: n >= OWNED -> goto failed \
	:: else \
	fi; \
	word[c] = OWNED + t
#else
#define OWN(failed) \
	enter(); \
	n = word[c]; \
	if \
	:: n >= OWNED -> leave(); goto failed \
	:: else \
	fi; \
	BETWEEN(failed); \
	d_step { kept[c] = n; word[c] = OWNED + t; leave() }
#endif

inline release(count)
{
	d_step { assert(word[c] == OWNED + t); word[c] = count }
}

proctype thread(byte t)
{
	byte c, n, item;

	/* percpu_pop */
	enter();
	n = COUNT;
	if
	:: n == 0 || n >= OWNED -> leave(); goto alloc_miss
	:: else
	fi;
	BETWEEN(alloc_miss);
	item = slots[c * CAP + n - 1];
	BETWEEN(alloc_miss);
	d_step { word[c] = n - 1; leave() };
	goto allocated;
alloc_miss:
	/* cache_pop */
	OWN(take_one);
	if
	:: n > 0 ->
		item = slots[c * CAP + n - 1];
		release(n - 1);
		goto allocated
	:: else -> release(0)
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
	};
	/* percpu_push */
	d_step {
		assert(holder[item - 1] == t + 1);
		holder[item - 1] = 0
	};
	enter();
	n = COUNT;
	if
	:: n >= CAP -> leave(); goto free_miss
	:: else
	fi;
	BETWEEN(free_miss);
	slots[c * CAP + n] = item;
	BETWEEN(free_miss);
	d_step { word[c] = n + 1; leave() };
	goto done;
free_miss:
	/* cache_push */
	OWN(give_one);
	if
	:: n < CAP ->
		slots[c * CAP + n] = item;
		release(n + 1);
		goto done
	:: else -> release(n)
	fi;
give_one:
	atomic { depot[depot_count] = item; depot_count++ };
done:
	skip
}

/* Each item once, below a count or in the depot. */
inline check_all()
{
	d_step {
		assert(word[0] + word[1] + depot_count == ITEMS);
		i = 0;
		do
		:: i < word[0] -> seen[slots[i] - 1]++; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < word[1] -> seen[slots[CAP + i] - 1]++; i++
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

init {
	byte i;
	byte seen[ITEMS];

	/* One item cached on CPU 0, one in the depot. */
	atomic {
		slots[0] = 1;
		word[0] = 1;
		depot[0] = 2;
		depot_count = 1;
		do
		:: i < THREADS -> run thread(i); i++
		:: else -> break
		od
	};
	_nr_pr == 1;
	check_all()
}
