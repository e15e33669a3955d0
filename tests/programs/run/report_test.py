#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `uma run` says: summary, table, records."""
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

from case import (Case, HEADER, HOSTILE, LIBRARY, LIMIT, LINES, WORK,
                  read_table)


class SummaryTest(Case):
    def test_lines(self):
        done = self.run_it("--stats", self.home / "s", "--", WORK, "fork",
                           2000, 3000)
        lines = done.stderr.splitlines()
        self.assertLessEqual(len(lines), LINES)
        for line in lines:
            self.assertTrue(line.startswith("uma: "), line)
        self.assertRegex(lines[0], r"work: exit 0, [\d.]+ m?s, peak RSS "
                         r"[\d.]+ [KMG]iB, [\d ]+ page faults\Z")
        self.assertRegex(lines[1], r"uma: [\d.]+( [kMG])? allocations in 2 "
                         r"processes, [\d.]+% served by per-CPU caches\Z")
        self.assertRegex(done.stderr, r"malloc-\d+ +[\d.]+ [KM]?i?B ")
        self.assertIn(f"full table: {self.home / 's'}", lines[-1])

    def test_peak_is_the_largest_process(self):
        hog = self.compile("""\
            #include <stdlib.h>
            #include <string.h>
            int main(int n, char **v) {
                    size_t m = (size_t)atoi(v[n - 1]) << 20;
                    char *p = malloc(m);
                    memset(p, 1, m);
                    return p[m - 1] != 1;
            }
            """, "hog")
        done = self.run_it("--", "sh", "-c", f"{hog} 100; {hog} 10")
        peak = float(re.search(r"peak RSS ([\d.]+) MiB", done.stderr)[1])
        self.assertTrue(100 <= peak < 150, done.stderr)
        faults = re.search(r"([\d ]+) page faults", done.stderr)[1]
        self.assertGreater(int(faults.replace(" ", "")), 100)

    def test_share_served(self):
        done = self.run_it("--", WORK, "return", 100000, 64)
        share = float(re.search(r"([\d.]+)% served", done.stderr)[1])
        self.assertTrue((0 if HOSTILE else 50) < share <= 100, done.stderr)

    def test_children_are_followed(self):
        done = self.run_it(
            "--", "sh", "-c", f"{WORK} exit 10 64 & {WORK} exit 10 64 &"
            f" {WORK} _exit 10 64; wait")
        count = int(re.search(r"in (\d+) process", done.stderr)[1])
        self.assertGreaterEqual(count, 3)

    def test_many_at_once(self):
        path = self.home / "stats"
        self.run_it("--stats", path, "--", "sh", "-c",
                    f"for i in $(seq 40); do {WORK} exit 100 3000 & done;"
                    " wait")
        row = self.class_of(read_table(path.read_text()), 3000)
        self.assertTrue(4000 <= row["req"] < 4400, row)

    def test_orphans(self):
        log = self.home / "log"
        daemon = self.script(f"""\
            #!/bin/sh
            (sleep 60 & echo $! >{log}) >/dev/null 2>&1
            """)
        done = self.run_it("--", daemon, stdin=subprocess.DEVNULL)
        os.kill(int(log.read_text()), signal.SIGKILL)
        self.assertIn("still runs", done.stderr)

    def test_wait_for_orphans(self):
        mark = self.home / "mark"
        daemon = self.script(f"""\
            #!/bin/sh
            (sleep 1.2; touch {mark}; {WORK} exit 1000 3000) \
                >/dev/null 2>&1 &
            """)
        path = self.home / "stats"
        done = self.run_it("--wait", "--stats", path, "--", daemon)
        self.assertTrue(mark.exists())
        self.assertNotIn("still runs", done.stderr)
        row = self.class_of(read_table(path.read_text()), 3000)
        self.assertTrue(1000 <= row["req"] < 1100, row)


