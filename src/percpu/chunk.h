/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of percpu: what own.c needs of chunk.c. */
#ifndef PERCPU_CHUNK_H
#define PERCPU_CHUNK_H

#include "percpu/percpu.h"

/* `all_cpus`: whether every index a CPU can have has a slot. */
bool percpu_chunks_start(bool *all_cpus);
/* Remember that the record was owned; percpu_next() finds it from now on. */
void percpu_saw(uintptr_t caches, struct cache *c);

#endif /* PERCPU_CHUNK_H */
