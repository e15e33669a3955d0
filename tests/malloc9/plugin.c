/* SPDX-License-Identifier: BSD-2-Clause */
/* plugin.c - a shared object with a malloc type of its own */
#include <uma/malloc9.h>

static UMA_MALLOC_DEFINE(M_PLUGIN, "plugin", "a plugin's memory");

UMA_EXPORT void *plugin_take(size_t bytes);
UMA_EXPORT void plugin_give(void *block);
UMA_EXPORT struct malloc_type *plugin_type(void);

static void *early;

/* Types are there before constructors, and after destructors. */
__attribute__((constructor)) static void
come(void)
{
	early = uma_malloc(10, M_PLUGIN, M_WAITOK);
}

__attribute__((destructor)) static void
go(void)
{
	uma_mfree(early, M_PLUGIN);
}

void *
plugin_take(size_t bytes)
{
	return uma_malloc(bytes, M_PLUGIN, M_WAITOK);
}

void
plugin_give(void *block)
{
	uma_mfree(block, M_PLUGIN);
}

struct malloc_type *
plugin_type(void)
{
	return M_PLUGIN;
}
