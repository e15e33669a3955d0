# SPDX-License-Identifier: BSD-2-Clause
"""check-sections refuses every way in which a section can be wrong."""
import platform
import shutil
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

ARM_PUSH = """
	.pushsection __rseq_cs, "aw"
	.balign 32
1:	.long 0, 0
	.quad 2f, 3f - 2f, 4f
	.popsection
	.text
push:
	adrp x8, 1b
	add x8, x8, :lo12:1b
	str x8, [x2, #8]
2:	ldr w9, [x2, #4]
	cmp w9, #0
	b.lt 5f
	ldr w8, [x3, x4]
	add x8, x0, x8, lsl #14
	ldar x9, [x8]
	ubfx x10, x9, #8, #8
	cmp w10, w9, uxtb
	b.eq 5f
	ldr x11, [x8, #8]
	and x10, x9, #0xff
	add x11, x11, x10, lsl #3
	str x1, [x11]
	add x9, x9, #1
	str x9, [x8]
3:	ret
	.inst 0xd428bc00
4:	b 5f
5:	ret
"""
ARM_SPIN = """
	.pushsection __rseq_cs, "aw"
	.balign 32
1:	.long 0, 0
	.quad 2f, 3f - 2f, 4f
	.popsection
rseq_test_spin:
	adrp x9, 1b
	add x9, x9, :lo12:1b
	str x9, [x0, #8]
2:	str w3, [x1]
	yield
3:	ret
	.inst 0xd428bc00
4:	ret
"""


class Sections:
    """What holds on every machine; the classes below say on which."""

    script = "check-sections"

    def build(self, was="", now="", text=None):
        text = text or self.push + self.spin
        self.assertIn(was, text)
        source = self.put("push.S", text.replace(was, now, 1))
        (self.root / "build/check/src").mkdir(parents=True)
        subprocess.run(
            [self.compiler, "-shared", "-nostdlib", source,
             "-Wl,-z,noexecstack", "-o",
             self.root / "build/check/src/libuma.so.1"], check=True)

    def refused(self, was, now, what):
        self.build(was, now)
        self.refuses(what)

    def test_empty(self):
        self.build(text="nothing: ret\n")
        self.refuses("it has none")

    def test_version(self):
        self.refused(".long 0, 0", ".long 1, 0", "version and flags are 0")

    def test_flags(self):
        self.refused(".long 0, 0", ".long 0, 4", "version and flags are 0")

    def test_alignment(self):
        self.build(".balign 32\n", ".balign 32\n.quad 0\n", self.push)
        self.refuses("align descriptors to 32 bytes")

    def test_good(self):
        self.build()
        self.accepts()


class NothingTest(tree.TreeTest):
    script = "check-sections"

    def test_help(self):
        self.helps()

    def test_absent(self):
        self.refuses("build the libraries first")


@unittest.skipUnless(platform.machine() == "x86_64", "needs its compiler")
class X86Test(Sections, tree.TreeTest):
    compiler, push, spin = "gcc", PUSH, SPIN

    def test_registers_that_need_a_displacement(self):
        self.build(text=PUSH.replace("%r8", "%r13").replace("%r10", "%rbp"))
        self.accepts()

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


@unittest.skipUnless(shutil.which("aarch64-linux-gnu-gcc"), "needs a compiler")
class Aarch64Test(Sections, tree.TreeTest):
    compiler, push, spin = "aarch64-linux-gnu-gcc", ARM_PUSH, ARM_SPIN

    def test_signature(self):
        self.refused("0xd428bc00", "0xd428bc20", "signature")

    def test_signature_after_the_label(self):
        self.refused(".inst 0xd428bc00\n4:", "4: .inst 0xd428bc00\n",
                     "signature")

    def test_abort_inside(self):
        self.refused("3f - 2f, 4f", "3f - 2f, 2f + 8",
                     "put the abort label outside")

    def test_armed_too_early(self):
        self.refused("2:	ldr", "	nop\n2:	ldr", "right before")

    def test_another_descriptor(self):
        self.refused(":lo12:1b", ":lo12:1b + 32",
                     "the descriptor of this very section")

    def test_sign_of_another_area(self):
        self.refused("ldr w9, [x2, #4]", "ldr w9, [x5, #4]",
                     "the sign of cpu_id")

    def test_sign_not_looked_at(self):
        self.refused("b.lt 5f", "b.eq 5f", "the sign of cpu_id")

    def test_word_without_acquire(self):
        self.refused("ldar x9", "ldr x9", "by ldar")

    def test_slots_before_the_word(self):
        self.refused("	ldar x9", "	ldr x11, [x8, #8]\n	ldar x9",
                     "by ldar")

    def test_commit_not_last(self):
        self.refused("[x8]\n3:", "[x8]\n	nop\n3:", "with its commit")

    def test_commit_of_half_a_word(self):
        self.refused("str x9, [x8]", "str w9, [x8]", "with its commit")

    def test_commit_with_release(self):
        self.refused("str x9, [x8]", "stlr x9, [x8]", "with its commit")

    def test_other_store(self):
        self.refused("	add x9, x9, #1", "	str x9, [x8, #24]\n"
                     "	add x9, x9, #1", "no store inside a section")

    def test_store_of_a_pair(self):
        self.refused("str x1, [x11]", "stp x1, x1, [x11]", "no store inside")

    def test_exclusive(self):
        self.refused("	add x9, x9, #1", "	ldxr x12, [x11]\n"
                     "	add x9, x9, #1", "no ldxr inside a section")

    def test_second_slot(self):
        self.refused("str x1, [x11]", "str x1, [x11]\n	str x1, [x11]",
                     "no store inside a section")

    def test_slot_above(self):
        self.refused("str x1, [x11]", "str x1, [x11, #8]", "no store inside")

    def test_other_slots(self):
        self.refused("ldr x11, [x8, #8]", "ldr x11, [x8, #16]",
                     "no store inside a section")

    def test_index_not_the_count(self):
        self.refused("and x10, x9, #0xff", "and x10, x9, #0xff00",
                     "no store inside a section")

    def test_index_of_another_word(self):
        self.refused("and x10, x9, #0xff", "add x9, x9, #1\n"
                     "	and x10, x9, #0xff", "no store inside a section")

    def test_call(self):
        self.refused("	add x9, x9, #1", "	bl 5f\n	add x9, x9, #1",
                     "no bl inside a section")

    def test_system_call(self):
        self.refused("	add x9, x9, #1", "	svc #0\n	add x9, x9, #1",
                     "no svc inside a section")

    def test_jump_away(self):
        self.refused("	add x9, x9, #1", "	b 5f\n	add x9, x9, #1",
                     "no b inside a section")

    def test_spin_is_checked_too(self):
        self.build("4:	ret\n", "	nop\n4:	ret\n", ARM_SPIN)
        self.refuses("rseq_test_spin: at ", "signature")


if __name__ == "__main__":
    unittest.main()
