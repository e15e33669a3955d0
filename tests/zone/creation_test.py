#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What it takes to make and destroy a zone: system calls, instructions."""
import collections
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["ZONE_CREATION"]
FEW, MANY = 300, 1300


class CreationTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="creation-test.")
        self.addCleanup(folder.cleanup)
        self.home = pathlib.Path(folder.name)

    def calls(self, how, count):
        """{system call: how often} of the whole program."""
        path = self.home / "calls"
        subprocess.run(["strace", "-f", "-qq", "-o", path, PROGRAM, how,
                        str(count)], check=True, timeout=120)
        return collections.Counter(re.findall(
            r"^\d+ +(\w+)\(", path.read_text(), re.M))

    def more_calls(self, how):
        """The calls of the zones in which the two programs differ."""
        more = self.calls(how, MANY)
        more.subtract(self.calls(how, FEW))
        return {name: count for name, count in more.items() if count}

    def instructions(self, how, count):
        """Of the library, under valgrind, so in generic mode."""
        path = self.home / "ir"
        subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={path}",
             PROGRAM, how, str(count)], check=True, timeout=300,
            capture_output=True)
        return int(re.search(r"^summary: (\d+)", path.read_text(), re.M)[1])

    def test_a_zone_that_nobody_used_asks_the_system_nothing(self):
        self.assertEqual(self.more_calls("unused"), {})

    def test_a_used_zone_populates_a_page_and_needs_no_barrier(self):
        self.assertEqual(self.more_calls("used"), {"madvise": MANY - FEW})

    def test_nor_beside_another_thread(self):
        calls = self.more_calls("beside")
        self.assertEqual(calls["madvise"], MANY - FEW)
        # Who was moved to another CPU in between has to ask for one.
        self.assertLess(calls.get("membarrier", 0), (MANY - FEW) / 10)
        self.assertLessEqual(set(calls), {"madvise", "membarrier"})

    def test_how_many_there_are_does_not_matter(self):
        each = [self.instructions("refill", count) / count
                for count in (250, 500, 2000)]
        # The first number pays for what a program costs without any zone.
        small = (each[1] * 500 - each[0] * 250) / 250
        large = (each[2] * 2000 - each[1] * 500) / 1500
        self.assertLess(large, 1.05 * small, (small, large))


if __name__ == "__main__":
    unittest.main()
