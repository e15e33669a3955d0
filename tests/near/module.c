/* SPDX-License-Identifier: BSD-2-Clause */
/* A module that comes and goes, with hits linked and inlined into it. */
#include "near/near.h"

#include <uma/fast.h>

static void *
inlined_alloc(uma_zone_t zone, int wait)
{
	return uma_fast_zalloc(zone, wait);
}

static void
inlined_free(uma_zone_t zone, void *item)
{
	uma_fast_zfree(zone, item);
}

static const struct near_pair pairs[] = {
	{ "linked in", uma_zalloc, uma_zfree },
	{ "inlined", inlined_alloc, inlined_free },
	{ NULL, NULL, NULL },
};

__attribute__((visibility("default"))) const struct near_pair *
near_module_pairs(void)
{
	return pairs;
}
