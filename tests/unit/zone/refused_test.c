/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refused_test.c - what is made while the gate refuses
 *
 * Who is refused by another thread's fork tries again, also when the fork is
 * over by the time that it is asked why; who interrupted itself does not.
 */
#include "harness.h"

#include <sys/mman.h>
#include <uma/uma.h>
#include <uma/vm_zone.h>
#include <unistd.h>

#include "lock/lock.h"

static unsigned refusals;

bool __real_gate_enter(void);
bool __wrap_gate_enter(void);

bool
__wrap_gate_enter(void)
{
	if (refusals == 0)
		return __real_gate_enter();
	refusals--;
	return false;
}

static void
make_all(int fd)
{
	uma_zone_t zone;
	struct vm_object *object;
	vm_zone_t old;

	refusals = 3;
	zone = uma_zcreate("refused", 64, NULL, NULL, NULL, NULL, 0, 0);
	CHECK_EQ(refusals, 0);
	REQUIRE(zone != NULL);
	refusals = 3;
	object = uma_object_create(fd, 0, (size_t)1 << 20);
	CHECK_EQ(refusals, 0);
	CHECK(object != NULL);
	uma_object_destroy(object);
	refusals = 3;
	old = uma_vm_zinit("refused", 64, 0, 0, 0);
	CHECK_EQ(refusals, 0);
	CHECK(old != NULL);
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST(a_fork_that_has_ended_is_no_handler)
{
	int fd = memfd_create("refused", 0);

	REQUIRE(fd >= 0 && ftruncate(fd, (off_t)1 << 20) == 0);
	make_all(fd);
	close(fd);
}

TEST(a_handler_that_interrupted_itself_is_told)
{
	uma_zone_t zone =
	    uma_zcreate("refused", 64, NULL, NULL, NULL, NULL, 0, 0);
	uma_zone_t inside;

	REQUIRE(zone != NULL && gate_enter());
	CHECK(gate_is_inside());
	inside = uma_zcreate("refused", 64, NULL, NULL, NULL, NULL, 0, 0);
	gate_leave();
	CHECK(inside == NULL);
	CHECK(!gate_is_inside());
	CHECK_EQ(uma_zdestroy(zone, M_NOWAIT), 0);
}

TEST_MAIN
