/* SPDX-License-Identifier: BSD-2-Clause */
/* The hits of <uma/fast.h>, in functions that plant.c can stand before. */
#include <uma/fast.h>

#include "model/reference.h"

void *
inlined_zalloc(uma_zone_t zone, int wait)
{
	return uma_fast_zalloc(zone, wait);
}

void
inlined_zfree(uma_zone_t zone, void *item)
{
	uma_fast_zfree(zone, item);
}
