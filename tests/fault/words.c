/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * words - the lines that are printed only where memory is refused
 *
 * Crimes of who starts the library where it cannot be started, and what a
 * thread says that has waited for memory for long.
 */
#include "harness.h"

#include <uma/malloc9.h>
#include <uma/uma.h>
#include <uma/vm_zone.h>

#include "base/base.h"
#include "fault/request.h"

enum { BYTES = 100, BOOT_ITEMS = 20000, SOME = 1 << 20, MORE = 100 << 20 };

static _Alignas(65536) char boot[UMA_SLAB_SIZE * UMA_BOOT_PAGES];
static UMA_MALLOC_DEFINE(M_WORDS, "words", "");

static void
refuse_all(void)
{
	request_log.from = request_log.count + 1;
}

TEST(startup_without_addresses)
{
	refuse_all();
	DIES(uma_startup(boot), "uma: uma_startup: no address space");
}

TEST(startup2_without_memory)
{
	uma_startup(boot);
	refuse_all();
	DIES(uma_startup2(NULL, 1),
	    "uma: uma_startup2: no memory to start malloc");
}

/* More than the library has links for; so it must start. */
TEST(boot_items_without_memory)
{
	static char items[BOOT_ITEMS][BYTES];
	static struct vm_zone store;

	DIES(
	    {
		    refuse_all();
		    zbootinit(&store, "many", BYTES, items, BOOT_ITEMS);
	    },
	    "uma: zbootinit: no memory for so many items: zone \"many\"");
	/* And when it runs, the links alone. */
	(void)uma_zcreate("wakes it", BYTES, NULL, NULL, NULL, NULL, 7, 0);
	DIES(
	    {
		    refuse_all();
		    zbootinit(&store, "many", BYTES, items, BOOT_ITEMS);
	    },
	    "uma: zbootinit: no memory for so many items: zone \"many\"");
}

/* ---- who waits ---- */

/* What the linker makes of the names: sleeps take no time, and are added up. */
void __wrap_port_sleep(uint64_t ns);
void __real_port_print(const char *text, size_t bytes);
void __wrap_port_print(const char *text, size_t bytes);

static uint64_t slept_ns;
static unsigned sleeps;
static bool ends_when_told;

void
__wrap_port_sleep(uint64_t ns)
{
	slept_ns += ns;
	sleeps++;
}

/* There is memory once somebody complained. */
void
__wrap_port_print(const char *text, size_t bytes)
{
	__real_port_print(text, bytes);
	if (ends_when_told)
		request_log.from = 0;
}

/* For DIES(): 1, 2, 4 ... 64, 64 ... were waited, and then it was there. */
static void
end_well(bool got, uint64_t unit_ns)
{
	if (!got || sleeps != 100 || slept_ns != 6079 * unit_ns)
		_exit(1);
	abort();
}

static void
run_short(void)
{
	refuse_all();
	ends_when_told = true;
}

TEST(who_waits_for_an_item_says_so)
{
	uma_zone_t zone =
	    uma_zcreate("scarce", BYTES, NULL, NULL, NULL, NULL, 7, 0);

	REQUIRE(zone != NULL);
	DIES(
	    {
		    run_short();
		    end_well(
			uma_zalloc(zone, M_WAITOK) != NULL, UMA_PAUSE_MIN_NS);
	    },
	    "uma: uma_zalloc: still waiting for memory: zone \"scarce\"");
	DIES(
	    {
		    run_short();
		    uma_prealloc(zone, 3);
		    end_well(true, UMA_PAUSE_MIN_NS);
	    },
	    "uma: uma_prealloc: still waiting for memory: zone \"scarce\"");
}

TEST(who_waits_for_a_block_says_so)
{
	DIES(
	    {
		    run_short();
		    end_well(
			uma_malloc(SOME, M_WORDS, M_WAITOK) != NULL, 1000000);
	    },
	    "uma: uma_malloc: still waiting for memory: zone \"words\"");
}

TEST(who_waits_for_a_larger_block_says_so)
{
	void *block = uma_malloc(BYTES, M_WORDS, M_WAITOK);

	REQUIRE(block != NULL);
	DIES(
	    {
		    run_short();
		    end_well(
			uma_realloc(block, MORE, M_WORDS, M_WAITOK) != NULL,
			1000000);
	    },
	    "uma: uma_realloc: still waiting for memory: zone \"words\"");
}

TEST_MAIN
