#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`uma run --vs`, and programs deaf to the preload."""
import os
import re
import shutil
import signal
import stat
import subprocess
import unittest

from case import Case, LIBRARY, LIMIT, TOOL, WORK, read_table


class PeerTest(Case):
    ROWS = (r"\A {15,}time +peak RSS +page faults +\(median of (?P<n>\d+)\)\n"
            r"  uma +[\d.]+ m?s +[\d.]+ [KMG]iB +\d[\d ]*.*\n"
            r"  (?P<peer>\S+) +[\d.]+ m?s +[\d.]+ [KMG]iB +\d[\d ]*\n"
            r"  uma is +(?P<time>\S+ \S+) +(?P<rss>\S+ \S+)"
            r" +(?P<faults>\S+ \S+)\n\Z")

    def table(self, done):
        found = re.match(self.ROWS, done.stderr)
        self.assertTrue(found, done.stderr)
        self.assertRegex(found["time"], r"% (faster|slower)\Z|the same\Z")
        return found

    def hungry(self, name, megabytes):
        """A library that takes memory when loaded."""
        return self.compile(f"""\
            #include <stdlib.h>
            #include <string.h>
            __attribute__((constructor)) static void eat(void) {{
                    volatile char *p = malloc({megabytes} << 20);
                    for (long i = 0; i < {megabytes}L << 20; i += 4096)
                            p[i] = 1;
            }}
            """, name, "-shared", "-fPIC", "-w")

    def test_glibc(self):
        done = self.run_it("--vs", "glibc", "--", WORK, "exit", 1000, 64)
        found = self.table(done)
        self.assertEqual((found["n"], found["peer"]), ("3", "glibc"))
        self.assertRegex(done.stderr, r"  uma .* allocations, [\d.]+% from")

    def test_known_peers(self):
        for peer in ("jemalloc", "mimalloc"):
            with self.subTest(peer):
                done = self.run_it("--vs", peer, "--rounds", "1", "--",
                                   WORK, "exit", 1000, 64)
                if done.returncode == 125:
                    self.refuses(done, 125, peer, "not installed",
                                 "apt install")
                    continue
                self.assertEqual(self.table(done)["peer"], peer)

    def test_a_win_is_told(self):
        peer = self.hungry("peer.so", 64)
        found = self.table(self.run_it("--vs", peer, "--", WORK, "exit",
                                       10, 64))
        self.assertEqual(found["peer"], "peer.so")
        self.assertRegex(found["rss"], r"% less\Z")
        self.assertRegex(found["faults"], r"% fewer\Z")

    def test_a_loss_is_told(self):
        ours = self.hungry("ours.so", 64)
        done = self.tool("run", "--preload", ours, "--vs", "glibc", "--",
                         WORK, "exit", 10, 64)
        found = self.table(done)
        self.assertRegex(found["rss"], r"% more\Z")
        self.assertRegex(found["faults"], r"% more\Z")
        self.assertRegex(found["time"], r"% slower\Z")

    def test_rounds_and_output(self):
        log = self.home / "log"
        done = self.run_it("--vs", "glibc", "--rounds", "2", "--", "sh", "-c",
                           f"echo shown; echo x$LD_PRELOAD >>{log}")
        self.assertEqual(done.stdout, "shown\n")
        ours = "x" + os.path.realpath(LIBRARY)
        self.assertEqual(log.read_text().split(), [ours, "x", "x", ours])
        self.assertEqual(self.table(done)["n"], "2")

    def test_input_from_a_file_is_read_by_all(self):
        source = self.home / "in"
        source.write_text("skipped\nread\n")
        log = self.home / "log"
        with open(source) as file:
            os.lseek(file.fileno(), 8, os.SEEK_SET)
            self.run_it("--vs", "glibc", "--rounds", "2", "--", "sh", "-c",
                        f"cat >>{log}", stdin=file)
        self.assertEqual(log.read_text(), "read\n" * 4)

    def test_input_from_a_pipe_is_told(self):
        done = subprocess.run(
            [TOOL, "run", "--preload", LIBRARY, "--vs", "glibc", "--rounds",
             "1", "--", "wc", "-c"], input="four", text=True,
            capture_output=True, env=self.env, timeout=LIMIT)
        self.assertEqual(done.stdout, "0\n")
        self.assertIn("warning: standard input is a pipe", done.stderr)

    def test_stats_of_the_first_run(self):
        path = self.home / "stats"
        self.run_it("--stats", path, "--vs", "glibc", "--", WORK, "exit",
                    1000, 3000)
        row = self.class_of(read_table(path.read_text()), 3000)
        self.assertTrue(1000 <= row["req"] < 1100, row)

    def test_exit_status_is_the_first_runs(self):
        script = self.script("""\
            #!/bin/sh
            case "$LD_PRELOAD" in '') exit 4 ;; esac
            exit 3
            """)
        done = self.run_it("--vs", "glibc", "--rounds", "1", "--", script)
        self.assertEqual(done.returncode, 3)
        self.assertIn("under glibc ended with exit 4, the first with exit 3",
                      done.stderr)

    def test_a_signal_ends_all_rounds(self):
        log = self.home / "log"
        script = self.script(f"""\
            #!/bin/sh
            echo x >>{log}
            kill -TERM $$
            """)
        done = self.run_it("--vs", "glibc", "--rounds", "5", "--", script)
        self.assertEqual(done.returncode, -signal.SIGTERM)
        self.assertEqual(log.read_text(), "x\n")

    def test_a_handled_signal_ends_all_rounds(self):
        log = self.home / "log"
        script = self.script(f"""\
            #!/bin/sh
            trap 'exit 6' TERM
            echo x >>{log}
            echo ready
            while :; do sleep 0.02; done
            """)
        process = self.start("--vs", "glibc", "--rounds", "5", "--", script)
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 6)
        self.assertEqual(log.read_text(), "x\n")


