# SPDX-License-Identifier: BSD-2-Clause
"""check-exports finds names lost, leaked and exported for nobody."""
import shutil
import subprocess
import unittest

import tree

PUBLIC = """#define UMA_EXPORT __attribute__((visibility("default")))
UMA_EXPORT void *uma_alloc(int size, void (*f)(int));
"""
SEQUENCE = """#define UMA_FAST_ABI 2u /* libuma.so.1 */
"""
INNER = """UMA_EXPORT int
uma_heap_alloc(void);
UMA_EXPORT int uma_missed(void);
"""
CORE = """#include "uma/uma.h"
#include "heap/heap.h"
int keg_take(void);
int keg_take(void) { return 1; }
void *uma_alloc(int size, void (*f)(int)) { f(size); return 0; }
int uma_heap_alloc(void) { return keg_take(); }
int uma_missed(void) { return keg_take(); }
"""
NEAR = """#define HIDDEN __attribute__((visibility("hidden")))
int uma_missed(void);
HIDDEN int uma_zalloc(void) { return uma_missed(); }
HIDDEN int uma_zfree(void) { return uma_missed(); }
"""
LIBC = """int uma_heap_alloc(void);
int malloc(void);
__attribute__((visibility("default"))) int
malloc(void) { return uma_heap_alloc(); }
"""


class ExportsTest(tree.TreeTest):
    script = "check-exports"

    def setUp(self):
        super().setUp()
        self.put("include/uma/uma.h", PUBLIC)
        self.put("include/uma/sequence.h", SEQUENCE)
        self.put("src/heap/heap.h", INNER)
        self.put("src/uma.map", "UMA_1.0 { global: uma_*; local: *; };\n")
        self.put("src/uma_malloc.map",
                 "/* x */ {\nglobal:\n\tmalloc;\nlocal:\n\t*;\n};\n")

    def cc(self, *arguments):
        subprocess.run(["gcc", "-w", "-fPIC", "-fno-builtin", "-Iinclude",
                        "-Isrc", "-fvisibility=hidden", *arguments],
                       cwd=self.root, check=True)

    def build(self, core=CORE, libc=LIBC, near=NEAR, soname="libuma.so.1"):
        out = "build/check/src/"
        self.put("core.c", core)
        self.put("libc.c", libc)
        self.put("near.c", near)
        (self.root / out).mkdir(parents=True)
        for name in "core", "libc", "near":
            self.cc("-c", f"{name}.c", "-o", f"{name}.o")
            subprocess.run(["ar", "rcs", f"{name}.a", f"{name}.o"],
                           cwd=self.root, check=True)
        shutil.copy(self.root / "near.a",
                    self.root / out / "libuma_nonshared.a")
        self.cc("-shared", "core.o", "-Wl,--version-script=src/uma.map",
                "-Wl,-soname," + soname, "-o", out + "libuma.so.1")
        self.cc("-shared", "libc.o",
                "-Wl,--version-script=src/uma_malloc.map",
                "-o", out + "libuma_malloc.so.1")
        prelink = tree.ROOT / "scripts/prelink"
        subprocess.run([prelink, out + "libuma.a", "src/uma.map", "core.a"],
                       cwd=self.root, check=True)
        subprocess.run([prelink, out + "libuma_malloc.a", "src/uma.map",
                        "src/uma_malloc.map", "core.a", "libc.a"],
                       cwd=self.root, check=True)

    def test_help(self):
        self.helps()

    def test_good(self):
        self.build()
        self.accepts()

    def test_lost(self):
        self.build(core=CORE.replace("uma_alloc(", "uma_other("))
        self.refuses("include/uma/uma.h:2: define uma_alloc")

    def test_leaked(self):
        self.build(core=CORE + "UMA_EXPORT int uma_more(void) { return 1; }")
        self.refuses("src/uma.map:1: mark uma_more UMA_EXPORT in a header")

    def test_for_nobody(self):
        self.build(libc=LIBC.replace("return uma_heap_alloc()", "return 1"))
        self.refuses("src/heap/heap.h:1: do not export uma_heap_alloc")

    def test_for_near(self):
        self.build(near=NEAR.replace("uma_missed", "uma_inner"))
        self.refuses("src/heap/heap.h:3: do not export uma_missed",
                     "libuma_nonshared.a:1: do without uma_inner")

    def test_near_lets_out(self):
        self.build(near=NEAR.replace("hidden", "default"))
        self.refuses("libuma_nonshared.a:1: hide uma_zalloc")

    def test_near_has_more(self):
        self.build(near=NEAR + "int helper(void) { return 1; }")
        self.refuses("libuma_nonshared.a:1: hide helper")

    def test_near_lacks(self):
        self.build(near=NEAR.replace("uma_zfree", "uma_zlose"))
        self.refuses("libuma_nonshared.a:1: define uma_zfree")

    def test_soname(self):
        self.build(soname="libuma.so.2")
        self.refuses("include/uma/sequence.h:1: another layout, another")

    def test_family(self):
        self.build(libc=LIBC.replace("malloc(void)", "calloc(void)"))
        self.refuses("src/uma_malloc.map:1: define malloc in libc/")

    def test_archive(self):
        self.build()
        self.put("more.c", "int keg_give(void) { return 1; }")
        self.cc("-c", "more.c", "-o", "more.o")
        subprocess.run(["ar", "r", "build/check/src/libuma.a", "more.o"],
                       cwd=self.root, check=True, stderr=subprocess.DEVNULL)
        self.refuses("libuma.a:1: make keg_give local")


if __name__ == "__main__":
    unittest.main()
