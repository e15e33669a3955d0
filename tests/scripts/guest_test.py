# SPDX-License-Identifier: BSD-2-Clause
"""check-guest believes a guest only what it said to the end."""
import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import stat
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader(
    "guest", str(SCRIPTS / "check-guest"))
guest = importlib.util.module_from_spec(
    importlib.util.spec_from_loader("guest", LOADER))
LOADER.exec_module(guest)

PROVED = """@@ kernel 6.1 aarch64
@@ begin unit/port_cpu
ok 1 - selftest_proves_aborts
@@ end 0 1.0 unit/port_cpu
@@ over
"""


class GuestTest(unittest.TestCase):
    def watched(self, text):
        """What is made of a guest that prints `text` and ends."""
        reader = guest.Reader(io.StringIO())
        self.said = io.StringIO()
        with contextlib.redirect_stdout(self.said):
            guest.watch(["printf", "%s", text], reader, 60)
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

    def test_image(self):
        image = guest.Image()
        image.add("/a/b", stat.S_IFREG | 0o644, b"text")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "image")
            image.write(path)
            body = path.read_bytes()
        names = []
        while not names or names[-1] != b"TRAILER!!!":
            self.assertEqual(body[:6], b"070701")
            size, length = int(body[54:62], 16), int(body[94:102], 16)
            names.append(body[110:110 + length - 1])
            body = body[(110 + length + 3) // 4 * 4:]
            if names[-1] == b"a/b":
                self.assertEqual(body[:size], b"text")
            body = body[(size + 3) // 4 * 4:]
        self.assertEqual(names, [b"a", b"a/b", b"TRAILER!!!"])


if __name__ == "__main__":
    unittest.main()
