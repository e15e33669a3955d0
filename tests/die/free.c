/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * free - crimes of giving an item back
 *
 * The message names the item and the zone that was passed.  A second free is
 * seen at once if the item lies on top of this CPU's bucket, and else when it
 * reaches its slab, to which uma_reclaim() brings it: the line then names the
 * function that brought it.
 */
#include "zone/common.h"

#include <sys/mman.h>

#define ITEMS 100

/* Both functions, with the name each has to give. */
static void
free_dies(uma_zone_t zone, const char *name, void *item, const char *rule)
{
	DIES(uma_zfree(zone, item), "uma: uma_zfree: %s: ptr %p zone \"%s\"",
	    rule, item, name);
	DIES(uma_zfree_arg(zone, item, item),
	    "uma: uma_zfree_arg: %s: ptr %p zone \"%s\"", rule, item, name);
}

/*
 * A free that is seen at the latest when the item reaches its slab; by one of
 * `rules`, which end with NULL.
 */
static void
dies_in_the_end(
    uma_zone_t zone, const char *name, void *item, const char *const *rules)
{
	static const char *const functions[] = { "uma_zfree", "uma_reclaim" };
	struct harness_death death;
	char want[256];
	char got[256];
	bool good = false;

	if (harness_death_begin(&death)) {
		uma_zfree(zone, item);
		uma_reclaim();
		_exit(0);
	}
	CHECK(harness_death_line(&death, got, sizeof got));
	for (int f = 0; f < 2; f++) {
		for (int i = 0; rules[i] != NULL; i++) {
			snprintf(want, sizeof want,
			    "uma: %s: %s: ptr %p zone \"%s\"", functions[f],
			    rules[i], item, name);
			good = good || strcmp(got, want) == 0;
		}
	}
	if (!CHECK(good))
		harness_say("#   %p: %s\n", item, got);
}

static void
double_free_dies(uma_zone_t zone, const char *name, void *item)
{
	static const char *const rules[] = { "double free", NULL };

	dies_in_the_end(zone, name, item, rules);
}

static void
foreign_die(uma_zone_t zone, const char *name)
{
	static char data[64];
	char *hole =
	    mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *open = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *heap = malloc(64);
	char local[64] = { 0 };
	void *code;
	void (*body)(uma_zone_t, const char *) = foreign_die;

	REQUIRE(hole != MAP_FAILED && open != MAP_FAILED && heap != NULL);
	memcpy(&code, &body, sizeof code);
	free_dies(zone, name, local, "foreign pointer");
	free_dies(zone, name, data, "foreign pointer");
	free_dies(zone, name, heap, "foreign pointer");
	free_dies(zone, name, hole, "foreign pointer");
	free_dies(zone, name, hole + 65536, "foreign pointer");
	free_dies(zone, name, open + 4096, "foreign pointer");
	free_dies(zone, name, code, "foreign pointer");
	free_dies(zone, name, zone, "foreign pointer");
	free(heap);
	munmap(hole, 1 << 20);
	/* The same addresses with nothing behind them. */
	free_dies(zone, name, hole, "foreign pointer");
	munmap(open, 1 << 20);
}

static void
wild_die(uma_zone_t zone, const char *name)
{
	static const uintptr_t wild[] = { 1, 8, 4095, 4096, 65536,
		0x00007ffffffff000u, 0x0000800000000000u, 0x0010000000000000u,
		0x4141414141414141u, 0x8000000000000000u, 0xffff800000000000u,
		0xffffffff81000000u, UINTPTR_MAX - 7, UINTPTR_MAX };

	for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++)
		free_dies(zone, name, (void *)wild[i], "foreign pointer");
	for (int bit = 2; bit < 64; bit++)
		DIES(uma_zfree(zone, (void *)((uintptr_t)1 << bit)),
		    "uma: uma_zfree: foreign pointer: ptr %p zone \"%s\"",
		    (void *)((uintptr_t)1 << bit), name);
}

TEST(foreign)
{
	uma_zone_t zone = zone_make("mine", 64, 7);

	foreign_die(zone, "mine");
	wild_die(zone, "mine");
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	foreign_die(zone, "mine");
	wild_die(zone, "mine");
	zone_end(zone);
}

static void
quiet(void *mem, int size, void *arg)
{
	(void)mem;
	(void)size;
	(void)arg;
}

/* The check comes before the destructor, which would see a stranger. */
static void
loud(void *mem, int size, void *arg)
{
	(void)mem;
	(void)size;
	(void)arg;
	fputs("the destructor ran\n", stderr);
}

TEST(foreign_to_a_zone_with_callbacks)
{
	uma_zone_t zone =
	    uma_zcreate("dressed", 64, quiet, loud, NULL, NULL, 7, 0);

	REQUIRE(zone != NULL);
	foreign_die(zone, "dressed");
	wild_die(zone, "dressed");
	zone_end(zone);
}

