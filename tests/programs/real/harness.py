# SPDX-License-Identifier: BSD-2-Clause
"""What check-programs runs programs with: one run of one program in one mode,
written down step by step, and nothing left behind."""
import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODES = {"plain": {}, "rseq": {}, "generic": {"UMA_OPTIONS": "percpu:generic"}}

# The system's own commands first: a user's PATH may hold wrapper scripts.  So
# does Debian's for PostgreSQL, whose programs lie in a folder of their version.
PATH = ":".join([
    *map(str, sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))),
    "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", os.environ.get("PATH", "")])

# How much longer everything may take, where the machine is emulated.
SLOWER = int(os.environ.get("PROGRAMS_SLOWER", "1"))


class Wrong(Exception):
    """What a run did wrong, told to whoever reads the failure."""


class Step:
    def __init__(self, name, out=b"", err=b""):
        self.name, self.out, self.err = name, out, err


class Server:
    def __init__(self, child, log):
        self.child, self.log = child, log

    def has_ended(self):
        return self.child.poll() is not None

    def log_text(self):
        return self.log.read_text(errors="replace")

    def pids(self):
        return [self.child.pid] + children_of(self.child.pid)

    def stop(self, run, name, ask):
        """Call `ask` to stop it, and expect that it ends well."""
        ask()
        try:
            status = self.child.wait(run.timeout)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{name} does not stop; its log:\n" + tail(
                self.log.read_bytes())) from None
        if status != 0:
            raise Wrong(f"{name} ended with {status}; its log:\n" + tail(
                self.log.read_bytes()))


class Run:
    """One program's work in one mode, written down step by step."""

    def __init__(self, mode, base, preload, quick):
        self.mode, self.preload, self.quick = mode, preload, quick
        self.base = base
        self.steps = []
        self.timeout = SLOWER * (120 if quick else 1200)
        self.dir = base / "work"
        self.spool = base / "spool"
        for folder in (self.dir, self.spool):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.env = {
            "PATH": PATH, "HOME": str(self.dir), "TMPDIR": str(self.spool),
            "LC_ALL": "C", "TZ": "UTC", **MODES[mode]}
        if mode != "plain":
            self.env["LD_PRELOAD"] = str(preload)

    def scale(self, quick, full):
        return quick if self.quick else full

    def popen(self, argv, env, **streams):
        return subprocess.Popen([str(word) for word in argv],
            env={**self.env, **env}, start_new_session=True, **streams)

    def call(self, *argv, expect=0, given=b"", cwd=None, name=None, env=None,
             keep=True):
        """Run a command to its end; write down what it said unless told."""
        step = Step(name or " ".join(
            pathlib.Path(str(word)).name for word in argv[:4]))
        # Files, not pipes: a stray grandchild cannot hold a file open on us.
        with tempfile.TemporaryFile() as out, \
                tempfile.TemporaryFile() as err, \
                tempfile.TemporaryFile() as into:
            into.write(given)
            into.seek(0)
            child = self.popen(argv, env or {}, cwd=cwd or self.dir,
                stdin=into, stdout=out, stderr=err)
            try:
                status = child.wait(self.timeout)
            except subprocess.TimeoutExpired:
                status = f"none within {self.timeout} s"
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            out.seek(0)
            err.seek(0)
            step.out, step.err = out.read(), err.read()
        if status != expect:
            raise Wrong(f"{step.name}: exit status {status}, not {expect}; "
                "stderr:\n" + tail(step.err or step.out))
        if keep:
            self.steps.append(step)
        return step.out

    def start(self, *argv, env=None):
        log = self.spool / (pathlib.Path(argv[0]).name + ".log")
        with log.open("wb") as out:
            return Server(self.popen(argv, env or {}, cwd=self.dir,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out), log)

    def until(self, what, answer):
        """Wait for `answer` to be true, within the bound of any step."""
        end = time.monotonic() + self.timeout
        while not answer():
            if time.monotonic() > end:
                raise Wrong(f"waited {self.timeout} s for {what}")
            time.sleep(0.02)

    def note(self, name, value):
        """Write down something that must be the same in every mode."""
        self.steps.append(Step(name, str(value).encode()))

    def require(self, true, what):
        if not true:
            raise Wrong(what)

    def note_files(self, pattern, folder=None, needed=1):
        """Write down the digest of each file found."""
        found = sorted(path for path in (folder or self.dir).rglob(pattern)
            if path.is_file() and not path.is_symlink())
        self.require(len(found) >= needed,
            f"{len(found)} files {pattern}, at least {needed} expected")
        for path in found:
            self.note(f"file {path.relative_to(self.dir)}",
                hashlib.sha256(path.read_bytes()).hexdigest())

    def copy_project(self):
        """The project's sources, the same for every run: others may be
        writing them."""
        def skip(folder, names):
            return [name for name in names
                if name.startswith(".") or name == "__pycache__"
                or (pathlib.Path(folder) / name / "build.ninja").exists()]
        snapshot = self.base / "project"
        if not snapshot.exists():
            shutil.copytree(ROOT, snapshot, ignore=skip)
        shutil.copytree(snapshot, self.dir / "uma")

    def must_be_preloaded(self, pids):
        """A server that cleared its environment would test nothing."""
        for pid in pids if self.mode != "plain" else []:
            maps = pathlib.Path(f"/proc/{pid}/maps").read_text()
            self.require(str(self.preload.resolve()) in maps,
                f"process {pid} runs without the library")


