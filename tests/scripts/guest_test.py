# SPDX-License-Identifier: BSD-2-Clause
"""check-guest believes a guest only what it said to the end, and its images
hold what they were given."""
import contextlib
import io
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import tree

SCRIPTS = tree.ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))
from guest.console import Reader, watch
from guest.initramfs import FILE, Image
from guest.programs import PACKAGES, ProgramReader, chosen, packages_of

check_guest = tree.load("check-guest")

PROVED = """@@ kernel 6.1 aarch64, pages of 16384, 2 CPUs
@@ begin unit/port_cpu
ok 1 - selftest_proves_aborts
@@ end 0 1.0 unit/port_cpu
@@ over
"""
RAN = """@@ begin programs
1..2
ok 1 - bc (rseq) 1.0 s
not ok 2 - bc (generic) 1.0 s
# other output
@@ end 1 3.0 programs
@@ over
"""


def entries(body):
    """(mode, content) of each name in an image."""
    found = {}
    while body:
        assert body[:6] == b"070701"
        mode, size, length = (int(body[at:at + 8], 16) for at in (14, 54, 94))
        name = body[110:110 + length - 1].decode()
        body = body[(110 + length + 3) // 4 * 4:]
        assert name not in found, name
        found[name] = (mode, body[:size])
        body = body[(size + 3) // 4 * 4:]
    return found


class GuestTest(unittest.TestCase):
    def watched(self, text, programs=()):
        """What is made of a guest that prints `text` and ends."""
        reader = ProgramReader(io.StringIO(), programs) if programs else \
            Reader(io.StringIO())
        self.said = io.StringIO()
        with contextlib.redirect_stdout(self.said):
            watch(["printf", "%s", text], reader, 60)
        return reader

    def test_good(self):
        reader = self.watched(PROVED)
        self.assertEqual((reader.passed, reader.failed, reader.proved),
                         (1, [], True))

    def test_failed(self):
        reader = self.watched(PROVED.replace("end 0", "end 1"))
        self.assertEqual(reader.failed, ["unit/port_cpu"])
        self.assertIn("selftest_proves_aborts", self.said.getvalue())

    def test_skipped_proof_is_none(self):
        reader = self.watched(PROVED.replace("aborts\n", "aborts # SKIP\n"))
        self.assertFalse(reader.proved)

    def test_failed_proof_is_none(self):
        reader = self.watched(PROVED.replace("ok 1", "not ok 1"))
        self.assertFalse(reader.proved)

    def test_end_in_a_test(self):
        reader = self.watched(PROVED[:PROVED.index("@@ end")])
        self.assertEqual(reader.failed,
                         ["unit/port_cpu", "the guest ended early"])

    def test_end_between_tests(self):
        reader = self.watched(PROVED.replace("@@ over\n", ""))
        self.assertEqual(reader.failed, ["the guest ended early"])

    def test_pages(self):
        self.assertEqual(self.watched(PROVED).pages, 16384)

    def test_each_mode_counts(self):
        reader = self.watched(RAN, ["bc"])
        self.assertEqual((reader.passed, reader.failed), (1, ["bc (generic)"]))
        self.assertIn("# other output", self.said.getvalue())

    def test_a_mode_without_a_line_has_failed(self):
        text = RAN.replace("not ok 2 - bc (generic) 1.0 s\n", "")
        reader = self.watched(text, ["bc"])
        self.assertEqual((reader.passed, reader.failed), (1, ["bc (generic)"]))

    def test_end_in_a_program(self):
        reader = self.watched(RAN[:RAN.index("not ok")], ["bc"])
        self.assertEqual(reader.failed,
                         ["bc (generic)", "the guest ended early"])


class ProgramsTest(unittest.TestCase):
    def test_chosen(self):
        self.assertEqual(chosen(["make"], ["cm"]), ["make"])

    def test_packages(self):
        self.assertLess({"wrk", "nginx-light", "jq", "bash"},
                        {*packages_of(["nginx", "jq"])})
        self.assertNotIn("nginx", packages_of(["nginx"]))

    def test_no_package_of_no_program(self):
        self.assertLessEqual({*PACKAGES}, {*chosen([], [])})


class ImageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def entries(self):
        return entries((self.folder / "image").read_bytes())

    def test_files(self):
        with Image(self.folder / "image") as image:
            image.add("/a/b", FILE | 0o644, b"text")
            image.add("/bin/c", FILE | 0o755, b"more")
            image.end()
        found = self.entries()
        self.assertEqual(found["a/b"], (FILE | 0o644, b"text"))
        self.assertEqual(found["bin"][1], b"usr/bin")
        self.assertEqual(found["usr/bin/c"], (FILE | 0o755, b"more"))
        self.assertEqual([*found][-1], "TRAILER!!!")

    def test_after_another(self):
        with Image(self.folder / "base") as image:
            image.add("/a/b", FILE | 0o644, b"text")
        with Image(self.folder / "image", self.folder / "base") as image:
            image.add("/c", FILE | 0o644, b"more")
            image.end()
        self.assertLess({"bin", "a", "a/b", "c"}, {*self.entries()})

    def test_package(self):
        files = self.folder / "tree"
        for name in ("DEBIAN/control", "bin/one", "usr/share/doc/page"):
            (files / name).parent.mkdir(parents=True)
            (files / name).write_text("Package: p\nVersion: 1\nMaintainer: m\n"
                                     "Architecture: all\nDescription: d\n")
        os.link(files / "bin/one", files / "bin/two")
        (files / "bin/soft").symlink_to("one")
        subprocess.run(["dpkg-deb", "--build", files, self.folder / "p.deb"],
                       check=True, stdout=subprocess.DEVNULL)
        with Image(self.folder / "image") as image:
            image.add_package(self.folder / "p.deb", ["usr/share/doc"])
        found = self.entries()
        self.assertIn(b"Package", found["usr/bin/one"][1])
        self.assertEqual(found["usr/bin/soft"][1], b"one")
        hard = found["usr/bin/two"]
        self.assertTrue(stat.S_ISLNK(hard[0]))
        self.assertEqual(hard[1], b"/bin/one")
        self.assertNotIn("usr/share/doc/page", found)


class NoKernelTest(unittest.TestCase):
    """No network, no package, or no qemu for a whole machine."""

    why = check_guest.Unavailable

    def run_without(self, *words):
        """What main() returns, and how often others ran tests in its place."""
        self.said = io.StringIO()
        with mock.patch.object(check_guest, "kernel_of",
                               side_effect=self.why("none to be had")), \
                mock.patch.object(check_guest.subprocess, "call",
                                  return_value=7) as call, \
                mock.patch.object(sys, "argv", ["check-guest", *words]), \
                contextlib.redirect_stdout(self.said):
            self.result = check_guest.main()
        return call.call_args_list

    def test_emulated(self):
        calls = self.run_without("aarch64")
        self.assertEqual(calls, [mock.call([SCRIPTS / "run-checks",
                                            "--emulated"])])
        self.assertEqual(self.result, 7)
        self.assertIn("none to be had", self.said.getvalue())
        self.assertIn("qemu-user, in generic mode", self.said.getvalue())

    def test_nothing_else_stands_for_what_was_asked(self):
        for words in (["x86_64"], ["aarch64", "--pages", "16k"],
                      ["aarch64", "--programs"], ["aarch64", "a-kernel"],
                      ["aarch64", "--only", "zone/"],
                      ["aarch64", "--append", "quiet"],
                      ["aarch64", "--memory", "512"]):
            with self.assertRaisesRegex(SystemExit, "none to be had"):
                self.run_without(*words)

    def test_what_is_broken_is_not_passed_over(self):
        self.why = SystemExit
        with self.assertRaisesRegex(SystemExit, "none to be had"):
            self.run_without("aarch64")

    def test_no_qemu(self):
        with mock.patch.object(check_guest.shutil, "which",
                               return_value=None), \
                self.assertRaisesRegex(check_guest.Unavailable,
                                       "qemu-system-aarch64 is"):
            check_guest.kernel_of(check_guest.MACHINES["aarch64"], "any")


if __name__ == "__main__":
    unittest.main()
