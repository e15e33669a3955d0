# SPDX-License-Identifier: BSD-2-Clause
"""The programs of scripts/check-programs in a guest: Debian's packages for its
machine, unpacked into an image, and the sources that the tests read."""
import re

import house
from guest.console import Reader
from guest.debian import Packages
from guest.initramfs import FILE, FOLDER, Image

# What every Debian has, and what the check itself needs.
SYSTEM = ["base-files", "base-passwd", "bash", "coreutils", "dash", "diffutils",
          "findutils", "grep", "gzip", "libc-bin", "mawk", "perl", "python3",
          "sed", "tar", "util-linux"]
# In which packages a program is that the system does not have, where they are
# not called as it is.
PACKAGES = {
    "bash": "", "convert": "imagemagick", "dot": "graphviz",
    "emacs": "emacs-nox", "g++": "g++ libc6-dev", "gcc": "gcc libc6-dev",
    "clang": "clang libc6-dev", "gnuplot": "gnuplot-nox", "grep": "",
    "gs": "ghostscript", "guile": "guile-3.0", "java": "default-jdk-headless",
    "meson": "meson ninja-build gcc libc6-dev", "nginx": "nginx-light wrk",
    "node": "nodejs", "perl": "", "php": "php-cli", "postgres": "postgresql",
    "python3": "", "redis-server": "redis-server redis-tools", "sed": "",
    "sort": "", "tar": "", "tclsh": "tcl", "vim.tiny": "vim-tiny",
    "xz": "xz-utils"}
UNREAD = ["usr/share/doc", "usr/share/info", "usr/share/lintian",
          "usr/share/locale", "usr/share/man"]
# What the scripts of packages would have made.
LINKS = {
    "awk": "mawk", "cc": "gcc", "convert": "convert-im6.q16",
    "emacs": "emacs-nox", "gnuplot": "gnuplot-nox", "guile": "guile-3.0",
    "java": "/usr/lib/jvm/default-java/bin/java",
    "javac": "/usr/lib/jvm/default-java/bin/javac", "php": "php8.2"}
ETC = {
    "passwd": "root:x:0:0::/root:/bin/bash\n"
              "www-data:x:33:33::/var/www:/bin/false\n"
              "nobody:x:65534:65534::/nonexistent:/bin/false\n",
    "group": "root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n"}
# Likewise: graphviz lists its plugins.
DOT = ("prepare/dot", 600, {}, ["/usr/bin/dot", "-c"])

NAME = "programs"
MODES = ("rseq", "generic")
WHERE = "/uma"
CHECK = f"{WHERE}/scripts/check-programs"
# A program has as long for its three runs, if none of them stops by itself.
SECONDS = 3600


def packages_of(names):
    return sorted({*SYSTEM, *" ".join(
        PACKAGES.get(name, name) for name in names).split()})


def root(folder, debian, names):
    """An image without an end of the programs' packages, made unless the last
    one was of the same."""
    path = folder / f"programs-{debian}.cpio"
    made_of = path.with_suffix(".list")
    names = packages_of(names)
    if path.exists() and made_of.exists() and \
            made_of.read_text().split() == names:
        return path
    made_of.unlink(missing_ok=True)
    with Image(path) as image:
        for name, text in ETC.items():
            image.add(f"/etc/{name}", FILE | 0o644, text.encode())
        for name, target in LINKS.items():
            image.add_link(f"/usr/bin/{name}", target)
        for package in Packages(folder, debian).with_dependencies(names):
            image.add_package(package, UNREAD)
    made_of.write_text("\n".join(names) + "\n")
    return path


def add_sources(image):
    for path in house.files(house.ROOT):
        mode = FILE | path.stat().st_mode & 0o777
        image.add(f"{WHERE}/{path.relative_to(house.ROOT)}", mode,
                  path.read_bytes())
    image.add(f"{WHERE}/build", FOLDER | 0o755)


def chosen(only, without):
    """The names of the programs to run."""
    return [name for name in house.output(
                house.ROOT / "scripts/check-programs", "--list").split()
            if not only or any(word in name for word in only)
            if not any(word in name for word in without)]


def tests(library, slower, names):
    """As check-guest has its tests.  One has all programs: what every start
    of an interpreter costs here is paid once."""
    env = {"UMA_PRELOAD": library, "PROGRAMS_SLOWER": str(slower)}
    before = [DOT] if "dot" in names else []
    return [*before, (NAME, SECONDS * len(names), env,
        [CHECK, "--quick", "--no-skip", *(
            word for name in names for word in ("--only", name))])]


class ProgramReader(Reader):
    """One line a program and mode, as soon as the guest says it."""

    def __init__(self, log, names):
        super().__init__(log)
        self.missing = [f"{name} ({mode})" for name in names for mode in MODES]

    def line(self, line):
        super().line(line)
        part = re.match(r"(not )?ok \d+ - (\S+ \(\w+\))(.*)", line)
        if self.name == NAME and part:
            self.count(part[2], not part[1], part[3].strip())
        elif self.name == NAME and line.startswith("#"):
            print(f"     {line}", flush=True)

    def count(self, what, good, seconds):
        self.missing.remove(what)
        self.passed += good
        if not good:
            self.failed.append(what)
        print(f"{'ok' if good else 'FAIL':<5}{what}  {seconds}", flush=True)

    def end(self, name, status, seconds):
        if name != NAME:
            super().end(name, status, seconds)
            return
        if self.missing:
            print(*self.said[-20:], sep="\n     ")
        for what in list(self.missing):
            self.count(what, False, f"did not run: status {status}")
