# SPDX-License-Identifier: BSD-2-Clause
"""What a guest's console says, read line by line."""
import re
import subprocess
import threading

# Of which test and line shows that the sequences of this guest can be trusted.
PROOF = ("unit/port_cpu", "selftest_proves_aborts")


class Reader:
    """What the guest's console says, test by test."""

    def __init__(self, log):
        self.log, self.name, self.said = log, None, []
        self.passed, self.failed, self.parts = 0, [], [0, 0, 0]
        self.over = self.proved = False
        self.pages = None

    def line(self, line):
        self.log.write(line + "\n")
        if line.startswith("@@ begin "):
            self.name, self.said = line[9:], []
        elif line.startswith("@@ end ") and self.name:
            _, _, status, seconds, name = line.split(" ", 4)
            self.end(name, int(status), seconds)
            self.name = None
        elif line.startswith("@@ over"):
            self.over = True
        elif line.startswith("@@ "):
            pages = re.search(r"pages of (\d+)", line)
            self.pages = int(pages[1]) if pages else self.pages
            print(line[3:], flush=True)
        else:
            self.said.append(line)

    def end(self, name, status, seconds):
        good = status in (0, 77)
        for line in self.said:
            if re.match(r"(not )?ok \d+ ", line):
                kind = (1 if line.startswith("not") else
                        2 if "# SKIP" in line else 0)
                self.parts[kind] += 1
                if kind == 0 and name == PROOF[0] and PROOF[1] in line:
                    self.proved = True
        self.passed += good
        if not good:
            self.failed.append(name)
        print(f"{'ok' if good else 'FAIL':<5}{name}  {seconds}s", flush=True)
        if not good:
            print(f"     status {status}")
            for line in self.said[-40:]:
                print(f"     {line}", flush=True)


def watch(command, reader, seconds):
    guest = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True,
                             stdout=subprocess.PIPE, errors="replace",
                             stderr=subprocess.STDOUT)
    timer = threading.Timer(seconds, guest.kill)
    timer.start()
    try:
        for line in guest.stdout:
            reader.line(line.rstrip("\r\n"))
    finally:
        timer.cancel()
        guest.kill()
        guest.wait()
        guest.stdout.close()
    if reader.name:
        reader.end(reader.name, -9, "?")
    if not reader.over:
        reader.failed.append("the guest ended early")
        print("FAIL the guest ended early:", *reader.said[-30:], sep="\n     ")
