# SPDX-License-Identifier: BSD-2-Clause
"""A small source tree in a scratch folder, and a script run over it."""
import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SPDX = "SPDX-License-Identifier: BSD-2-Clause"


def load(script):
    """A script as a module: its name has no .py, or has a dash."""
    path = ROOT / "scripts" / script
    loader = importlib.machinery.SourceFileLoader(
        script.replace("-", "_"), str(path))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class TreeTest(unittest.TestCase):
    """A test of one script; `script` names it."""

    script = None

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)

    def put(self, name, text):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def run_script(self, *arguments):
        # The scratch folder may lie inside some other repository.
        env = dict(os.environ, GIT_CEILING_DIRECTORIES=str(self.root.parent))
        return subprocess.run(
            [ROOT / "scripts" / self.script, *arguments], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)

    def accepts(self):
        done = self.run_script(self.root)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def refuses(self, *expected):
        """The script fails and says each of the expected texts."""
        done = self.run_script(self.root)
        self.assertEqual(done.returncode, 1, done.stdout)
        for text in expected:
            self.assertIn(text, done.stdout)

    def helps(self):
        done = self.run_script("--help")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("usage:", done.stdout)
