#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Types of malloc(9) in the record of a process and in `uma run --stats`."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

TOOL = os.environ["UMA_TOOL"]
PROGRAM = os.environ["MALLOC9_RECORD"]
LIBRARY = os.environ["UMA_PRELOAD"]

HEAD = "         Type InUse MemUse Requests  Size(s)\n"
SMALL = "16,32,48,64,80,96,112"


class RecordTest(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="malloc9-test."))
        self.addCleanup(shutil.rmtree, self.home)

    def run_it(self, *arguments):
        done = subprocess.run(
            [TOOL, "run", "--preload", LIBRARY, *arguments],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def table_of(self, *command):
        """What follows the table of zones."""
        path = self.home / "stats"
        self.run_it("--stats", path, "--", *command)
        zones, empty, types = path.read_text().rpartition("\n\n")
        self.assertTrue(zones.startswith("ITEM "), zones)
        return types

    def test_one_process(self):
        self.assertEqual(
            self.table_of(PROGRAM), HEAD +
            "kept name sizes 5     3     3K        3  1024\n"
            f"         gone     0     0K      100  {SMALL}\n")

    def test_a_child_counts_what_it_did_itself(self):
        self.assertEqual(
            self.table_of(PROGRAM, "fork"), HEAD +
            "kept name sizes 5     7   134K        4  1024,131072\n"
            f"         gone     0     0K      100  {SMALL}\n"
            "     f??r?ked     0     0K        1  32\n")

    def test_summary(self):
        done = self.run_it(PROGRAM)
        self.assertIn(
            "uma: largest types    live at exit    blocks  allocations\n"
            "uma:   kept name sizes 5       3.0 KiB         3            3\n"
            "uma:   gone                        0 B         0          100\n",
            done.stderr)
        self.assertNotIn("largest types", self.run_it("true").stderr)

    def test_no_types_no_table(self):
        self.assertEqual(self.table_of("true"), "")

    def test_lines_of_the_record(self):
        path = self.home / "report"
        path.touch()
        env = dict(os.environ, LD_PRELOAD=LIBRARY,
                   UMA_OPTIONS=f"report:{path}")
        subprocess.run([PROGRAM], env=env, check=True, timeout=60)
        lines = [line for line in path.read_text().splitlines()
                 if line.startswith("type ")]
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(
            lines[0], r"\Atype used 3 bytes 3072 allocs 3 frees 0 "
            r"sampled 3072 sizes 1024 name kept name sizes 5\Z")
        self.assertRegex(
            lines[1], r"\Atype used 0 bytes 0 allocs 100 frees 100 "
            rf"sampled \d+ sizes {SMALL} name gone\Z")


if __name__ == "__main__":
    unittest.main()
