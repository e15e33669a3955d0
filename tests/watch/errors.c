/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * errors.c - a program with one error in its use of zones, chosen by name
 *
 * Run under valgrind or built with a sanitizer by watch_test.py, which says
 * what each tool must report.  `clean` has none and goes wherever an item can
 * be, so that a report there is a false one.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uma/malloc9.h>
#include <uma/uma.h>
#include <uma/vm_zone.h>

#include "hostile.h"

#define ITEM_BYTES 40
#define ITEMS      300
#define FEW_BYTES  12000

struct node {
	struct node *next;
	char *name;
	long numbers[3];
};
_Static_assert(sizeof(struct node) == ITEM_BYTES, "one size for all zones");

static UMA_MALLOC_DEFINE(M_WATCHED, "watched", "blocks under a tool");

static uma_zone_t zone;
static uma_zone_t kept_zone;
static uma_zone_t few_zone; /* fewer items in a slab than in a bucket */
static long inits, finis;

/* Written with the library's back turned: the compiler must keep the access. */
static volatile long sink;

static void
node_init(void *mem, int size)
{
	memset(mem, 0, (size_t)size);
	((struct node *)mem)->numbers[0] = 7;
	__atomic_fetch_add(&inits, 1, __ATOMIC_RELAXED);
}

static void
node_fini(void *mem, int size)
{
	(void)size;
	if (((struct node *)mem)->numbers[0] == 7)
		__atomic_fetch_add(&finis, 1, __ATOMIC_RELAXED);
}

static void
node_ctor(void *mem, int size, void *arg)
{
	(void)size;
	((struct node *)mem)->name = arg;
}

static void
node_dtor(void *mem, int size, void *arg)
{
	(void)size;
	(void)arg;
	((struct node *)mem)->name = NULL;
}

