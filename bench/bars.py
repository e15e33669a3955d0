# SPDX-License-Identifier: BSD-2-Clause
"""What was promised, as ratios within one run, and whether it was kept."""
import collections
import fnmatch

import causes
import peers
import report

# `row` and `ours` are globs.  The rival is a peer, or one of
#   mallocs  the best malloc
#   all      the best malloc or pool
#   one      the number 1: the factor is what is allowed
#   alone    the same peer on the same burst in one thread
#   sizes    the same peer's fastest row of this glob
Bar = collections.namedtuple("Bar", "row metric ours factor rival")

# Speed at least that part of the best: time at most its inverse.
KERNEL = 1 / 0.90
PROGRAM = 1 / 0.97

BARS = (
    Bar("pair/*", "ns", "uma-inline", 2.0, "list"),
    Bar("pair/*", "ns", "uma-inline", 0.35, "mallocs"),
    Bar("pair/*", "ns", "uma-zone", 1.10, "list-called"),
    Bar("pair/*", "ns", "uma-malloc", 1.0, "mallocs"),
    Bar("pair/*", "ns", "uma-zone", 1.15, "sizes"),
    Bar("pair/*", "ns", "uma-malloc", 1.15, "sizes"),
    Bar("burst/*/1000/*", "ns", "uma-zone", 1.0, "all"),
    Bar("burst/*/1000/*", "ns", "uma-malloc", 1.0, "all"),
    # A pool is inlined; this is what it is like.
    Bar("burst/*/1000/*", "ns", "uma-inline", 1.0, "all"),
    Bar("burst/*/100000/random", "ns", "uma-zone", 1.0, "mallocs"),
    Bar("burst/*/100000/random", "ns", "uma-malloc", 1.0, "mallocs"),
    Bar("constructed/*", "ns", "uma-zone", 1.0, "dpdk"),
    Bar("constructed/*", "ns", "uma-zone", 0.3, "mallocs"),
    Bar("constructed/*", "ns", "uma-inline", 1.0, "dpdk"),
    Bar("constructed/*", "ns", "uma-inline", 0.3, "mallocs"),
    Bar("threads/*", "ns", "uma-zone", 1.10, "alone"),
    Bar("threads/*", "ns", "uma-malloc", 1.10, "alone"),
    Bar("handoff/*", "ns", "uma-zone", 1.0, "mallocs"),
    Bar("handoff/*", "ns", "uma-zone", 1.5, "dpdk"),
    Bar("handoff/*", "ns", "uma-malloc", 1.0, "mallocs"),
    Bar("fresh/*", "ns", "uma-zone", 1.2, "mimalloc"),
    Bar("fresh/*", "ns", "uma-malloc", 1.2, "mimalloc"),
    Bar("fresh/16", "resident", "uma-*", 1.04, "one"),
    Bar("fresh/64", "resident", "uma-*", 1.02, "one"),
    Bar("fresh/256", "resident", "uma-*", 1.02, "one"),
    Bar("fresh/1024", "resident", "uma-*", 1.05, "one"),
    Bar("life/unused", "ns", "uma-zone", 2000, "one"),
    Bar("life/100000", "ns", "uma-zone", 2000, "one"),
    Bar("life/100000", "touched-bytes", "uma-zone", 4096, "one"),
    Bar("giveback/*", "idle-mib", "uma-zone", 1.0, "mallocs"),
    Bar("giveback/*", "idle-mib", "uma-malloc", 1.0, "mallocs"),
    Bar("tail/*", "p99.99-ns", "uma-*", 20000, "one"),
    Bar("kernel/*", "ns", "uma-malloc", KERNEL, "mallocs"),
    Bar("kernel/*", "peak-mib", "uma-malloc", 1.10, "mallocs"),
    Bar("program/*", "cpu-ms", "uma-malloc", PROGRAM, "mallocs"),
    Bar("program/*", "peak-mib", "uma-malloc", 1.10, "mallocs"),
)


def table(rows):
    """The lines of the table, and how many bars were missed and looked at."""
    medians = {(row["row"], row["metric"], name): result["median"]
               for row in rows for name, result in row["peers"].items()}
    lines = [["bar for", "metric", "peer", "value", "at most", "of", ""]]
    missed = 0
    for bar in BARS:
        for (row, metric, name), value in medians.items():
            if metric != bar.metric or not is_about(bar, row, name):
                continue
            base = rival(bar, row, name, medians)
            if base is None:
                continue
            kept = value <= base * bar.factor
            missed += not kept
            lines.append([row, metric, name, report.digits(value),
                          report.digits(base * bar.factor),
                          f"{bar.factor:.2f} x {bar.rival}",
                          "" if kept else
                          f"missed: {causes.of(row, metric, name)}"])
    return report.aligned(lines), missed, len(lines) - 1


def is_about(bar, row, name):
    return fnmatch.fnmatchcase(row, bar.row) and name in peers.OURS and \
        fnmatch.fnmatchcase(name, bar.ours)


def rival(bar, row, ours, medians):
    """What the bar is a multiple of; None when it was not measured."""
    if bar.rival == "one":
        return 1.0
    if bar.rival == "alone":
        _, size, items = row.split("/")
        return medians.get((f"burst/{size}/{items}/lifo", bar.metric, ours))
    if bar.rival == "sizes":
        found = [value for (other, metric, name), value in medians.items()
                 if fnmatch.fnmatchcase(other, bar.row) and
                 (metric, name) == (bar.metric, ours)]
    else:
        names = {"mallocs": peers.MALLOCS,
                 "all": (*peers.MALLOCS, *peers.POOLS)}.get(
                     bar.rival, (bar.rival,))
        found = [medians[row, bar.metric, name] for name in names
                 if (row, bar.metric, name) in medians]
    return min(found, default=None)
