/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dlopen.c - modules that allocate, loaded and unloaded again and again
 *
 * CONFORM_PLUGIN in the environment is the path of plugin.c's module.
 */
#include "conform.h"

struct plugin {
	void *handle;
	void *(*make)(size_t bytes);
	int (*count)(void);
};

static void
load(struct plugin *plugin)
{
	const char *path = getenv("CONFORM_PLUGIN");
	void *symbol;

	REQUIRE(path != NULL);
	plugin->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	REQUIRE(plugin->handle != NULL);
	symbol = dlsym(plugin->handle, "plugin_make");
	REQUIRE(symbol != NULL);
	memcpy(&plugin->make, &symbol, sizeof symbol);
	symbol = dlsym(plugin->handle, "plugin_count");
	REQUIRE(symbol != NULL);
	memcpy(&plugin->count, &symbol, sizeof symbol);
}

static bool
made_by_plugin(const unsigned char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i] != 0x22)
			return false;
	return true;
}

TEST(blocks_outlive_the_module_that_made_them)
{
	unsigned char *made[200];
	struct plugin plugin;

	for (size_t i = 0; i < COUNT_OF(made); i++) {
		load(&plugin);
		made[i] = plugin.make(1 + i * 331);
		REQUIRE(made[i] != NULL);
		REQUIRE(dlclose(plugin.handle) == 0);
	}
	for (size_t i = 0; i < COUNT_OF(made); i++) {
		CHECK(made_by_plugin(made[i], 1 + i * 331));
		free(made[i]);
	}
}

static void *
use_thread_storage(void *arg)
{
	struct plugin *plugin = arg;

	for (int i = 1; i < 20; i++)
		REQUIRE(plugin->count() == i);
	return NULL;
}

TEST(thread_storage_of_modules_is_allocated_and_freed)
{
	struct plugin plugin;
	pthread_t threads[4];

	for (int round = 0; round < 100; round++) {
		load(&plugin);
		for (size_t i = 0; i < COUNT_OF(threads); i++)
			REQUIRE(pthread_create(&threads[i], NULL,
				    use_thread_storage, &plugin) == 0);
		for (size_t i = 0; i < COUNT_OF(threads); i++)
			REQUIRE(pthread_join(threads[i], NULL) == 0);
		REQUIRE(dlclose(plugin.handle) == 0);
	}
}

static _Atomic bool stop;

static void *
keep_allocating(void *arg)
{
	uint64_t random = 77 + (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		size_t n = next_random(&random) % 3000;
		unsigned char *p = malloc(n);

		REQUIRE(p != NULL);
		stamp(p, n, 1);
		REQUIRE(stamped(p, n, 1));
		free(p);
	}
	return NULL;
}

TEST(modules_come_and_go_while_threads_allocate)
{
	pthread_t threads[3];
	struct plugin plugin;

	for (uintptr_t i = 0; i < COUNT_OF(threads); i++)
		REQUIRE(pthread_create(&threads[i], NULL, keep_allocating,
			    (void *)i) == 0);
	for (size_t i = 0; i < 200; i++) {
		unsigned char *p;

		load(&plugin);
		p = plugin.make(i * 10);
		REQUIRE(p != NULL && made_by_plugin(p, i * 10));
		REQUIRE(plugin.count() == 1);
		free(p);
		REQUIRE(dlclose(plugin.handle) == 0);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

TEST(errors_of_dlopen_are_memory_too)
{
	for (int i = 0; i < 1000; i++) {
		REQUIRE(dlopen("/nowhere/no-such-module.so", RTLD_NOW) == NULL);
		REQUIRE(dlerror() != NULL);
	}
}

TEST_MAIN
