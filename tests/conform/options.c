/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - what UMA_OPTIONS says, and what is said of its mistakes
 *
 * Method: the program runs itself with an option string, and reads what the
 * library writes to standard error and which mode it reports.
 */
#include "conform.h"

#include <sys/wait.h>

struct answer {
	char text[1024];
	int mode;
};

/* Run this program again with the option; its exit status is the mode. */
static struct answer
ask(const char *options)
{
	struct answer a = { { 0 }, -1 };
	int pipes[2];
	int status;
	ssize_t n;
	pid_t pid;

	REQUIRE(pipe(pipes) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], 2);
		close(pipes[0]);
		close(pipes[1]);
		setenv("UMA_OPTIONS", options, 1);
		setenv("OPTIONS_TELL", "1", 1);
		execl("/proc/self/exe", "options", (char *)NULL);
		_exit(99);
	}
	close(pipes[1]);
	for (size_t used = 0; used < sizeof a.text - 1; used += (size_t)n) {
		n = read(pipes[0], a.text + used, sizeof a.text - 1 - used);
		if (n <= 0)
			break;
	}
	close(pipes[0]);
	REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	a.mode = WEXITSTATUS(status);
	return a;
}

__attribute__((constructor)) static void
tell(void)
{
	void (*stats)(struct uma_stats *) = NULL;
	struct uma_stats s = { 0 };

	if (getenv("OPTIONS_TELL") == NULL)
		return;
	find_symbol("uma_stats", &stats);
	if (stats != NULL)
		stats(&s);
	_exit(s.percpu_mode);
}

static void
expect(const char *options, int mode, const char *text)
{
	struct answer a;

	if (getenv("UMA_CONFORM") == NULL)
		SKIP("for this library only");
	a = ask(options);
	if (mode >= 0)
		CHECK_EQ(a.mode, mode);
	if (!CHECK(strcmp(a.text, text) == 0))
		harness_say("# %s: got %s\n", options, a.text);
}

TEST(generic_mode_in_every_spelling)
{
	expect("percpu:generic", 0, "");
	expect("percpu=generic", 0, "");
	expect(",,percpu:generic,", 0, "");
	expect("percpu:rseq,percpu:generic", 0, "");
	expect("", -1, "");
}

TEST(an_unknown_key_is_named_with_the_nearest)
{
	expect("percpus:generic", -1,
	    "uma: UMA_OPTIONS: unknown key \"percpus\", "
	    "did you mean \"percpu\"?\n");
	expect("reprot:/dev/null", -1,
	    "uma: UMA_OPTIONS: unknown key \"reprot\", "
	    "did you mean \"report\"?\n");
	expect("x", -1,
	    "uma: UMA_OPTIONS: unknown key \"x\", "
	    "did you mean \"thp\"?\n");
}

TEST(an_unknown_value_too)
{
	expect("percpu:genric", -1,
	    "uma: UMA_OPTIONS: unknown value \"genric\", "
	    "did you mean \"generic\"?\n");
	expect("percpu:", -1,
	    "uma: UMA_OPTIONS: unknown value \"\", "
	    "did you mean \"rseq\"?\n");
	expect("percpu", -1,
	    "uma: UMA_OPTIONS: unknown value \"\", "
	    "did you mean \"rseq\"?\n");
}

TEST(what_follows_a_mistake_counts)
{
	expect("nonsense:1,percpu:generic", 0,
	    "uma: UMA_OPTIONS: unknown key \"nonsense\", "
	    "did you mean \"percpu\"?\n");
}

TEST(help_prints_a_line_for_each_key)
{
	expect("help,percpu:generic", 0,
	    "uma: percpu:rseq|generic  who may change a CPU's cache; rseq "
	    "where the kernel can\n"
	    "uma: malloc9:debug|exec  blocks of malloc(9) remember their "
	    "type; may hold code\n"
	    "uma: watch:on|off  tell valgrind and sanitizers of items; on "
	    "where there is one\n"
	    "uma: thp:default|never|always  huge pages: behind large zones, "
	    "none, behind all\n"
	    "uma: report:PATH  file that the process's record is added "
	    "to\n");
}

TEST_MAIN
