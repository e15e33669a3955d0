/* SPDX-License-Identifier: BSD-2-Clause */
/* The tracing half of the breakpoint test: see trace.h. */
#define _GNU_SOURCE
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLANTED_MAX 128
#define INT3        0xcc

pid_t traced;

static struct {
	uintptr_t address;
	unsigned char was;
} planted[PLANTED_MAX];
static int planted_count;

static const struct {
	const char *name;
	size_t offset;
} registers[] = {
#define REGISTER(name) \
	{ \
#name, offsetof(struct user_regs_struct, name) \
	}
	REGISTER(rax),
	REGISTER(rbx),
	REGISTER(rcx),
	REGISTER(rdx),
	REGISTER(rsi),
	REGISTER(rdi),
	REGISTER(rbp),
	REGISTER(r8),
	REGISTER(r9),
	REGISTER(r10),
	REGISTER(r11),
	REGISTER(r12),
	REGISTER(r13),
	REGISTER(r14),
	REGISTER(r15),
};

void
trace_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fflush(stdout);
	printf("Bail out! ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_exit(1);
}

void
trace_start(char *const argv[])
{
	int status;

	traced = fork();
	if (traced == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[0], argv);
		_exit(2);
	}
	if (traced < 0 || waitpid(traced, &status, 0) != traced ||
	    !WIFSTOPPED(status))
		trace_die("cannot trace %s", argv[0]);
	ptrace(PTRACE_SETOPTIONS, traced, NULL, PTRACE_O_EXITKILL);
}

void
trace_read(uintptr_t from, void *to, size_t bytes)
{
	struct iovec here = { to, bytes };
	struct iovec there = { (void *)from, bytes };

	if (process_vm_readv(traced, &here, 1, &there, 1, 0) != (ssize_t)bytes)
		trace_die("cannot read %zu bytes at %#lx", bytes,
		    (unsigned long)from);
}

/* By word, as only that writes to text. */
void
trace_write(uintptr_t to, const void *from, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		uintptr_t at = (to + i) & ~(uintptr_t)7;
		uint64_t word;

		trace_read(at, &word, sizeof word);
		memcpy(
		    (char *)&word + (to + i - at), (const char *)from + i, 1);
		if (ptrace(PTRACE_POKEDATA, traced, at, word) != 0)
			trace_die("cannot write at %#lx", (unsigned long)to);
	}
}

static void
get(struct user_regs_struct *r)
{
	if (ptrace(PTRACE_GETREGS, traced, NULL, r) != 0)
		trace_die("cannot read registers");
}

static void
set(struct user_regs_struct *r)
{
	if (ptrace(PTRACE_SETREGS, traced, NULL, r) != 0)
		trace_die("cannot write registers");
}

uintptr_t
trace_register(const char *name)
{
	struct user_regs_struct r;
	uintptr_t value;

	get(&r);
	for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++) {
		if (strcmp(registers[i].name, name) != 0)
			continue;
		memcpy(&value, (char *)&r + registers[i].offset, sizeof value);
		return value;
	}
	trace_die("no register %s", name);
}

void
trace_go_to(uintptr_t address)
{
	struct user_regs_struct r;

	get(&r);
	r.rip = address;
	set(&r);
}

void
trace_plant(uintptr_t address)
{
	const unsigned char int3 = INT3;

	if (planted_count == PLANTED_MAX)
		trace_die("too many breakpoints");
	trace_read(address, &planted[planted_count].was, 1);
	planted[planted_count++].address = address;
	trace_write(address, &int3, 1);
}

void
trace_clear(void)
{
	while (planted_count > 0) {
		planted_count--;
		trace_write(planted[planted_count].address,
		    &planted[planted_count].was, 1);
	}
}

/* Run until a breakpoint.  Anything else is the worker's end. */
static uintptr_t
run_to_trap(int signo)
{
	struct user_regs_struct r;
	int status;

	if (ptrace(PTRACE_CONT, traced, NULL, (long)signo) != 0)
		trace_die("cannot continue: %s", strerror(errno));
	while (waitpid(traced, &status, __WALL) < 0)
		if (errno != EINTR)
			trace_die("cannot wait: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		printf("1..0 # SKIP no rseq here\n");
		fflush(stdout);
		_exit(0);
	}
	if (!WIFSTOPPED(status))
		trace_die("the worker ended with status %#x", status);
	get(&r);
	if (WSTOPSIG(status) != SIGTRAP)
		trace_die("the worker got signal %d at %#llx", WSTOPSIG(status),
		    (unsigned long long)r.rip);
	return r.rip - 1;
}

uintptr_t
trace_run(int signo)
{
	uintptr_t at = run_to_trap(signo);
	bool ours = false;

	for (int i = 0; i < planted_count; i++)
		ours = ours || planted[i].address == at;
	if (!ours)
		return 0;
	trace_clear();
	trace_go_to(at);
	return at;
}

long
trace_system_call(uintptr_t gadget, long number, long a, long b, long c, long d)
{
	struct user_regs_struct before, r;

	get(&before);
	r = before;
	r.rip = gadget;
	r.rax = (unsigned long long)number;
	r.rdi = (unsigned long long)a;
	r.rsi = (unsigned long long)b;
	r.rdx = (unsigned long long)c;
	r.r10 = (unsigned long long)d;
	/* We may stand in a system call's restart. */
	r.orig_rax = ~0ull;
	set(&r);
	if (run_to_trap(0) != gadget + 2)
		trace_die("a system call went astray");
	get(&r);
	set(&before);
	return (long)r.rax;
}
