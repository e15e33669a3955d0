/* SPDX-License-Identifier: BSD-2-Clause */
/* linked.h - what linked.c has for others */
#ifndef TESTS_MALLOC9_LINKED_H
#define TESTS_MALLOC9_LINKED_H

#include <uma/malloc9.h>

UMA_EXPORT UMA_MALLOC_DECLARE(linked_type);

/* A block that stays allocated until the program has exited. */
UMA_EXPORT void *linked_take(size_t bytes);

#endif /* TESTS_MALLOC9_LINKED_H */
