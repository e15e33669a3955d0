# SPDX-License-Identifier: BSD-2-Clause
"""Counts survive every way a process may end, and are added up as they are."""
import unittest

import tree

BUILD = """project('x', 'c', meson_version: '>=1.0.0')
subdir('src')
exe = executable('ends', 'ends.c', link_with: lib)
test('ends', exe)
test('sim', executable('sim', 'sim.c', link_with: lib), suite: 'sim')
test('plants', executable('plants', 'plants.c', link_with: lib))
"""

LIBRARY = """lib = shared_library('x', 'high/high.c', 'low/low.c',
  include_directories: '.')
"""

HIGH = """#include <stdlib.h>
#include <unistd.h>
#include "low/low.h"
void end_by_abort(void);
void end_by_exit(void);
void end_by_kill(void);
void never(void);
int choose(int n);
void end_by_abort(void)
{
	abort();
}
void end_by_exit(void)
{
	_exit(3);
}
void end_by_kill(void)
{
	sink += half(2);
	die_now();
}
void never(void)
{
	sink++;
	sink--;
}
int choose(int n)
{
	if (n > 0 || n < -5)
		return half(n);
	return -1;
}
"""

LOW_H = """extern volatile int sink;
void die_now(void);
static inline int half(int n)
{
	if (n == 1)
		return 0;
	return n / 2;
}
"""

LOW = """#include <signal.h>
#include <unistd.h>
#include "low/low.h"
volatile int sink;
void die_now(void)
{
	sink += half(1);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}
"""

PROGRAM = """#include <sys/wait.h>
#include <unistd.h>
void end_by_abort(void);
void end_by_exit(void);
void end_by_kill(void);
int choose(int n);
int main(void)
{
	void (*ends[])(void) = { end_by_abort, end_by_exit, end_by_kill };
	for (int i = 0; i < 3; i++) {
		if (fork() == 0)
			ends[i]();
		wait(0);
	}
	return choose(0) != -1;
}
"""

# What is left out would reach the rest.
OTHER = """void never(void);
int main(void)
{
	never();
	return 0;
}
"""

WANTED = """\
src/high/high.c:22: never() was not called
src/high/high.c:21-26: not reached
src/high/high.c:30: not reached
src/high/high.c:29: 2 of 4 branches not taken
src/low/low.c:10: not reached

room        lines  reached       %  branches  reached       %
high           16       10    62.5         4        2    50.0
low             8        7    87.5         2        2   100.0
all            24       17    70.8         6        4    66.6
"""


class CoverageTest(tree.TreeTest):
    script = "coverage"
    maxDiff = None

    def put_tree(self, program=PROGRAM):
        for name, text in {
                "meson.build": BUILD, "src/meson.build": LIBRARY,
                "src/high/high.c": HIGH, "src/low/low.c": LOW,
                "src/low/low.h": LOW_H, "ends.c": program, "sim.c": OTHER,
                "plants.c": OTHER}.items():
            self.put(name, text)

    def report(self, *arguments):
        done = self.run_script("--root", self.root, "--missing", *arguments)
        return done.returncode, done.stdout[done.stdout.find("src/high"):]

    def test_help(self):
        self.helps()

    def test_every_end(self):
        self.put_tree()
        self.assertEqual(self.report(), (0, WANTED))
        self.assertEqual(self.report("--read"), (0, WANTED))
        _, only = self.report("--read", "--only", "low")
        self.assertNotIn("high", only)

    def test_failure(self):
        self.put_tree(PROGRAM.replace("!= -1", "== -1"))
        status, text = self.report()
        self.assertEqual(status, 1)
        self.assertIn("some tests failed", text)


if __name__ == "__main__":
    unittest.main()