static void
make_zones(void)
{
	zone = uma_zcreate(
	    "watched", ITEM_BYTES, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	kept_zone = uma_zcreate("watched kept", ITEM_BYTES, node_ctor,
	    node_dtor, node_init, node_fini, UMA_ALIGN_PTR, 0);
	few_zone = uma_zcreate(
	    "watched few", FEW_BYTES, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	if (zone == NULL || kept_zone == NULL || few_zone == NULL)
		exit(3);
}

/* ---- errors ---- */

static void
use_after_free(void)
{
	struct node *n = uma_zalloc(zone, M_WAITOK);

	n->numbers[0] = 1;
	uma_zfree(zone, n);
	sink = *(volatile long *)&n->numbers[0];
}

static void
write_after_free(void)
{
	struct node *n = uma_zalloc_arg(kept_zone, NULL, M_WAITOK);

	uma_zfree(kept_zone, n);
	*(volatile long *)&n->numbers[1] = 5;
}

static void
overflow(void)
{
	char *a = uma_zalloc(zone, M_WAITOK);
	char *b = uma_zalloc(zone, M_WAITOK);

	memset(a, 1, ITEM_BYTES);
	memset(b, 1, ITEM_BYTES);
	*(volatile char *)(a + ITEM_BYTES) = 2;
	uma_zfree(zone, a);
	uma_zfree(zone, b);
}

static void
underflow(void)
{
	char *a = uma_zalloc(zone, M_WAITOK);
	char *b = uma_zalloc(zone, M_WAITOK);

	*(volatile char *)(a - 1) = 2;
	*(volatile char *)(b - 1) = 2;
	uma_zfree(zone, a);
	uma_zfree(zone, b);
}

static void
uninitialised(void)
{
	struct node *n = uma_zalloc(zone, M_WAITOK);

	if (n->numbers[2] == 42)
		puts("the answer");
	uma_zfree(zone, n);
}

/* An item that had another user is no more initialised than a new one. */
static void
uninitialised_again(void)
{
	struct node *n = uma_zalloc(zone, M_WAITOK);

	n->numbers[2] = 41;
	uma_zfree(zone, n);
	n = uma_zalloc(zone, M_WAITOK);
	if (n->numbers[2] == 42)
		puts("the answer");
	uma_zfree(zone, n);
}

/* The first item of a slab among them; what they point to is lost too. */
static void
leak(void)
{
	struct node *n[3];

	for (int i = 0; i < 3; i++) {
		n[i] = uma_zalloc(zone, M_WAITOK | M_ZERO);
		n[i]->name = malloc(100);
		n[i]->next = NULL;
	}
	free(n[2]->name);
	uma_zfree(zone, n[2]);
	memset(n, 0, sizeof n);
}

static void
double_free(void)
{
	struct node *a = uma_zalloc(zone, M_WAITOK);
	struct node *b = uma_zalloc(zone, M_WAITOK);

	uma_zfree(zone, a);
	uma_zfree(zone, b);
	uma_zfree(zone, a);
}

static void
use_after_destroy(void)
{
	struct node *n = uma_zalloc(zone, M_WAITOK);

	n->numbers[0] = 1;
	uma_zfree(zone, n);
	if (uma_zdestroy(zone, M_NOWAIT) == 0)
		sink = *(volatile long *)&n->numbers[0];
}

/* At its limit a zone keeps what is freed at hand for handlers. */
static void
old_after_free(void)
{
	vm_zone_t z =
	    uma_vm_zinit("watched old", ITEM_BYTES, 10, ZONE_INTERRUPT, 1);
	struct node *n = NULL;
	struct node *next;

	while ((next = uma_vm_zalloc(z)) != NULL) {
		next->next = n;
		n = next;
	}
	n->numbers[0] = 1;
	uma_vm_zfree(z, n);
	sink = *(volatile long *)&n->numbers[0];
}

static void
block_after_free(void)
{
	char *block = uma_malloc(50, M_WATCHED, M_WAITOK | M_ZERO);

	uma_mfree(block, M_WATCHED);
	sink = *(volatile char *)&block[20];
}

static void
block_overflow(void)
{
	char *block = uma_malloc(50, M_WATCHED, M_WAITOK);

	memset(block, 1, 50);
	*(volatile char *)&block[50] = 1;
	uma_mfree(block, M_WATCHED);
}

static void
large_after_free(void)
{
	char *block = uma_malloc(200000, M_WATCHED, M_WAITOK | M_ZERO);

	uma_mfree(block, M_WATCHED);
	sink = *(volatile char *)&block[100000];
}

static void
large_overflow(void)
{
	char *block = uma_malloc(200000, M_WATCHED, M_WAITOK);

	*(volatile char *)&block[200000] = 1;
	uma_mfree(block, M_WATCHED);
}

static void
block_leak(void)
{
	char *volatile block = uma_malloc(50, M_WATCHED, M_WAITOK);

	block = uma_malloc(300000, M_WATCHED, M_WAITOK);
	block = NULL;
	(void)block;
}

/* Not of this library, unless its malloc is preloaded. */
static void
malloc_overflow(void)
{
	char *block = malloc(50);

	*(volatile char *)&block[50] = 1;
	free(block);
}

/* No error: who asks may use all that a block has. */
static void
malloc_usable(void)
{
	char *block = malloc(50);

	memset(block, 1, malloc_usable_size(block));
	block = realloc(block, 40);
	sink += block[39];
	free(block);
}

/* ---- threads ---- */

static struct node *shared;
static int step;

/*
 * Zeroing an item comes before its sharing: some compilers make it a call of
 * memset, which the tool sees.  All else is relaxed: no order is to be seen.
 */
static struct node *
get(void)
{
	return __atomic_load_n(&shared, __ATOMIC_ACQUIRE);
}

static void
share(struct node *n)
{
	__atomic_store_n(&shared, n, __ATOMIC_RELEASE);
}

static void
await(int at)
{
	while (__atomic_load_n(&step, __ATOMIC_RELAXED) < at)
		;
}

static void
go(int to)
{
	__atomic_store_n(&step, to, __ATOMIC_RELAXED);
}

/* Two threads with one item, and nothing that orders them. */
static void *
racer(void *arg)
{
	(void)arg;
	await(1);
	get()->numbers[0]++;
	go(2);
	return NULL;
}

static void
run_beside(void *(*other)(void *), void (*here)(void))
{
	pthread_t t;

	if (pthread_create(&t, NULL, other, NULL) != 0)
		exit(3);
	here();
	pthread_join(t, NULL);
}

static void
race_here(void)
{
	share(uma_zalloc(zone, M_WAITOK | M_ZERO));
	get()->numbers[0]++;
	go(1);
	await(2);
	uma_zfree(zone, get());
}

static void
race(void)
{
	run_beside(racer, race_here);
}

/*
 * The thread that frees does not know that the other one is done; and what
 * both do to other items is no order either.
 */
static void
race_with_free_here(void)
{
	share(uma_zalloc(zone, M_WAITOK | M_ZERO));
	go(1);
	await(2);
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	uma_zfree(zone, get());
}

static void *
user_of_items(void *arg)
{
	(void)arg;
	await(1);
	get()->numbers[0]++;
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	go(2);
	return NULL;
}

static void
race_with_free(void)
{
	run_beside(user_of_items, race_with_free_here);
}

/* ---- no error ---- */

/* uma_zalloc_arg(), asked again: see hostile.h. */
static void *
sure_zalloc(uma_zone_t from, void *arg, int how)
{
	void *item = uma_zalloc_arg(from, arg, how);

	return item != NULL || !HOSTILE ? item : uma_zalloc_arg(from, arg, how);
}

static void
fill(uma_zone_t from, struct node **items, int count, int how)
{
	for (int i = 0; i < count; i++) {
		items[i] = sure_zalloc(from, NULL, how);
		if ((how & M_ZERO) == 0)
			memset(items[i], i, ITEM_BYTES);
		else if (items[i]->numbers[2] != 0)
			exit(4);
	}
}

static void
empty(uma_zone_t to, struct node **items, int count)
{
	for (int i = 0; i < count; i++) {
		items[i]->numbers[0] = 7;
		uma_zfree(to, items[i]);
	}
}

static void
clean_kept(void)
{
	struct node *items[ITEMS];
	char name[] = "x";

	uma_prealloc(kept_zone, ITEMS / 2);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < ITEMS; i++) {
			items[i] = sure_zalloc(kept_zone, name, M_NOWAIT);
			if (items[i]->numbers[0] != 7 ||
			    items[i]->numbers[2] != 0 ||
			    items[i]->name[0] != 'x')
				exit(4);
		}
		empty(kept_zone, items, ITEMS);
		uma_reclaim();
	}
	if (uma_zdestroy(kept_zone, M_NOWAIT) != 0 || inits != finis)
		exit(4);
}

