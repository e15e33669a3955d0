#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Count the instructions of the hits where there are no sequences.

Callgrind counts what a function and all that it calls execute, in a run of N
pairs and in one of 2N.  The difference has no start of the library in it and no
first miss: divided by N it is the hit.
"""
import argparse
import os
import re
import subprocess
import sys

PAIRS = 2000
KINDS = {"uma_zalloc": "zone", "uma_zfree": "zone",
         "malloc": "malloc", "free": "malloc"}


def executed(program, function, pairs):
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         f"--toggle-collect={function}", program, KINDS[function], str(pairs)],
        env={**os.environ, "UMA_OPTIONS": "percpu:generic"},
        capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        sys.exit(f"generic_test: {function}: {done.stderr.strip()}")
    return int(found[1])


def limit(text):
    name, _, number = text.partition("=")
    if name not in KINDS or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text}: write NAME=N")
    return name, int(number)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("limits", nargs="+", type=limit, metavar="NAME=N")
    options = parser.parse_args()
    bad = 0
    for name, most in options.limits:
        more = (executed(options.program, name, 2 * PAIRS) -
                executed(options.program, name, PAIRS))
        each = more / PAIRS
        good = 0 < each <= most
        bad += not good
        print(f"{name}: {each:.1f} instructions"
              f"{'' if good else f', at most {most} allowed'}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
