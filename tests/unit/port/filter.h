/* SPDX-License-Identifier: BSD-2-Clause */
/* filter.h - system calls that are answered as a test likes */
#ifndef TESTS_UNIT_PORT_FILTER_H
#define TESTS_UNIT_PORT_FILTER_H

#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

/*
 * From now on the kernel answers one system call, when the argument of that
 * index is `value`, as told.
 */
static inline bool
filter(unsigned number, unsigned arg, unsigned value, unsigned answer)
{
	unsigned arg_at =
	    (unsigned)offsetof(struct seccomp_data, args) + arg * 8;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg_at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof code / sizeof code[0],
		.filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

#endif /* TESTS_UNIT_PORT_FILTER_H */
