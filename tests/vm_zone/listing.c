/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listing - the table of all vm_zones, byte for byte
 */
#include "vm_zone/common.h"

#include <sys/mman.h>

#define HEAD "\nITEM            SIZE     LIMIT     USED    FREE  REQUESTS\n"

static void
check_print(const char *want)
{
	char got[8192];
	FILE *file = tmpfile();
	ssize_t n;

	REQUIRE(file != NULL);
	uma_vm_zone_print(fileno(file));
	n = pread(fileno(file), got, sizeof got - 1, 0);
	REQUIRE(n >= 0);
	fclose(file);
	got[n] = '\0';
	if (!CHECK(strcmp(got, want) == 0))
		harness_say("# wanted:%s# got:%s", want, got);
}

TEST(no_zone)
{
	check_print(HEAD);
}

/* All their items exist from the first one on. */
TEST(limited_zones)
{
	vm_zone_t pipe = zinit("PIPE", 160, 3, ZONE_INTERRUPT, 4);
	vm_zone_t swap = zinit("SWAPMETA", 151, 5, ZONE_INTERRUPT, 0);
	void *items[6];

	check_print(
	    HEAD "\n"
		 "SWAPMETA:        160,        5,      0,      0,        0\n"
		 "PIPE:            160,        3,      0,      0,        0\n");
	for (int i = 0; i < 5; i++)
		items[i] = zalloc(swap);
	CHECK(zalloc(swap) == NULL);
	for (int i = 0; i < 3; i++)
		zfree(swap, items[i]);
	items[5] = zalloc(pipe);
	check_print(
	    HEAD "\n"
		 "SWAPMETA:        160,        5,      2,      3,        5\n"
		 "PIPE:            160,        3,      1,      2,        1\n");
	zfree(swap, items[3]);
	zfree(swap, items[4]);
	zdestroy(swap);
	check_print(
	    HEAD "\n"
		 "PIPE:            160,        3,      1,      2,        1\n");
	zfree(pipe, items[5]);
	zdestroy(pipe);
	check_print(HEAD);
}

TEST(boot_zones)
{
	static struct vm_zone store;
	static char items[7][96];

	zbootinit(&store, "PV ENTRY", 96, items, 7);
	zfree(&store, zalloc(&store));
	CHECK(zalloc(&store) != NULL);
	check_print(
	    HEAD "\n"
		 "PV ENTRY:         96,        7,      1,      6,        2\n");
	zinitna(&store, NULL, NULL, 0, 1000, ZONE_INTERRUPT, 1);
	check_print(
	    HEAD "\n"
		 "PV ENTRY:         96,     1007,      1,      6,        2\n");
}

/* The first, the last and one between leave; another comes. */
TEST(zones_leave_in_any_order)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	vm_zone_t z[5];

	for (int i = 0; i < 5; i++)
		z[i] = zinit(names[i], 32, 0, 0, 0);
	zdestroy(z[2]);
	zdestroy(z[4]);
	zdestroy(z[0]);
	check_print(
	    HEAD "\n"
		 "d:                32,        0,      0,      0,        0\n"
		 "b:                32,        0,      0,      0,        0\n");
	z[0] = zinit("f", 32, 0, 0, 0);
	zdestroy(z[3]);
	check_print(
	    HEAD "\n"
		 "f:                32,        0,      0,      0,        0\n"
		 "b:                32,        0,      0,      0,        0\n");
	zdestroy(z[1]);
	zdestroy(z[0]);
	check_print(HEAD);
}

/* Lines are written several at a time: none is lost or comes twice. */
TEST(numbers_of_zones)
{
	vm_zone_t z[100];
	char want[8192] = HEAD;

	for (int count = 1; count <= 100; count++) {
		char *at = want + strlen(HEAD);

		z[count - 1] = zinit("many", 32 * count, 0, 0, 0);
		REQUIRE(z[count - 1] != NULL);
		*at++ = '\n';
		for (int i = count; i > 0; i--)
			at += sprintf(at,
			    "many:         %6d, %8d, %6d, %6d, %8d\n", 32 * i,
			    0, 0, 0, 0);
		check_print(want);
	}
	for (int i = 0; i < 100; i++)
		zdestroy(z[i]);
	check_print(HEAD);
}