/* What only items point to is no leak. */
static void
clean_plain(void)
{
	struct node *items[ITEMS];
	struct node *list;

	fill(zone, items, ITEMS, M_WAITOK);
	empty(zone, items, ITEMS);
	fill(zone, items, ITEMS, M_NOWAIT | M_ZERO);
	empty(zone, items, ITEMS);
	list = uma_zalloc(zone, M_WAITOK | M_ZERO);
	list->name = malloc(10);
	list->next = uma_zalloc(zone, M_WAITOK | M_ZERO);
	list->next->name = malloc(10);
	share(list);
}

static void *
supply(uma_zone_t of, int size, uint8_t *pflag, int wait)
{
	(void)of;
	(void)wait;
	*pflag = UMA_SLAB_PRIV;
	return aligned_alloc(65536, (size_t)size);
}

static void
take_back(void *mem, int size, uint8_t pflag)
{
	(void)pflag;
	memset(mem, 0, (size_t)size);
	free(mem);
}

static void
clean_supplied(void)
{
	struct node *items[ITEMS];
	uma_zone_t own = uma_zcreate("watched supplier", ITEM_BYTES, NULL, NULL,
	    node_init, node_fini, UMA_ALIGN_PTR, 0);

	uma_zone_set_allocf(own, supply);
	uma_zone_set_freef(own, take_back);
	for (int i = 0; i < ITEMS; i++) {
		items[i] = uma_zalloc(own, M_WAITOK);
		sink = items[i]->numbers[0];
	}
	empty(own, items, ITEMS);
	if (uma_zdestroy(own, M_NOWAIT) != 0)
		exit(4);
}

