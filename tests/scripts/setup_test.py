# SPDX-License-Identifier: BSD-2-Clause
"""setup does nothing when nothing is missing, and says why it cannot."""
import os
import shutil
import unittest

import tree

TOOLS = ["bash", "env", "dirname", "sed", "sort", "comm", "xargs", "echo"]


class SetupTest(tree.TreeTest):
    script = "setup"

    def setUp(self):
        super().setUp()
        for tool in TOOLS:
            (self.root / tool).symlink_to(shutil.which(tool))
        self.tool("apt-get", "echo apt was called; exit 1")
        self.tool("id", "echo 1000")
        path = self.root.as_posix()
        os.environ["PATH"], was = path, os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", was)

    def tool(self, name, script):
        self.put(name, f"#!{shutil.which('bash')}\n{script}\n").chmod(0o755)

    def installed(self, but=""):
        self.tool("dpkg-query", "for p in \"${@:4}\"; do "
                  f"[ $p = '{but}' ] || echo installed $p; done")

    def says(self, code, text, *arguments):
        done = self.run_script(*arguments)
        self.assertEqual((done.returncode, done.stdout), (code, text))

    def test_help(self):
        self.helps()

    def test_nothing_missing(self):
        self.installed()
        self.says(0, "")

    def test_list(self):
        self.installed(but="meson")
        self.says(0, "meson\n", "--list")

    def test_no_rights(self):
        self.installed(but="meson")
        self.says(1, "scripts/setup: is neither root nor has sudo; "
                  "install as root: meson\n")

    def test_sudo(self):
        self.installed(but="meson")
        self.tool("sudo", 'echo "sudo ${1##*/}"')
        self.says(0, "sudo setup\n")

    def test_not_debian(self):
        done = self.run_script()
        self.assertEqual(done.returncode, 1)
        self.assertIn("needs Debian's apt", done.stdout)


if __name__ == "__main__":
    unittest.main()
