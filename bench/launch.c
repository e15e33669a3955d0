/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * launch - run a program under a preloaded malloc and print what it took
 *
 *	launch PRELOAD PROGRAM [ARGUMENT ...]      PRELOAD may be empty
 *
 * The program's output is thrown away.  A small starter of its own, since a
 * process begins with the peak memory of whoever started it.
 */
#define _GNU_SOURCE /* wait4 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void run(char **argv);
static void print(double wall, const struct rusage *used);
static double now(void);
static double seconds(struct timeval time);

int
main(int argc, char **argv)
{
	struct rusage used;
	double start;
	pid_t child;
	int status;

	if (argc < 3) {
		fprintf(stderr, "usage: %s PRELOAD PROGRAM ...\n", argv[0]);
		return 1;
	}
	start = now();
	child = fork();
	if (child == 0)
		run(argv);
	if (child < 0 || wait4(child, &status, 0, &used) != child) {
		perror(argv[0]);
		return 1;
	}
	print(now() - start, &used);
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "%s: %s: %s\n", argv[0], argv[2],
		    strsignal(WTERMSIG(status)));
		return 1;
	}
	return WEXITSTATUS(status);
}

static void
run(char **argv)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		_exit(126);
	if (argv[1][0] != '\0')
		setenv("LD_PRELOAD", argv[1], 1);
	else
		unsetenv("LD_PRELOAD");
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	_exit(127);
}

static void
print(double wall, const struct rusage *used)
{
	printf("wall-ms %.6g\n", wall * 1e3);
	printf("cpu-ms %.6g\n",
	    (seconds(used->ru_utime) + seconds(used->ru_stime)) * 1e3);
	printf("peak-mib %.6g\n", (double)used->ru_maxrss / 1024.0);
	printf("faults %ld\n", used->ru_minflt + used->ru_majflt);
}

static double
now(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_MONOTONIC, &time) != 0)
		abort();
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double
seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}
