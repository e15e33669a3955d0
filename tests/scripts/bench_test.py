#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks make of numbers: bars, causes, the mean, plots."""
import sys
import unittest
import xml.etree.ElementTree

import tree

sys.path.insert(0, str(tree.ROOT / "bench"))
import bars  # noqa: E402
import causes  # noqa: E402
import peers  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402

bench_scale = tree.load("bench-scale")


def row(name, metric, **medians):
    results = {peer.replace("_", "-"): report.summary([value])
               for peer, value in medians.items()}
    return {"row": name, "metric": metric, "peers": results,
            "ours": report.judge(results, metric)}


class BarsTest(unittest.TestCase):
    def missed(self, *rows):
        """Nobody is here but those that the rows have."""
        absent = {name: "not installed" for name in peers.NAMES
                  if not any(name in row["peers"] for row in rows)}
        lines, missed, looked = bars.table(bars.judge(rows, absent))
        return [line.split("missed: ")[1] for line in lines
                if "missed: " in line], missed, looked

    def test_a_kernel_may_take_ten_ninths_of_the_best(self):
        best = {"glibc": 200.0, "mimalloc": 90.0}
        self.assertEqual(self.missed(
            row("kernel/short", "ns", **best, uma_malloc=99.9)),
            ([], 0, 1))
        self.assertEqual(self.missed(
            row("kernel/short", "ns", **best, uma_malloc=100.1))[1:],
            (1, 1))

    def test_a_program_may_take_a_thirty_third_more(self):
        for value, missed in (103.0, 0), (103.2, 1):
            self.assertEqual(self.missed(
                row("program/perl", "cpu-ms", glibc=100.0,
                    uma_malloc=value))[1], missed)

    def test_overhead_has_a_bar_for_each_size(self):
        for size, bar in (16, 1.04), (64, 1.02), (256, 1.02), (1024, 1.05):
            for over in 0, 1:
                self.assertEqual(self.missed(
                    row(f"fresh/{size}", "resident", glibc=1.0,
                        uma_zone=bar, uma_malloc=bar + over * 0.001))[1:],
                    (over, 2))

    def test_a_zone_is_made_and_ended_in_two_microseconds(self):
        self.assertEqual(self.missed(
            row("life/unused", "ns", uma_zone=2001.0),
            row("life/100000", "touched-bytes", uma_zone=4096.0))[1:],
            (1, 2))

    def test_the_tail(self):
        self.assertEqual(self.missed(
            row("tail/pair/64", "p99.99-ns", uma_zone=20000.0,
                uma_malloc=20001.0))[1:], (1, 2))

    def test_a_missed_bar_says_why(self):
        kept = causes.CAUSES
        self.addCleanup(setattr, causes, "CAUSES", kept)
        causes.CAUSES = (("kernel/s*", "ns", "uma-malloc", "first"),
                         ("kernel/*", "*", "*", "second"))
        self.assertEqual(self.missed(
            row("kernel/short", "ns", glibc=1.0, uma_malloc=2.0),
            row("kernel/tree", "ns", glibc=1.0, uma_malloc=2.0),
            row("program/perl", "cpu-ms", glibc=1.0, uma_malloc=2.0))[0],
            ["first", "second", causes.UNKNOWN])

    def unjudged(self, rows, absent=()):
        return list(bars.unjudged(bars.judge(rows, dict(absent))))

    def test_every_malloc_that_is_here_must_have_run(self):
        rows = [row("kernel/short", "ns", glibc=1.0, mimalloc=2.0,
                    uma_malloc=1.0),
                row("kernel/tree", "ns", glibc=1.0, mimalloc=2.0,
                    uma_malloc=9.0)]
        away = {"tcmalloc": "not installed"}
        self.assertEqual(self.unjudged(rows, away), [
            "not judged: kernel/* ns uma-malloc, 1.11 x mallocs, 2 rows: "
            "no result of jemalloc"])
        found = bars.judge(rows, away)
        self.assertEqual({one["kept"] for one in found}, {None})
        self.assertEqual(bars.table(found)[1:], (0, 0))
        away["jemalloc"] = "not installed"
        self.assertEqual(self.unjudged(rows, away), [])
        self.assertEqual([(one["row"], one["kept"], one["why"] is None)
                          for one in bars.judge(rows, away)],
                         [("kernel/short", True, True),
                          ("kernel/tree", False, False)])

    def test_a_rival_that_is_not_here_is_named(self):
        rows = [row("handoff/64", "ns", uma_zone=1.0)]
        away = {**dict.fromkeys(peers.MALLOCS, "not installed"),
                "dpdk": "not built"}
        said = self.unjudged(rows, away)
        self.assertEqual(len(said), 2)
        self.assertTrue(said[0].endswith(
            "1 row: glibc not installed, jemalloc not installed, "
            "mimalloc not installed, tcmalloc not installed"), said)
        self.assertTrue(said[1].endswith(
            "handoff/* ns uma-zone, 1.50 x dpdk, 1 row: dpdk not built"),
            said)

    def test_one_size_is_not_judged_by_itself(self):
        away = {name: "not installed" for name in peers.NAMES}
        one = row("pair/64", "ns", uma_malloc=1.0)
        self.assertIn("not judged: pair/* ns uma-malloc, 1.15 x sizes, 1 row: "
                      "only one size was run", self.unjudged([one], away))
        two = [one, row("pair/16", "ns", uma_malloc=1.2)]
        self.assertEqual([(found["row"], found["kept"]) for found in
                          bars.judge(two, away) if found["rival"] == "sizes"],
                         [("pair/64", True), ("pair/16", False)])

    def test_the_burst_of_one_thread_must_have_run(self):
        rows = [row("threads/64/100", "ns", uma_zone=1.0)]
        self.assertEqual(self.unjudged(rows), [
            "not judged: threads/* ns uma-zone, 1.10 x alone, 1 row: "
            "the same burst in one thread was not run"])
        rows.append(row("burst/64/100/lifo", "ns", uma_zone=0.5))
        self.assertEqual([found["kept"] for found in bars.judge(rows, {})],
                         [False])


