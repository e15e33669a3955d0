/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linked.c - a shared object that a program is linked with, and its types
 *
 * So many that registering them is not all that the library can go by.
 */
#include "malloc9/linked.h"

static UMA_MALLOC_DEFINE(M_A, "linked a", "");
static UMA_MALLOC_DEFINE(M_B, "linked b", "");
static UMA_MALLOC_DEFINE(M_C, "linked c", "");
static UMA_MALLOC_DEFINE(M_D, "linked d", "");
UMA_MALLOC_DEFINE(linked_type, "linked", "");

static void *kept;

void *
linked_take(size_t bytes)
{
	kept = uma_malloc(bytes, linked_type, M_WAITOK);
	return kept;
}

/* Behind the types' own, when the program exits. */
__attribute__((destructor(101))) static void
go(void)
{
	uma_mfree(kept, linked_type);
}