static void
clean_blocks(void)
{
	static const size_t sizes[] = { 0, 1, 15, 100, 5000, 40000, 200000,
		40000000 };
	char *block = NULL;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char *other = uma_malloc(sizes[i], M_WATCHED, M_WAITOK);

		block = uma_realloc(block, sizes[i] + 1, M_WATCHED, M_WAITOK);
		memset(block, 1, sizes[i] + 1);
		memset(other, 2, uma_malloc_usable_size(other));
		block =
		    uma_realloc(block, sizes[i] / 3 + 1, M_WATCHED, M_WAITOK);
		sink += block[sizes[i] / 3];
		uma_mfree(other, M_WATCHED);
		other = uma_malloc(sizes[i], M_WATCHED, M_WAITOK | M_ZERO);
		if (sizes[i] != 0)
			sink += other[sizes[i] - 1];
		uma_mzfree(other, M_WATCHED);
	}
	uma_mfree(block, M_WATCHED);
}

static void
clean_vm_zone(void)
{
	struct node *items[ITEMS];
	vm_zone_t z =
	    uma_vm_zinit("watched old", ITEM_BYTES, ITEMS, ZONE_INTERRUPT, 1);

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < ITEMS; i++) {
			items[i] = uma_vm_zalloc(z);
			if (HOSTILE && items[i] == NULL)
				items[i] = uma_vm_zalloc(z);
			if (items[i] == NULL)
				exit(4);
			items[i]->numbers[1] = 1;
		}
		for (int i = 0; i < ITEMS; i++)
			uma_vm_zfree(z, items[i]);
	}
	uma_vm_zdestroy(z);
}

/* An item passes from thread to thread with no order but free and alloc. */
static void *
worker(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++) {
		struct node *a = uma_zalloc(zone, M_WAITOK);
		struct node *b = uma_zalloc_arg(kept_zone, NULL, M_WAITOK);
		char *block = uma_malloc(100, M_WATCHED, M_WAITOK);
		char *few = uma_zalloc(few_zone, M_WAITOK);

		a->numbers[1] = i;
		b->numbers[1]++;
		b->numbers[0] = 7;
		block[99] = 1;
		few[FEW_BYTES - 1] = 1;
		uma_zfree(few_zone, few);
		uma_zfree(zone, a);
		uma_zfree(kept_zone, b);
		uma_mfree(block, M_WATCHED);
		if (i % 500 == 499) {
			uma_zone_t own = uma_zcreate("watched own", 200, NULL,
			    NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
			char *c = uma_zalloc(own, M_WAITOK);

			c[199] = 1;
			uma_zfree(own, c);
			if (uma_zdestroy(own, M_WAITOK) != 0)
				exit(4);
			uma_reclaim();
		}
	}
	return NULL;
}

static void
work(void)
{
	(void)worker(NULL);
}

static void
clean(void)
{
	run_beside(worker, work);
	clean_plain();
	clean_supplied();
	clean_blocks();
	clean_vm_zone();
	inits = finis = 0;
	uma_reclaim();
	if (uma_zdestroy(kept_zone, M_NOWAIT) != 0)
		exit(4);
	kept_zone = uma_zcreate("watched kept", ITEM_BYTES, node_ctor,
	    node_dtor, node_init, node_fini, UMA_ALIGN_PTR, 0);
	inits = finis = 0;
	clean_kept();
}

static const struct {
	const char *name;
	void (*run)(void);
} errors[] = {
	{ "clean", clean },
	{ "use-after-free", use_after_free },
	{ "write-after-free", write_after_free },
	{ "use-after-destroy", use_after_destroy },
	{ "overflow", overflow },
	{ "underflow", underflow },
	{ "uninitialised", uninitialised },
	{ "uninitialised-again", uninitialised_again },
	{ "leak", leak },
	{ "double-free", double_free },
	{ "old-after-free", old_after_free },
	{ "block-after-free", block_after_free },
	{ "block-overflow", block_overflow },
	{ "block-leak", block_leak },
	{ "large-after-free", large_after_free },
	{ "large-overflow", large_overflow },
	{ "malloc-overflow", malloc_overflow },
	{ "malloc-usable", malloc_usable },
	{ "race", race },
	{ "race-with-free", race_with_free },
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		if (argc != 2 || strcmp(argv[1], errors[i].name) != 0)
			continue;
		make_zones();
		errors[i].run();
		return 0;
	}
	return 3;
}
