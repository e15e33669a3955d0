/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inside.c - where blocks are counted, and what the first use of a type costs
 *
 * Method: the library's own structures, and its instructions counted one by
 * one: with the processor's trap flag set each raises SIGTRAP.
 */
#include "common.h"

#include "malloc9/inner.h"

static UMA_MALLOC_DEFINE(M_INSIDE, "inside", "");

static struct ledger *
ledger_of(struct malloc_type *type)
{
	struct ledger *l = type->ks_ledger;

	REQUIRE(l != NULL);
	return l;
}

/* The atomic counters are for who finds no other. */
static void
check_rest(struct malloc_type *type)
{
	struct ledger *l = ledger_of(type);

	for (unsigned way = 0; way < 2; way++) {
		CHECK_EQ(atomic_load(&l->events[way]), 0);
		CHECK_EQ(atomic_load(&l->bytes[way]), 0);
	}
}

TEST(blocks_of_every_size_are_counted_by_cpu)
{
	static const size_t sizes[] = { 0, 1, 100, 32768, 32769, 65536, 100000,
		5000000, (size_t)32 << 20, ((size_t)32 << 20) + 1,
		(size_t)100 << 20 };
	uint64_t bytes = 0;
	uint64_t count = 0;

	for (unsigned round = 0; round < 3000; round++) {
		size_t size = sizes[round % (sizeof sizes / sizeof *sizes)];
		void *block = uma_malloc(size, M_INSIDE, M_WAITOK);

		count++;
		bytes += counted_bytes(block);
		uma_mfree(block, M_INSIDE);
	}
	check_numbers(M_INSIDE, count, count, bytes, bytes);
	check_rest(M_INSIDE);
}

/* The largest that one event of a counter can be, and what is none. */
TEST(events_of_any_size)
{
	const uint64_t most = UINT64_C(1) << 48;

	for (int i = 0; i < 2000; i++)
		uma_malloc_type_allocated(M_INSIDE, most);
	for (int i = 0; i < 2000; i++)
		uma_malloc_type_freed(M_INSIDE, most);
	check_numbers(M_INSIDE, 2000, 2000, 2000 * most, 2000 * most);
	check_rest(M_INSIDE);
	uma_malloc_type_allocated(M_INSIDE, most + 16);
	uma_malloc_type_allocated(M_INSIDE, 7);
	CHECK_EQ(atomic_load(&ledger_of(M_INSIDE)->events[0]), 2);
	CHECK_EQ(numbers(M_INSIDE).in_use_bytes, most + 23);
}

/* ---- steps ---- */

#if defined(__x86_64__)
#define MANY 10000

static volatile sig_atomic_t steps;

static void
step(int signo)
{
	(void)signo;
	steps++;
}

/* The trap flag, set or cleared beyond the red zone. */
static void
trap_each(bool on)
{
	if (on)
		__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
				 "pushfq\n\t"
				 "orq $0x100, (%%rsp)\n\t"
				 "popfq\n\t"
				 "leaq 128(%%rsp), %%rsp" ::
				     : "memory", "cc");
	else
		__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
				 "pushfq\n\t"
				 "andq $~0x100, (%%rsp)\n\t"
				 "popfq\n\t"
				 "leaq 128(%%rsp), %%rsp" ::
				     : "memory", "cc");
}

static long
steps_of_first_use(struct malloc_type *type)
{
	void *block;

	steps = 0;
	trap_each(true);
	block = uma_malloc(100, type, M_WAITOK);
	trap_each(false);
	CHECK(block != NULL);
	uma_mfree(block, type);
	return steps;
}

/* Whether it is the hundredth or the ten thousandth. */
TEST_TIME(first_use_costs_the_same_for_every_type, 120)
{
	static struct malloc_type types[MANY][1];
	const struct malloc_type fresh = { .ks_version = UMA_MALLOC_VERSION,
		.ks_shortdesc = "one of many" };
	long early = 0;
	long late = 0;

	REQUIRE(signal(SIGTRAP, step) != SIG_ERR);
	for (unsigned i = 0; i < MANY; i++) {
		types[i][0] = fresh;
		uma_malloc_init(types[i]);
		if (i >= 100 && i < 110)
			early += steps_of_first_use(types[i]);
		else if (i >= MANY - 10)
			late += steps_of_first_use(types[i]);
		else
			uma_mfree(
			    uma_malloc(100, types[i], M_WAITOK), types[i]);
	}
	harness_say("# %ld instructions early, %ld late\n", early, late);
	CHECK(early > 1000);
	CHECK(late < 2 * early);
}
#endif

TEST_MAIN
