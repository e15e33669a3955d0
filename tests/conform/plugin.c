/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plugin.c - a module that comes and goes: used by dlopen.c
 *
 * Allocates when it is loaded, frees when it is unloaded, and has thread-local
 * storage, for which the dynamic linker itself calls malloc.
 */
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* Aligned beyond malloc's promise: the linker has to ask for it. */
static _Thread_local struct {
	_Alignas(256) char bytes[3000];
	int count;
} local;

static char *kept;

EXPORT void *plugin_make(size_t bytes);
EXPORT int plugin_count(void);

__attribute__((constructor)) static void
load(void)
{
	kept = malloc(5000);
	if (kept != NULL)
		memset(kept, 0x11, 5000);
}

__attribute__((destructor)) static void
unload(void)
{
	free(kept);
}

EXPORT void *
plugin_make(size_t bytes)
{
	char *p = malloc(bytes);

	if (p != NULL)
		memset(p, 0x22, bytes);
	return p;
}

/* How often this thread called; -1 when its storage is not as promised. */
EXPORT int
plugin_count(void)
{
	for (size_t i = 0; i < sizeof local.bytes; i++)
		if (local.bytes[i] != (char)local.count)
			return -1;
	local.count++;
	memset(local.bytes, local.count, sizeof local.bytes);
	return (size_t)&local % 256 == 0 ? local.count : -1;
}
