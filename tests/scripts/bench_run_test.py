# SPDX-License-Identifier: BSD-2-Clause
"""scripts/bench on programs that only print: arguments, its end, its file."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

import tree

sys.path.insert(0, str(tree.ROOT / "bench"))
import peers  # noqa: E402
import programs  # noqa: E402

# Rows of every malloc; pair/9 starts another process, and neither ends.
ZONES = """#!/bin/sh
case $1 in
--list) echo pair/8; echo pair/9 ;;
pair/8) env >{root}/env; echo ns 1.5 ;;
pair/9) echo $$ >{root}/pid; sleep 600 & wait ;;
esac
"""
KERNELS = """#!/bin/sh
case $1 in
--list) echo short; echo tree ;;
--who) readlink -f "$LD_PRELOAD" ;;
*) echo ns 2 ;;
esac
"""


def is_over(pid):
    """A process that nobody has waited for is over, too."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def group(leader):
    """The processes of a group that are not over."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getpgid(int(pid)) == leader and not is_over(pid):
                found.append(pid)
        except ProcessLookupError:
            pass
    return found


def left(leader):
    """What is left of it: who was killed may need a moment to be over."""
    end = time.monotonic() + 10
    while group(leader) and time.monotonic() < end:
        time.sleep(0.01)
    return group(leader)


class BenchRunTest(tree.TreeTest):
    script = "bench"

    def setUp(self):
        super().setUp()
        self.put("build.ninja", "")
        for name, text in ("zones-malloc", ZONES), ("kernels", KERNELS):
            self.put(f"bench/bench-{name}",
                     text.format(root=self.root)).chmod(0o755)

    def bench(self, *arguments):
        return self.run_script("--no-build", "--build", self.root,
                               "--rounds", "2", *arguments)

    def refuses_run(self, text, *arguments):
        """Says it in a line, and has measured and written nothing."""
        done = self.bench(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(text, done.stdout)
        self.assertEqual(len(done.stdout.splitlines()), 1, done.stdout)
        self.assertFalse((self.root / "env").exists())
        self.assertEqual(list(self.root.glob("*.json")), [])

    def test_help(self):
        self.helps()

    def test_patterns_that_nothing_matches(self):
        self.refuses_run("--peers: nothing is called 'tcmaloc', 'x*'",
                         "--peers", "glibc,tcmaloc,x*")
        self.refuses_run("--rows: nothing is called 'par/*', 'kernel/chrun'",
                         "--rows", "pair/8,par/*,kernel/chrun")

    def test_list(self):
        done = self.bench("--list", "--rows", "kernel/*,pair/8")
        self.assertEqual(done.stdout, "pair/8\nkernel/short\nkernel/tree\n")
        self.assertFalse((self.root / "env").exists())

    def test_a_file_that_cannot_be_written(self):
        self.refuses_run("none/x: No such file", "--rows", "pair/8", "--json",
                         self.root / "none/x")
        done = self.bench("--rows", "pair/8", "--json", "/dev/full")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^pair/8 +ns +1.50")
        self.assertRegex(done.stdout, r"(?m)^scripts/bench: /dev/full: No spa")
        self.assertNotIn("Traceback", done.stdout)

    def test_some_rows_leave_the_whole_run_alone(self):
        whole = self.put("bench.json", "whole")
        done = self.bench("--rows", "pair/8,kernel/*", "--peers", "glibc")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(whole.read_text(), "whole")
        said = json.loads((self.root / "bench-part.json").read_text())
        self.assertEqual([(row["row"], row["rounds"], row["spread"])
                          for row in said["rows"]],
                         [(row, 2, 0) for row in
                          ("pair/8", "kernel/short", "kernel/tree")])
        self.assertIsNone(said["peers"]["glibc"]["absent"])
        self.assertEqual(said["bars"], [])
        self.assertEqual(said["environment"]["variables"]["PYTHONHASHSEED"],
                         "0")

    def test_nobodys_settings(self):
        settings = {"UMA_OPTIONS": "debug", "MALLOC_CONF": "narenas:1",
                    "GLIBC_TUNABLES": "glibc.malloc.check=3",
                    "MALLOC_ARENA_MAX": "1"}
        os.environ.update(settings)
        self.addCleanup(lambda: [os.environ.pop(name) for name in settings])
        self.bench("--rows", "pair/8", "--peers", "glibc")
        seen = (self.root / "env").read_text()
        for name in settings:
            self.assertNotIn(name, seen)
        self.assertIn("PERL_HASH_SEED=0", seen)
        self.assertIn("LD_PRELOAD=libc.so.6", seen)

    def test_a_client_ends_with_its_program(self):
        client = f"echo $$ >{self.root}/pid; sleep 600 & wait"
        # The program ends when its client has begun.
        program = programs.Program(["none"], client=["sh", "-c", client])
        self.put("bench/bench-launch", "#!/bin/sh\nuntil [ -s "
                 f"{self.root}/pid ]; do sleep 0.02; done; exit 3\n"
                 ).chmod(0o755)
        glibc = peers.Peer("glibc", self.root)
        with self.assertRaises(peers.Failed):
            glibc.launch(program)
        self.assertEqual(
            left(int((self.root / "pid").read_text())), [])

    def test_interrupted(self):
        whole = self.put("bench.json", "whole")
        process = subprocess.Popen(
            [tree.ROOT / "scripts/bench", "--no-build", "--build", self.root,
             "--rounds", "1", "--rows", "pair/*", "--peers", "glibc"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        pid = self.root / "pid"
        until = time.monotonic() + 60
        while not (pid.exists() and pid.read_text().strip()) and \
                time.monotonic() < until:
            time.sleep(0.02)
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.02)
        said = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 130, said)
        self.assertRegex(said, r"(?m)^pair/8 +ns +1.50")
        self.assertNotIn("Traceback", said)
        self.assertEqual(left(int(pid.read_text())), [])
        self.assertEqual(whole.read_text(), "whole")
        self.assertTrue((self.root / "bench-part.json").exists())


class PeersTest(unittest.TestCase):
    def test_programs_that_are_not_here(self):
        real = programs.shutil.which
        self.addCleanup(setattr, programs.shutil, "which", real)
        programs.shutil.which = lambda name: \
            None if name in ("sqlite3", "redis-cli") else f"/bin/{name}"
        self.assertEqual(programs.absent(),
                         {"sqlite3": "sqlite3", "redis": "redis-cli"})

    def test_every_round_has_another_order(self):
        names = list("abcdefgh")
        rounds = list(peers.turns(names, "pair/64", 5))
        self.assertEqual(rounds, list(peers.turns(names, "pair/64", 5)))
        self.assertEqual({tuple(sorted(one)) for one in rounds},
                         {tuple(names)})
        self.assertEqual(len(set(map(tuple, rounds))), 5)
        rotations = {tuple(names[i:] + names[:i]) for i in range(len(names))}
        self.assertFalse(set(map(tuple, rounds)) <= rotations)

    def test_what_ends_a_run_ends_all_that_it_started(self):
        def interrupt(*_):
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        seen = []
        real = subprocess.Popen

        def popen(*args, **how):
            seen.append(real(*args, **how))
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            return seen[-1]

        peers.subprocess.Popen = popen
        self.addCleanup(setattr, peers.subprocess, "Popen", real)
        with self.assertRaises(KeyboardInterrupt):
            peers.finish(["sh", "-c", "sleep 600 & wait"], {})
        self.assertEqual(left(seen[0].pid), [])


if __name__ == "__main__":
    unittest.main()
