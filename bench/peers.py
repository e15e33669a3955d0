# SPDX-License-Identifier: BSD-2-Clause
"""Who is compared: where each peer is, and how a row is run with it."""
import fnmatch
import glob
import os
import pathlib
import random
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
TIMEOUT_S = 120

# Ours, in the order of the tables; what each is compared with is in report.py.
OURS = ("uma-malloc", "uma-zone", "uma-inline")
# Not competitors: what the machine allows at best.
LIMITS = ("list", "list-called", "stack", "stack-called")
POOLS = ("dpdk",)
MALLOCS = {
    "glibc": None,
    "jemalloc": "libjemalloc.so.2",
    "mimalloc": "libmimalloc.so.2*",
    "tcmalloc": "libtcmalloc_minimal.so.4",
}
NAMES = (*LIMITS, *POOLS, *MALLOCS, *OURS)
ZONES = {**{name: name for name in (*LIMITS, *POOLS)},
         "uma-zone": "uma", "uma-inline": "uma-inline"}
# Why a program may not have been built.
MISSING = {"dpdk": "not built: libdpdk-dev was not there at `meson setup`"}
LIBRARIES = ("/usr/local/lib", "/usr/lib/*-linux-gnu", "/usr/lib64",
             "/usr/lib")


# What children see of the environment; nobody's settings decide what they do.
KEPT = ("HOME", "LD_LIBRARY_PATH", "PATH", "TMPDIR")
# Python and Perl give their tables another order in each run.
FIXED = {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0"}


class Failed(Exception):
    """A program that should have run did not; the text says how."""


class Unknown(Exception):
    """Patterns that nothing matches; the text names them."""


def chosen(names, globs):
    """The names that one of the patterns matches, in the names' order."""
    globs = globs.split(",")
    unknown = [one for one in globs if not fnmatch.filter(names, one)]
    if unknown:
        raise Unknown(", ".join(f"'{one}'" for one in unknown))
    return [name for name in names if
            any(fnmatch.fnmatchcase(name, one) for one in globs)]


def turns(present, row, rounds):
    """The peers of each round in another order, the same in every run."""
    for turn in range(rounds):
        yield random.Random(f"{row} {turn}").sample(present, len(present))


def environment(**more):
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, **FIXED, **more}


def package(path):
    """The Debian package that a library is from and its version, or None."""
    found = os.path.realpath(path)
    # The list of a package may say where it was before /usr held everything.
    for name in found, found.removeprefix("/usr"):
        owner = told("dpkg-query", "-S", name).partition(": ")[0]
        if owner:
            return told("dpkg-query", "-W", "-f", "${Package} ${Version}",
                        owner) or None
    return None


def told(*command):
    """What a command prints, or nothing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, check=True,
                              text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


class Peer:
    """A malloc to preload, or a program with its allocator compiled in."""

    programs = "bench-zones"

    def __init__(self, name, build):
        self.name = name
        self.bench = pathlib.Path(build) / "bench"
        self.preload = ""
        self.absent = None
        self.is_malloc = name not in ZONES
        self.zones = self.bench / (f"{self.programs}-"
                                   f"{ZONES.get(name, 'malloc')}")
        if name == "glibc":
            # Named, or a program that is linked with another malloc has it.
            self.preload = "libc.so.6"
        elif self.is_malloc:
            self.find(name, pathlib.Path(build))
        if not self.zones.exists():
            self.absent = MISSING.get(name, "not built")
        self.rows = [] if self.absent else self.list_rows()

    def find(self, name, build):
        """The library to preload; it must really be the one that serves."""
        if name in OURS:
            found = [build / "src" / "libuma_malloc.so.1"]
        else:
            found = sorted(path for folder in LIBRARIES for path in
                           glob.glob(f"{folder}/{MALLOCS[name]}"))
        if not found or not os.path.exists(found[0]):
            self.absent = "not installed" if name in MALLOCS else "not built"
            return
        self.preload = str(found[0])
        kernels = self.bench / "bench-kernels"
        try:
            owner = self.run([kernels, "--who"]).strip()
        except Failed as failure:
            self.absent = str(failure)
            return
        if os.path.realpath(owner) != os.path.realpath(self.preload):
            self.absent = f"malloc comes from {owner}"

    def list_rows(self):
        rows = self.run([self.zones, "--list"]).split()
        if self.is_malloc and self.programs == "bench-zones":
            kernels = self.run([self.bench / "bench-kernels", "--list"])
            rows += [f"kernel/{row}" for row in kernels.split()]
        return rows

    def run(self, command):
        """What a benchmark program prints, run on this peer."""
        return finish(command, environment(LD_PRELOAD=self.preload))

    def measure(self, row):
        """Run a row of zones.c or kernels.c; returns {metric: value}."""
        if row.startswith("kernel/"):
            command = [self.bench / "bench-kernels", row[len("kernel/"):]]
        else:
            command = [self.zones, row]
        return metrics(self.run(command))

    def launch(self, program):
        """Run a programs.Program on this peer; returns {metric: value}.

        Its client runs beside it, on the C library's malloc.
        """
        command = [self.bench / "bench-launch", self.preload,
                   *program.command]
        env = environment(**program.env)
        if program.client is None:
            return metrics(finish(command, env))
        client = subprocess.Popen(program.client, env=env,
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL,
                                  start_new_session=True)
        try:
            result = metrics(finish(command, env))
            client.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise Failed("the client does not end") from None
        finally:
            if client.returncode is None:
                end(client)
        if client.returncode != 0:
            raise Failed(f"the client ended with {client.returncode}")
        return result

    def package(self):
        """Name and version of what it was installed from, or None."""
        if self.name == "dpdk":
            return told("dpkg-query", "-W", "-f", "${Package} ${Version}",
                        "libdpdk-dev") or None
        if self.absent or self.name not in MALLOCS:
            return None
        return package(self.run([self.bench / "bench-kernels",
                                 "--who"]).strip())


def end(process):
    """End a process with all that it started, and wait for it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()


def finish(command, env):
    """What a command prints; late, it ends with all that it started."""
    try:
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True)
    except OSError as error:
        raise Failed(str(error)) from None
    try:
        said, errors = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        end(process)
        raise Failed(f"not over after {TIMEOUT_S} s") from None
    except BaseException:
        end(process)
        raise
    if process.returncode != 0:
        lines = errors.strip().splitlines()
        raise Failed(lines[-1] if lines
                     else f"ended with {process.returncode}")
    return said


def metrics(text):
    pairs = (line.split() for line in text.splitlines())
    return {name: float(value) for name, value in pairs}
