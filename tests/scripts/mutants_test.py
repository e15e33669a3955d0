# SPDX-License-Identifier: BSD-2-Clause
"""The defects in the tree apply; a list that does not is refused."""
import unittest

import tree

# The script looks for files from its own root on.
DEFECT = """defect one is two
file tests/scripts/mutants_test.py
-ONE = 1
+ONE = 2
"""
ONE = 1


class MutantsTest(tree.TreeTest):
    script = "mutants"

    def check(self, text):
        return self.run_script("--check", "--list", self.put("list", text))

    def refused(self, text, what):
        done = self.check(text)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertIn(what, done.stdout)

    def test_help(self):
        self.helps()

    def test_the_trees_own(self):
        for path in "tests/mutants/list", "tests/fuzz/plants":
            done = self.run_script("--check", "--list", tree.ROOT / path)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_good(self):
        done = self.check(DEFECT)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_text_is_gone(self):
        self.refused(DEFECT.replace("-ONE", "-NONE"), "0 places like it")

    def test_text_is_there_twice(self):
        twice = DEFECT.replace("-ONE = 1\n+ONE = 2", "-\n+\n+")
        self.refused(twice, " places like it")

    def test_nothing_changes(self):
        self.refused(DEFECT.replace("+ONE = 2", "+ONE = 1"),
                     "write a file line, and lines with - and +")

    def test_file_is_gone(self):
        self.refused(DEFECT.replace("mutants_test.py", "no_test.py"),
                     "is no more")

    def test_same_name(self):
        self.refused(DEFECT + DEFECT, "give it a name of its own")

    def test_no_such_line(self):
        self.refused(DEFECT + "what is this\n", "no such line")


if __name__ == "__main__":
    unittest.main()
