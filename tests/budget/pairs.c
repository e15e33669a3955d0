/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pairs - so many allocations and frees, for who counts instructions
 *
 * usage: pairs zone|malloc COUNT
 */
#include <uma/uma.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
	long count = argc == 3 ? atol(argv[2]) : 0;
	int is_zone = argc == 3 && strcmp(argv[1], "zone") == 0;
	uma_zone_t zone;

	if (count <= 0)
		return 2;
	zone =
	    uma_zcreate("pairs", 64, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	for (long i = 0; i < count; i++) {
		void *volatile item =
		    is_zone ? uma_zalloc(zone, M_WAITOK) : malloc(64);

		if (item == NULL)
			return 1;
		if (is_zone)
			uma_zfree(zone, item);
		else
			free(item);
	}
	return 0;
}
