/* SPDX-License-Identifier: BSD-2-Clause */
/* port/sim/sequence.c - the sequences, step by step: see sequence.h */
#include "port/sim/inner.h"

#define HEAD STEP_ARM, STEP_LIVE, STEP_BAD, STEP_INDEX, STEP_WORD

const unsigned char sim_sequences[SIM_SEQS][SIM_STEPS_MAX] = {
	[SIM_POP] = { HEAD, STEP_EMPTY, STEP_SLOTS, STEP_TOP, STEP_COMMIT },
	[SIM_PUSH] = { HEAD, STEP_FULL, STEP_SLOTS, STEP_TOP, STEP_SAME,
	    STEP_PUT, STEP_COMMIT },
	[SIM_OWN] = { HEAD, STEP_LIVE_W, STEP_OWNED, STEP_COMMIT },
	[SIM_ADD] = { HEAD, STEP_CARRY, STEP_COMMIT },
	[SIM_CLAIM] = { HEAD, STEP_CLAIM, STEP_COMMIT },
};

const char *const sim_sequence_names[SIM_SEQS] = { "pop", "push", "own", "add",
	"claim" };

/* What tests/sim/steps calls the instructions; a branch by its mnemonic. */
const char *const sim_step_names[STEPS] = {
	[STEP_ARM] = "arm",
	[STEP_LIVE] = "live",
	[STEP_BAD] = "jl",
	[STEP_INDEX] = "index",
	[STEP_WORD] = "word",
	[STEP_EMPTY] = "je",
	[STEP_FULL] = "je",
	[STEP_LIVE_W] = "jns",
	[STEP_OWNED] = "je",
	[STEP_CARRY] = "jns",
	[STEP_CLAIM] = "jg",
	[STEP_SLOTS] = "slots",
	[STEP_TOP] = "top",
	[STEP_SAME] = "je",
	[STEP_PUT] = "put",
	[STEP_COMMIT] = "commit",
};

/* What faults make of a push, and of the start of any. */
static const unsigned char commit_first[] = { HEAD, STEP_FULL, STEP_SLOTS,
	STEP_TOP, STEP_SAME, STEP_COMMIT, STEP_PUT, STEP_END };
static const unsigned char arm_late[] = { STEP_INDEX, STEP_ARM, STEP_LIVE,
	STEP_BAD };

/* The registers of a sequence. */
struct registers {
	struct sim_thread *me;
	uintptr_t caches;
	const struct arch_rseq *rseq;
	enum sim_sequence which;
	uint64_t argument;
	uintptr_t record;
	uint64_t word;
	uint64_t was; /* the word as it was read */
	uint64_t *slots;
	uint64_t top;
};

static enum sim_step
step_at(enum sim_sequence which, unsigned i)
{
	if (sim.fault == SIM_COMMIT_FIRST && which == SIM_PUSH)
		return commit_first[i];
	if (sim.fault == SIM_ARM_LATE && i < sizeof(arm_late))
		return arm_late[i];
	return sim_sequences[which][i];
}

static uint64_t
load(const uint64_t *at)
{
	sim_access(at, sizeof(*at), false);
	return *at;
}

static void
store(uint64_t *at, uint64_t value)
{
	sim_access(at, sizeof(*at), true);
	*at = value;
}

static const void *
area_at(const struct registers *r, intptr_t offset)
{
	return (const char *)r->me + offset;
}

static uint64_t
new_word(const struct registers *r)
{
	switch (r->which) {
	case SIM_POP:
		return r->word + 0xffff;
	case SIM_PUSH:
		return r->word + 1;
	case SIM_ADD:
		return r->word;
	default:
		return r->argument;
	}
}

/* The steps that test.  False: the sequence fails. */
static bool
test(struct registers *r, enum sim_step step)
{
	unsigned count = r->word & 0xff;

	switch (step) {
	case STEP_BAD:
		return r->me->area.cpu_id >= 0;
	case STEP_EMPTY:
		return count != 0;
	case STEP_FULL:
		return count != (r->word >> 8 & 0xff);
	case STEP_OWNED:
		return (int64_t)r->word >= 0 || (r->word & 0xffff) != 0;
	case STEP_CARRY:
		r->word += r->argument;
		return (int64_t)r->word < 0;
	case STEP_CLAIM:
		return (int64_t)r->word <= 0;
	case STEP_SAME:
		return r->top != r->argument;
	default:
		return true;
	}
}

static void
move(struct registers *r, enum sim_step step)
{
	unsigned count = r->was & 0xff;

	switch (step) {
	case STEP_ARM:
		r->me->area.section = (uintptr_t)sim_sequences[r->which];
		r->me->inside = true;
		break;
	case STEP_INDEX:
		r->record =
		    r->caches +
		    ((uintptr_t) * (const uint32_t *)area_at(r, r->rseq->index)
			<< ARCH_CPU_SHIFT);
		break;
	case STEP_WORD:
		r->was = load((const uint64_t *)r->record);
		r->word = r->was;
		break;
	case STEP_SLOTS:
		r->slots = (uint64_t *)load((const uint64_t *)(r->record + 8));
		break;
	case STEP_TOP:
		/* Of an empty bucket that is its header: see arch.h. */
		r->top = load(r->slots + count - 1);
		break;
	case STEP_PUT:
		store(r->slots + count, r->argument);
		break;
	case STEP_COMMIT:
		store((uint64_t *)r->record, new_word(r));
		break;
	default:
		break;
	}
}

/* See sequence.h. */
bool
sim_sequence(enum sim_sequence which, uintptr_t caches,
    const struct arch_rseq *rseq, uint64_t argument, struct sim_outcome *out)
{
	struct registers r = { .me = sim.thread,
		.caches = caches,
		.rseq = rseq,
		.which = which,
		.argument = argument };
	enum sim_step step;

	for (unsigned i = 0; (step = step_at(which, i)) != STEP_END; i++) {
		(void)sim_point(POINT_STEP);
		if (r.me->aborted && sim.fault != SIM_RESUME) {
			sim.counts.aborts++;
			r.me->inside = false;
			r.me->aborted = false;
			return false;
		}
		if (!test(&r, step)) {
			r.me->inside = false;
			return false;
		}
		move(&r, step);
	}
	r.me->inside = false;
	r.me->aborted = false;
	out->record = r.record;
	out->word = r.was;
	out->item = (void *)r.top;
	return true;
}