TEST(null_is_ignored)
{
	uma_zone_t zone = zone_make("mine", 64, 7);

	uma_zfree(zone, NULL);
	uma_zfree_arg(zone, NULL, &zone);
	CHECK_EQ(zone_numbers(zone).frees, 0);
	zone_end(zone);
}

/*
 * Every `step`-th byte of an item but its first.  A fork takes long under a
 * slow sanitizer: one in seven of them there.
 */
static void
interior_dies(int size, int step)
{
	int stride = SLOWLY_SANITIZED ? 7 * step : step;
	uma_zone_t zone = zone_make("inner", size, 0);
	char *first = uma_zalloc(zone, M_WAITOK);
	char *item = uma_zalloc(zone, M_WAITOK);

	for (int at = 1; at < size; at += stride)
		DIES(uma_zfree(zone, item + at),
		    "uma: uma_zfree: pointer into an item: ptr %p zone "
		    "\"inner\"",
		    (void *)(item + at));
	free_dies(zone, "inner", first + 1, "pointer into an item");
	free_dies(zone, "inner", first + size - 1, "pointer into an item");
	uma_zfree(zone, first);
	uma_zfree(zone, item);
	zone_end(zone);
}

TEST(interior)
{
	static const int sizes[] = { 2, 3, 8, 16, 24, 40, 100, 128, 250 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		interior_dies(sizes[i], 1);
}

TEST(interior_of_large_items)
{
	interior_dies(1000, 1);
	interior_dies(4096, 61);
	interior_dies(5000, 61);
	interior_dies(65536, 997);
	interior_dies(100000, 997);
	interior_dies(131072, 65535);
	interior_dies(196608, 65535);
	interior_dies(3 << 20, 65535);
}

/*
 * Past the last item, and before the first: what lies there depends on the
 * layout, but the process ends, with a line about this pointer.
 */
static void
outside_dies(uma_zone_t zone, char *item)
{
	static const char *const rules[] = { "foreign pointer",
		"pointer into an item", "item of another zone", "double free",
		NULL };

	dies_in_the_end(zone, "edge", item, rules);
}

static void
edges_die(int size)
{
	uma_zone_t zone = zone_make("edge", size, 7);
	char *item[ITEMS];
	char *low;
	char *high;

	for (int i = 0; i < ITEMS; i++)
		item[i] = uma_zalloc(zone, M_WAITOK);
	low = high = item[0];
	for (int i = 1; i < ITEMS; i++) {
		low = item[i] < low ? item[i] : low;
		high = item[i] > high ? item[i] : high;
	}
	/* Only its slab can tell an item that nobody was ever given. */
	uma_reclaim();
	for (int at = 0; at < 3 * size; at += 8) {
		outside_dies(zone, low - 8 - at);
		outside_dies(zone, high + (size + 7) / 8 * 8 + at);
	}
	outside_dies(zone, high + 65536);
	for (int i = 0; i < ITEMS; i++)
		uma_zfree(zone, item[i]);
	zone_end(zone);
}

TEST(outside_the_items)
{
	edges_die(16);
	edges_die(100);
	edges_die(656);
}

/* An item that is not whole granules ends with its slab, and begins later. */
TEST(where_a_slab_of_one_item_begins)
{
	static const int sizes[] = { 120000, 180000, 250000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uma_zone_t zone = zone_make("edge", sizes[i], 7);
		char *item = uma_zalloc(zone, M_WAITOK);

		REQUIRE(item != NULL);
		free_dies(zone, "edge", item - (uintptr_t)item % 65536,
		    "pointer into an item");
		uma_zfree(zone, item);
		zone_end(zone);
	}
}

TEST(item_of_another_zone)
{
	static const int sizes[] = { 16, 64, 100, 4096, 70000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uma_zone_t a = zone_make("a", sizes[i], 7);
		uma_zone_t b = zone_make("b", sizes[i], 7);
		uma_zone_t c = zone_make("c", sizes[i] + 8, 7);
		void *item = uma_zalloc(a, M_WAITOK);
		void *others[ZONE_OTHERS];

		free_dies(b, "b", item, "item of another zone");
		free_dies(c, "c", item, "item of another zone");
		uma_zfree(b, uma_zalloc(b, M_WAITOK));
		free_dies(b, "b", item, "item of another zone");
		uma_zfree(b, zone_take_warm(b, others));
		free_dies(b, "b", item, "item of another zone");
		for (int n = 0; n < ZONE_OTHERS; n++)
			uma_zfree(b, others[n]);
		uma_zfree(a, item);
		zone_end(a);
		zone_end(b);
		zone_end(c);
	}
}

static void
free_twice(uma_zone_t zone, void *item)
{
	uma_zfree(zone, item);
	uma_zfree(zone, item);
}

static void
free_twice_arg(uma_zone_t zone, void *item)
{
	uma_zfree_arg(zone, item, NULL);
	uma_zfree_arg(zone, item, NULL);
}

/* Both frees in one process, which stays on its CPU in between. */
static void
twice_dies(uma_zone_t zone, void *item)
{
	DIES(free_twice(zone, item),
	    "uma: uma_zfree: double free: ptr %p zone \"twice\"", item);
	DIES(free_twice_arg(zone, item),
	    "uma: uma_zfree_arg: double free: ptr %p zone \"twice\"", item);
}

TEST(double_free_at_once)
{
	static const int sizes[] = { 1, 8, 64, 100, 4096, 70000 };

	REQUIRE(cpu_pin(0));
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uma_zone_t zone = zone_make("twice", sizes[i], 0);
		void *others[ZONE_OTHERS];
		void *item = zone_take_warm(zone, others);

		twice_dies(zone, item);
		twice_dies(zone, others[0]);
		zone_give_warm(zone, item, others);
		zone_end(zone);
	}
}

