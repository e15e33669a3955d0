/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inside.c - where blocks are counted, and what the first use of a type costs
 *
 * Method: the library's own structures, and its instructions counted one by
 * one: with the processor's trap flag set each raises SIGTRAP.
 */
#include "common.h"

#include <signal.h>

#include "malloc9/inner.h"
#include "trapped.h"

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

#if TRAPPED
#define MANY 10000

static void
step(int signo)
{
	(void)signo;
	trap_steps++;
}

static long
steps_of_first_use(struct malloc_type *type)
{
	void *block;

	trap_each(true);
	block = uma_malloc(100, type, M_WAITOK);
	trap_each(false);
	CHECK(block != NULL);
	uma_mfree(block, type);
	return trap_steps;
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

static struct malloc_type passing[2][1];
static void *passing_block;
static long step_wanted;
static bool was_inside;

static void
begin_passing(unsigned i, size_t bytes)
{
	passing[i][0] = (struct malloc_type){ .ks_version = UMA_MALLOC_VERSION,
		.ks_shortdesc = i == 0 ? "former" : "next" };
	uma_malloc_init(passing[i]);
	/* The first block of a type is an occasion to look, the second none. */
	uma_mfree(uma_malloc(1, passing[i], M_WAITOK), passing[i]);
	passing_block = uma_malloc(bytes, passing[i], M_WAITOK);
}

static void
end_passing(unsigned i)
{
	uma_mfree(passing_block, passing[i]);
	uma_malloc_uninit(passing[i]);
}

/* At one step the type goes, and another gets its ledger. */
static void
replace(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	if (!trap_ends_at(step_wanted, context))
		return;
	was_inside = !gate_enter();
	if (was_inside)
		return;
	gate_leave();
	end_passing(0);
	begin_passing(1, 1);
}

/* Whoever reads a type's numbers as it goes leaves nothing of it behind. */
TEST_TIME(readers_do_not_touch_the_next_type, 120)
{
	struct sigaction act = { .sa_sigaction = replace,
		.sa_flags = SA_SIGINFO };
	struct uma_malloc_stats s;
	long replaced = 0;

	REQUIRE(sigaction(SIGTRAP, &act, NULL) == 0);
	for (step_wanted = 1;; step_wanted++) {
		struct ledger *l;
		bool known;

		begin_passing(0, 100000);
		l = ledger_of(passing[0]);
		was_inside = false;
		trap_each(true);
		known = ledger_read(l, &s);
		trap_each(false);
		if (known)
			CHECK((strcmp(s.name, "former") == 0) ==
			      (s.sampled_bytes_max >= 100000));
		if (trap_steps < step_wanted || was_inside) {
			end_passing(0);
			if (trap_steps < step_wanted)
				break;
			continue;
		}
		replaced++;
		CHECK(ledger_of(passing[1]) == l);
		CHECK(numbers(passing[1]).sampled_bytes_max ==
		      counted_bytes(passing_block));
		end_passing(1);
	}
	harness_say("# %ld steps, %ld of them\n", step_wanted, replaced);
	CHECK(replaced > 100);
}
#endif

TEST_MAIN
