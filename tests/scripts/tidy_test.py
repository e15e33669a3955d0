# SPDX-License-Identifier: BSD-2-Clause
"""check-tidy refuses what is over its limits, and accepts what is at them."""
import unittest

import tree

HEAD = f"/* {tree.SPDX} */\n"


def function(lines):
    return "int\nf(void)\n{\n" + "\t;\n" * lines + "}\n"


class TidyTest(tree.TreeTest):
    script = "check-tidy"

    def in_keg(self, text):
        self.put("src/keg/meson.build",
                 f"# {tree.SPDX}\ncore_sources += files('take.c')\n")
        self.put("src/keg/take.c", HEAD + text)

    def test_help(self):
        self.helps()

    def test_good(self):
        self.in_keg(function(70) + "\t" * 9 + "/*56*/ \\\n" + "x" * 80 + "\n"
                    "int b = atomic_load_explicit(&a, memory_order_relaxed);\n"
                    "/* not atomic_load(&a) */\n")
        self.put("scripts/hello", f"#!/bin/sh\n# {tree.SPDX}\n")
        self.put("notes.md", "any " * 40 + " \n")
        self.put("build/made.c", "generated \n")
        self.put("tests/unit/big.c", HEAD + "\n" * 900)
        self.put("tests/meson.build",
                 f"# {tree.SPDX}\nforeach name : ['big']\n")
        self.accepts()

    def test_long_function(self):
        self.in_keg(function(71))
        self.refuses("src/keg/take.c:4: split the function")

    def test_long_file(self):
        self.in_keg("\n" * 800)
        self.refuses("split the file")

    def test_wide_line(self):
        self.in_keg("\t" * 9 + "123456789\n")
        self.refuses("src/keg/take.c:2: break the line")

    def test_white_space(self):
        self.put("scripts/hello", f"#!/bin/sh\n# {tree.SPDX}\n: \n")
        self.refuses("scripts/hello:3: remove the white space")

    def test_spdx(self):
        self.put("scripts/hello", "#!/bin/sh\n")
        self.put("tests/meson.build", "x = 1\n")
        self.put("src/keg/keg.h", "int x;\n")
        self.refuses("scripts/hello:1: add", "tests/meson.build:1: add",
                     "src/keg/keg.h:1: add")

    def test_open_point(self):
        self.in_keg("/* TO" "DO: later */\n")
        self.refuses("src/keg/take.c:2: do it, or open an issue")

    def test_order(self):
        self.in_keg("int b = atomic_load(&a);\n")
        self.refuses("src/keg/take.c:2: name the memory order")

    def unchecked(self, above, head="static void\nf(void)"):
        self.in_keg(f"int x;\n\n{above}{head} UMA_UNCHECKED_LOCKS\n{{\n}}\n")

    def test_unchecked(self):
        for above in ["/* unchecked: nobody is here. */\n",
                      "/*\n * Do it.\n *\n * unchecked: a flag tells.\n */\n",
                      "/* Do it.  unchecked: a flag\n * tells. */\n"]:
            self.unchecked(above)
            self.accepts()
        self.unchecked("/* unchecked: a flag tells. */\n",
                       "static void\nf(int a,\n    int b)")
        self.accepts()
        self.put("src/keg/keg.h",
                 HEAD + "#define UMA_UNCHECKED_LOCKS TSA(none)\n"
                 "/* not UMA_UNCHECKED_LOCKS */\n")
        self.accepts()

    def test_unchecked_without_reason(self):
        for above in ["", "/* Do it. */\n", "/* unchecked: */\n",
                      "/*\n * unchecked:\n */\n",
                      "/* unchecked: it is. */\n\n",
                      "/* unchecked: it is. */\nint y;\n",
                      "/* unchecked: it is. */\nint\ng(void)\n{\n}\n\n",
                      "/* unchecked: it is. */\n\n/* Do it. */\n"]:
            with self.subTest(above):
                self.unchecked(above)
                self.refuses("say why in the comment above: `unchecked:")

    def test_unlisted(self):
        self.in_keg("")
        self.put("src/keg/give.c", HEAD)
        self.put("src/keg/inner/take.c", HEAD)
        self.put("tests/unit/keg.c", HEAD)
        self.refuses("src/keg/give.c:1: list it",
                     "src/keg/inner/take.c:1: list it",
                     "tests/unit/keg.c:1: list it")


if __name__ == "__main__":
    unittest.main()
