# SPDX-License-Identifier: BSD-2-Clause
"""check-core finds a C library in the core, in headers and in calls."""
import unittest

import tree


class CoreTest(tree.TreeTest):
    script = "check-core"

    def setUp(self):
        super().setUp()
        self.put("src/port/port.h", "/* port_lost() */\nint port_map(int);\n")
        self.put("src/port/linux/map.c", "#include <stdio.h>\n")
        self.put("src/libc/malloc.c", "#include <errno.h>\n")

    def test_help(self):
        self.helps()

    def test_good(self):
        self.put("src/keg/a.c", "#include <stdint.h>\n"
                 '#include "port/port.h"\n'
                 "int f(int *a, int n)\n{\n__builtin_memset(a, 0, n);\n"
                 "return port_map(n);\n}\n")
        self.put("src/keg/b.c", "int f(int *, int);\n"
                 "int g(int *a)\n{\nreturn f(a, 2);\n}\n")
        self.accepts()

    def test_header(self):
        self.put("src/keg/a.c", "int a;\n#include <string.h>\n")
        self.refuses("src/keg/a.c:2: must compile freestanding")

    def test_call(self):
        self.put("src/keg/a.c", "int puts(const char *);\n"
                 'int f(void)\n{\nreturn puts("");\n}\n')
        self.refuses("src/keg/a.c:1: do not call puts: port.h lacks it")

    def test_port_that_is_not_in_port_h(self):
        self.put("src/keg/a.c", "int port_lost(void);\n"
                 "int f(void)\n{\nreturn port_lost();\n}\n")
        self.refuses("src/keg/a.c:1: do not call port_lost")


if __name__ == "__main__":
    unittest.main()
