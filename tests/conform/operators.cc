/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * operators.cc - C++'s operators on the malloc that the process got
 *
 * Built twice: OWN has an operator new and delete of its own, to which all
 * forms that it has not must come, as the standard says.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <memory>
#include <new>
#include <string>
#include <vector>

#define CHECK(condition) \
	(static_cast<void>((condition) || \
			   (std::printf("%s:%d: %s\n", __FILE__, __LINE__, \
				#condition), \
			       failed = true)))

static bool failed;
static int news;
static int deletes;

#ifdef OWN
void *
operator new(std::size_t bytes)
{
	char *block = static_cast<char *>(std::malloc(bytes + 16));

	if (block == nullptr)
		throw std::bad_alloc();
	news++;
	return block + 16;
}

void
operator delete(void *block) noexcept
{
	if (block == nullptr)
		return;
	deletes++;
	std::free(static_cast<char *>(block) - 16);
}
#endif

static const std::size_t too_much = SIZE_MAX / 2 - 100;
static std::size_t volatile bytes; /* unknown to the compiler */

struct alignas(256) wide {
	char bytes[300];
};

/* Each form, and what the compiler makes of new and delete. */
static void
use_all_forms()
{
	void *p = ::operator new(bytes);
	CHECK(p != nullptr);
	::operator delete(p);
	p = ::operator new(bytes);
	::operator delete(p, bytes);
	p = ::operator new[](bytes);
	CHECK(p != nullptr);
	::operator delete[](p);
	p = ::operator new[](bytes);
	::operator delete[](p, bytes);
	p = ::operator new(bytes, std::nothrow);
	CHECK(p != nullptr);
	::operator delete(p, std::nothrow);
	p = ::operator new[](bytes, std::nothrow);
	CHECK(p != nullptr);
	::operator delete[](p, std::nothrow);
	::operator delete(nullptr);
	::operator delete[](nullptr, bytes);
	CHECK(news == deletes);
#ifdef OWN
	CHECK(news == 6);
#endif
	wide *w = new wide;
	CHECK(reinterpret_cast<std::uintptr_t>(w) % 256 == 0);
	delete w;
	w = new wide[3];
	CHECK(reinterpret_cast<std::uintptr_t>(w) % 256 == 0);
	delete[] w;
	std::vector<std::string> strings;
	for (int i = 0; i < 1000; i++)
		strings.push_back(std::string(i % 100, 'x'));
	CHECK(strings[999] == std::string(99, 'x'));
	std::unique_ptr<int[]> none(new int[bytes - bytes]);
	CHECK(none != nullptr);
}

template <typename F>
static bool
throws(F take)
{
	try {
		take();
	} catch (const std::bad_alloc &) {
		return true;
	}
	return false;
}

#ifndef OWN
static int calls;

static void
give_up()
{
	if (++calls == 3)
		std::set_new_handler(nullptr);
}

struct refusal {
	int number;
};

static void
refuse()
{
	throw refusal{ 7 };
}

/* Asked again and again, and what it throws arrives. */
static void
ask_the_handler()
{
	std::set_new_handler(give_up);
	CHECK(throws([] { return ::operator new(too_much); }));
	CHECK(calls == 3);
	std::set_new_handler(refuse);
	try {
		(void)::operator new[](too_much);
		CHECK(false);
	} catch (const refusal &r) {
		CHECK(r.number == 7);
	}
	std::set_new_handler(nullptr);
}

/* Whose it is; the library's own, where it was preloaded. */
static void
look_whose_they_are()
{
	void *(*function)(std::size_t) = ::operator new;
	Dl_info info;

	if (std::getenv("UMA_CONFORM") == nullptr)
		return;
	CHECK(dladdr(reinterpret_cast<void *>(function), &info) != 0);
	CHECK(std::string(info.dli_fname).find("libuma_malloc") !=
	      std::string::npos);
}
#endif

int
main()
{
	bytes = 100;
	use_all_forms();
	CHECK(throws([] { return ::operator new(too_much); }));
	CHECK(throws([] { return ::operator new[](too_much); }));
	CHECK(throws(
	    [] { return ::operator new(too_much, std::align_val_t(64)); }));
	CHECK(::operator new(too_much, std::nothrow) == nullptr);
	CHECK(::operator new[](too_much, std::nothrow) == nullptr);
#ifndef OWN
	ask_the_handler();
	look_whose_they_are();
#endif
	return failed;
}