TEST(double_free_in_a_zone_with_callbacks)
{
	uma_zone_t zone =
	    uma_zcreate("twice", 64, quiet, quiet, NULL, NULL, 7, 0);
	void *others[ZONE_OTHERS];
	void *item;

	REQUIRE(zone != NULL && cpu_pin(0));
	item = zone_take_warm(zone, others);
	twice_dies(zone, item);
	zone_give_warm(zone, item, others);
	zone_end(zone);
}

/* Items in users' hands on all sides keep the slab in the zone. */
static void
take_all(uma_zone_t zone, void **item)
{
	for (int i = 0; i < ITEMS; i++)
		item[i] = uma_zalloc(zone, M_WAITOK);
}

TEST(double_free_of_an_item_in_its_slab)
{
	uma_zone_t zone = zone_make("twice", 128, 7);
	void *item[ITEMS];

	take_all(zone, item);
	uma_zfree(zone, item[10]);
	uma_zfree(zone, item[20]);
	uma_zfree(zone, item[30]);
	uma_reclaim();
	double_free_dies(zone, "twice", item[10]);
	double_free_dies(zone, "twice", item[20]);
	double_free_dies(zone, "twice", item[30]);
}

TEST(double_free_of_an_item_in_a_slab_given_back)
{
	uma_zone_t zone = zone_make("gone", 128, 7);
	void *item = uma_zalloc(zone, M_WAITOK);

	uma_zfree(zone, item);
	uma_reclaim();
	free_dies(zone, "gone", item, "foreign pointer");
	zone_end(zone);
}

/* Unseen at the free itself, if others lie on top, but not at the slab. */
static void
free_hidden(uma_zone_t zone, void **item)
{
	uma_zfree(zone, item[10]);
	uma_zfree(zone, item[20]);
	uma_zfree(zone, item[10]);
	uma_zfree(zone, item[30]);
	uma_reclaim();
}

TEST(double_free_with_another_between)
{
	uma_zone_t zone = zone_make("twice", 128, 7);
	struct harness_death death;
	char by_free[256];
	char by_reclaim[256];
	char got[256];
	void *item[ITEMS];

	REQUIRE(cpu_pin(0));
	take_all(zone, item);
	if (harness_death_begin(&death)) {
		free_hidden(zone, item);
		_exit(0);
	}
	snprintf(by_free, sizeof by_free,
	    "uma: uma_zfree: double free: ptr %p zone \"twice\"", item[10]);
	snprintf(by_reclaim, sizeof by_reclaim,
	    "uma: uma_reclaim: double free: ptr %p zone \"twice\"", item[10]);
	CHECK(harness_death_line(&death, got, sizeof got));
	if (!CHECK(strcmp(got, by_free) == 0 || strcmp(got, by_reclaim) == 0))
		harness_say("#   %s\n", got);
}

struct handover {
	uma_zone_t zone;
	void *item;
};

static void
free_it(void *arg)
{
	const struct handover *h = arg;

	uma_zfree(h->zone, h->item);
}

TEST(double_free_from_another_thread)
{
	uma_zone_t zone = zone_make("twice", 128, 7);
	struct handover h = { zone, NULL };
	void *item[ITEMS];

	take_all(zone, item);
	h.item = item[50];
	run_on_cpu(0, free_it, &h);
	uma_reclaim();
	double_free_dies(zone, "twice", h.item);
	h.item = item[51];
	if (!cpu_pin(1))
		SKIP("one CPU");
	run_on_cpu(1, free_it, &h);
	uma_reclaim();
	double_free_dies(zone, "twice", h.item);
}

TEST(item_of_a_destroyed_zone)
{
	uma_zone_t gone = zone_make("gone", 64, 7);
	uma_zone_t zone = zone_make("here", 64, 7);
	void *item = uma_zalloc(gone, M_WAITOK);

	uma_zfree(gone, item);
	zone_end(gone);
	free_dies(zone, "here", item, "foreign pointer");
	zone_end(zone);
}

TEST_MAIN
