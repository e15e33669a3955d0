/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's own hits, where -luma links others into the program. */
#ifndef TESTS_LIBRARY_H
#define TESTS_LIBRARY_H

#include <dlfcn.h>
#include <string.h>
#include <uma/uma.h>

struct library {
	void *(*zalloc)(uma_zone_t zone, int wait);
	void (*zfree)(uma_zone_t zone, void *item);
};

/* NULL for what is not to be found. */
static inline struct library
library_find(void)
{
	struct library found;
	void *symbol = dlsym(RTLD_DEFAULT, "uma_zalloc");

	memcpy(&found.zalloc, &symbol, sizeof symbol);
	symbol = dlsym(RTLD_DEFAULT, "uma_zfree");
	memcpy(&found.zfree, &symbol, sizeof symbol);
	return found;
}

#endif /* TESTS_LIBRARY_H */
