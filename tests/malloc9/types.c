/* SPDX-License-Identifier: BSD-2-Clause */
/* types.c - registering, finding, listing, printing and unloading types */
#include "common.h"

#include <dlfcn.h>
#include <sys/mman.h>

#define MANY 10000

static UMA_MALLOC_DEFINE(M_FIRST, "first", "");
UMA_MALLOC_DEFINE(M_LONGNAME, "a name of more than thirteen", "");

static void
note_type(struct malloc_type *type, void *arg)
{
	struct malloc_type **found = arg;

	if (type == found[0])
		found[1] = type;
}

static bool
is_listed(struct malloc_type *type)
{
	struct malloc_type *found[2] = { type, NULL };

	uma_malloc_type_list(note_type, found);
	return found[1] == type;
}

TEST(defined_types_are_registered)
{
	CHECK(is_listed(M_FIRST));
	CHECK(is_listed(M_LONGNAME));
	CHECK(is_listed(uma_m_temp));
	CHECK(is_listed(uma_m_devbuf));
	CHECK(uma_malloc_desc2type("first") == M_FIRST);
	CHECK(uma_malloc_desc2type("temp") == uma_m_temp);
	CHECK(uma_malloc_desc2type("none such") == NULL);
	CHECK(uma_malloc_desc2type("firs") == NULL);
}

/* ---- very many ---- */

struct many {
	struct malloc_type types[MANY][1];
	char names[MANY][16];
};

static void
count_one(const struct uma_malloc_stats *s, void *arg)
{
	uint64_t *sum = arg;

	sum[0]++;
	sum[1] += s->in_use_bytes;
}

static void
register_all(struct many *m)
{
	for (unsigned i = 0; i < MANY; i++) {
		const struct malloc_type fresh = {
			.ks_version = UMA_MALLOC_VERSION,
			.ks_shortdesc = m->names[i],
		};

		snprintf(m->names[i], sizeof m->names[i], "type-%u", i);
		m->types[i][0] = fresh;
		uma_malloc_init(m->types[i]);
	}
}

TEST_TIME(ten_thousand_types, 120)
{
	static struct many m;
	static void *blocks[MANY];
	uint64_t sum[2] = { 0 };
	size_t bytes = 0;

	for (int round = 0; round < 2; round++) {
		register_all(&m);
		for (unsigned i = 0; i < MANY; i++) {
			blocks[i] =
			    uma_malloc(i % 500, m.types[i], M_WAITOK | M_ZERO);
			bytes += uma_malloc_usable_size(blocks[i]);
		}
		sum[0] = sum[1] = 0;
		uma_malloc_stats_walk(count_one, sum);
		CHECK_EQ(sum[0], MANY);
		if (!is_debug())
			CHECK_EQ(sum[1], bytes);
		CHECK(uma_malloc_desc2type("type-9999") == m.types[9999]);
		for (unsigned i = 0; i < MANY; i++) {
			uma_mfree(blocks[i], m.types[i]);
			CHECK_EQ(numbers(m.types[i]).in_use_bytes, 0);
			uma_malloc_uninit(m.types[i]);
		}
		sum[0] = 0;
		uma_malloc_stats_walk(count_one, sum);
		CHECK_EQ(sum[0], 0);
		bytes = 0;
	}
}

/* A type that comes back, and one that takes its place, begin at zero. */
TEST(registered_again)
{
	struct malloc_type type[1] = { { .ks_version = UMA_MALLOC_VERSION,
	    .ks_shortdesc = "again" } };

	for (unsigned i = 0; i < 1000; i++) {
		void *block;

		uma_malloc_init(type);
		CHECK_EQ(numbers(type).allocs, 0);
		block = uma_malloc(i, type, M_WAITOK);
		CHECK_EQ(numbers(type).allocs, 1);
		uma_mfree(block, type);
		uma_malloc_uninit(type);
	}
	CHECK(uma_malloc_desc2type("again") == NULL);
}

struct listed {
	struct malloc_type *types[16];
	unsigned count;
};

static void
list_type(struct malloc_type *type, void *arg)
{
	struct listed *l = arg;

	REQUIRE(l->count < sizeof l->types / sizeof l->types[0]);
	l->types[l->count++] = type;
}

static struct listed
list_all(void)
{
	struct listed l = { .count = 0 };

	uma_malloc_type_list(list_type, &l);
	return l;
}

/* The library's own types can go, too, in any order, and come again. */
TEST(a_list_of_none)
{
	struct listed before = list_all();
	struct listed now;

	REQUIRE(before.count >= 4);
	/* The second, the last, and then from the first on. */
	uma_malloc_uninit(before.types[1]);
	uma_malloc_uninit(before.types[before.count - 1]);
	now = list_all();
	CHECK_EQ(now.count, before.count - 2);
	CHECK(now.types[0] == before.types[0]);
	CHECK(now.types[1] == before.types[2]);
	for (unsigned i = 0; i < now.count; i++)
		uma_malloc_uninit(now.types[i]);
	CHECK_EQ(list_all().count, 0);
	CHECK(uma_malloc_desc2type("temp") == NULL);
	for (unsigned i = 0; i < before.count; i++)
		uma_malloc_init(before.types[i]);
	now = list_all();
	CHECK_EQ(now.count, before.count);
	for (unsigned i = 0; i < now.count; i++)
		CHECK(now.types[i] == before.types[i]);
}

/* ---- threads ---- */

static _Atomic unsigned passed;

#define PAGES 65536