/* Names are cut at twelve; the colon follows their last letter. */
TEST(names)
{
	static const char *const names[] = { "", "a b", "trailing   ",
		"twelve chars", "thirteen char", "a\nb", NULL };
	vm_zone_t z;

	for (int i = 0; names[i] != NULL; i++)
		REQUIRE(zinit(names[i], 32, 0, 0, 0) != NULL);
	z = zinit(NULL, 32, 0, 0, 0);
	check_print(
	    HEAD "\n"
		 "?:                32,        0,      0,      0,        0\n"
		 "a?b:              32,        0,      0,      0,        0\n"
		 "thirteen cha:     32,        0,      0,      0,        0\n"
		 "twelve chars:     32,        0,      0,      0,        0\n"
		 "trailing:         32,        0,      0,      0,        0\n"
		 "a b:              32,        0,      0,      0,        0\n"
		 " :                32,        0,      0,      0,        0\n");
	zdestroy(z);
}

/*
 * A structure in a shared object that is closed goes without a word.  What is
 * listed is what was known then; a crime with a boot item still names it.
 */
TEST(structures_that_are_gone)
{
	struct gone {
		struct vm_zone own;
		struct vm_zone boot;
		struct vm_zone both;
		char name[16];
		char items[2][5][96];
	} *g = mmap(NULL, sizeof *g, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *item = g->items[0][1];
	vm_zone_t z;

	REQUIRE(g != MAP_FAILED);
	memcpy(g->name, "PASSED ON", 10);
	/* No more than there are in a slab of a hostile library. */
	REQUIRE(zinitna(&g->own, NULL, g->name, 96, 3, ZONE_INTERRUPT, 0));
	zbootinit(&g->boot, g->name, 96, g->items[0], 5);
	zbootinit(&g->both, g->name, 96, g->items[1], 5);
	REQUIRE(zinitna(&g->both, NULL, NULL, 0, 30, ZONE_INTERRUPT, 0));
	CHECK(zalloc(&g->own) != NULL && zalloc(&g->both) != NULL);
	zfree(&g->boot, zalloc(&g->boot));
	REQUIRE(munmap(g, sizeof *g) == 0);
	z = zinit("later", 32, 0, 0, 0);
	check_print(
	    HEAD "\n"
		 "later:            32,        0,      0,      0,        0\n"
		 "PASSED ON:        96,       35,      1,      4,        1\n"
		 "PASSED ON:        96,        5,      0,      5,        1\n"
		 "PASSED ON:        96,        3,      1,      2,        1\n");
	DIES(zfree(z, item),
	    "uma: zfree: item of a boot zone: "
	    "ptr %p zone \"later\"",
	    (void *)item);
	zdestroy(z);
}

/* Columns push each other on; nothing is cut. */
TEST(large_numbers)
{
	vm_zone_t z = zinit("big", 10000000, 200000000, 0, 0);
	static struct vm_zone store;

	zbootinit(&store, "many", 1, (char[1]){ 0 }, 1);
	for (int i = 0; i < 123456789; i++)
		if (i % 1000000 == 0)
			zfree(&store, zalloc(&store));
	check_print(HEAD
	    "\n"
	    "many:              1,        1,      0,      1,      124\n"
	    "big:          10000000,        0,      0,      0,        0\n");
	zdestroy(z);
}

/* Zones come and go meanwhile: each line is whole. */
static _Atomic int stop;

static void *
come_and_go(void *arg)
{
	(void)arg;
	while (atomic_load(&stop) == 0) {
		vm_zone_t z = zinit("passing", 64, 0, 0, 0);

		REQUIRE(z != NULL);
		zfree(z, sure_vm_zalloc(z));
		zdestroy(z);
	}
	return NULL;
}

TEST_TIME(beside_other_threads, 100)
{
	pthread_t t[3];
	FILE *file = tmpfile();
	char line[256];
	long rows = 0;

	REQUIRE(file != NULL);
	zinit("standing", 64, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		t[i] = thread_start(come_and_go, NULL);
	for (int i = 0; i < 500; i++)
		uma_vm_zone_print(fileno(file));
	atomic_store(&stop, 1);
	for (int i = 0; i < 3; i++)
		thread_join(t[i]);
	rewind(file);
	while (fgets(line, sizeof line, file) != NULL) {
		bool head = line[0] == '\n' || strcmp(line, &HEAD[1]) == 0;
		bool standing = strncmp(line, "standing:         64,", 21) == 0;
		bool passing = strncmp(line, "passing:          64,", 21) == 0;

		CHECK(head || standing || passing);
		rows += standing;
	}
	CHECK_EQ(rows, 500);
	fclose(file);
}

TEST_MAIN
