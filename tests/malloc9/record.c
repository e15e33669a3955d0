/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - a program with known types, for record_test.py
 *
 * The parent leaves three blocks of "kept" and none of "gone"; with an
 * argument a child adds one more of "kept" and takes one besides whose name has
 * bytes that no terminal should get.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uma/malloc9.h>

static UMA_MALLOC_DEFINE(M_KEPT, "kept name sizes 5", "");
static UMA_MALLOC_DEFINE(M_GONE, "gone", "");
static UMA_MALLOC_DEFINE(M_FORKED, "f\303\266r\177ked", "");

int
main(int argc, char **argv)
{
	(void)argv;
	for (int i = 0; i < 3; i++)
		(void)uma_malloc(1000, M_KEPT, M_WAITOK);
	for (int i = 0; i < 100; i++)
		uma_mfree(uma_malloc((size_t)i, M_GONE, M_WAITOK), M_GONE);
	if (argc > 1) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)uma_malloc(100000, M_KEPT, M_WAITOK);
			uma_mfree(uma_malloc(20, M_FORKED, M_WAITOK), M_FORKED);
			exit(0);
		}
		if (waitpid(pid, NULL, 0) != pid)
			return 1;
	}
	return 0;
}
