# SPDX-License-Identifier: BSD-2-Clause
"""check-models tells what holds from what was not searched or is wrong."""
import shutil
import unittest

import tree

MODEL = """/*
 * Mutations: LOST STUCK EARLY
 */
byte n, ended;
proctype add()
{
#ifdef LOST
	byte was = n;
	n = was + 1;
#else
	atomic { n++ };
#endif
	ended++
}
init {
	atomic { run add(); run add() };
#ifdef STUCK
	ended == 3;
#endif
#ifndef EARLY
	ended == 2;
#endif
	assert(n == 2)
}
"""


@unittest.skipUnless(shutil.which("spin"), "needs spin")
class ModelsTest(tree.TreeTest):
    script = "check-models"

    def check(self, text):
        return self.run_script(self.put("adds.pml", text))

    def test_help(self):
        self.helps()

    def test_good(self):
        done = self.check(MODEL)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(done.stdout.count("ok  adds"), 4)

    def refused(self, was, now, what):
        self.assertIn(was, MODEL)
        done = self.check(MODEL.replace(was, now))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(what, done.stdout)

    def test_wrong(self):
        self.refused("#ifdef LOST", "#if 1", "adds : not exhausted")

    def test_harmless_mutation(self):
        self.refused("#ifdef LOST", "#if 0", "adds LOST: not violated")

    def test_misspelt(self):
        self.refused("byte n, ended;", "byte n ended;", "adds : not exhausted")

    def test_too_few(self):
        self.refused(" STUCK EARLY", "", "give it three mutations")


if __name__ == "__main__":
    unittest.main()
