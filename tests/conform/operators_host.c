/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * operators_host.c - operator new where there is no C++ library, or a plugin's
 *
 * CONFORM_CXX_PLUGIN in the environment is the path of operators_plugin.cc's
 * module.
 */
#include "conform.h"

#define TOO_MUCH (SIZE_MAX / 2 - 100)

TEST(what_a_plugin_cannot_have_is_thrown)
{
	const char *path = getenv("CONFORM_CXX_PLUGIN");
	bool (*catches)(size_t) = NULL;
	void *plugin;
	void *symbol;

	REQUIRE(path != NULL);
	plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	REQUIRE(plugin != NULL);
	symbol = dlsym(plugin, "plugin_catches");
	REQUIRE(symbol != NULL);
	memcpy(&catches, &symbol, sizeof symbol);
	CHECK(!catches(100));
	CHECK(catches(TOO_MUCH));
}

TEST(where_nobody_can_throw_it_is_a_crime)
{
	void *(*new)(size_t) = NULL;

	if (!on_uma())
		SKIP("no operator new without a C++ library");
	find_symbol("_Znwm", &new);
	REQUIRE(new != NULL);
	DIES(new (TOO_MUCH),
	    "uma: operator new: no memory, and nobody to throw");
}

TEST_MAIN
