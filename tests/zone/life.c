/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life - when callbacks run, on what, and what an item holds in between
 */
#include "zone/ledger.h"

#define COUNT 2000

static void *items[COUNT];

static void
take(uma_zone_t zone, void *arg)
{
	for (int i = 0; i < COUNT; i++) {
		items[i] = uma_zalloc_arg(zone, arg, M_WAITOK);
		REQUIRE(items[i] != NULL);
	}
}

static void
give(uma_zone_t zone, void *arg)
{
	for (int i = 0; i < COUNT; i++)
		uma_zfree_arg(zone, items[i], arg);
}

TEST(pairs)
{
	uma_zone_t zone = ledger_zone("pairs", 100, 0);
	long inits;

	CHECK_EQ(ledger.inits, 0);
	ledger.arg = &zone;
	take(zone, &zone);
	CHECK_EQ(ledger.ctors, COUNT);
	CHECK(ledger.inits >= COUNT);
	ledger.arg = items;
	give(zone, items);
	CHECK_EQ(ledger.dtors, COUNT);
	CHECK_EQ(ledger.finis, 0);
	inits = ledger.inits;
	ledger.arg = NULL;
	take(zone, NULL);
	/* Who finds the record of this CPU taken takes another item. */
	CHECK(HOSTILE || ledger.inits == inits);
	give(zone, NULL);
	uma_zfree(zone, uma_zalloc(zone, M_NOWAIT));
	CHECK_EQ(ledger.ctors, 2 * COUNT + 1);
	CHECK_EQ(ledger.dtors, 2 * COUNT + 1);
	uma_reclaim();
	CHECK_EQ(ledger.finis, ledger.inits);
	take(zone, NULL);
	CHECK(ledger.inits >= inits + COUNT);
	give(zone, NULL);
	zone_end(zone);
	ledger_check_gone();
}

static long ctor_calls;
static long dtor_calls;

static void
count_ctor(void *item, int size, void *arg)
{
	(void)item;
	(void)size;
	(void)arg;
	ctor_calls++;
}

static void
count_dtor(void *item, int size, void *arg)
{
	(void)item;
	(void)size;
	(void)arg;
	dtor_calls++;
}

/* One of the two is enough to go the longer way, hit or not. */
TEST(one_callback_alone)
{
	uma_zone_t made =
	    uma_zcreate("made", 64, count_ctor, NULL, NULL, NULL, 0, 0);
	uma_zone_t ended =
	    uma_zcreate("ended", 64, NULL, count_dtor, NULL, NULL, 0, 0);

	REQUIRE(made != NULL && ended != NULL);
	for (int i = 0; i < COUNT; i++) {
		uma_zfree(made, uma_zalloc(made, M_WAITOK));
		uma_zfree(ended, uma_zalloc(ended, M_WAITOK));
	}
	CHECK_EQ(ctor_calls, COUNT);
	CHECK_EQ(dtor_calls, COUNT);
	zone_end(made);
	zone_end(ended);
}

TEST(reclaim_leaves_items_in_hands_alone)
{
	uma_zone_t zone = ledger_zone("some", 100, 0);

	take(zone, NULL);
	for (int i = 0; i < COUNT; i += 2)
		pattern_fill(items[i], 100, (uint64_t)i);
	for (int i = 1; i < COUNT; i += 2)
		uma_zfree(zone, items[i]);
	uma_reclaim();
	for (int i = 0; i < COUNT; i += 2) {
		CHECK(pattern_holds(items[i], 100, (uint64_t)i));
		uma_zfree(zone, items[i]);
	}
	ledger_check();
	zone_end(zone);
	ledger_check_gone();
}

/* Sizes on both sides of a slab: large items take other ways. */
TEST(pairs_of_large_items)
{
	static const int sizes[] = { 4096, 40000, 65536, 300000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uma_zone_t zone = ledger_zone("large", sizes[i], 0);

		for (int n = 0; n < 20; n++)
			items[n] = uma_zalloc(zone, M_WAITOK);
		for (int n = 0; n < 20; n++)
			uma_zfree(zone, items[n]);
		zone_end(zone);
		ledger_check_gone();
	}
}