def children_of(pid):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


def end_children():
    """Kill what is left: orphans come to us, the nearest subreaper."""
    for _ in range(100):
        for pid in children_of(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.02)


def python_path():
    """The system's, if any: the one of PATH may be a shell script."""
    fixed = pathlib.Path("/usr/bin/python3")
    return str(fixed) if fixed.exists() else shutil.which("python3")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lacking(needs):
    """Those commands that are not installed."""
    return [need for need in needs if not shutil.which(need, path=PATH)]


def is_preloaded(command, preload):
    """Does the loader bind its malloc to the library?  Not for a program that
    is linked statically; a script's interpreter is not ours to ask."""
    path = python_path() if command == "python3" else shutil.which(
        command, path=PATH)
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return True
    listing = subprocess.run([path, "--version"], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        timeout=60 * SLOWER,
        env={"LD_PRELOAD": str(preload), "LD_TRACE_LOADED_OBJECTS": "1",
            "LD_WARN": "yes", "LD_BIND_NOW": "yes", "LD_DEBUG": "bindings"})
    return f" to {preload} [0]: normal symbol `malloc'" in (
        listing.stdout.decode(errors="replace"))


def tail(text, count=10):
    return "\n".join(text.decode(errors="replace").splitlines()[-count:])


def first_difference(want, got):
    """The lines where two outputs part, for a person to read."""
    want, got = (text.decode(errors="replace").splitlines()
        for text in (want, got))
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b),
        min(len(want), len(got)))
    lines = [f"  line {at + 1}:"]
    lines += ["  plain | " + line[:160] for line in want[at:at + 3]]
    lines += ["  here  | " + line[:160] for line in got[at:at + 3]]
    return "\n".join(lines)


def differences(want, got):
    """Where a run parts from the plain run; empty when nowhere."""
    for a, b in zip(want.steps, got.steps):
        if a.name != b.name:
            return f"step {b.name} where plain has {a.name}"
        if a.out != b.out:
            return f"{a.name}: other output\n" + first_difference(
                a.out, b.out) + "\n  stderr:\n" + tail(b.err)
        if a.err != b.err:
            return f"{a.name}: other stderr\n" + first_difference(
                a.err, b.err)
    if len(want.steps) != len(got.steps):
        return f"{len(got.steps)} steps where plain has {len(want.steps)}"
    return ""
