/* SPDX-License-Identifier: BSD-2-Clause */
/* port/sim/port.c - port.h on the simulated machine, but for its memory */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "port/sim/inner.h"

#define LINE_BYTES 256

static struct {
	void (*prepare)(void);
	void (*parent)(void);
	void (*child)(void);
	char line[LINE_BYTES]; /* what was printed last */
} process;

/* See port.h.  Outside of threads there is the first one's. */
struct port_self *
port_self(void)
{
	struct sim_thread *me = sim.thread;

	return &(me != NULL ? me : sim_slot(0))->self;
}

/* See port.h. */
uintptr_t
port_thread_id(void)
{
	return (uintptr_t)(sim.thread != NULL ? sim.thread : sim_slot(0));
}

/* See port.h. */
bool
port_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
	uint64_t deadline;

	(void)sim_point(POINT_CALL);
	deadline = timeout_ns == 0 ? 0 : sim.clock + timeout_ns;
	if (atomic_load_explicit(word, memory_order_relaxed) == expected)
		sim_sleep(word, expected, deadline);
	return deadline == 0 || sim.clock < deadline;
}

/* See port.h. */
void
port_wake(_Atomic uint32_t *word, int count)
{
	(void)sim_point(POINT_CALL);
	sim_wake(word, count);
}

/* See port.h. */
void
port_yield(void)
{
	(void)sim_point(POINT_CALL);
	sim_give_way();
}

/* See port.h. */
void
port_sleep(uint64_t ns)
{
	(void)sim_point(POINT_CALL);
	sim_sleep(NULL, 0, sim.clock + ns);
}

/* See port.h. */
uint64_t
port_now_ns(void)
{
	return sim.clock++;
}

/* See port.h. */
uint64_t
port_tick_ns(void)
{
	return port_now_ns();
}

/* See port.h. */
void
port_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	process.prepare = prepare;
	process.parent = parent;
	process.child = child;
}

/* See sim.h. */
bool
sim_fork(bool child)
{
	sim.forks++;
	process.prepare();
	(void)sim_point(POINT_CALL);
	if (!child) {
		process.parent();
		sim.forks--;
		return false;
	}
	sim.forks = 0;
	sim_alone();
	process.child();
	return true;
}

/* See port.h.  Runs end without an exit. */
void
port_at_exit(void (*call)(void))
{
	(void)call;
}

/* See port.h. */
unsigned
port_cpu_slots(void)
{
	return sim.machine.cpus;
}

/* See port.h. */
unsigned
port_cpu_count(void)
{
	return sim.machine.cpus;
}

/* See port.h. */
enum port_rseq_kind
port_rseq(intptr_t *area, intptr_t *index)
{
	*area = offsetof(struct sim_thread, area);
	*index = *area + (sim.machine.kind == PORT_RSEQ_CID
				 ? (intptr_t)offsetof(struct sim_area, mm_cid)
				 : (intptr_t)offsetof(struct sim_area, cpu_id));
	return sim.machine.kind;
}

/* See port.h. */
bool
port_rseq_selftest(void)
{
	return sim.machine.kind != PORT_RSEQ_NONE;
}

/* See port.h. */
bool
port_rseq_barrier(void)
{
	if (sim_point(POINT_MAY_FAIL))
		return false;
	if (sim.fault != SIM_NO_BARRIER)
		sim_abort_all();
	return true;
}

/* See port.h. */
bool
port_rseq_live(void)
{
	return sim.machine.kind != PORT_RSEQ_NONE;
}

/* See port.h. */
const char *
port_options(void)
{
	return sim.machine.options;
}

/* See port.h.  A line may be the last words of a run. */
void
port_print(const char *text, size_t bytes)
{
	snprintf(process.line, sizeof process.line, "%.*s", (int)bytes, text);
	process.line[strcspn(process.line, "\n")] = '\0';
}

/* See port.h. */
void
port_write(int fd, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t wrote = write(fd, text, bytes);

		if (wrote <= 0)
			return;
		text += wrote;
		bytes -= (size_t)wrote;
	}
}

/* See port.h. */
void
port_abort(void)
{
	sim_fail(process.line);
}
