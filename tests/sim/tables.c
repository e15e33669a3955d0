/* SPDX-License-Identifier: BSD-2-Clause */
/* tables - print the simulated sequences, a line each, for tests/sim/steps */
#include <stdio.h>

#include "port/sim/sequence.h"

int
main(void)
{
	for (int i = 0; i < SIM_SEQS; i++) {
		printf("%s", sim_sequence_names[i]);
		for (int k = 0; sim_sequences[i][k] != STEP_END; k++)
			printf(" %s", sim_step_names[sim_sequences[i][k]]);
		printf("\n");
	}
	return 0;
}
