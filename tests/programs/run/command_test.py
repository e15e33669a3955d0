#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Options and refusals of the `uma` command."""
import shutil
import subprocess
import unittest

from case import Case, LIBRARY, LIMIT, TOOL


class CommandTest(Case):
    def test_version(self):
        done = self.tool("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\Auma \d+\.\d+\.\d+\n\Z")

    def test_help(self):
        for word in ("help", "--help"):
            done = self.tool(word)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("uma run", done.stdout)

    def test_run_help_names_every_option(self):
        done = self.tool("run", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in ("--stats", "--vs", "--rounds", "--options",
                       "--preload", "--wait", "--help"):
            self.assertIn(option, done.stdout)

    def test_help_on_a_full_disk(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([TOOL, "help"], stdout=full, text=True,
                                  stderr=subprocess.PIPE, timeout=LIMIT)
        self.assertEqual(done.returncode, 125)
        self.assertIn("standard output", done.stderr)

    def test_no_command(self):
        self.refuses(self.tool(), 2, "missing")

    def test_unknown_command(self):
        self.refuses(self.tool("frobnicate"), 2, "'frobnicate'")


class OptionTest(Case):
    def test_wrong_options(self):
        mark = self.home / "mark"
        cases = [
            (["--bogus"], "--bogus: no such option"),
            (["-x"], "-x: no such option"),
            (["--stats="], "--stats: its value is empty"),
            (["--options="], "--options: its value is empty"),
            (["--wait=1"], "--wait=1: takes no value"),
            (["--rounds", "3"], "--rounds: needs --vs"),
            (["--vs", "nonesuch"], "--vs:"),
        ]
        for rounds in ("0", "-1", "101", "3x", "x", "", "9" * 30):
            cases.append((["--vs", "glibc", f"--rounds={rounds}"],
                          "--rounds: a whole number"))
        for options, words in cases:
            with self.subTest(options):
                self.refuses(self.run_it(*options, "--", "touch", mark), 2,
                             words)
                self.assertFalse(mark.exists(), "the command was run")

    def test_missing_value(self):
        for option in ("--stats", "--vs", "--rounds", "--options",
                       "--preload"):
            with self.subTest(option):
                self.refuses(self.tool("run", option), 2, option,
                             "value is missing")

    def test_missing_command(self):
        self.refuses(self.run_it(), 2, "a command to run is missing")
        self.refuses(self.run_it("--"), 2, "a command to run is missing")
        self.refuses(self.run_it("--", ""), 2, "empty")

    def test_the_commands_options_are_its_own(self):
        done = self.run_it("echo", "--stats", "-x", "--")
        self.assertEqual(done.stdout, "--stats -x --\n")
        self.assertEqual(done.returncode, 0)

    def test_options_reach_the_library(self):
        self.env["UMA_OPTIONS"] = "percpu:generic"
        done = self.run_it("--options", "a:b", "--", "sh", "-c",
                           "echo $UMA_OPTIONS")
        self.assertRegex(done.stdout, r"\Apercpu:generic,a:b,report:/\S+\n\Z")


class RefusalTest(Case):
    def refuses_unrun(self, status, *words, options=()):
        mark = self.home / "mark"
        done = self.tool("run", *options, "--", "touch", mark)
        self.refuses(done, status, *words)
        self.assertFalse(mark.exists(), "the command was run")

    def test_not_found(self):
        for name in ("no-such-command", "/no/such/command", "./nope",
                     "/etc/passwd/x"):
            with self.subTest(name):
                self.refuses(self.run_it("--", name), 127, name, "not found")

    def test_not_executable(self):
        plain = self.home / "plain"
        plain.write_text("#!/bin/sh\n")
        plain.chmod(0o644)
        for name in (plain, self.home):
            with self.subTest(name):
                self.refuses(self.run_it("--", name), 126, str(name),
                             "cannot be executed")

    def test_found_in_path_but_not_executable(self):
        plain = self.home / "plain-command"
        plain.write_text("")
        plain.chmod(0o644)
        self.env["PATH"] = f"{self.home}:{self.env['PATH']}"
        self.refuses(self.run_it("--", "plain-command"), 126,
                     "cannot be executed")

    def test_missing_interpreter(self):
        script = self.script("#!/no/such/interpreter\n")
        done = self.run_it("--", script)
        self.assertIn(done.returncode, (126, 127))
        self.assertIn(str(script), done.stderr)

    def test_missing_library(self):
        self.refuses_unrun(125, "library not found", "/no/such.so",
                           options=["--preload", "/no/such.so"])

    def test_no_library_beside_the_tool(self):
        copy = self.home / "bin" / "uma"
        copy.parent.mkdir()
        shutil.copy(TOOL, copy)
        done = subprocess.run([copy, "run", "--", "true"], text=True,
                              capture_output=True, env=self.env,
                              timeout=LIMIT)
        if done.returncode == 0:
            self.skipTest("the library is installed on this machine")
        self.refuses(done, 125, "library not found", "--preload")

    def test_not_a_library(self):
        self.refuses_unrun(125, "not a shared library",
                           options=["--preload", "/etc/passwd"])
        self.refuses_unrun(125, "not a shared library",
                           options=["--preload", "/tmp"])

    def test_library_path_with_a_blank(self):
        copy = self.home / "a b.so"
        shutil.copy(LIBRARY, copy)
        self.refuses_unrun(125, "blank or colon", options=["--preload", copy])

    def test_missing_peer(self):
        self.refuses_unrun(125, "library not found", options=[
            "--preload", LIBRARY, "--vs", "/no/such.so"])

    def test_unwritable_stats(self):
        for path in ("/no/such/directory/stats", self.home):
            with self.subTest(path):
                self.refuses_unrun(125, "--stats", str(path), options=[
                    "--preload", LIBRARY, "--stats", path])

    def test_stats_kept_when_the_command_is_not_there(self):
        path = self.home / "stats"
        path.write_text("old\n")
        self.run_it("--stats", path, "--", "no-such-command")
        self.assertEqual(path.read_text(), "old\n")

    def test_no_place_for_records(self):
        self.env["TMPDIR"] = "/no/such/directory"
        self.refuses(self.run_it("--", "true"), 125, "/no/such/directory")


if __name__ == "__main__":
    unittest.main()