class StatsTest(Case):
    def test_layout(self):
        table, _ = self.stats_of(WORK, "exit", 1000, 3000)
        self.assertGreater(len(table), 5)

    def test_replaces_what_was_there(self):
        (self.home / "stats").write_text("x" * 100000)
        table, _ = self.stats_of("true")
        self.assertIsInstance(table, dict)

    def test_to_a_pipe(self):
        done = self.run_it("--stats", "/dev/stdout", "--", "true")
        self.assertTrue(done.stdout.startswith(HEADER + "\n"), done.stdout)

    def test_full_disk(self):
        done = self.run_it("--stats", "/dev/full", "--", WORK, "exit", 1, 1)
        self.assertEqual(done.returncode, 0)
        self.assertIn("--stats: /dev/full:", done.stderr)


class ReportTest(Case):
    """The library's side: the records themselves."""

    def report(self, command, path=None, preload=LIBRARY, **more):
        path = path or self.home / "report"
        path.touch()
        env = dict(self.env, LD_PRELOAD=preload,
                   UMA_OPTIONS=f"percpu:generic,report:{path}", **more)
        subprocess.run(list(map(str, command)), env=env, check=True,
                       timeout=LIMIT, stdout=subprocess.DEVNULL)
        return path.read_text()

    def test_form(self):
        lines = self.report([WORK, "exit", 1000, 3000]).splitlines()
        self.assertRegex(lines[0], r"\Auma-report 1 pid \d+ comm work exe "
                         + re.escape(os.path.realpath(WORK)) + r"\Z")
        for line in lines[1:-2]:
            self.assertRegex(line, r"\Azone( [a-z_]+ \d+)+ name \S.*\Z")
        self.assertRegex(lines[-2], r"\Atotal( [a-z_]+ \d+)+\Z")
        self.assertEqual(lines[-1], "end")

    def test_appends(self):
        self.report([WORK, "exit", 1, 1])
        text = self.report([WORK, "exit", 1, 1])
        self.assertEqual(text.count("uma-report 1 "), 2)
        self.assertEqual(text.count("\nend\n"), 2)

    def test_names_cannot_break_lines(self):
        odd = self.home / "a b\nend"
        shutil.copy(WORK, odd)
        text = self.report([odd, "exit", 10, 10])
        self.assertEqual(text.splitlines().count("end"), 1)
        self.assertIn(" comm a?b?end exe ", text)

    def test_the_environment_may_be_cleared(self):
        text = self.report([sys.executable, "-c",
                            "import os; os.environ.clear(); os._exit(0)"])
        self.assertEqual(text.count("\nend\n"), 1)

    def test_nothing_done_is_nothing_said(self):
        text = self.report([WORK, "fork_idle", 10, 10])
        self.assertEqual(text.count("uma-report 1 "), 1)

    def test_no_file_is_made(self):
        path = self.home / "none"
        env = dict(self.env, LD_PRELOAD=LIBRARY,
                   UMA_OPTIONS=f"report:{path}")
        subprocess.run([WORK, "exit", "1", "1"], env=env, check=True,
                       timeout=LIMIT)
        self.assertFalse(path.exists())

    def test_a_record_cut_short_is_left_out(self):
        # The command spoils the file: half a record before a whole one, and
        # half a one at the end.
        spoiler = self.script(f"""\
            #!/bin/sh
            file=${{UMA_OPTIONS##*report:}}
            half() {{
                    echo uma-report 1 pid 1 comm x exe x
                    echo zone size 3001 allocs 999999 name spoilt
                    echo total zones 1 large_allocs 999999
                    printf 'zone size 3002 allocs 999999 name cut'
            }}
            {{ half; echo; }} >>"$file"
            {WORK} exit 1000 3000
            half >>"$file"
            kill -KILL $$
            """)
        path = self.home / "stats"
        done = self.run_it("--stats", path, "--", spoiler)
        self.assertEqual(done.returncode, -signal.SIGKILL)
        table = read_table(path.read_text())
        self.assertFalse({("spoilt", 3001), ("cut", 3002)} & set(table))
        row = self.class_of(table, 3000)
        self.assertTrue(1000 <= row["req"] < 1100, row)
        self.assertRegex(done.stderr, r"uma: \d+ allocations in 1 process,")


if __name__ == "__main__":
    unittest.main()
