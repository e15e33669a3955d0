/* SPDX-License-Identifier: BSD-2-Clause */
/* operators_plugin.cc - C++ in a module that a C program loads for itself */
#include <cstddef>
#include <new>

/* Whether what cannot be had is thrown. */
extern "C" bool
plugin_catches(std::size_t bytes)
{
	try {
		::operator delete(::operator new(bytes));
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}
