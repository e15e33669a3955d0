# SPDX-License-Identifier: BSD-2-Clause
"""check-testing on trees whose page, tests and headers do not agree."""
import unittest

import tree

HEADER = "UMA_EXPORT void uma_one(int a);\nUMA_EXPORT int\numa_two(void);\n"
ROW = "| `{}` | {} | because |\n"


class TestingTest(tree.TreeTest):
    script = "check-testing"

    def build(self, page):
        self.put("include/uma/a.h", HEADER)
        self.put("src/uma_malloc.map", "{\nglobal:\n\tmalloc;\n};\n")
        self.put("tests/model/a.c", "uma_one(1); malloc(1);\n")
        self.put("tests/fault/a.c", "uma_one(1);\numa_two();\n")
        self.put("docs/testing.md", page)

    def test_help(self):
        self.helps()

    def test_good(self):
        self.build("`tests/model`\n" + ROW.format("uma_two", "model") +
                   ROW.format("malloc", "fault"))
        self.accepts()

    def test_bad(self):
        self.build("`tests/none.c`\n" + ROW.format("uma_one", "both") +
                   ROW.format("uma_gone", "model"))
        self.refuses("docs/testing.md:1: tests/none.c is not there",
                   "call malloc in tests/fault", "call uma_two in tests/model",
                   "uma_one is left out of model, but called there",
                   "uma_gone is not exported")


if __name__ == "__main__":
    unittest.main()
