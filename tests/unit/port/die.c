/* SPDX-License-Identifier: BSD-2-Clause */
/* The last line of a process, and the text it is made of. */
#include "harness.h"

#include "port/port.h"

TEST(die_prints_one_line)
{
	DIES(uma_die("assert", "n > 0", "keg_take"),
	    "uma: keg_take: assert: n > 0");
	DIES(uma_die("assert", NULL, NULL), "uma: assert");
}

TEST(crime_prints_what_it_has)
{
	void *ptr = (void *)(uintptr_t)0x7f00deadb0;

	DIES(uma_crime("uma_zfree", "double free", ptr, "vnode"),
	    "uma: uma_zfree: double free: ptr 0x7f00deadb0 zone \"vnode\"");
	DIES(uma_crime("uma_zfree", "double free", ptr, NULL),
	    "uma: uma_zfree: double free: ptr 0x7f00deadb0");
	DIES(uma_crime("uma_zcreate", "size is 0", NULL, "vnode"),
	    "uma: uma_zcreate: size is 0: zone \"vnode\"");
	DIES(uma_crime("uma_zcreate", "size is 0", NULL, NULL),
	    "uma: uma_zcreate: size is 0");
	DIES(uma_crime(NULL, "size is 0", NULL, NULL), "uma: size is 0");
}

TEST(names_cannot_forge_lines)
{
	DIES(uma_crime("f", "rule", NULL, "a\numa: \033[2J\177\xc3\xa4"),
	    "uma: f: rule: zone \"a?uma: ?[2J???\"");
}

TEST(long_names_are_cut_but_the_line_ends)
{
	static char name[2000];
	char want[600];

	memset(name, 'n', sizeof name - 1);
	memset(want, 'n', sizeof want);
	memcpy(want, "uma: f: rule: zone \"", 20);
	want[511] = '\0';
	DIES(uma_crime("f", "rule", NULL, name), "%s", want);
}

/* A text in a buffer with a guard byte at its end. */
static char buffer[41];
static struct text
fresh(size_t bytes)
{
	struct text t = { buffer, buffer + bytes };

	memset(buffer, '#', sizeof buffer);
	return t;
}

static bool
reads(const struct text *t, const char *want)
{
	size_t n = (size_t)(t->at - buffer);
	bool same = n == strlen(want) && memcmp(buffer, want, n) == 0;

	if (!same)
		harness_say("#   got: %.*s|\n", (int)n, buffer);
	return same && buffer[n] == '#';
}

TEST(numbers)
{
	static const struct {
		uint64_t n;
		int width;
		const char *want;
	} cases[] = {
		{ 0, 0, "0" },
		{ 7, 3, "  7" },
		{ 7, -3, "7  " },
		{ 123, 3, "123" },
		{ 1234, 3, "1234" },
		{ 1234, -3, "1234" },
		{ UINT64_MAX, 0, "18446744073709551615" },
		{ UINT64_MAX, 22, "  18446744073709551615" },
		{ 10, 30, "                            10" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct text t = fresh(40);

		text_num(&t, cases[i].n, cases[i].width);
		CHECK(reads(&t, cases[i].want));
	}
}

TEST(hexadecimal)
{
	static const struct {
		uintptr_t n;
		const char *want;
	} cases[] = {
		{ 0, "0x0" },
		{ 0xf, "0xf" },
		{ 0x10, "0x10" },
		{ 0x7f00deadb0, "0x7f00deadb0" },
		{ UINTPTR_MAX, "0xffffffffffffffff" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct text t = fresh(40);

		text_hex(&t, cases[i].n);
		CHECK(reads(&t, cases[i].want));
	}
}

TEST(strings)
{
	struct text t = fresh(40);

	text_pad(&t, "ab", 4);
	text_put(&t, "|");
	text_pad(&t, "abcdef", 4);
	text_put(&t, "|");
	text_pad(&t, "", 2);
	text_put(&t, "|");
	CHECK(reads(&t, "ab  |abcdef|  |"));
}

TEST(nothing_goes_beyond_the_end)
{
	struct text t = fresh(5);

	text_put(&t, "abc");
	text_num(&t, 12345, 9);
	text_hex(&t, 255);
	text_pad(&t, "x", 20);
	CHECK(reads(&t, "abc  "));
	t = fresh(0);
	text_put(&t, "abc");
	CHECK(reads(&t, ""));
}

TEST_MAIN
