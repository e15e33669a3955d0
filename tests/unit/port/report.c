/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read from the user and told to the user. */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "filter.h"
#include "port/port.h"
#include "sanitized.h"

TEST(options_are_the_environments)
{
	clearenv();
	CHECK(port_options() == NULL);
	setenv("XUMA_OPTIONS", "no", 1);
	setenv("UMA_OPTIONSX", "no", 1);
	setenv("UMA_OPTION", "no", 1);
	CHECK(port_options() == NULL);
	setenv("UMA_OPTIONS", "a=1,b", 1);
	REQUIRE(port_options() != NULL);
	CHECK(strcmp(port_options(), "a=1,b") == 0);
	setenv("UMA_OPTIONS", "", 1);
	REQUIRE(port_options() != NULL);
	CHECK(strcmp(port_options(), "") == 0);
}

static int
copy_self(const char *to)
{
	char text[65536];
	int from = open("/proc/self/exe", O_RDONLY);
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL, 0755);
	ssize_t n;

	if (from < 0 || fd < 0)
		return -1;
	while ((n = read(from, text, sizeof text)) > 0)
		if (write(fd, text, (size_t)n) != n)
			return -1;
	return fchown(fd, 65534, 65534) == 0 && fchmod(fd, 06755) == 0 &&
		       close(fd) == 0
		   ? 0
		   : -1;
}

/* What the next test runs with another user's rights. */
TEST(privileged_part)
{
	const char *part = getenv("PRIVILEGED_PART");

	if (part == NULL)
		SKIP("a part of the next test");
	CHECK(getuid() != geteuid());
	CHECK(getenv("UMA_OPTIONS") != NULL);
	CHECK(port_options() == NULL);
}