class JudgeTest(unittest.TestCase):
    def test_lost_above_the_best(self):
        for value, lost in (1.004, False), (1.006, True):
            found = row("pair/64", "ns", dpdk=1.0, glibc=2.0, uma_zone=value,
                        uma_malloc=2.0)["ours"]
            self.assertEqual(found["uma-zone"]["lost"], lost)
            # A pool is no competitor of a malloc.
            self.assertFalse(found["uma-malloc"]["lost"])

    def test_the_machines_noise_is_nobodys(self):
        self.assertEqual(row("tail/pair/64", "noise-p99-ns", glibc=1.0,
                             uma_malloc=9.0)["ours"], {})


class SuiteTest(unittest.TestCase):
    ROWS = (row("kernel/a", "ns", glibc=8.0, mimalloc=1.0, uma_malloc=1.0),
            row("program/b", "cpu-ms", glibc=2.0, mimalloc=4.0,
                uma_malloc=1.0),
            row("program/b", "peak-mib", glibc=99.0, uma_malloc=1.0),
            row("pair/64", "ns", glibc=99.0, uma_malloc=1.0),
            row("kernel/c", "ns", glibc=0.5, uma_malloc=1.0))

    def test_mean_of_what_both_have(self):
        means = report.suite(self.ROWS)
        self.assertAlmostEqual(means["glibc"][0], 2.0)
        self.assertEqual(means["glibc"][1], 3)
        self.assertAlmostEqual(means["mimalloc"][0], 2.0)
        self.assertEqual(means["mimalloc"][1], 2)
        self.assertIn("ahead of each", report.suite_line(means, 2))

    def test_no_verdict_of_a_part(self):
        means = report.suite(self.ROWS)
        said = report.suite_line(means, 3)
        self.assertIn("partial: 2 of 3 rows:", said)
        self.assertNotIn("ahead", said)
        said = report.suite_line(means, 2, ["tcmalloc"])
        self.assertIn("partial: 2 of 2 rows, without tcmalloc:", said)
        self.assertNotIn("ahead", said)

    def test_rows_of_the_suite(self):
        self.assertEqual([report.is_of_suite(name) for name in
                          ("kernel/a", "program/b", "pair/64")],
                         [True, True, False])

    def test_behind_one_is_lost(self):
        means = report.suite(
            self.ROWS + (row("kernel/d", "ns", mimalloc=1.0,
                             uma_malloc=5.0),))
        self.assertLess(means["mimalloc"][0], 1)
        self.assertIn("lost", report.suite_line(means, 3))


