# SPDX-License-Identifier: BSD-2-Clause
"""check-testing on trees whose page, tests and headers do not agree."""
import unittest

import tree

HEADER = """UMA_EXPORT void uma_one(int a);
UMA_EXPORT int
uma_two(void);
static __inline int
one_inside(int a)
{
	return a;
}
UMA_ALWAYS_INLINE void *
two_inside(int a)
{
	return 0;
}
/* UMA_EXPORT void uma_none(void); */
"""
CALLS = "uma_one(1); one_inside(2); two_inside(3);"
ROW = "| `{}` | {} | because |\n"
KILLED = "| `tests/mutants/list` | {0} of {0} |\n"
DEFECT = "defect {}\nfile {}\n-\tone;\n+\ttwo;\n\n"
NOTICED = "| {} | `{}` | unit/room (fails) |\n"
GOOD = KILLED.format(2) + ROW.format("uma_two", "model") + \
    ROW.format("malloc", "fault")
DEFECTS = ("room: one", "src/a.c"), ("room: two", "src/b.c")


class TestingTest(tree.TreeTest):
    script = "check-testing"

    def build(self, page, defects=DEFECTS, noticed=DEFECTS):
        self.put("include/uma/a.h", HEADER)
        self.put("src/uma_malloc.map", "{\nglobal:\n\tmalloc;\n};\n")
        self.put("tests/model/a.c", CALLS + "malloc(1);\n")
        self.put("tests/fault/a.c", CALLS)
        self.put("tests/fault/b.c", "uma_two();\n")
        self.put("tests/mutants/list",
                 "".join(DEFECT.format(*one) for one in defects))
        self.put("docs/mutants.md",
                 "".join(NOTICED.format(*one) for one in noticed))
        self.put("docs/testing.md", page)

    def test_help(self):
        self.helps()

    def test_good(self):
        self.build("`tests/model`\n" + GOOD)
        self.accepts()

    def test_bad(self):
        self.build("`tests/none.c`\n" + ROW.format("uma_one", "both") +
                   ROW.format("uma_gone", "model"))
        self.refuses("docs/testing.md:1: tests/none.c is not there",
                   "call malloc in tests/fault", "call uma_two in tests/model",
                   "uma_one is left out of model, but called there",
                   "uma_gone is not exported")

    def test_named_in_a_comment_or_a_string_only(self):
        self.build(GOOD)
        self.put("tests/model/a.c", CALLS + "\n/* malloc(1) */\n")
        self.put("tests/fault/b.c",
                 'say("uma_two() \\"is\\""); // uma_two()\n')
        self.refuses("call malloc in tests/model",
                     "call uma_two in tests/fault")

    def test_inline_function_that_nobody_calls(self):
        self.build(GOOD)
        self.put("tests/model/a.c", "uma_one(1); malloc(1);\n")
        self.refuses("call one_inside in tests/model",
                     "call two_inside in tests/model")
        self.build(GOOD + ROW.format("one_inside", "model") +
                   ROW.format("two_inside", "model"))
        self.put("tests/model/a.c", "uma_one(1); malloc(1);\n")
        self.accepts()

    def test_defect_without_a_row(self):
        self.build(GOOD, noticed=DEFECTS[:1])
        self.refuses("docs/mutants.md:1: run scripts/mutants 'room: two'")

    def test_row_without_a_defect(self):
        self.build(GOOD.replace("2 of 2", "1 of 1"), defects=DEFECTS[:1])
        self.refuses("docs/mutants.md:1: no defect 'room: two' of src/b.c")

    def test_row_of_another_file(self):
        self.build(GOOD, noticed=(DEFECTS[0], ("room: two", "src/c.c")))
        self.refuses("run scripts/mutants 'room: two'",
                     "no defect 'room: two' of src/c.c")

    def test_two_rows(self):
        self.build(GOOD, noticed=DEFECTS + DEFECTS[:1])
        self.refuses("'room: one' has two rows")

    def test_another_number_of_defects(self):
        self.build(GOOD.replace("2 of 2", "1 of 2"))
        self.refuses("docs/testing.md:1: say that 2 of 2 defects")
        self.build(GOOD.replace("2 of 2", "all"))
        self.refuses("docs/testing.md:1: say that 2 of 2 defects")

    def test_survivor(self):
        self.build(GOOD)
        page = self.root / "docs/mutants.md"
        page.write_text(page.read_text().replace("unit/room (fails)",
                                                 "SURVIVED", 1))
        self.refuses("docs/testing.md:1: say that 1 of 2 defects")
        self.put("docs/testing.md", GOOD.replace("2 of 2", "1 of 2"))
        self.accepts()


if __name__ == "__main__":
    unittest.main()
