#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A command may do with the file of records whatever it likes."""
import os
import resource
import unittest

from case import Case, read_table

# How a shell finds the file.
FIND = 'file=${UMA_OPTIONS##*report:}\n'
# Address space that the tool may have, and the command.
MEGABYTES = 200


def little_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES << 20,) * 2)


class HostileTest(Case):
    def hostile(self, text):
        """A run of a shell script that may spoil the records; the table."""
        path = self.script("#!/bin/sh\n" + FIND + text)
        stats = self.home / "stats"
        done = self.run_it("--stats", stats, "--", path,
                           preexec_fn=little_memory)
        self.assertEqual(done.returncode, 0, done.stderr)
        for line in done.stderr.splitlines():
            self.assertTrue(line.startswith("uma: "), done.stderr)
        return read_table(stats.read_text()), done.stderr

    def test_a_line_without_end(self):
        _, said = self.hostile('truncate -s 800M "$file"\n')
        self.assertIn("process", said)

    def test_a_file_too_long(self):
        _, said = self.hostile('truncate -s 100G "$file"\n')
        self.assertIn("only the first GiB is counted", said)

    def test_more_zones_than_there_is_room_for(self):
        table, _ = self.hostile(
            'awk \'BEGIN { print "uma-report 1 x"; for (i = 0; i < 9000; i++)'
            ' print "zone size " i " allocs 1 name spoilt"; print "end" }\''
            ' >>"$file"\n')
        self.assertLessEqual(len(table), 4096)
        self.assertGreater(table["(others)", 0]["req"], 4000)

    def test_a_pipe_in_its_place(self):
        # The processes of the script itself would wait for a reader.
        _, said = self.hostile('unset UMA_OPTIONS\nrm "$file"\n'
                               'mkfifo "$file"\nexec env -i true\n')
        self.assertIn("process", said)

    def test_another_file_in_its_place(self):
        table, _ = self.hostile(
            'rm "$file"\nprintf "zone size 1 allocs 1 name spoilt\\nend\\n"'
            ' >"$file"\n')
        self.assertNotIn(("spoilt", 1), table)

    def test_a_name_that_the_terminal_obeys(self):
        table, said = self.hostile(
            'printf "zone size 1 used 9 allocs 1 name \\033[31mred\\n'
            'end\\n" >>"$file"\n')
        self.assertIn(("?[31mred", 1), table)
        self.assertNotIn("\033", said)

    def test_a_script_of_a_pipe(self):
        """It cannot be run; the tool must not wait for who writes to it."""
        pipe = self.home / "pipe"
        os.mkfifo(pipe)
        done = self.run_it("--", self.script(f"#!{pipe}\n", "of_a_pipe"))
        self.refuses(done, 126, "cannot be executed")


if __name__ == "__main__":
    unittest.main()
