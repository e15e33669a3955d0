/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * creation - makes zones, for creation_test.py to count what that takes
 *
 *	creation unused N   N zones, one after another, near one that was used
 *	creation used N     the same, an item of each allocated and freed
 *	creation beside N   as used, with another thread that does nothing
 *	creation refill N   8 * N zones at once; every eighth destroyed, which
 *	                    leaves a hole in many chunks, and made again
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uma/uma.h>

/* Ends the process when it fails: the counts would mean nothing. */
static uma_zone_t
make(void)
{
	uma_zone_t zone =
	    uma_zcreate("made", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);

	if (zone == NULL)
		abort();
	return zone;
}

static void
end(uma_zone_t zone)
{
	if (uma_zdestroy(zone, M_NOWAIT) != 0)
		abort();
}

static void
pairs(long count, int is_used)
{
	for (long i = 0; i < count; i++) {
		uma_zone_t zone = make();

		if (is_used)
			uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
		end(zone);
	}
}

static void
refill(long count)
{
	uma_zone_t *zones = calloc((size_t)count * 8, sizeof *zones);

	if (zones == NULL)
		abort();
	for (long i = 0; i < count * 8; i++)
		zones[i] = make();
	for (long i = 0; i < count * 8; i += 8)
		end(zones[i]);
	for (long i = 0; i < count * 8; i += 8)
		zones[i] = make();
}

static void *
idle(void *arg)
{
	pause();
	return arg;
}

int
main(int argc, char **argv)
{
	long count = argc == 3 ? atol(argv[2]) : 0;
	pthread_t other;

	if (count <= 0)
		return 2;
	if (strcmp(argv[1], "beside") == 0 &&
	    pthread_create(&other, NULL, idle, NULL) != 0)
		return 1;
	pairs(1, 1);
	if (strcmp(argv[1], "refill") == 0)
		refill(count);
	else
		pairs(count, strcmp(argv[1], "unused") != 0);
	return 0;
}