class DeafProgramTest(Case):
    """Programs that ignore the preload are named, and run."""

    WARNING = r"\Auma: warning: {path} is {why}"

    def build_static(self):
        return self.compile("int main(void) { return 9; }\n", "static",
                            "-static")

    def warns(self, done, path, why, status):
        self.assertEqual(done.returncode, status)
        self.assertRegex(done.stderr, self.WARNING.format(
            path=re.escape(str(path)), why=why))
        self.assertIn("no process reported", done.stderr)

    def test_static_without_standard_error(self):
        """The warning does not come into the file that is opened then."""
        path = self.build_static()
        table = self.home / "table"
        done = subprocess.run(
            ["sh", "-c", f"{TOOL} run --stats {table} -- {path} 2>&-"],
            timeout=LIMIT)
        self.assertEqual(done.returncode, 9)
        read_table(table.read_text())

    def test_static(self):
        path = self.build_static()
        self.warns(self.run_it("--", path), path, "statically linked", 9)

    def test_script_of_a_static_interpreter(self):
        path = self.build_static()
        script = self.script(f"#! {path} -x\n")
        self.warns(self.run_it("--", script), path, "statically linked", 9)

    def test_script_through_env(self):
        path = self.build_static()
        self.env["PATH"] = f"{self.home}:{self.env['PATH']}"
        for line in ("#!/usr/bin/env static\n",
                     "#!/usr/bin/env -S static -x\n"):
            with self.subTest(line):
                script = self.script(line)
                self.warns(self.run_it("--", script), path,
                           "statically linked", 9)

    def test_script_of_a_script(self):
        path = self.build_static()
        inner = self.script(f"#!{path}\n", "inner")
        outer = self.script(f"#!{inner}\n", "outer")
        self.warns(self.run_it("--", outer), path, "statically linked", 9)

    def test_no_false_alarm(self):
        for text in ("#!/bin/sh\nexit 9\n", "#!/usr/bin/env sh\nexit 9\n",
                     "exit 9\n"):
            with self.subTest(text):
                done = self.run_it("--", self.script(text))
                self.assertEqual(done.returncode, 9)
                self.assertNotIn("warning", done.stderr)

    def test_other_machine(self):
        path = self.build_static()
        image = bytearray(path.read_bytes())
        image[18] ^= 0x55  # e_machine
        path.write_bytes(image)
        done = self.run_it("--", path)
        self.assertIn("for another machine", done.stderr)
        self.assertIn(done.returncode, (126, 127))

    @unittest.skipUnless(os.getuid() == 0, "needs root to give a file away")
    def test_setuid_and_setgid(self):
        if os.statvfs(self.home).f_flag & os.ST_NOSUID:
            self.skipTest("the file system is mounted nosuid")
        self.home.chmod(0o755)
        for mode, owner, why in ((stat.S_ISUID, (65534, 0), "setuid"),
                                 (stat.S_ISGID, (0, 65534), "setgid")):
            with self.subTest(why):
                path = self.home / why
                shutil.copy(WORK, path)
                os.chown(path, *owner)
                path.chmod(0o755 | mode)
                self.warns(self.run_it("--", path, "exit", 10, 10), path,
                           why, 0)

    def test_setuid_to_oneself_is_plain(self):
        path = self.home / "mine"
        shutil.copy(WORK, path)
        path.chmod(0o4755)
        done = self.run_it("--", path, "exit", 10, 10)
        self.assertNotIn("warning", done.stderr)
        self.assertIn("in 1 process,", done.stderr)

    @unittest.skipUnless(os.getuid() == 0, "needs root to become another")
    def test_capabilities(self):
        setcap = shutil.which("setcap") or "/sbin/setcap"
        if not os.path.exists(setcap):
            self.skipTest("no setcap")
        path = self.home / "capable"
        shutil.copy(WORK, path)
        self.home.chmod(0o755)
        self.records.chmod(0o777)
        done = subprocess.run([setcap, "cap_net_raw+ep", path], check=False)
        if done.returncode != 0:
            self.skipTest("the file system holds no capabilities")
        if subprocess.run(["test", "-r", LIBRARY, "-a", "-x", TOOL],
                          user=65534, check=False).returncode != 0:
            self.skipTest("the build tree is closed to other users")
        self.warns(self.run_it("--", path, "exit", 10, 10, user=65534), path,
                   "given capabilities", 0)


if __name__ == "__main__":
    unittest.main()
