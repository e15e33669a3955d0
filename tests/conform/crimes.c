/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crimes.c - misuse ends the process with one line that names the function;
 * and the functions of C23, whose misuse it can detect
 */
#include "conform.h"

typedef void (*free_function)(void *block);
typedef void (*sized_function)(void *block, size_t bytes);
typedef void (*aligned_function)(void *block, size_t align, size_t bytes);

static free_function old_free;
static sized_function sized;
static aligned_function aligned;

/* Not in the headers of glibc 2.36, nor are the younger two in its library. */
__attribute__((constructor)) static void
find_functions(void)
{
	find_symbol("cfree", &old_free);
	find_symbol("free_sized", &sized);
	find_symbol("free_aligned_sized", &aligned);
}

TEST(every_function_of_the_family_is_there)
{
	static const char *const names[] = { "malloc", "free", "calloc",
		"realloc", "reallocarray", "aligned_alloc", "posix_memalign",
		"memalign", "valloc", "pvalloc", "malloc_usable_size",
		"malloc_trim", "mallinfo", "mallinfo2", "malloc_info",
		"malloc_stats", "mallopt", "free_sized", "free_aligned_sized",
		"cfree", "vfork" };
	Dl_info malloc_is;
	Dl_info info;

	if (!on_uma())
		SKIP("glibc 2.36 is older than C23");
	REQUIRE(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &malloc_is) != 0);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		void *function = dlsym(RTLD_DEFAULT, names[i]);

		if (!CHECK(function != NULL && dladdr(function, &info) != 0 &&
			   info.dli_fbase == malloc_is.dli_fbase))
			harness_say("# %s\n", names[i]);
	}
}

TEST(blocks_are_freed_by_their_size)
{
	if (sized == NULL || aligned == NULL)
		SKIP("this malloc is older than C23");
	errno = 12345;
	for (size_t n = 0; n < 200000; n += n / 8 + 1) {
		void *p = malloc(n);

		REQUIRE(p != NULL);
		sized(p, n);
		p = calloc(1, n);
		REQUIRE(p != NULL);
		sized(p, n);
		for (size_t align = 16; align <= 65536; align *= 4) {
			p = aligned_alloc(align, n);
			REQUIRE(p != NULL);
			aligned(p, align, n);
		}
	}
	sized(NULL, 100);
	aligned(NULL, 64, 100);
	CHECK_EQ(errno, 12345);
}

TEST(blocks_are_freed_by_the_old_name)
{
	if (old_free == NULL)
		SKIP("glibc has no cfree since 2.26");
	for (size_t i = 0; i < 1000; i++)
		old_free(malloc(i * 100));
	old_free(NULL);
}

TEST(a_size_that_does_not_fit_is_a_crime)
{
	static const size_t sizes[] = { 1, 100, 5000, 40000, 5u << 20 };

	if (sized == NULL || !on_uma())
		SKIP("this malloc does not check");
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		char *p = aligned_alloc(64, sizes[i]);
		size_t more = malloc_usable_size(p) + 1;

		DIES(sized(p, more), "uma: free_sized: size mismatch: ptr %p",
		    (void *)p);
		DIES(sized(p, SIZE_MAX),
		    "uma: free_sized: size mismatch: ptr %p", (void *)p);
		DIES(aligned(p, 64, more),
		    "uma: free_aligned_sized: size mismatch: ptr %p",
		    (void *)p);
		free(p);
	}
}

TEST(an_alignment_that_the_block_does_not_have_is_a_crime)
{
	char *p;

	if (aligned == NULL || !on_uma())
		SKIP("this malloc does not check");
	p = aligned_alloc(64, 100);
	REQUIRE(p != NULL);
	DIES(aligned(p, 48, 100),
	    "uma: free_aligned_sized: alignment mismatch: ptr %p", (void *)p);
	DIES(aligned(p, 0, 100),
	    "uma: free_aligned_sized: alignment mismatch: ptr %p", (void *)p);
	DIES(aligned(p, (size_t)1 << 62, 100),
	    "uma: free_aligned_sized: alignment mismatch: ptr %p", (void *)p);
	free(p);
}

/* Keeps what it points at from the compiler, which would see the crime. */
static void *
foreign(void)
{
	static _Alignas(64) char space[4096];
	void *volatile hidden = space + 1024;

	return hidden;
}

TEST(a_foreign_pointer_is_a_crime_of_the_function_called)
{
	void *p = foreign();

	if (!on_uma())
		SKIP("glibc says other words");
	DIES(free(p), "uma: free: foreign pointer: ptr %p", p);
	DIES(old_free(p), "uma: cfree: foreign pointer: ptr %p", p);
	DIES(sized(p, 1), "uma: free_sized: foreign pointer: ptr %p", p);
	DIES(aligned(p, 64, 1),
	    "uma: free_aligned_sized: foreign pointer: ptr %p", p);
	DIES(if (realloc(p, 10) == NULL) _exit(1),
	    "uma: realloc: foreign pointer: ptr %p", p);
	DIES(if (realloc(p, opaque(0)) == NULL) _exit(1),
	    "uma: realloc: foreign pointer: ptr %p", p);
	DIES(if (reallocarray(p, 10, 10) == NULL) _exit(1),
	    "uma: reallocarray: foreign pointer: ptr %p", p);
	DIES(malloc_usable_size(p),
	    "uma: malloc_usable_size: foreign pointer: ptr %p", p);
}

TEST_MAIN
