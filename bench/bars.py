# SPDX-License-Identifier: BSD-2-Clause
"""What was promised, as ratios within one run, and whether it was kept."""
import collections
import fnmatch

import causes
import peers
import report

# `row` and `ours` are globs.  The rival is a peer, or one of
#   mallocs  the best malloc, of all that are installed
#   all      the best malloc or pool, of all that are installed
#   one      the number 1: the factor is what is allowed
#   alone    the same peer on the same burst in one thread
#   sizes    the same peer's fastest row of this glob, of two or more
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


GROUPS = {"mallocs": tuple(peers.MALLOCS),
          "all": (*peers.MALLOCS, *peers.POOLS)}


class Unjudged(Exception):
    """What the bar is a multiple of was not measured; the text says why."""


def judge(rows, absent):
    """Each bar of each row, as a dictionary.

    `absent`: {peer: why it is not here}; all others must have run.  `kept` of a
    bar that cannot be judged is None, and `why` says why.
    """
    medians = {(row["row"], row["metric"], name): result["median"]
               for row in rows for name, result in row["peers"].items()}
    found = []
    for bar in BARS:
        for (row, metric, name), value in medians.items():
            if metric != bar.metric or not is_about(bar, row, name):
                continue
            one = {"bar": bar.row, "row": row, "metric": metric, "peer": name,
                   "value": value, "factor": bar.factor, "rival": bar.rival,
                   "most": None, "kept": None, "why": None}
            try:
                one["most"] = bar.factor * rival(bar, row, name, medians,
                                                 absent)
                one["kept"] = value <= one["most"]
                if not one["kept"]:
                    one["why"] = causes.of(row, metric, name)
            except Unjudged as reason:
                one["why"] = str(reason)
            found.append(one)
    return found


def table(found):
    """The lines of what judge() found, and how many were missed and judged."""
    lines = [["bar for", "metric", "peer", "value", "at most", "of", ""]]
    missed = 0
    for one in found:
        if one["kept"] is None:
            continue
        missed += not one["kept"]
        lines.append([one["row"], one["metric"], one["peer"],
                      report.digits(one["value"]), report.digits(one["most"]),
                      of(one), "" if one["kept"] else f"missed: {one['why']}"])
    return report.aligned(lines), missed, len(lines) - 1


def unjudged(found):
    """A line for each kind of bar that could not be judged."""
    counts = collections.Counter(
        (one["bar"], one["metric"], one["peer"], of(one), one["why"])
        for one in found if one["kept"] is None)
    for (*bar, what, why), count in counts.items():
        yield (f"not judged: {' '.join(bar)}, {what}, "
               f"{count} row{'s'[:count > 1]}: {why}")


def of(one):
    return f"{one['factor']:.2f} x {one['rival']}"


def is_about(bar, row, name):
    return fnmatch.fnmatchcase(row, bar.row) and name in peers.OURS and \
        fnmatch.fnmatchcase(name, bar.ours)


def rival(bar, row, ours, medians, absent):
    """What the bar is a multiple of."""
    if bar.rival == "one":
        return 1.0
    if bar.rival == "alone":
        _, size, items = row.split("/")
        other = f"burst/{size}/{items}/lifo"
        if (other, bar.metric, ours) not in medians:
            raise Unjudged("the same burst in one thread was not run")
        return medians[other, bar.metric, ours]
    if bar.rival == "sizes":
        found = [value for (other, metric, name), value in medians.items()
                 if fnmatch.fnmatchcase(other, bar.row) and
                 (metric, name) == (bar.metric, ours)]
        if len(found) < 2:
            raise Unjudged("only one size was run")
        return min(found)
    return rival_peer(bar, row, medians, absent)


def rival_peer(bar, row, medians, absent):
    """The best of the peers that the bar names."""
    group = GROUPS.get(bar.rival, (bar.rival,))
    found = {name: medians[row, bar.metric, name] for name in group
             if (row, bar.metric, name) in medians}
    lost = [name for name in group if name not in found and
            name not in absent]
    if lost:
        raise Unjudged(f"no result of {', '.join(lost)}")
    if not found:
        raise Unjudged(", ".join(f"{name} {absent[name]}" for name in group))
    return min(found.values())
