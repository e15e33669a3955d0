/* SPDX-License-Identifier: BSD-2-Clause */
/* supplier.h - page suppliers that more than one test has */
#ifndef TESTS_SUPPLIER_H
#define TESTS_SUPPLIER_H

#include <uma/uma.h>

/* For uma_zone_set_allocf(): no memory, ever. */
static void *
supply_nothing(uma_zone_t zone, int size, uint8_t *pflag, int wait)
{
	(void)zone;
	(void)size;
	(void)pflag;
	(void)wait;
	return NULL;
}

#endif /* TESTS_SUPPLIER_H */
