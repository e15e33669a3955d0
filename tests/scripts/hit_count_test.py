# SPDX-License-Identifier: BSD-2-Clause
"""hit-count on listings of both machines, by tools that only print them."""
import os
import unittest

import tree

# Entries and what `objdump -d --no-show-raw-insn` says, addresses left out.
X86 = ("Advanced Micro Devices X86-64", "objdump", {
    "take": """mov    %fs:0x0,%rax
jne    1900 <miss>
mov    %rbx,%fs:0x8(%r10)
mov    %rbp,(%rbx)
mov    %rdi,0x8(%rbx,%rcx,8)
cmpq   $0x0,0x10(%rdx)
push   %rbx
ret""",
    "locked": """lock cmpxchg %rcx,(%rdx)
ret"""})
ARM = ("AArch64", "aarch64-linux-gnu-objdump", {
    "take": """mrs	x3, tpidr_el0
cbnz	x3, 1900 <miss>
str	x2, [x5, #8]
str	x1, [x9]
strb	w0, [x9, x1]
stp	x1, x2, [x9], #16	// a comment, [x4]
ldr	x4, [x6, #8]
ret""",
    "locked": """stlxr	w0, x1, [x2]
ret"""})


class HitCountTest(tree.TreeTest):
    script = "hit-count"

    def tool(self, name, text):
        text = self.put(f"bin/{name}.text", text)
        self.put(f"bin/{name}", f"#!/bin/sh\ncat {text}\n").chmod(0o755)

    def machine(self, name, objdump, functions):
        before = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", before)
        os.environ["PATH"] = f"{self.root}/bin:{before}"
        self.tool("readelf", f"  Machine:      {name}\n")
        symbols, listing, address = [], [], 0x1000
        for function, text in functions.items():
            symbols.append(f"{address:016x} T {function}\n")
            for line in text.splitlines():
                listing.append(f"    {address:4x}:\t{line}\n")
                address += 4
        self.tool("nm", "".join(symbols))
        self.tool(objdump, "".join(listing))

    def counts(self, status, said, *arguments):
        done = self.run_script(*arguments)
        self.assertEqual(done.returncode, status, done.stdout)
        self.assertIn(said, done.stdout)

    def test_help(self):
        self.helps()

    def test_instructions_and_lines(self):
        for machine, stores in (X86, 3), (ARM, 4):
            with self.subTest(machine[0]):
                self.machine(*machine)
                self.counts(0, "take: 8 instructions, 1 branches, "
                            f"{stores} stores, 0 locked\n", "lib:take",
                            "--max", "take=8", "--max-lines", "take=2",
                            "--begin", "take=64")
                self.counts(1, "take: 8 instructions, at most 7 allowed",
                            "lib:take", "--max", "take=7")
                self.counts(1, "take: writes 2 lines, 1 allowed",
                            "lib:take", "--max-lines", "take=1")

    def test_locked(self):
        for machine in X86, ARM:
            with self.subTest(machine[0]):
                self.machine(*machine)
                self.counts(1, "locked: 1 locked instructions on the hit",
                            "lib:locked")

    def test_where_a_function_begins(self):
        self.machine(*ARM)
        self.counts(1, "take: begins at no multiple of 8192 bytes",
                    "lib:take", "--begin", "take=8192")

    def test_names_that_are_not_there(self):
        self.machine(*X86)
        self.counts(1, "hit-count: lib has no give", "lib:give")
        self.counts(1, "hit-count: no function give", "lib:take", "--max",
                    "give=9")

    def test_a_way_that_is_lost(self):
        self.machine(X86[0], X86[1], {"out": "call   *0x8(%rax)\nret",
                                      "trap": "ud2"})
        self.counts(1, "out: goes to *0x8(%rax), which is in no library here",
                    "lib:out")
        self.counts(1, "trap: ends in ud2", "lib:trap")


if __name__ == "__main__":
    unittest.main()
