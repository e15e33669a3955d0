#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How a command under `uma run` starts and ends."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest

from case import Case, LIBRARY, LIMIT, TOOL, WORK, state_of, wait_for


class EndTest(Case):
    def test_exit_status(self):
        for status in (0, 1, 2, 77, 125, 255):
            with self.subTest(status):
                done = self.run_it("--", "sh", "-c", f"exit {status}")
                self.assertEqual(done.returncode, status)
                self.assertIn(f"exit {status},", done.stderr)

    def test_dies_of_the_same_signal(self):
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                    signal.SIGQUIT, signal.SIGUSR1, signal.SIGSEGV,
                    signal.SIGABRT, signal.SIGKILL, signal.SIGPIPE):
            with self.subTest(one):
                done = self.run_it("--", "sh", "-c", f"kill -{one.value} $$")
                self.assertEqual(done.returncode, -one)
                self.assertIn(f"killed by {one.name}", done.stderr)

    def test_shell_sees_128_and_the_number(self):
        done = subprocess.run(
            ["sh", "-c", f"{TOOL} run --preload {LIBRARY} --"
             " sh -c 'kill -TERM $$'; echo $?"], text=True,
            capture_output=True, env=self.env, timeout=LIMIT)
        self.assertEqual(done.stdout, f"{128 + signal.SIGTERM}\n")

    def test_every_way_out_reports(self):
        for way in ("return", "exit", "_exit", "_Exit", "quick_exit",
                    "thread"):
            with self.subTest(way):
                table, done = self.stats_of(WORK, way, 1000, 3000)
                self.assertEqual(done.returncode, 0)
                row = self.class_of(table, 3000)
                self.assertTrue(1000 <= row["req"] < 1100, row)
                self.assertTrue(500 <= row["used"] < 600, row)
                self.assertIn("allocations in 1 process,", done.stderr)

    def test_a_killed_process_does_not_report(self):
        table, done = self.stats_of(WORK, "abort", 1000, 3000)
        self.assertEqual(table, {})
        self.assertEqual(done.returncode, -signal.SIGABRT)
        self.assertIn("no process reported", done.stderr)

    def test_a_reader_that_goes_leaves_the_status(self):
        read, write = os.pipe()
        process = subprocess.Popen(
            [TOOL, "run", "--preload", LIBRARY, "--stats", "/dev/stdout",
             "--", "sh", "-c", "sleep 0.1; exit 3"], env=self.env,
            stdout=write, stderr=write)
        os.close(write)
        os.close(read)
        self.assertEqual(process.wait(LIMIT), 3)
        self.assertEqual(os.listdir(self.records), [])

    def test_a_limit_on_files_does_not_kill(self):
        done = self.run_it("--", "sh", "-c", "ulimit -f 0; exit 4")
        self.assertEqual(done.returncode, 4, done.stderr)

    def test_a_pipe_without_a_reader_is_not_waited_for(self):
        fifo = self.home / "fifo"
        os.mkfifo(fifo)
        done = subprocess.run(
            [WORK, "return", "1000", "3000"], timeout=LIMIT,
            env={**self.env, "LD_PRELOAD": LIBRARY,
                 "UMA_OPTIONS": f"report:{fifo}"})
        self.assertEqual(done.returncode, 0)

    def test_a_forked_child_counts_its_own(self):
        table, done = self.stats_of(WORK, "fork", 1000, 3000)
        row = self.class_of(table, 3000)
        self.assertTrue(2000 <= row["req"] < 2200, row)
        # The child holds what it inherited, too.
        self.assertTrue(1500 <= row["used"] < 1700, row)
        self.assertIn("allocations in 2 processes,", done.stderr)