static void *
churn(void *arg)
{
	uma_zone_t zone = arg;
	void *hold[50] = { NULL };
	uint64_t seed = (uintptr_t)hold;

	for (int i = 0; i < 20000; i++) {
		void **slot = &hold[dice(&seed) % 50];

		if (*slot == NULL)
			*slot = uma_zalloc(zone, M_WAITOK);
		else {
			uma_zfree(zone, *slot);
			*slot = NULL;
		}
		if (i % 5000 == 0)
			uma_reclaim();
	}
	for (int i = 0; i < 50; i++)
		uma_zfree(zone, hold[i]);
	return NULL;
}

TEST(pairs_among_threads)
{
	uma_zone_t zone = ledger_zone("threads", 64, 0);
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		t[i] = thread_start(churn, zone);
	for (int i = 0; i < 4; i++)
		thread_join(t[i]);
	CHECK_EQ(ledger.ctors, ledger.dtors);
	zone_end(zone);
	ledger_check_gone();
}

/* ---- zeros ---- */

static int ctor_saw_dirt;

static void
wants_zeros(void *item, int size, void *arg)
{
	(void)arg;
	if (!all_bytes(item, (size_t)size, 0))
		ctor_saw_dirt++;
	memset(item, 0x77, (size_t)size);
}

static void
soil(uma_zone_t zone, int size)
{
	for (int i = 0; i < 20; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK | M_ZERO);
		memset(items[i], 0xff, (size_t)size);
	}
	for (int i = 0; i < 20; i++)
		uma_zfree(zone, items[i]);
}

TEST(zero_on_dirty_reuse)
{
	static const int sizes[] = { 1, 2, 3, 7, 8, 9, 15, 16, 31, 33, 63, 64,
		65, 100, 127, 129, 1000, 4095, 4096, 4097, 50000, 65536,
		200000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t bytes = (size_t)sizes[i];
		uma_zone_t zone = zone_make("zero", sizes[i], 0);

		soil(zone, sizes[i]);
		for (int n = 0; n < 25; n++) {
			items[n] = sure_zalloc(zone, M_NOWAIT | M_ZERO);
			REQUIRE(items[n] != NULL);
			CHECK(all_bytes(items[n], bytes, 0));
		}
		for (int n = 0; n < 25; n++)
			uma_zfree(zone, items[n]);
		zone_end(zone);
	}
}

TEST(zero_before_the_constructor)
{
	uma_zone_t zone =
	    uma_zcreate("zero", 300, wants_zeros, NULL, NULL, NULL, 0, 0);

	REQUIRE(zone != NULL);
	soil(zone, 300);
	soil(zone, 300);
	CHECK_EQ(ctor_saw_dirt, 0);
	items[0] = uma_zalloc(zone, M_WAITOK | M_ZERO);
	CHECK(all_bytes(items[0], 300, 0x77));
	uma_zfree(zone, items[0]);
	zone_end(zone);
}

static int init_calls;
static int fini_calls;

static void
count_init(void *item, int size)
{
	memset(item, 0x55, (size_t)size);
	init_calls++;
}

static void
count_fini(void *item, int size)
{
	(void)item;
	(void)size;
	fini_calls++;
}

/* ZINIT zeroes when an item enters, not when it is handed out. */
TEST(zinit_zeroes_once)
{
	uma_zone_t zone = uma_zcreate("zinit", 120, NULL, NULL, count_init,
	    count_fini, 7, UMA_ZONE_ZINIT);
	bool clean = true;
	bool kept = true;

	REQUIRE(zone != NULL);
	take(zone, NULL);
	for (int i = 0; i < COUNT; i++) {
		clean = clean && all_bytes(items[i], 120, 0);
		memset(items[i], 0xee, 120);
	}
	CHECK(clean);
	give(zone, NULL);
	for (int i = 0; i < COUNT; i++)
		kept = kept && all_bytes(items[i], 120, 0xee);
	CHECK(kept);
	for (int i = 0; i < 10; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		CHECK(all_bytes(items[i], 120, 0xee));
	}
	for (int i = 0; i < 10; i++)
		uma_zfree(zone, items[i]);
	uma_reclaim();
	items[0] = uma_zalloc(zone, M_WAITOK);
	CHECK(all_bytes(items[0], 120, 0));
	uma_zfree(zone, items[0]);
	CHECK_EQ(init_calls, 0);
	zone_end(zone);
	CHECK(fini_calls >= COUNT);
}

