/* SPDX-License-Identifier: BSD-2-Clause */
/* port/linux/report.c - what the user tells us and what we tell the user */
#include <linux/auxvec.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "port/port.h"

#include "port/linux/sys.h"

#define PRINT_TRIES 16
#define PRINT_STEP  4096 /* a pipe that is writable takes a page */

static bool writable(int fd, bool wait);

extern char **environ;

/* See port.h.  Not getenv(): a program may bring its own. */
const char *
port_options(void)
{
	static const char key[] = "UMA_OPTIONS=";

	if (sys_aux(AT_SECURE) != 0 || environ == NULL)
		return NULL;
	for (char **entry = environ; *entry != NULL; entry++) {
		size_t n = 0;

		while (key[n] != '\0' && (*entry)[n] == key[n])
			n++;
		if (key[n] == '\0')
			return *entry + n;
	}
	return NULL;
}

/* See port.h. */
void
port_print(const char *text, size_t bytes)
{
	for (int i = 0; bytes > 0 && i < PRINT_TRIES; i++) {
		size_t step = min_size(bytes, PRINT_STEP);
		long wrote;

		if (!writable(STDERR_FILENO, false))
			return;
		wrote = sys_call(
		    SYS_write, STDERR_FILENO, sys_arg(text), (long)step);
		if (wrote == -EINTR)
			continue;
		if (wrote <= 0)
			return;
		text += wrote;
		bytes -= (size_t)wrote;
	}
}

/* See port.h. */
void
port_write(int fd, const char *text, size_t bytes)
{
	while (bytes > 0) {
		long wrote =
		    sys_call(SYS_write, fd, sys_arg(text), (long)bytes);

		if (wrote == -EINTR)
			continue;
		if (wrote == -EAGAIN && writable(fd, true))
			continue;
		if (wrote <= 0)
			return;
		text += wrote;
		bytes -= (size_t)wrote;
	}
}

/*
 * See port.h.  The program's own SIGABRT handler does not run: it would find
 * the heap it wants to allocate from in ruins.
 */
void
port_abort(void)
{
	struct sigaction normal = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigemptyset(&normal.sa_mask);
	sigaction(SIGABRT, &normal, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGABRT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	sys_call(SYS_tgkill, sys_call(SYS_getpid, 0, 0, 0),
	    sys_call(SYS_gettid, 0, 0, 0), SIGABRT);
	__builtin_trap();
}

/*
 * Whether a write will be taken.  A pipe without a reader says yes and sends
 * SIGPIPE, so an error is a no.
 */
static bool
writable(int fd, bool wait)
{
	struct pollfd want = { .fd = fd, .events = POLLOUT };
	struct timespec none = { 0, 0 };
	long answer;
	int tries = PRINT_TRIES;

	do {
		answer = sys_call6(SYS_ppoll, sys_arg(&want), 1,
		    wait ? 0 : sys_arg(&none), 0, 0, 0);
	} while (answer == -EINTR && (wait || --tries > 0));
	return answer == 1 && want.revents == POLLOUT;
}