class SignalTest(Case):
    LOOP = """\
        trap 'echo got {name}; n=$((n+1))' {name}
        echo ready $$
        while [ ! -e {stop} ]; do sleep 0.02; done
        echo total $n
        exit 7
        """

    def loop(self, name):
        self.stop = self.home / "stop"
        return self.script(self.LOOP.format(name=name, stop=self.stop))

    def test_passed_once(self):
        for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2"):
            with self.subTest(name):
                process = self.start("--", "sh", self.loop(name),
                                     process_group=0)
                self.assertRegex(process.stdout.readline(), "ready")
                process.send_signal(getattr(signal, "SIG" + name))
                self.assertEqual(process.stdout.readline(), f"got {name}\n")
                self.stop.touch()
                out, err = process.communicate(timeout=LIMIT)
                self.stop.unlink()
                self.assertEqual(out, "total 1\n")
                self.assertEqual(process.returncode, 7)
                self.assertIn("exit 7,", err)

    def test_kills_the_command_when_it_has_no_handler(self):
        for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2"):
            with self.subTest(name):
                process = self.start("--", "sh", "-c",
                                     "echo ready; exec sleep 60")
                process.stdout.readline()
                one = getattr(signal, "SIG" + name)
                process.send_signal(one)
                _, err = process.communicate(timeout=LIMIT)
                self.assertEqual(process.returncode, -one)
                self.assertIn(f"killed by {one.name}", err)

    def test_stop_and_go_on(self):
        # In its own group, yet not an orphaned one: that would not stop.
        process = self.start("--", "sh", self.loop("USR1"), process_group=0)
        child = int(process.stdout.readline().split()[1])
        for _ in range(2):
            process.send_signal(signal.SIGTSTP)
            wait_for(lambda: state_of(child) == "T")
            wait_for(lambda: state_of(process.pid) == "T")
            process.send_signal(signal.SIGCONT)
            wait_for(lambda: state_of(child) != "T")
            wait_for(lambda: state_of(process.pid) != "T")
        self.stop.touch()
        process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 7)

    def test_stops_with_a_command_that_was_stopped(self):
        process = self.start("--", "sh", self.loop("USR1"), process_group=0)
        child = int(process.stdout.readline().split()[1])
        os.kill(child, signal.SIGSTOP)
        wait_for(lambda: state_of(process.pid) == "T")
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: state_of(child) != "T")
        self.stop.touch()
        process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 7)

    def test_stops_while_it_waits_for_what_was_left(self):
        stop = self.home / "stop"
        process = self.start(
            "--wait", "--", "sh", "-c",
            f"(while [ ! -e {stop} ]; do sleep 0.02; done) >&- 2>&- &"
            " echo left; exit 5", process_group=0)
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGTSTP)
        wait_for(lambda: state_of(process.pid) == "T")
        process.send_signal(signal.SIGCONT)
        stop.touch()
        process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 5)

    def read_until(self, fd, text):
        seen = ""
        while text not in seen:
            ready, _, _ = select.select([fd], [], [], LIMIT)
            self.assertTrue(ready, f"never came: {text!r} after {seen!r}")
            seen += os.read(fd, 4096).decode()
        return seen

    def count_interrupts(self, *arguments):
        """How many the command sees when the terminal sends one."""
        counter = self.compile("""\
            #include <signal.h>
            #include <stdio.h>
            #include <unistd.h>
            static volatile sig_atomic_t ints, usrs;
            static void on_int(int s) { (void)s; ints++; }
            static void on_usr(int s) { (void)s; usrs++; }
            int main(int argc, char **argv) {
                    (void)argv;
                    if (argc > 1)
                            setpgid(0, 0);
                    signal(SIGINT, on_int);
                    signal(SIGUSR1, on_usr);
                    puts("ready");
                    fflush(stdout);
                    while (usrs == 0)
                            usleep(1000);
                    printf("total %d\\n", (int)ints);
                    return 0;
            }
            """, "counter")
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(TOOL, [TOOL, "run", "--preload", LIBRARY, "--",
                             str(counter), *arguments], self.env)
        try:
            self.read_until(fd, "ready")
            os.write(fd, b"\x03")
            # The terminal echoes it when it has been sent.
            self.read_until(fd, "^C")
            # Passed on after all that came before it.
            os.kill(pid, signal.SIGUSR1)
            seen = self.read_until(fd, "uma:")
            return int(re.search(r"total (\d+)", seen)[1])
        finally:
            os.close(fd)
            os.waitpid(pid, 0)

    def test_the_terminals_interrupt_reaches_the_command(self):
        self.assertEqual(self.count_interrupts(), 1)

    def test_the_terminals_interrupt_is_not_sent_again(self):
        # In a group of its own it has none from the terminal; nor from us.
        self.assertEqual(self.count_interrupts("apart"), 0)

    def test_ignored_stays_ignored(self):
        process = self.start(
            "--", "sh", "-c", "echo ready; sleep 0.3; exit 5",
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 5)

    def test_the_commands_mask_is_as_before(self):
        done = self.run_it("--", "grep", "SigBlk", "/proc/self/status")
        self.assertEqual(int(done.stdout.split()[1], 16), 0)


class EnvironmentTest(Case):
    def shell(self, text, *options):
        return self.run_it(*options, "--", "sh", "-c", text)

    def test_users_preload_comes_after(self):
        self.env["LD_PRELOAD"] = "/no/such.so"
        done = self.shell("echo $LD_PRELOAD")
        ours = os.path.realpath(LIBRARY)
        self.assertEqual(done.stdout, f"{ours}:/no/such.so\n")

    def test_without_users_preload(self):
        done = self.shell("echo $LD_PRELOAD; env | grep -c UMA_RUN")
        self.assertEqual(done.stdout, f"{os.path.realpath(LIBRARY)}\n0\n")

    def test_the_tool_itself_is_never_preloaded(self):
        self.env["LD_PRELOAD"] = LIBRARY
        done = self.shell("grep -c uma_malloc /proc/$PPID/maps;"
                          " echo $LD_PRELOAD")
        self.assertEqual(done.stdout, f"0\n{os.path.realpath(LIBRARY)}\n")

    def test_the_peer_runs_without_it(self):
        self.env["LD_PRELOAD"] = LIBRARY
        log = self.home / "log"
        self.shell(f"echo x$LD_PRELOAD >>{log}", "--vs", "glibc",
                   "--rounds", "1")
        self.assertEqual(log.read_text(),
                         f"x{os.path.realpath(LIBRARY)}\nx\n")

    def test_pythonmalloc(self):
        self.assertEqual(self.shell("echo $PYTHONMALLOC").stdout, "malloc\n")
        self.env["PYTHONMALLOC"] = "debug"
        self.assertEqual(self.shell("echo $PYTHONMALLOC").stdout, "debug\n")

    def test_found_beside_the_tool(self):
        for place in ("lib", "src"):
            with self.subTest(place):
                root = self.home / ("root-" + place)
                (root / "bin").mkdir(parents=True)
                (root / place).mkdir()
                shutil.copy(TOOL, root / "bin/uma")
                (root / place / "libuma_malloc.so.1").symlink_to(
                    os.path.realpath(LIBRARY))
                done = subprocess.run(
                    [root / "bin/uma", "run", "sh", "-c",
                     "echo $LD_PRELOAD"], text=True, env=self.env,
                    capture_output=True, timeout=LIMIT)
                self.assertEqual(done.stdout,
                                 f"{os.path.realpath(LIBRARY)}\n")

    def test_found_in_the_build_tree(self):
        done = self.tool("run", "--", "sh", "-c", "echo $LD_PRELOAD")
        self.assertEqual(done.stdout, f"{os.path.realpath(LIBRARY)}\n")


if __name__ == "__main__":
    unittest.main()
