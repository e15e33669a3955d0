/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of the supply as its users make them: inside the gate. */
#ifndef UNIT_SUPPLY_CALLS_H
#define UNIT_SUPPLY_CALLS_H

#include "harness.h"

#include "lock/lock.h"
#include "supply/supply.h"

/* Also in a hostile build: it is the caller who refuses things. */
static inline bool
calls_take(struct supply_run *run, size_t count, size_t filled)
{
	bool ok;

	REQUIRE(gate_enter());
	supply_trust(true);
	ok = supply_take(
	    run, count, GRANULE, filled, SUPPLY_NORMAL, META_NORMAL);
	supply_trust(false);
	gate_leave();
	return ok;
}

static inline void
calls_give(void *base, size_t count, size_t backed)
{
	REQUIRE(gate_enter());
	supply_give(base, count, backed, META_NORMAL);
	gate_leave();
}

static inline void
calls_trim(void)
{
	REQUIRE(gate_enter());
	supply_trim();
	gate_leave();
}

#endif /* UNIT_SUPPLY_CALLS_H */