TEST(options_of_privileged_programs_are_ignored)
{
	char dir[] = "/var/tmp/port_report_XXXXXX";
	char path[64];
	int status = -1;
	pid_t pid;

	if (getuid() != 0)
		SKIP("not root");
	if (SANITIZED)
		SKIP("a sanitizer that looks for leaks fails there");
	REQUIRE(mkdtemp(dir) != NULL && chmod(dir, 0755) == 0);
	snprintf(path, sizeof path, "%s/test", dir);
	REQUIRE(copy_self(path) == 0);
	pid = fork();
	if (pid == 0) {
		/* Its report is not part of this one. */
		dup2(STDERR_FILENO, STDOUT_FILENO);
		setenv("UMA_OPTIONS", "seen", 1);
		setenv("PRIVILEGED_PART", "1", 1);
		execl(path, path, "privileged_part", "--no-fork", NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	unlink(path);
	rmdir(dir);
	CHECK_EQ(status, 0);
}

TEST(print_goes_to_standard_error)
{
	int ends[2];
	char got[16];

	REQUIRE(pipe(ends) == 0);
	dup2(ends[1], 2);
	errno = 77;
	port_print("hello\n", 6);
	CHECK_EQ(errno, 77);
	CHECK_EQ(read(ends[0], got, sizeof got), 6);
	CHECK(memcmp(got, "hello\n", 6) == 0);
}

/* It would hang here, and the watchdog would end the test. */
TEST(print_does_not_wait)
{
	static char block[65536];
	int ends[2];
	ssize_t n;

	REQUIRE(pipe2(ends, O_NONBLOCK) == 0);
	while ((n = write(ends[1], block, sizeof block)) > 0)
		continue;
	REQUIRE(n < 0 && errno == EAGAIN);
	fcntl(ends[1], F_SETFL, 0);
	dup2(ends[1], 2);
	errno = 77;
	port_print("hello\n", 6);
	/* Room for one page, then none. */
	REQUIRE(read(ends[0], block, 4096) == 4096);
	port_print(block, sizeof block);
	CHECK_EQ(errno, 77);
}

/* Whoever is interrupted each time, or fails, goes on without the line. */
TEST(print_gives_up)
{
	int ends[2];
	char got[16];

	REQUIRE(pipe2(ends, O_NONBLOCK) == 0);
	dup2(ends[1], 2);
	if (!filter(SYS_write, 2, 6, SECCOMP_RET_ERRNO | EINTR))
		SKIP("no filters here");
	errno = 77;
	port_print("hello\n", 6);
	CHECK_EQ(errno, 77);
	REQUIRE(filter(SYS_write, 2, 7, SECCOMP_RET_ERRNO | EIO));
	port_print("hello!\n", 7);
	CHECK_EQ(errno, 77);
	port_print("now\n", 4);
	CHECK_EQ(read(ends[0], got, sizeof got), 4);
}

TEST(print_without_a_reader_does_not_kill)
{
	int ends[2];

	REQUIRE(pipe(ends) == 0);
	signal(SIGPIPE, SIG_DFL);
	dup2(ends[1], 2);
	close(ends[0]);
	port_print("hello\n", 6);
	close(2);
	port_print("hello\n", 6);
}

static void *
read_all(void *arg)
{
	char got[1000];
	size_t total = 0;
	ssize_t n;

	while ((n = read(*(int *)arg, got, sizeof got)) > 0)
		total += (size_t)n;
	return (void *)total;
}

/* More than the pipe holds, through a descriptor that does not block. */
TEST(write_writes_all)
{
	static char text[1 << 20];
	pthread_t reader;
	void *total = NULL;
	int ends[2];

	REQUIRE(pipe(ends) == 0);
	REQUIRE(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
	REQUIRE(pthread_create(&reader, NULL, read_all, &ends[0]) == 0);
	errno = 77;
	port_write(ends[1], text, sizeof text);
	CHECK_EQ(errno, 77);
	close(ends[1]);
	pthread_join(reader, &total);
	CHECK_EQ((size_t)total, sizeof text);
}

static int full; /* the reading end of a pipe that is full */
static int interrupted;

/* Room comes with the second signal; the first only interrupts. */
static void
make_room(int signo)
{
	char got[4096];

	(void)signo;
	if (++interrupted == 2 && read(full, got, sizeof got) < 0)
		_exit(1);
}

TEST(write_goes_on_after_a_handler)
{
	const struct sigaction on_time = { .sa_handler = make_room };
	const struct itimerval often = { { 0, 50000 }, { 0, 50000 } };
	const struct itimerval never = { 0 };
	static char block[65536];
	ssize_t n;
	int ends[2];

	if (UMA_THREAD_SANITIZED)
		SKIP("its runtime keeps handlers back until a call it knows");
	REQUIRE(pipe2(ends, O_NONBLOCK) == 0);
	while (write(ends[1], block, sizeof block) > 0)
		continue;
	REQUIRE(fcntl(ends[1], F_SETFL, 0) == 0);
	full = ends[0];
	REQUIRE(sigaction(SIGALRM, &on_time, NULL) == 0);
	REQUIRE(setitimer(ITIMER_REAL, &often, NULL) == 0);
	errno = 77;
	port_write(ends[1], "hello\n", 6);
	CHECK_EQ(errno, 77);
	REQUIRE(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(interrupted >= 2);
	/* It is the last of what is in the pipe. */
	n = read(ends[0], block, sizeof block);
	CHECK(n > 6 && memcmp(block + n - 6, "hello\n", 6) == 0);
}

TEST(write_to_nothing_returns)
{
	errno = 77;
	port_write(-1, "hello\n", 6);
	CHECK_EQ(errno, 77);
}

static void
leave(int signo)
{
	(void)signo;
	_exit(3);
}

/* Neither a handler nor a mask of the program keeps it alive. */
TEST(abort_is_sigabrt)
{
	for (int how = 0; how < 3; how++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			const struct rlimit no_core = { 0, 0 };
			sigset_t all;

			setrlimit(RLIMIT_CORE, &no_core);
			sigfillset(&all);
			signal(SIGABRT, how == 1 ? leave : SIG_IGN);
			if (how == 2)
				sigprocmask(SIG_SETMASK, &all, NULL);
			port_abort();
		}
		waitpid(pid, &status, 0);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

TEST_MAIN
