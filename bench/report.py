# SPDX-License-Identifier: BSD-2-Clause
"""From samples to medians, ratios, tables; less is better everywhere."""
import fnmatch
import statistics

import peers

# A row is lost when ours is above the best competitor by more than this.
EVEN = 1.005


def summary(samples):
    return {"median": statistics.median(samples), "min": min(samples),
            "max": max(samples), "samples": samples}


def competitors(ours):
    """A malloc competes with mallocs, a zone with pools too."""
    if ours == "uma-malloc":
        return set(peers.MALLOCS)
    return {*peers.MALLOCS, *peers.POOLS}


def judge(results, metric):
    """Compare ours with the best: {ours: {best, ratio, lost, noise}}."""
    verdicts = {}
    if metric.startswith("noise-"):
        return verdicts
    for name in filter(results.get, peers.OURS):
        rivals = {rival: results[rival]["median"] for rival in
                  competitors(name) if results.get(rival)}
        if not rivals:
            continue
        best = min(rivals, key=rivals.get)
        ours, theirs = results[name], results[best]
        ratio = divided(ours["median"], theirs["median"])
        verdicts[name] = {
            "best": best, "ratio": ratio, "lost": ratio > EVEN,
            # The two ranges overlap: another run may say otherwise.
            "noise": (ours["min"] <= theirs["max"] and
                      theirs["min"] <= ours["max"])}
    return verdicts


def divided(a, b):
    """a / b where both may be nothing: no memory is even with no memory."""
    if b == 0:
        return 1.0 if a == 0 else float("inf")
    return a / b


# What the geometric mean is taken of: malloc in all that programs do with it.
SUITE = {"kernel/*": "ns", "program/*": "cpu-ms"}


def is_of_suite(row):
    return any(fnmatch.fnmatchcase(row, glob) for glob in SUITE)


def suite(rows):
    """{peer: (mean, rows)}: how many times as fast as each malloc ours is.

    The geometric mean over the rows of SUITE that both have.
    """
    ratios = {}
    for row in rows:
        if not any(fnmatch.fnmatchcase(row["row"], glob) and
                   row["metric"] == metric
                   for glob, metric in SUITE.items()):
            continue
        ours = row["peers"].get("uma-malloc")
        for name in peers.MALLOCS:
            if ours and row["peers"].get(name):
                ratios.setdefault(name, []).append(
                    divided(row["peers"][name]["median"], ours["median"]))
    return {name: (statistics.geometric_mean(values), len(values))
            for name, values in ratios.items()}


def suite_line(means, rows, missing=()):
    """The mean against every peer; the least of them is what is promised.

    `rows`: how many the suite has; `missing`: mallocs that were not run.
    """
    text = ", ".join(f"{mean:.3f} of {name}'s" for name, (mean, _) in
                     means.items())
    least = min(mean for mean, _ in means.values())
    count = min(count for _, count in means.values())
    head = "uma-malloc's speed over the suite, geometric mean"
    if count < rows or missing:
        without = f", without {', '.join(missing)}" if missing else ""
        return f"{head}, partial: {count} of {rows} rows{without}: {text}"
    verdict = "ahead of each" if least > 1 else "lost"
    return (f"{head} of {count} rows: {text}; {verdict} "
            f"(aim: 1.10 of the best)")


def digits(value):
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(results):
    """The widest range of the row, as a part of its median."""
    return max(divided(r["max"] - r["min"], r["median"])
               for r in results.values() if r)


def verdict(name, found):
    text = f"{name.removeprefix('uma-')} {found['ratio']:.2f}"
    if found["lost"]:
        text += " lost" + (" in noise" if found["noise"] else "")
    return text


def short_table(rows, names):
    """A line for each row and metric: medians, spread, verdicts."""
    head = ["row", "metric", *names, "spread", "against the best"]
    lines = [head]
    for row in rows:
        results = row["peers"]
        cells = [digits(results[name]["median"]) if results.get(name) else "-"
                 for name in names]
        lines.append([row["row"], row["metric"], *cells,
                      f"{spread(results):.0%}",
                      ", ".join(verdict(name, found) for name, found in
                                row["ours"].items())])
    return aligned(lines)


def long_table(rows, names):
    """A line for each row, metric and peer, with least and most."""
    lines = [["row", "metric", "peer", "median", "min", "max", "ratio"]]
    for row in rows:
        for name in names:
            result = row["peers"].get(name)
            if not result:
                continue
            found = row["ours"].get(name)
            lines.append([row["row"], row["metric"], name,
                          *(digits(result[key]) for key in
                            ("median", "min", "max")),
                          verdict(name, found) if found else ""])
    return aligned(lines)


def aligned(lines):
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        yield "  ".join(
            cell.ljust(width) if index in (0, 1, len(line) - 1)
            else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths))).rstrip()
