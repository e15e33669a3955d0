#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""clang refuses code that gets the library's locks wrong."""
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = """
#include "lock/lock.h"
static struct lock a, b;
static int guarded(void) UMA_REQUIRES(&a);
static int guarded(void) { return 1; }
int test(void);
int test(void) {
"""


def said_of(body):
    done = subprocess.run(
        ["clang", "-std=gnu17", "-Wthread-safety", "-Werror", "-fsyntax-only",
         f"-I{ROOT / 'src'}", f"-I{ROOT / 'include'}", "-xc", "-"],
        input=HEAD + body + "}\n", text=True, capture_output=True)
    return done.returncode, done.stderr


class LocksTest(unittest.TestCase):
    def refuses(self, body, why):
        code, said = said_of(body)
        self.assertNotEqual(code, 0)
        self.assertIn(why, said)

    def test_right(self):
        code, said = said_of("if (!lock_take(&a)) return 0;"
                             "int n = guarded(); lock_drop(&a); return n;")
        self.assertEqual((code, said), (0, ""))

    def test_no_lock(self):
        self.refuses("return guarded();", "requires holding mutex 'a'")

    def test_another_lock(self):
        self.refuses("if (!lock_take(&b)) return 0;"
                     "int n = guarded(); lock_drop(&b); return n;",
                     "requires holding mutex 'a'")

    def test_still_held(self):
        self.refuses("if (!lock_take(&a)) return 0; return guarded();",
                     "is not held on every path")

    def test_taken_unasked(self):
        self.refuses("(void)!lock_take(&a); return guarded();",
                     "requires holding mutex 'a'")

    def test_the_build_says_so(self):
        text = (ROOT / "meson.build").read_text()
        self.assertIn("'-Wthread-safety'", text)
        self.assertIn("'-Werror'", text)


if __name__ == "__main__":
    unittest.main()
