# SPDX-License-Identifier: BSD-2-Clause
"""check-headers finds what only one dialect, or standing alone, shows."""
import unittest

import tree


class HeadersTest(tree.TreeTest):
    script = "check-headers"

    def put_header(self, body):
        self.put("include/uma/a.h", "#ifndef A_H\n#define A_H\n"
                 f"{body}\n#endif\n")

    def test_help(self):
        self.helps()

    def test_good(self):
        self.put_header("#include <stddef.h>\nsize_t f(void);")
        self.accepts()

    def test_needs_another(self):
        self.put_header("size_t f(void);")
        self.refuses("include/uma/a.h:3: mend it for c99, gcc", "c++20, clang")

    def test_only_c(self):
        self.put_header("int f(int new);")
        self.refuses("include/uma/a.h:3: mend it for c++11, g++")

    def test_only_c11(self):
        self.put_header('_Static_assert(1, "");')
        self.refuses("include/uma/a.h:3: mend it for c99, gcc")

    def test_no_guard(self):
        self.put("include/uma/a.h", "struct a { int b; };\n")
        self.refuses("include/uma/a.h:1: mend it")


if __name__ == "__main__":
    unittest.main()
