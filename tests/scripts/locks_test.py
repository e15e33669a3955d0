#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""clang refuses code that gets the library's locks wrong."""
import pathlib
import re
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAD = """
#include "lock/lock.h"
static struct lock a, b;
static int field UMA_GUARDED(&a);
struct both { struct lock lock; int field UMA_GUARDED_BESIDE(&lock); };
bool keeps(void) UMA_KEEPS(true, &a);
static int guarded(void) UMA_REQUIRES(&a);
static int guarded(void) { return 1; }
int test(void);
int test(void) {
"""


def run(clang, *arguments, **how):
    done = subprocess.run(
        [clang, "-std=gnu17", "-Wthread-safety", "-Werror", "-fsyntax-only",
         "-Wno-unused", f"-I{ROOT / 'src'}", f"-I{ROOT / 'include'}",
         *arguments], text=True, capture_output=True, **how)
    return done.returncode, done.stderr


def said_of(body, clang="clang"):
    return run(clang, "-xc", "-", input=HEAD + body + "}\n")


def knows_siblings(clang):
    """Whether it checks UMA_GUARDED_BESIDE(): from version 19 on."""
    if not shutil.which(clang):
        return False
    said = subprocess.run([clang, "--version"], text=True, capture_output=True)
    version = re.search(r"version (\d+)", said.stdout)
    return bool(version and int(version[1]) >= 19)


NEWER = next(filter(knows_siblings, ["clang"] + [
    f"clang-{version}" for version in range(19, 30)]), None)


class LocksTest(unittest.TestCase):
    def refuses(self, body, why, clang="clang"):
        code, said = said_of(body, clang)
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

    def test_field(self):
        self.refuses("return field;", "reading variable 'field' requires")
        code, said = said_of("if (!lock_take(&a)) return 0;"
                             "int n = field; lock_drop(&a); return n;")
        self.assertEqual((code, said), (0, ""))

    def test_kept(self):
        take = "if (!lock_take(&a)) return 0;"
        code, said = said_of(take + "if (keeps()) lock_drop(&a); return 0;")
        self.assertEqual((code, said), (0, ""))
        self.refuses(take + "if (!keeps()) lock_drop(&a); return 0;",
                     "'a' that was not held")
        self.refuses(take + "if (keeps()) return 0; return 1;",
                     "is not held on every path")
        self.refuses("if (keeps()) lock_drop(&a); return 0;",
                     "'a' that was not held")

    @unittest.skipUnless(NEWER, "needs clang 19 or newer")
    def test_field_beside(self):
        head = "static struct both s; if (!lock_take(&s.lock)) return 0;"
        code, said = said_of(
            head + "int n = s.field; lock_drop(&s.lock); return n;", NEWER)
        self.assertEqual((code, said), (0, ""))
        self.refuses(head + "lock_drop(&s.lock); return s.field;",
                     "reading variable 'field' requires", NEWER)

    @unittest.skipUnless(NEWER, "needs clang 19 or newer")
    def test_the_library(self):
        for file in sorted((ROOT / "src").glob("*/*.c")):
            with self.subTest(file.name):
                self.assertEqual(run(NEWER, str(file)), (0, ""))

    def test_the_build_says_so(self):
        text = (ROOT / "meson.build").read_text()
        self.assertIn("'-Wthread-safety'", text)
        self.assertIn("'-Werror'", text)


if __name__ == "__main__":
    unittest.main()
