/* SPDX-License-Identifier: BSD-2-Clause */
/* crimes.c - wrong use of malloc(9): one line each, exactly */
#include "common.h"

#include <uma/uma.h>

static UMA_MALLOC_DEFINE(M_ONE, "one", "");
static UMA_MALLOC_DEFINE(M_TWO, "two", "");

static struct malloc_type stray[1] = { { .ks_version = UMA_MALLOC_VERSION,
    .ks_shortdesc = "stray" } };
static struct malloc_type other[1] = { { .ks_version = 1,
    .ks_shortdesc = "other" } };

TEST(types)
{
	void *block = uma_malloc(10, M_ONE, M_WAITOK);

	DIES(uma_malloc(1, NULL, M_WAITOK),
	    "uma: uma_malloc: malloc type is NULL");
	DIES(uma_mfree(block, NULL), "uma: uma_mfree: malloc type is NULL");
	DIES(uma_realloc(block, 1, NULL, M_WAITOK),
	    "uma: uma_realloc: malloc type is NULL");
	DIES(uma_malloc(1, stray, M_NOWAIT),
	    "uma: uma_malloc: malloc type is not registered: zone \"stray\"");
	DIES(uma_mfree(block, stray),
	    "uma: uma_mfree: malloc type is not registered: zone \"stray\"");
	DIES(uma_mzfree(block, stray),
	    "uma: uma_mzfree: malloc type is not registered: zone \"stray\"");
	DIES(uma_malloc(1, other, M_WAITOK),
	    "uma: uma_malloc: not a malloc type: ptr %#lx",
	    (unsigned long)other);
	DIES(
	    uma_malloc_init(NULL), "uma: uma_malloc_init: malloc type is NULL");
	DIES(uma_malloc_init(other),
	    "uma: uma_malloc_init: not a malloc type: ptr %#lx",
	    (unsigned long)other);
	DIES(uma_malloc_init(M_ONE),
	    "uma: uma_malloc_init: malloc type is registered already: zone "
	    "\"one\"");
	DIES(uma_malloc_uninit(stray),
	    "uma: uma_malloc_uninit: malloc type is not registered: zone "
	    "\"stray\"");
	DIES(uma_malloc_desc2type(NULL),
	    "uma: uma_malloc_desc2type: description is NULL");
	uma_mfree(block, M_ONE);
}

TEST(flags)
{
	DIES(uma_malloc(1, M_ONE, 0),
	    "uma: uma_malloc: neither M_NOWAIT nor M_WAITOK: zone \"one\"");
	DIES(uma_malloc(1, M_ONE, M_ZERO),
	    "uma: uma_malloc: neither M_NOWAIT nor M_WAITOK: zone \"one\"");
	DIES(uma_malloc(1, M_ONE, M_NOWAIT | M_WAITOK),
	    "uma: uma_malloc: both M_NOWAIT and M_WAITOK: zone \"one\"");
	DIES(uma_malloc(1, M_ONE, M_NOWAIT | 0x40000),
	    "uma: uma_malloc: unknown flags: zone \"one\"");
	DIES(uma_malloc(1, M_ONE, M_NOWAIT | M_EXEC),
	    "uma: uma_malloc: executable memory is not enabled "
	    "(UMA_OPTIONS=malloc9:exec): zone \"one\"");
	DIES(uma_realloc(NULL, 1, M_ONE, 0),
	    "uma: uma_realloc: neither M_NOWAIT nor M_WAITOK: zone \"one\"");
	DIES(uma_malloc_exec(1, M_ONE, M_WAITOK),
	    "uma: uma_malloc_exec: executable memory is not enabled "
	    "(UMA_OPTIONS=malloc9:exec): zone \"one\"");
	DIES(uma_malloc_domainset_exec(1, M_ONE, NULL, M_WAITOK),
	    "uma: uma_malloc_domainset_exec: executable memory is not "
	    "enabled (UMA_OPTIONS=malloc9:exec): zone \"one\"");
}

/* After a hit was possible, too: flags are looked at before. */
TEST(flags_of_a_type_in_use)
{
	for (int i = 0; i < 10; i++)
		uma_mfree(uma_malloc(1, M_ONE, M_WAITOK), M_ONE);
	DIES(uma_malloc(1, M_ONE, 0),
	    "uma: uma_malloc: neither M_NOWAIT nor M_WAITOK: zone \"one\"");
	DIES(uma_malloc(1, NULL, M_WAITOK),
	    "uma: uma_malloc: malloc type is NULL");
}

