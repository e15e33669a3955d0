/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * operators.c - C++'s operator new and delete, without a call between
 *
 * The two that all others come to, and the four of the others that are called
 * most, which go on to the two that the program has: who replaces some forms
 * and not others gets what the standard says.  For the rest, as for throwing,
 * there is the C++ library; who has none never comes here, but by a plugin.
 */
#include <dlfcn.h>

#include "libc/libc.h"

typedef void function(void);
typedef function *get_new_handler(void);

/* Weak, so that a program's own take their place in a static link. */
#define WEAK __attribute__((weak))

/* As C++ calls them: new, new[], delete, delete[], and the two with a size. */
UMA_EXPORT WEAK void *_Znwm(size_t bytes);
UMA_EXPORT WEAK void *_Znam(size_t bytes);
UMA_EXPORT WEAK void _ZdlPv(void *block);
UMA_EXPORT WEAK void _ZdaPv(void *block);
UMA_EXPORT WEAK void _ZdlPvm(void *block, size_t bytes);
UMA_EXPORT WEAK void _ZdaPvm(void *block, size_t bytes);

/* std::get_new_handler() and std::__throw_bad_alloc(), if there are any. */
WEAK extern function *_ZSt15get_new_handlerv(void);
WEAK extern void _ZSt17__throw_bad_allocv(void);

/* A static program has no loader, and need not have these. */
#pragma weak dlopen
#pragma weak dlsym

/* A function of the C++ library of a plugin, which nobody else sees. */
static function *
find(const char *name)
{
	static const char *const libraries[] = { "libstdc++.so.6",
		"libc++abi.so.1" };
	union {
		void *object;
		function *function;
	} found = { NULL };

	if (dlopen == NULL || dlsym == NULL)
		return NULL;
	for (size_t i = 0; i < 2 && found.object == NULL; i++) {
		void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);

		if (library != NULL)
			found.object = dlsym(library, name);
	}
	return found.function;
}

/* As the standard says: ask the handler, as long as there is one. */
UMA_SLOW static void *
new_slow(size_t bytes)
{
	get_new_handler *get = _ZSt15get_new_handlerv;
	function *throw = _ZSt17__throw_bad_allocv;

	for (;;) {
		void *block = uma_heap_alloc(bytes, HEAP_RAW);
		function *handler;

		if (block != NULL)
			return block;
		if (get == NULL)
			get = (get_new_handler *)find("_ZSt15get_new_handlerv");
		handler = get == NULL ? NULL : get();
		if (handler == NULL)
			break;
		handler();
	}
	if (throw == NULL)
		throw = find("_ZSt17__throw_bad_allocv");
	if (throw != NULL)
		throw();
	uma_crime("operator new", "no memory, and nobody to throw", NULL, NULL);
}

UMA_EXPORT void *
_Znwm(size_t bytes)
{
	void *block = heap_hit_alloc(bytes);

	return likely(block != NULL) ? block : new_slow(bytes);
}

UMA_EXPORT void
_ZdlPv(void *block)
{
	if (unlikely(!heap_hit_free(block)))
		uma_heap_free(block, "operator delete");
}

UMA_EXPORT void *
_Znam(size_t bytes)
{
	return _Znwm(bytes);
}

UMA_EXPORT void
_ZdaPv(void *block)
{
	_ZdlPv(block);
}

UMA_EXPORT void
_ZdlPvm(void *block, size_t bytes)
{
	(void)bytes;
	_ZdlPv(block);
}

UMA_EXPORT void
_ZdaPvm(void *block, size_t bytes)
{
	(void)bytes;
	_ZdaPv(block);
}
