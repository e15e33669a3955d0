# SPDX-License-Identifier: BSD-2-Clause
"""check-format refuses another shape, accepts ours, and --fix makes it."""
import shutil
import unittest

import tree

GOOD = """int
f(int a)
{
\tif (a)
\t\treturn 1;
\treturn 0;
}
"""
BAD = "int f(int a) {\n  if (a) return 1;\n  return 0;\n}\n"


class FormatTest(tree.TreeTest):
    script = "check-format"

    def setUp(self):
        super().setUp()
        shutil.copy(tree.ROOT / ".clang-format", self.root)

    def test_help(self):
        self.helps()

    def test_good(self):
        self.put("src/keg/take.c", GOOD)
        self.accepts()

    def test_bad(self):
        self.put("src/keg/take.c", BAD)
        self.refuses("src/keg/take.c:1: run make format")

    def test_fix(self):
        file = self.put("src/keg/take.c", BAD)
        self.assertEqual(self.run_script("--fix", self.root).returncode, 0)
        self.assertEqual(file.read_text(), GOOD)


if __name__ == "__main__":
    unittest.main()