TEST(sizes)
{
	DIES(uma_malloc(SIZE_MAX, M_ONE, M_WAITOK),
	    "uma: uma_malloc: size above PTRDIFF_MAX: zone \"one\"");
	DIES(uma_realloc(NULL, (size_t)PTRDIFF_MAX + 1, M_ONE, M_WAITOK),
	    "uma: uma_realloc: size above PTRDIFF_MAX: zone \"one\"");
	DIES(uma_malloc(PTRDIFF_MAX, M_ONE, M_WAITOK),
	    "uma: uma_malloc: size above the address space: zone \"one\"");
	DIES(uma_malloc_aligned(1, (size_t)1 << 48, M_ONE, M_WAITOK),
	    "uma: uma_malloc_aligned: alignment above the address space: "
	    "zone \"one\"");
	DIES(uma_malloc_aligned(1, (size_t)1 << 47, M_ONE, M_WAITOK),
	    "uma: uma_malloc_aligned: size and alignment above the address "
	    "space: zone \"one\"");
	DIES(uma_mallocarray(SIZE_MAX / 2, 3, M_ONE, M_WAITOK),
	    "uma: uma_mallocarray: nmemb * size overflows: zone \"one\"");
	DIES(uma_mallocarray(SIZE_MAX / 2, 3, M_ONE, M_NOWAIT),
	    "uma: uma_mallocarray: nmemb * size overflows: zone \"one\"");
	DIES(uma_malloc_aligned(1, 24, M_ONE, M_WAITOK),
	    "uma: uma_malloc_aligned: alignment is not a power of two: "
	    "zone \"one\"");
	DIES(uma_malloc_aligned(1, 0, M_ONE, M_WAITOK),
	    "uma: uma_malloc_aligned: alignment is not a power of two: "
	    "zone \"one\"");
}

TEST(foreign_pointers)
{
	static char ours[64];
	uma_zone_t zone =
	    uma_zcreate("items", 64, NULL, NULL, NULL, NULL, 0, 0);
	void *item = uma_zalloc(zone, M_WAITOK);
	char *block = uma_malloc(100, M_ONE, M_WAITOK);
	char *medium = uma_malloc(100000, M_ONE, M_WAITOK);
	char *large = uma_malloc(300000, M_ONE, M_WAITOK);

	DIES(uma_mfree(ours, M_ONE),
	    "uma: uma_mfree: foreign pointer: ptr %#lx", (unsigned long)ours);
	DIES(uma_mfree(item, M_ONE),
	    "uma: uma_mfree: item of a zone: ptr %#lx zone \"items\"",
	    (unsigned long)item);
	DIES(uma_mfree(block + 16, M_ONE),
	    "uma: uma_mfree: pointer into a block: ptr %#lx zone "
	    "\"malloc-112\"",
	    (unsigned long)(block + 16));
	DIES(uma_mfree(medium + 65536, M_ONE),
	    "uma: uma_mfree: pointer into a block: ptr %#lx zone "
	    "\"malloc-131072\"",
	    (unsigned long)(medium + 65536));
	DIES(uma_mfree(large + 16, M_ONE),
	    "uma: uma_mfree: pointer into a block: ptr %#lx",
	    (unsigned long)(large + 16));
	DIES(uma_malloc_usable_size(ours),
	    "uma: uma_malloc_usable_size: foreign pointer: ptr %#lx",
	    (unsigned long)ours);
	uma_mfree(block, M_ONE);
	uma_mfree(medium, M_ONE);
	uma_mfree(large, M_ONE);
	uma_zfree(zone, item);
	CHECK_EQ(numbers(M_ONE).in_use_bytes, 0);
}

/* ---- debug mode ---- */

TEST(wrong_type_in_debug_mode)
{
	void *block = uma_malloc(100, M_ONE, M_WAITOK);
	void *large = uma_malloc(300000, M_ONE, M_WAITOK);
	void *mine = uma_malloc(10, M_TWO, M_WAITOK);

	if (!is_debug())
		SKIP("not in debug mode");
	DIES(uma_mfree(block, M_TWO),
	    "uma: uma_mfree: block of malloc type \"one\": ptr %#lx zone "
	    "\"two\"",
	    (unsigned long)block);
	DIES(uma_mzfree(large, M_TWO),
	    "uma: uma_mzfree: block of malloc type \"one\": ptr %#lx zone "
	    "\"two\"",
	    (unsigned long)large);
	DIES(uma_realloc(block, 5000, M_TWO, M_WAITOK),
	    "uma: uma_realloc: block of malloc type \"one\": ptr %#lx zone "
	    "\"two\"",
	    (unsigned long)block);
	memset(mine, 0, uma_malloc_usable_size(mine) + 8);
	DIES(uma_mfree(mine, M_TWO),
	    "uma: uma_mfree: block of no malloc type: ptr %#lx zone \"two\"",
	    (unsigned long)mine);
	uma_mfree(block, M_ONE);
	uma_mfree(large, M_ONE);
	DIES(uma_mfree(block, M_ONE),
	    "uma: uma_mfree: double free: ptr %#lx zone \"one\"",
	    (unsigned long)block);
}

static void
leak_at_exit(int fd)
{
	REQUIRE(dup2(fd, STDERR_FILENO) >= 0);
	REQUIRE(uma_malloc(100, M_TWO, M_WAITOK) != NULL);
}

/* In debug mode exit() tells what is out; otherwise it says nothing. */
TEST(leaks_at_exit)
{
	char got[1000];

	written(leak_at_exit, got, sizeof got);
	if (!CHECK(strcmp(got, is_debug()
				   ? "uma: memory type two leaked memory on "
				     "destroy (1 allocations, 112 bytes "
				     "leaked)\n"
				   : "") == 0))
		harness_say("# %s", got);
}

TEST_MAIN
