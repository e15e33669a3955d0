# SPDX-License-Identifier: BSD-2-Clause
"""check-sections refuses every way in which a section can be wrong."""
import platform
import subprocess
import unittest

import tree

PUSH = """
	.pushsection __rseq_cs, "aw"
	.balign 32
1:	.long 0, 0
	.quad 2f, 3f - 2f, 4f
	.popsection
	.text
push:
	leaq 1b(%rip), %r8
	movq %r8, %fs:8(%rdx)
2:	cmpl $0, %fs:4(%rdx)
	jl 5f
	movl %fs:(%rcx), %r8d
	shlq $16, %r8
	addq %rdi, %r8
	movq (%r8), %rax
	cmpb %al, %ah
	je 5f
	movzbl %al, %r9d
	movq 8(%r8), %r10
	movq %rsi, (%r10,%r9,8)
	incq %rax
	movq %rax, (%r8)
3:	ret
	.byte 0x0f, 0xb9, 0x3d
	.long 0x53053053
4:	jmp 5f
5:	ret
"""
SPIN = """
	.pushsection __rseq_cs, "aw"
	.balign 32
1:	.long 0, 0
	.quad 2f, 3f - 2f, 4f
	.popsection
rseq_test_spin:
	leaq 1b(%rip), %rax
	movq %rax, 8(%rdi)
2:	movl %r8d, (%rsi)
	pause
3:	ret
	.byte 0x0f, 0xb9, 0x3d
	.long 0x53053053
4:	ret
"""
NAME = "libuma.so.1:1: push"


@unittest.skipUnless(platform.machine() == "x86_64", "knows x86-64 only")
class SectionsTest(tree.TreeTest):
    script = "check-sections"

    def build(self, was="", now="", text=PUSH + SPIN):
        self.assertIn(was, text)
        source = self.put("push.S", text.replace(was, now, 1))
        (self.root / "build/check/src").mkdir(parents=True)
        subprocess.run(
            ["gcc", "-shared", "-nostdlib", source, "-Wl,-z,noexecstack",
             "-o", self.root / "build/check/src/libuma.so.1"], check=True)

    def refused(self, was, now, what):
        self.build(was, now)
        self.refuses(what)

    def test_help(self):
        self.helps()

    def test_good(self):
        self.build()
        self.accepts()

    def test_registers_that_need_a_displacement(self):
        self.build(text=PUSH.replace("%r8", "%r13").replace("%r10", "%rbp"))
        self.accepts()

    def test_absent(self):
        self.refuses("build the libraries first")

    def test_empty(self):
        self.build(text="nothing: ret\n")
        self.refuses("it has none")

    def test_version(self):
        self.refused(".long 0, 0", ".long 1, 0", "version and flags are 0")

    def test_flags(self):
        self.refused(".long 0, 0", ".long 0, 4", "version and flags are 0")

    def test_alignment(self):
        self.build(".balign 32\n", ".balign 32\n.quad 0\n", PUSH)
        self.refuses("align descriptors to 32 bytes")

    def test_signature(self):
        self.refused("0x53053053", "0x53053054", "signature")

    def test_signature_after_the_label(self):
        self.refused(".long 0x53053053\n4:", "4: .long 0x53053053\n",
                     "signature")

    def test_abort_inside(self):
        self.refused("3f - 2f, 4f", "3f - 2f, 2f + 6",
                     "put the abort label outside")

    def test_armed_too_early(self):
        self.refused("2:	cmpl", "	nop\n2:	cmpl", "right before")

    def test_armed_inside(self):
        self.refused("	movq %r8, %fs:8(%rdx)\n2:",
                     "2:	movq %r8, %fs:8(%rdx)\n", "right before")

    def test_another_descriptor(self):
        self.refused("leaq 1b(%rip)", "leaq 1b+32(%rip)",
                     "the descriptor of this very section")

    def test_not_in_the_area(self):
        self.refused("%fs:8(%rdx)", "8(%rdx)", "right before")

    def test_commit_not_last(self):
        self.refused("(%r8)\n3:", "(%r8)\n	nop\n3:",
                     f"{NAME}: at ")

    def test_commit_of_half_a_word(self):
        self.refused("movq %rax, (%r8)\n3:", "movl %eax, (%r8)\n3:",
                     "end the section with its commit")

    def test_commit_in_two(self):
        self.refused("	movq %rax, (%r8)\n3:",
                     "	movl %eax, (%r8)\n	movq %rax, (%r8)\n3:",
                     "no store inside a section but its commit")

    def test_other_store(self):
        self.refused("	incq %rax", "	movq %rax, 24(%r8)\n	incq %rax",
                     "no store inside a section but its commit")

    def test_arithmetic_on_memory(self):
        self.refused("	incq %rax", "	incq 24(%r8)\n	incq %rax",
                     "no store inside a section but its commit")

    def test_second_slot(self):
        slot = "	movq %rsi, (%r10,%r9,8)\n"
        self.refused(slot, slot + slot, "no store inside a section")

    def test_slot_below_count(self):
        self.refused("(%r10,%r9,8)", "-8(%r10,%r9,8)",
                     "no store inside a section")

    def test_other_slots(self):
        self.refused("movq 8(%r8), %r10", "movq 16(%r8), %r10",
                     "no store inside a section")

    def test_other_index(self):
        self.refused("movzbl %al, %r9d", "movzbl %cl, %r9d",
                     "no store inside a section")

    def test_index_beside_count(self):
        self.refused("%r9d\n", "%r9d\n	incq %r9\n",
                     "no store inside a section")

    def test_call(self):
        self.refused("	incq %rax", "	call 5f\n	incq %rax",
                     "no call inside a section")

    def test_syscall(self):
        self.refused("	incq %rax", "	syscall\n	incq %rax",
                     "no syscall inside a section")

    def test_jump_away(self):
        self.refused("	incq %rax", "	jmp 5f\n	incq %rax",
                     "no jmp inside a section")

    def test_spin_is_checked_too(self):
        self.build("4:	ret\n", ".nops 1\n4:	ret\n", SPIN)
        self.refuses("rseq_test_spin: at ", "signature")


if __name__ == "__main__":
    unittest.main()
