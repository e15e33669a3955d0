/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port/sim/sequence.h - the sequences of arch.h as tables of steps
 *
 * A step is one load, one store or one branch of the real sequence, in its
 * order; what only computes is part of the step before it.  The tables are
 * x86-64's: tests/sim/steps reads the sections of the library and compares.
 */
#ifndef PORT_SIM_SEQUENCE_H
#define PORT_SIM_SEQUENCE_H

#include "base/base.h"

enum sim_step {
	STEP_END,
	STEP_ARM,    /* store the descriptor's address to the thread's area */
	STEP_LIVE,   /* load the CPU number from the area */
	STEP_BAD,    /* fail if it is negative */
	STEP_INDEX,  /* load the index; now the record is known */
	STEP_WORD,   /* load the record's word */
	STEP_EMPTY,  /* fail if count == 0 */
	STEP_FULL,   /* fail if count == capacity */
	STEP_LIVE_W, /* to the commit if the word's top bit is clear */
	STEP_OWNED,  /* fail if count and capacity are 0 */
	STEP_CARRY,  /* word += argument; fail if its top bit is clear */
	STEP_CLAIM,  /* fail if the word is positive */
	STEP_SLOTS,  /* load the record's slots */
	STEP_TOP,    /* load slots[count - 1] */
	STEP_SAME,   /* fail if that is the argument */
	STEP_PUT,    /* store the argument to slots[count] */
	STEP_COMMIT, /* store the new word */
	STEPS
};

enum sim_sequence { SIM_POP, SIM_PUSH, SIM_OWN, SIM_ADD, SIM_CLAIM, SIM_SEQS };

#define SIM_STEPS_MAX 16

/* The steps of each sequence, up to STEP_END; and their names. */
extern const unsigned char sim_sequences[SIM_SEQS][SIM_STEPS_MAX];
extern const char *const sim_sequence_names[SIM_SEQS];
extern const char *const sim_step_names[STEPS];

struct sim_outcome {
	uintptr_t record;
	uint64_t word; /* that the commit replaced */
	void *item;
};

struct arch_rseq;

/* Run one.  False: it failed, or was aborted. */
bool sim_sequence(enum sim_sequence which, uintptr_t caches,
    const struct arch_rseq *rseq, uint64_t argument, struct sim_outcome *out);

/* A spin loop of this thread went round once. */
void sim_relax(void);

#endif /* PORT_SIM_SEQUENCE_H */
