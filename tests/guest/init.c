/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init.c - the first process of a guest: runs the tests of /tests, and ends
 *
 * scripts/check-guest makes the guest and reads what this prints: lines that
 * begin with "@@".  /tests has a line for each test, of words that tabs
 * separate: its name, its limit in seconds, NAME=VALUE for the environment,
 * then, from the first word that begins with a slash, its command.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 64

static pid_t running;

static void
mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) != 0)
		printf("@@ no %s at %s\n", type, where);
}

/* Servers and their clients meet at 127.0.0.1. */
static void
loopback_up(void)
{
	struct ifreq loopback = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	loopback.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &loopback) != 0)
		printf("@@ no loopback\n");
	close(fd);
}

/* NUMA nodes that this kernel has, as sysfs lists them. */
static int
count_nodes(void)
{
	char name[64];
	int count = 0;

	for (int i = 0; i < 64; i++) {
		snprintf(
		    name, sizeof(name), "/sys/devices/system/node/node%d", i);
		count += access(name, F_OK) == 0;
	}
	return count;
}

/* What udev adds to a devtmpfs: shells and compilers read from these. */
static void
name_descriptors(void)
{
	bool made = symlink("/proc/self/fd", "/dev/fd") == 0 &&
		    symlink("/proc/self/fd/0", "/dev/stdin") == 0 &&
		    symlink("/proc/self/fd/1", "/dev/stdout") == 0 &&
		    symlink("/proc/self/fd/2", "/dev/stderr") == 0;

	if (!made)
		printf("@@ no /dev/fd\n");
}

static void
say_kernel(void)
{
	struct utsname name;

	uname(&name);
	printf("@@ kernel %s %s, pages of %ld, %ld CPUs, %d nodes\n",
	    name.release, name.machine, sysconf(_SC_PAGESIZE),
	    sysconf(_SC_NPROCESSORS_ONLN), count_nodes());
}

static void
too_late(int signo)
{
	(void)signo;
	kill(-running, SIGKILL);
}

/* The words of a line become the environment and the command. */
static void
become(char **words)
{
	const struct rlimit no_core = { 0, 0 };

	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	clearenv();
	setenv("PATH", "/bin", 1);
	setenv("TMPDIR", "/tmp", 1);
	for (; *words != NULL && **words != '/'; words++)
		putenv(*words);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	if (*words != NULL)
		execv(*words, words);
	perror("exec");
	_exit(127);
}

/* Run one; what it left running must not disturb the next. */
static void
run(const char *name, unsigned seconds, char **words)
{
	struct timespec began, now;
	int status = 0;
	pid_t pid;

	printf("@@ begin %s\n", name);
	clock_gettime(CLOCK_MONOTONIC, &began);
	running = fork();
	if (running == 0)
		become(words);
	alarm(seconds);
	do {
		pid = waitpid(running, &status, 0);
	} while (pid != running);
	alarm(0);
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("\n@@ end %d %.1f %s\n",
	    WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
	    (double)(now.tv_sec - began.tv_sec) +
		(double)(now.tv_nsec - began.tv_nsec) / 1e9,
	    name);
}

static void
run_all(FILE *list)
{
	char line[8192];

	while (fgets(line, sizeof(line), list) != NULL) {
		char *words[WORDS_MAX + 1] = { NULL };
		char *rest = line;
		int count = 0;

		line[strcspn(line, "\n")] = '\0';
		while (rest != NULL && count < WORDS_MAX)
			words[count++] = strsep(&rest, "\t");
		if (count > 2)
			run(words[0], (unsigned)strtoul(words[1], NULL, 10),
			    words + 2);
	}
}

int
main(void)
{
	struct sigaction late = { .sa_handler = too_late };
	FILE *list;
	int console;

	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("devtmpfs", "/dev");
	mount_at("devpts", "/dev/pts");
	mount_at("tmpfs", "/dev/shm");
	/* The root is a tmpfs: what the image has below /tmp stays there. */
	chmod("/tmp", 01777);
	console = open("/dev/console", O_RDWR);
	for (int fd = 0; console >= 0 && fd < 3; fd++)
		dup2(console, fd);
	setvbuf(stdout, NULL, _IONBF, 0);
	sigaction(SIGALRM, &late, NULL);
	loopback_up();
	name_descriptors();
	say_kernel();
	list = fopen("/tests", "re");
	if (list != NULL)
		run_all(list);
	printf("@@ over\n");
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