/* Types that live in pages of their own, which go with them. */
static void *
come_and_go(void *arg)
{
	(void)arg;
	while (atomic_fetch_add(&passed, 1) < MANY) {
		struct malloc_type *type = mmap(NULL, PAGES,
		    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		REQUIRE(type != MAP_FAILED);
		type->ks_version = UMA_MALLOC_VERSION;
		type->ks_shortdesc =
		    memset(type + 1, 'x', PAGES - sizeof *type - 1);
		uma_malloc_init(type);
		uma_malloc_uninit(type);
		REQUIRE(munmap(type, PAGES) == 0);
	}
	return NULL;
}

/* Types come and go beside each other, and beside who looks for another. */
TEST_TIME(registered_by_many_threads, 60)
{
	static char name[PAGES];
	pthread_t threads[3];

	memset(name, 'x', sizeof name - 1);
	uma_malloc_uninit(uma_m_temp);
	uma_malloc_uninit(uma_m_devbuf);
	uma_malloc_uninit(M_FIRST);
	uma_malloc_uninit(M_LONGNAME);
	for (int i = 0; i < 3; i++)
		REQUIRE(
		    pthread_create(&threads[i], NULL, come_and_go, NULL) == 0);
	while (atomic_load(&passed) < MANY)
		CHECK(uma_malloc_desc2type(name) == NULL);
	for (int i = 0; i < 3; i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
	uma_malloc_init(M_FIRST);
	uma_malloc_init(M_LONGNAME);
}

/* ---- the table ---- */

TEST(table_is_that_of_vmstat)
{
	static const char want[] =
	    "         Type InUse MemUse Requests  Size(s)\n"
	    "        first     2     3K        3  16,112,2560\n"
	    "a name of more than thirteen     1   128K        1  131072\n";
	char got[1000];
	void *block;

	if (is_debug())
		SKIP("debug mode adds to sizes");
	uma_malloc_uninit(uma_m_temp);
	uma_malloc_init(uma_m_temp);
	uma_malloc_stats(uma_m_devbuf, &(struct uma_malloc_stats){ 0 });
	block = uma_malloc(1, M_FIRST, M_WAITOK);
	CHECK(uma_malloc(2500, M_FIRST, M_WAITOK) != NULL);
	CHECK(uma_malloc(100, M_FIRST, M_WAITOK) != NULL);
	CHECK(uma_malloc(70000, M_LONGNAME, M_WAITOK) != NULL);
	uma_mfree(block, M_FIRST);
	written(uma_malloc_stats_print, got, sizeof got);
	if (!CHECK(strcmp(got, want) == 0))
		harness_say("# wanted\n%s# got\n%s", want, got);
}

/* ---- shared objects ---- */

static const char *
plugin_path(void)
{
	const char *path = getenv("MALLOC9_PLUGIN");

	REQUIRE(path != NULL);
	return path;
}

struct plugin {
	void *object;
	void *(*take)(size_t bytes);
	void (*give)(void *block);
	struct malloc_type *(*type)(void);
};

static void
find(struct plugin *p, const char *name, void *function)
{
	void *symbol = dlsym(p->object, name);

	REQUIRE(symbol != NULL);
	memcpy(function, &symbol, sizeof symbol);
}

static void
load(struct plugin *p)
{
	p->object = dlopen(plugin_path(), RTLD_NOW | RTLD_LOCAL);
	REQUIRE(p->object != NULL);
	find(p, "plugin_take", &p->take);
	find(p, "plugin_give", &p->give);
	find(p, "plugin_type", &p->type);
}

TEST_TIME(dlopen_and_dlclose, 60)
{
	for (int i = 0; i < 300; i++) {
		struct plugin p;
		void *block;

		load(&p);
		CHECK(is_listed(p.type()));
		CHECK(uma_malloc_desc2type("plugin") == p.type());
		/* One block from its own constructor. */
		CHECK_EQ(numbers(p.type()).in_use, 1);
		block = p.take(100);
		CHECK_EQ(numbers(p.type()).in_use, 2);
		p.give(block);
		REQUIRE(dlclose(p.object) == 0);
		CHECK(uma_malloc_desc2type("plugin") == NULL);
	}
}

static void
leak_in_plugin(int fd)
{
	struct plugin p;

	REQUIRE(dup2(fd, STDERR_FILENO) >= 0);
	load(&p);
	CHECK(p.take(100) != NULL);
	CHECK(p.take(70000) != NULL);
	uma_mfree(p.take(10), p.type());
	dlclose(p.object);
}

TEST(a_leak_is_told_at_dlclose)
{
	char got[1000];

	written(leak_in_plugin, got, sizeof got);
	if (!CHECK(strcmp(got, "uma: memory type plugin leaked memory on "
			       "destroy (2 allocations, 131184 bytes "
			       "leaked)\n") == 0))
		harness_say("# %s", got);
}

static void
leak_a_strange_name(int fd)
{
	static struct malloc_type type[1] = { { 0, 0, UMA_MALLOC_VERSION,
	    "two\nlines \033[31m", 0, 0, 0, 0 } };

	REQUIRE(dup2(fd, STDERR_FILENO) >= 0);
	uma_malloc_init(type);
	CHECK(uma_malloc(100, type, M_WAITOK) != NULL);
	uma_malloc_uninit(type);
}

TEST(a_leak_is_told_in_one_line)
{
	char got[1000];

	written(leak_a_strange_name, got, sizeof got);
	if (!CHECK(strcmp(got, "uma: memory type two?lines ?[31m leaked memory "
			       "on destroy (1 allocations, 112 bytes "
			       "leaked)\n") == 0))
		harness_say("# %s", got);
}

TEST_MAIN