class TailTest(unittest.TestCase):
    def test_rounds_are_put_together_by_ticks(self):
        """However long each of them took its ticks to be."""
        rounds = [{"tick-ns": 0.5, "10": 90.0, "20": 10.0},
                  {"tick-ns": 0.4, "10": 80.0, "20": 20.0},
                  {"tick-ns": 0.6, "10": 70.0, "20": 30.0}]
        self.assertEqual(bench_scale.above(rounds), [(5.0, 0.2)])

    def test_what_is_rare_is_not_lost(self):
        """In each round one is slowest, each time in another bucket."""
        rounds = [{"tick-ns": 1.0, "10": 99.0, "40": 1.0},
                  {"tick-ns": 1.0, "10": 99.0, "30": 1.0},
                  {"tick-ns": 1.0, "10": 99.0, "20": 1.0}]
        self.assertEqual(bench_scale.above(rounds),
                         [(10.0, 0.01), (20.0, 0.01)])

    def test_a_bucket_that_a_round_lacks(self):
        rounds = [{"tick-ns": 1.0, "9": 3.0, "100": 1.0},
                  {"tick-ns": 1.0, "9": 4.0},
                  {"tick-ns": 1.0, "9": 4.0}]
        self.assertEqual(bench_scale.above(rounds), [])


class PlotTest(unittest.TestCase):
    def parts(self, *args, **how):
        tree = xml.etree.ElementTree.fromstring(plot.chart(*args, **how))
        return [(part.tag.split("}")[1], part.attrib, part.text)
                for part in tree]

    def test_every_point_has_its_place(self):
        parts = self.parts("t < u", "x", "y", {"a": [(1, 10), (100, 1)]})
        lines = [how["points"] for tag, how, _ in parts if tag == "polyline"]
        left, right = plot.LEFT, plot.WIDTH - plot.RIGHT
        self.assertEqual(lines, [
            f"{left:.1f},{plot.TOP:.1f} "
            f"{right:.1f},{plot.HEIGHT - plot.BOTTOM:.1f}"])
        texts = [text for tag, _, text in parts if tag == "text"]
        self.assertEqual(texts[0], "t < u")
        self.assertIn("100", texts)
        self.assertIn("a", texts)

    def test_limits_are_dashed(self):
        parts = self.parts("t", "x", "y", {"a": [(1, 1)], "b": [(1, 2)]},
                           limits=("b",))
        dashes = ["stroke-dasharray" in how for tag, how, _ in parts
                  if tag == "polyline"]
        self.assertEqual(dashes, [False, True])

    def test_every_curve_has_its_own_colour(self):
        colours = [plot.colour_of(number) for number in range(60)]
        self.assertEqual(len(set(colours)), 60)
        for colour in colours:
            self.assertRegex(colour, "^#[0-9a-f]{6}$")
        self.assertEqual(tuple(colours[:9]), plot.COLOURS)

    def test_every_name_is_on_the_page(self):
        page = xml.etree.ElementTree.fromstring(plot.chart(
            "t", "x", "y", {str(n): [(1, 1)] for n in range(40)}))
        lowest = max(float(part.attrib["y"]) for part in page
                     if part.tag.endswith("text"))
        self.assertLess(lowest, float(page.attrib["height"]))

    def test_short(self):
        self.assertEqual([plot.short(value) for value in
                          (0.01, 1, 1000, 2.5e6, 1e9)],
                         ["0.01", "1", "1k", "2.5M", "1G"])


if __name__ == "__main__":
    unittest.main()
