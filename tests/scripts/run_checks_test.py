# SPDX-License-Identifier: BSD-2-Clause
"""run-checks counts every result there is, and reads what meson prints."""
import contextlib
import io
import sys
import unittest

import tree

sys.path.insert(0, str(tree.ROOT / "scripts"))
run_checks = tree.load("run-checks")


class RunChecksTest(tree.TreeTest):
    script = "run-checks"

    def test_help(self):
        self.helps()

    def test_unknown_words(self):
        for words in (["--sanitizer"], ["--sanitizers", "lsan"],
                      ["--static", "asan"], ["--emulated", "asan"]):
            done = self.run_script(*words)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("usage: run-checks", done.stdout)

    def test_tally(self):
        tally = run_checks.Tally()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            for result in ("OK", "EXPECTEDFAIL", "SKIP", "FAIL", "TIMEOUT",
                           "ERROR", "UNEXPECTEDPASS", "INTERRUPT"):
                tally.note(result, result, 0)
        self.assertEqual(tally.line(), "2 passed, 5 failed")
        self.assertEqual(tally.skipped, 1)
        self.assertIn("FAIL TIMEOUT  0.0s (TIMEOUT)", said.getvalue())

    def test_check(self):
        tally = run_checks.Tally()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            run_checks.check(tally, "good", ["true"], ["true"])
            run_checks.check(tally, "bad", ["sh", "-c", "echo why; exit 1"],
                             ["true"])
        self.assertEqual(tally.line(), "1 passed, 1 failed")
        self.assertIn("     why\n", said.getvalue())

    def test_meson_lines(self):
        match = run_checks.TEST_LINE.match(
            " 3/12 uma:unit / keg take       TIMEOUT         30.01s   killed")
        self.assertEqual(match.groups(),
                         ("uma:unit / keg take", "TIMEOUT", "30.01"))
        self.assertIsNone(run_checks.TEST_LINE.match("Ok:    12"))


if __name__ == "__main__":
    unittest.main()
