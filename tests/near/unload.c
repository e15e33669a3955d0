/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unload.c - code with hits in it goes, and leaves nothing for the kernel
 *
 * The kernel reads the descriptor of a thread's last sequence when it next
 * moves or preempts that thread, and ends a process where there is none.
 * NEAR_MODULE in the environment is the path of module.c's module.
 */
#include "zone/common.h"

#include "cpus.h"
#include "near/near.h"

#include <dlfcn.h>
#include <sched.h>
#if defined(__has_include) && __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

/* More than a bucket has, so that there are misses too. */
enum { ITEMS = 600 };

struct module {
	void *handle;
	const struct near_pair *pairs;
};

static void
load(struct module *module)
{
	const char *path = getenv("NEAR_MODULE");
	near_pairs *pairs;
	void *symbol;

	REQUIRE(path != NULL);
	module->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	REQUIRE(module->handle != NULL);
	symbol = dlsym(module->handle, "near_module_pairs");
	REQUIRE(symbol != NULL);
	memcpy(&pairs, &symbol, sizeof pairs);
	module->pairs = pairs();
}

static void
unload(struct module *module)
{
	REQUIRE(dlclose(module->handle) == 0);
}

static bool
has_rseq(void)
{
#if defined(RSEQ_SIG)
	return __rseq_size != 0;
#else
	return false;
#endif
}

/* Whether the kernel was told of a sequence of the module's by this thread. */
static bool
tells_of(const struct module *module)
{
#if defined(RSEQ_SIG)
	const char *area =
	    (const char *)__builtin_thread_pointer() + __rseq_offset;
	const volatile struct rseq *rseq = (const void *)area;
	const void *told = (const void *)(uintptr_t)rseq->rseq_cs;
	Dl_info of_told, of_module;

	return told != NULL &&
	       (dladdr(told, &of_told) == 0 ||
		   dladdr((const void *)module->pairs, &of_module) == 0 ||
		   of_told.dli_fbase == of_module.dli_fbase);
#else
	(void)module;
	return true;
#endif
}

/* Off this CPU and back: the kernel looks at what it was told. */
static void
be_moved(void)
{
	for (int cpu = 0; cpu < 2; cpu++) {
		cpu_pin(cpu);
		sched_yield();
	}
}

/* How often the zone was served by its caches. */
static uint64_t
hits(uma_zone_t zone)
{
	struct uma_zone_stats s = { .struct_bytes = sizeof s };

	uma_zone_stats(zone, &s);
	return s.allocs + s.frees - s.misses;
}

TEST(hits_and_misses_of_a_module_tell_the_kernel_nothing)
{
	uma_zone_t zone = zone_make("unload", 64, 7);
	struct module module;
	void *items[ITEMS];

	if (!has_rseq())
		SKIP("needs rseq");
	load(&module);
	for (const struct near_pair *p = module.pairs; p->name != NULL; p++) {
		uint64_t before = hits(zone);

		for (int i = 0; i < ITEMS; i++) {
			items[i] = p->alloc(zone, M_WAITOK);
			CHECK(!tells_of(&module));
		}
		for (int i = 0; i < ITEMS; i++) {
			p->free(zone, items[i]);
			CHECK(!tells_of(&module));
		}
		CHECK(hits(zone) > before + (HOSTILE ? 0 : ITEMS));
	}
	unload(&module);
	zone_end(zone);
}

TEST(a_module_goes_right_after_its_hit)
{
	uma_zone_t zone = zone_make("last", 64, 7);

	if (!has_rseq())
		SKIP("needs rseq");
	if (!cpu_pin(1))
		SKIP("needs two CPUs");
	for (int round = 0; round < 20; round++) {
		struct module module;
		void *others[ZONE_OTHERS];
		void *item;

		load(&module);
		uma_zfree(zone, zone_take_warm(zone, others));
		item = module.pairs[round % 2].alloc(zone, M_WAITOK);
		unload(&module);
		be_moved();
		load(&module);
		module.pairs[round % 2].free(zone, item);
		unload(&module);
		be_moved();
		for (int i = 0; i < ZONE_OTHERS; i++)
			uma_zfree(zone, others[i]);
	}
	zone_end(zone);
}

TEST_MAIN
