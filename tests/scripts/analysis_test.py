#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""check-analysis has three analyzers, and each finds what it is there for."""
import unittest

import tree


class AnalysisTest(tree.TreeTest):
    script = "check-analysis"

    def test_help(self):
        self.helps()

    def test_good(self):
        self.put("src/keg/a.c", "int f(const int *a);\n"
                 "int f(const int *a)\n{\n\treturn a == 0 ? 0 : *a;\n}\n")
        self.accepts()

    def test_gcc(self):
        self.put("src/keg/a.c", "#include <stdlib.h>\nvoid f(int **p);\n"
                 "void f(int **p)\n{\n\t*p = malloc(sizeof(int));\n"
                 "\t**p = 1;\n}\n")
        self.refuses("src/keg/a.c:6: dereference of possibly-NULL")

    def test_clang_tidy(self):
        self.put("src/keg/a.c", "int f(int a);\n"
                 "int f(int a)\n{\n\tif (a == 1)\n\t\treturn 2;\n"
                 "\telse if (a == 1)\n\t\treturn 3;\n\treturn a;\n}\n"
                 "int g(int a, int b);\n"
                 "int g(int a, int b)\n{\n\treturn a;\n}\n")
        self.refuses("src/keg/a.c:11: ", "misc-unused-parameters")

    def test_cppcheck(self):
        self.put("tools/a.c", "int f(const char *s);\n"
                 "int f(const char *s)\n{\n\tchar c[2];\n\n"
                 "\tfor (int i = 0; s[i] != 0 && i < 2; i++)\n"
                 "\t\tc[i] = s[i];\n\treturn c[0];\n}\n")
        self.refuses("tools/a.c:6: cppcheck: ", "arrayIndexThenCheck")

    def test_crimes_do_not_return(self):
        self.put("src/keg/a.c", "void uma_crime(const char *, const char *,"
                 " const void *, const char *);\nint f(const int *a);\n"
                 "int f(const int *a)\n{\n\tif (a == 0)\n"
                 '\t\tuma_crime("f", "NULL", 0, 0);\n\treturn *a;\n}\n')
        done = self.run_script(self.root)
        self.assertNotIn("cppcheck", done.stdout)


if __name__ == "__main__":
    unittest.main()
