# SPDX-License-Identifier: BSD-2-Clause
"""check-layers refuses each breach of its six rules, and no more."""
import unittest

import tree

LAYERS = """# room: may
base:
port: base
keg:  base port
zone: base keg
libc: base zone
"""


class LayersTest(tree.TreeTest):
    script = "check-layers"

    def setUp(self):
        super().setUp()
        self.put("src/LAYERS", LAYERS)

    def test_help(self):
        self.helps()

    def test_good(self):
        self.put("src/zone/alloc.c", '#include "zone/zone.h"\n'
                 '#include "base/bits.h"\n#include "keg/keg.h"\n'
                 '#include <uma/uma.h>\n#include "uma/uma.h"\n'
                 '#include <stdint.h>\n/* asm __linux__ <stdio.h> */\n'
                 '// #include "libc/libc.h"\nconst char *s = "asm";\n')
        self.put("src/zone/zone.h", '#include "base/base.h"\n')
        self.put("src/port/linux/map.c", "#include <sys/mman.h>\n")
        self.put("src/port/arch/x86_64/cpu.h", 'void f(void){asm("nop");}\n')
        self.put("src/port/port.h", "#if defined(__linux__)\n#endif\n")
        self.put("src/libc/malloc.c", "#include <errno.h>\n")
        self.accepts()

    def test_up(self):
        self.put("src/keg/take.c", '\n#include "zone/zone.h"\n')
        self.refuses('src/keg/take.c:2: "zone/zone.h" is not below keg')

    def test_line_names_a_room_above(self):
        self.put("src/LAYERS", "base:\nkeg: base zone\nzone: base keg\n")
        self.refuses("src/LAYERS:2: keg names zone")

    def test_side_door(self):
        self.put("src/zone/free.c", '#include "keg/inner.h"\n')
        self.refuses('src/zone/free.c:1: enter keg by its front, "keg/keg.h"')

    def test_system_header(self):
        self.put("src/keg/take.c", "# include <string.h>\n")
        self.put("src/port/port.h", "#include <limits.h>\n")
        self.refuses("src/keg/take.c:1: drop <string.h>",
                     "src/port/port.h:1: drop <limits.h>")

    def test_which_system(self):
        self.put("src/libc/malloc.c", "int a;\n#ifdef __linux__\n#endif\n")
        self.refuses("src/libc/malloc.c:2: do not ask for __linux__")

    def test_assembler(self):
        self.put("src/port/linux/rseq.c", 'void f(void){__asm__("");}\n')
        self.refuses("src/port/linux/rseq.c:1: move the assembler")

    def test_no_room(self):
        self.put("src/attic/old.c", "\n")
        self.refuses("src/attic/old.c:1: put the file in a room")

    def test_include_without_room(self):
        self.put("src/keg/take.c", '#include "keg.h"\n')
        self.refuses('write the room too: "keg/keg.h"')


if __name__ == "__main__":
    unittest.main()
