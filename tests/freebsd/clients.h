/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clients.h - what drives the clients, which are compiled as a kernel is: they
 * see no header of the C library, and this one needs none
 */
#ifndef TESTS_FREEBSD_CLIENTS_H
#define TESTS_FREEBSD_CLIENTS_H

/* Each runs many rounds, in any number of threads; 0 or a line number. */
int mbuf_client(unsigned seed);
int vnode_client(unsigned seed);

/* All threads are done: whether nothing is left over; 0 or a line number. */
int mbuf_client_end(void);
int vnode_client_end(void);

#endif
