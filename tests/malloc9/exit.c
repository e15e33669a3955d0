/* SPDX-License-Identifier: BSD-2-Clause */
/* exit.c - types of a library that a program without any is linked with */
#include "common.h"

#include "malloc9/linked.h"

TEST(registered_before_main)
{
	void *block = linked_take(100);

	CHECK(uma_malloc_desc2type("linked") == linked_type);
	CHECK(uma_malloc_desc2type("linked a") != NULL);
	CHECK_EQ(numbers(linked_type).in_use_bytes, counted_bytes(block));
}

static void
leak(int fd)
{
	REQUIRE(dup2(fd, STDERR_FILENO) >= 0);
	CHECK(linked_take(100) != NULL);
	CHECK(linked_take(100) != NULL);
}

/* Destructors may use types to the very end, and nobody is told of leaks. */
TEST(nothing_is_unregistered_at_exit)
{
	char got[1000];

	if (is_debug())
		SKIP("leaks are told");
	written(leak, got, sizeof got);
	if (!CHECK(strcmp(got, "") == 0))
		harness_say("# %s", got);
}

TEST_MAIN
