#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""watch_test.py TOOL PROGRAM DROP_IN: each error of errors.c has its report.

TOOL is valgrind, address, memory or thread: what PROGRAM was built with.
DROP_IN is the library's malloc, to be preloaded.
"""
import os
import re
import subprocess
import sys
import unittest

TOOL, PROGRAM, DROP_IN = sys.argv[1:]
BAD = 9
HOSTILE = os.environ.get("UMA_HOSTILE") == "true"

COMMAND = {"valgrind": ["valgrind", "--quiet", "--leak-check=full",
                        "--num-callers=30",
                        f"--error-exitcode={BAD}"]}
ENVIRONMENT = {
    "address": {"ASAN_OPTIONS": f"exitcode={BAD}:detect_leaks=1"},
    "memory": {"MSAN_OPTIONS": f"exitcode={BAD}"},
    "thread": {"TSAN_OPTIONS": f"exitcode={BAD}"},
}


def said_by_valgrind(what, where):
    return rf"{what}(?s:.*)Address \S+ is {where}(?s:.*)by \S+ \w+ \(errors\.c"


def said_by_asan(where, zone):
    return (r"ERROR: AddressSanitizer: use-after-poison on address (\S+) "
            rf"(?s:.*)\numa: ptr \1 is {where}: item 0x\w+ zone \"{zone}\"\n")


UNINITIALISED = (r"WARNING: MemorySanitizer: use-of-uninitialized-value"
                 r"\n +#0 \S+ in uninitialised")
RACE = r"WARNING: ThreadSanitizer: data race(?s:.*)errors\.c"

# Where malloc(9) is in debug mode its blocks are larger by 8 bytes, and as long
# as their class: who writes behind one is not seen.
DEBUG = os.environ.get("UMA_CHECKED") == "true"
UNSEEN = {"block-overflow", "large-overflow"} if DEBUG else set()

# What the report of each error says; False: the tool does not look for it.
REPORTS = {
    "valgrind": {
        "use-after-free": said_by_valgrind(
            "Invalid read of size 8",
            "16 bytes inside a block of size 40 free'd"),
        "write-after-free": said_by_valgrind(
            "Invalid write of size 8",
            "24 bytes inside a block of size 40 free'd"),
        "use-after-destroy": said_by_valgrind(
            "Invalid read of size 8",
            "16 bytes inside a block of size 40 free'd"),
        "overflow": said_by_valgrind(
            "Invalid write of size 1",
            "0 bytes after a block of size 40 alloc'd"),
        "underflow": said_by_valgrind(
            "Invalid write of size 1",
            "1 bytes before a block of size 40 alloc'd"),
        "uninitialised": "Conditional jump or move depends on uninit",
        "uninitialised-again": "Conditional jump or move depends on uninit",
        "leak": r"80 bytes in 2 blocks are definitely lost(?s:.*) leak \(",
        "old-after-free": said_by_valgrind(
            "Invalid read of size 8",
            "16 bytes inside a block of size 64 free'd"),
        "double-free": r"Invalid free\(\)(?s:.*) double_free \((?s:.*)"
                       r"uma: uma_zfree: double free: ptr \S+ zone \"watched",
        "block-after-free": said_by_valgrind(
            "Invalid read of size 1",
            "20 bytes inside a block of size 5[08] free'd"),
        "block-overflow": said_by_valgrind(
            "Invalid write of size 1",
            "0 bytes after a block of size 50 alloc'd"),
        "block-leak": "5[08] bytes in 1 blocks are definitely lost",
        "large-after-free": said_by_valgrind(
            "Invalid read of size 1",
            "100,000 bytes inside a block of size 200,00[08] free'd"),
        "large-overflow": said_by_valgrind(
            "Invalid write of size 1",
            "0 bytes after a block of size 200,000 alloc'd"),
        "race": False,
        "race-with-free": False,
    },
    "address": {
        "use-after-free": said_by_asan("16 bytes into a free item", "watched"),
        "write-after-free": said_by_asan(
            "24 bytes into a free item", "watched kept"),
        "use-after-destroy": r"AddressSanitizer: use-after-poison",
        "overflow": said_by_asan("0 bytes behind an item", "watched"),
        "underflow": said_by_asan("1 bytes before an item", "watched"),
        "uninitialised": False,
        "uninitialised-again": False,
        "leak": False,
        "old-after-free": said_by_asan(
            "16 bytes into a free item", "watched old"),
        "double-free":
            r"uma: uma_zfree: double free: ptr \S+ zone \"watched",
        "block-after-free": said_by_asan(
            "20 bytes into a free item", "malloc-64"),
        "block-overflow": said_by_asan("50 bytes into an item", "malloc-64"),
        "block-leak": False,
        "large-after-free": "AddressSanitizer: use-after-poison",
        "large-overflow": "AddressSanitizer: use-after-poison",
        "race": False,
        "race-with-free": False,
    },
    "memory": {
        "uninitialised": UNINITIALISED,
        "uninitialised-again": UNINITIALISED,
    },
    "thread": {
        "race": RACE + r"(?s:.*)race_here ",
        "race-with-free": RACE + r"(?s:.*)item_freed",
    },
}


def run(name, wish=(), **more):
    env = {**os.environ, "UMA_OPTIONS": "watch:on",
           **ENVIRONMENT.get(TOOL, {}), **more}
    return subprocess.run(
        [*COMMAND.get(TOOL, []), *wish, PROGRAM, name], env=env, text=True,
        capture_output=True, timeout=100)


def run_until(name, report):
    """Whether a race is one is decided anew in each run."""
    for _ in range(20 if TOOL == "thread" else 1):
        done = run(name)
        if re.search(report, done.stderr):
            break
    return done


class WatchTest(unittest.TestCase):
    def test_no_error_no_report(self):
        for _ in range(3 if TOOL == "thread" else 1):
            done = run("clean")
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_each_error_has_its_report(self):
        for name, report in REPORTS[TOOL].items():
            if report and name not in UNSEEN:
                with self.subTest(error=name):
                    done = run_until(name, report)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertRegex(done.stderr, report)

    def test_nothing_is_told_when_that_is_wished(self):
        name = {"thread": "race-with-free", "memory": "uninitialised"}.get(
            TOOL, "use-after-free")
        done = run(name, UMA_OPTIONS="watch:off")
        if HOSTILE and TOOL == "thread":
            # Buckets go from thread to thread: that order is not told either.
            self.assertNotRegex(done.stderr, REPORTS[TOOL][name])
            return
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_drop_in_malloc_hides_nothing(self):
        report, wishes = {
            "valgrind": ("0 bytes after a block of size 50 alloc'd",
                         [[], ["--soname-synonyms="
                               "somalloc=nouserintercepts"]]),
            "address": ("heap-buffer-overflow|runtime does not come first",
                        [[]]),
        }.get(TOOL, ("", []))
        for wish in wishes:
            with self.subTest(wish=wish):
                done = run("malloc-overflow", wish, LD_PRELOAD=DROP_IN)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, report)
        if TOOL == "valgrind":
            done = run("malloc-usable", wishes[1], LD_PRELOAD=DROP_IN)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
