/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc_client.h - what drives the client: no header of the C library */
#ifndef TESTS_FREEBSD_MALLOC_CLIENT_H
#define TESTS_FREEBSD_MALLOC_CLIENT_H

/* Numbers of the client's two types, as its driver wants to see them. */
struct malloc_client_numbers {
	unsigned long table_blocks;
	unsigned long name_blocks;
	unsigned long requests;
};

/* Open, number and close many devices; 0 or a line number. */
int malloc_client(unsigned seed);

/* Forget one device's name for good, as a driver with a bug does. */
void malloc_client_leak(void);

/* Every call that the family has, once; 0 or a line number. */
int malloc_client_calls(void);

void malloc_client_read(struct malloc_client_numbers *n);

#endif
