#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""guide_test.py GUIDE INCLUDE LIBRARIES: what docs/debugging.md shows is so.

Compiles its program, runs its commands, and looks for each line that follows
one in what the command says; numbers that change from run to run may differ.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

GUIDE, INCLUDE, LIBRARIES = sys.argv[1:]
TEXT = pathlib.Path(GUIDE).read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def pattern(line):
    """The line with any process, any address."""
    line = re.escape(re.sub(r"==1==\s+", "==1==", line))
    line = re.sub(r"==1==", r"==\\d+== *", line)
    return re.sub(r"0x[0-9a-fA-F]+", "0x[0-9a-fA-F]+", line)


class GuideTest(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="guide-test."))
        self.addCleanup(shutil.rmtree, self.home)
        (program,) = blocks("c")
        (self.home / "mistake.c").write_text(program)
        self.env = dict(os.environ, CPATH=INCLUDE, LIBRARY_PATH=LIBRARIES,
                        LD_LIBRARY_PATH=LIBRARIES)

    def run_command(self, command):
        done = subprocess.run(
            command, shell=True, cwd=self.home, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
        if "mistake.c" in command:
            self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_each_command_says_what_is_shown(self):
        said, shown = "", 0
        for line in "".join(blocks("console")).splitlines():
            with self.subTest(line=line):
                if line.startswith("$ "):
                    said = self.run_command(line[2:])
                else:
                    self.assertRegex(said, pattern(line))
                    shown += 1
        self.assertGreater(shown, 10)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
