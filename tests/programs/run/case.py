# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of `uma run` share.

UMA_TOOL, UMA_WORK and UMA_PRELOAD name the tool, the program of work.c and
the library; UMA_HOSTILE whether its caches are tiny and often taken away.  CC
is the compiler for the few programs made here.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import textwrap
import time
import unittest

TOOL = os.environ["UMA_TOOL"]
WORK = os.environ["UMA_WORK"]
LIBRARY = os.environ["UMA_PRELOAD"]
HOSTILE = os.environ.get("UMA_HOSTILE") == "true"
CC = os.environ.get("CC", "cc").split()

LIMIT = 60  # seconds until a hang is a failure
LINES = 18  # the summary's most
HEADER = ("ITEM                   SIZE  LIMIT     USED     FREE      REQ"
          "     FAILSLEEP XDOMAIN")
COLUMNS = ("size", "limit", "used", "free", "req", "fail", "sleep",
           "xdomain")


# Whoever starts the tests in the background has these ignored, and a shell
# that finds a signal ignored cannot trap it.
for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(ignored, signal.SIG_DFL)


def wait_for(what):
    """Poll a condition; its value once true, or an error after LIMIT."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("waited in vain")


def state_of(pid):
    """The letter of /proc/PID/stat: T for stopped."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return text.rpartition(")")[2].split()[0]


def read_table(text):
    """Rows by name and size, each checked to the byte."""
    lines = text.split("\n")
    assert lines[0] == HEADER, lines[0]
    assert lines[1] == "", "no empty line after the first"
    assert lines[-2:] == ["", ""], "no empty line at the end"
    rows = {}
    for line in lines[2:-2]:
        name, _, numbers = line.rpartition(":")
        row = dict(zip(COLUMNS, map(int, numbers.split(",")), strict=True))
        # Whatever is not to the byte as it should be differs here.
        again = ("{0:<20} {size:6}, {limit:6},{used:8},{free:8},{req:8},"
                 "{fail:4},{sleep:4},{xdomain:4}").format(name + ":", **row)
        assert line == again, f"{line!r} is not {again!r}"
        key = name, row["size"]
        assert key not in rows, f"twice: {line}"
        rows[key] = row
    return rows


class Case(unittest.TestCase):
    def setUp(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="uma-run-test."))
        self.addCleanup(shutil.rmtree, self.home)
        self.records = self.home / "records"
        self.records.mkdir()
        self.env = {key: value for key, value in os.environ.items()
                    if key not in ("LD_PRELOAD", "PYTHONMALLOC")
                    and not key.startswith("UMA_")}
        self.env["TMPDIR"] = str(self.records)

    def tool(self, *arguments, **more):
        """Run the tool with these arguments; all output as text."""
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("env", self.env)
        done = subprocess.run([TOOL, *map(str, arguments)], text=True,
                              capture_output=True, timeout=LIMIT, **more)
        self.assertEqual(os.listdir(self.records), [], "records were left")
        return done

    def run_it(self, *arguments, **more):
        """`uma run` with the library under test."""
        return self.tool("run", "--preload", LIBRARY, *arguments, **more)

    def start(self, *arguments, **more):
        """The same without waiting."""
        process = subprocess.Popen(
            [TOOL, "run", "--preload", LIBRARY, *map(str, arguments)],
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=self.env, **more)
        self.addCleanup(self.finish, process)
        return process

    def finish(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=LIMIT)

    def script(self, text, name="script"):
        path = self.home / name
        path.write_text(textwrap.dedent(text))
        path.chmod(0o755)
        return path

    def compile(self, text, name, *arguments):
        source = self.home / (name + ".c")
        source.write_text(textwrap.dedent(text))
        path = self.home / name
        subprocess.run([*CC, source, "-o", path, *arguments], check=True,
                       timeout=LIMIT)
        return path

    def refuses(self, done, status, *words):
        """One line that holds the words; nothing on standard output."""
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Auma: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, done.stderr)

    def stats_of(self, *command):
        """The table after a run, and the summary."""
        path = self.home / "stats"
        done = self.run_it("--stats", path, "--", *command)
        return read_table(path.read_text()), done

    def class_of(self, table, size):
        """The row of malloc's smallest class that holds `size` bytes."""
        sizes = [key for key in table
                 if key[0].startswith("malloc-") and key[1] >= size]
        return table[min(sizes, key=lambda key: key[1])]