/* ---- type stability ---- */

/* The library writes nothing into a free item of such a zone. */
static void
stays(uma_zone_t zone, size_t bytes)
{
	bool same = true;
	bool again = true;

	take(zone, NULL);
	for (int i = 0; i < COUNT; i++)
		pattern_fill(items[i], bytes, (uintptr_t)items[i]);
	give(zone, NULL);
	for (int i = 0; i < COUNT; i++)
		same =
		    same && pattern_holds(items[i], bytes, (uintptr_t)items[i]);
	CHECK(same);
	for (int i = 0; i < COUNT / 4; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		again = again &&
			pattern_holds(items[i], bytes, (uintptr_t)items[i]);
	}
	CHECK(again);
	for (int i = 0; i < COUNT / 4; i++)
		uma_zfree(zone, items[i]);
}

static void
stays_with(uma_init init, uma_fini fini, unsigned flags)
{
	static const int sizes[] = { 1, 8, 16, 100, 1024 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uma_zone_t zone = uma_zcreate("stable", sizes[i], NULL, NULL,
		    init, fini, 0, (uint16_t)flags);

		REQUIRE(zone != NULL);
		stays(zone, (size_t)sizes[i]);
		zone_end(zone);
	}
}

TEST(free_items_keep_their_bytes)
{
	stays_with(count_init, NULL, 0);
	stays_with(NULL, count_fini, 0);
	stays_with(NULL, NULL, UMA_ZONE_NOFREE);
	stays_with(count_init, count_fini, UMA_ZONE_NOFREE);
}

/* ---- callbacks that use the library ---- */

static uma_zone_t nest_zone;
static uma_zone_t part_zone;

struct nest {
	struct nest *inner;
	void *part;
};

/* `arg` is how much deeper to go. */
static void
nest_ctor(void *item, int size, void *arg)
{
	struct nest *nest = item;
	uintptr_t depth = (uintptr_t)arg;

	(void)size;
	nest->inner = NULL;
	nest->part = uma_zalloc(part_zone, M_WAITOK);
	if (depth > 0)
		nest->inner =
		    uma_zalloc_arg(nest_zone, (void *)(depth - 1), M_WAITOK);
}

static void
nest_dtor(void *item, int size, void *arg)
{
	struct nest *nest = item;

	(void)size;
	(void)arg;
	uma_zfree(part_zone, nest->part);
	uma_zfree(nest_zone, nest->inner);
}

TEST(callbacks_that_allocate)
{
	nest_zone = uma_zcreate("nest", sizeof(struct nest), nest_ctor,
	    nest_dtor, NULL, NULL, 7, 0);
	part_zone = zone_make("part", 48, 7);
	REQUIRE(nest_zone != NULL);
	for (int i = 0; i < 500; i++)
		items[i] = uma_zalloc_arg(
		    nest_zone, (void *)(uintptr_t)(i % 5), M_WAITOK);
	CHECK_EQ(zone_numbers(nest_zone).used_items, 1500);
	CHECK_EQ(zone_numbers(part_zone).used_items, 1500);
	for (int i = 0; i < 500; i++)
		uma_zfree(nest_zone, items[i]);
	CHECK_EQ(zone_numbers(part_zone).used_items, 0);
	zone_end(nest_zone);
	zone_end(part_zone);
}

static void
part_init(void *item, int size)
{
	(void)size;
	*(void **)item = uma_zalloc(part_zone, M_WAITOK);
}

static void
part_fini(void *item, int size)
{
	(void)size;
	uma_zfree(part_zone, *(void **)item);
}

TEST(init_and_fini_that_allocate)
{
	uma_zone_t zone =
	    uma_zcreate("outer", 64, NULL, NULL, part_init, part_fini, 7, 0);

	REQUIRE(zone != NULL);
	part_zone = zone_make("part", 48, 7);
	take(zone, NULL);
	CHECK(zone_numbers(part_zone).used_items >= COUNT);
	give(zone, NULL);
	uma_reclaim();
	CHECK_EQ(zone_numbers(part_zone).used_items, 0);
	zone_end(zone);
	zone_end(part_zone);
}

TEST_MAIN
