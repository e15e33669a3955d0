# SPDX-License-Identifier: BSD-2-Clause
"""Debian's packages for another machine, with a state of apt's own, so that
this machine's is not touched.  No script of a package is run."""
import re
import shutil

import house

MIRROR = "http://deb.debian.org/debian"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
RELEASES = ["bookworm", "bookworm-backports"]


class Unavailable(SystemExit):
    """Nothing is wrong here, but it is not to be had."""


def apt_get(*words, **how):
    try:
        house.must("apt-get", *words, **how)
    except SystemExit as why:
        raise Unavailable(why.code) from None


class Packages:
    def __init__(self, folder, debian):
        self.home = folder / f"apt-{debian}"
        self.archives = self.home / "cache/archives"
        for needed in (self.home / "lists/partial", self.archives / "partial"):
            needed.mkdir(parents=True, exist_ok=True)
        (self.home / "status").touch()
        (self.home / "sources.list").write_text("".join(
            f"deb [signed-by={KEYS}] {MIRROR} {release} main\n"
            for release in RELEASES))
        options = {
            "Dir::Etc::sourcelist": self.home / "sources.list",
            "Dir::Etc::sourceparts": "/nonexistent",
            "Dir::State": self.home, "Dir::Cache": self.home / "cache",
            "Dir::State::status": self.home / "status",
            "APT::Architecture": debian, "APT::Architectures": debian,
            "APT::Sandbox::User": "root", "Acquire::Languages": "none",
            "Debug::NoLocking": "1"}
        self.options = [word for key, value in options.items()
                        for word in ("-o", f"{key}={value}")]
        apt_get(*self.options, "update", "--error-on=any")

    def real(self, name):
        """What a package of the name only points to, or the name."""
        said = house.must("apt-cache", *self.options, "depends", "--important",
                          name)
        found = re.search(r"Depends: (linux-image-\S+)", said)
        return found[1] if found else name

    def unpack(self, name, folder):
        apt_get(*self.options, "download", name, cwd=self.home)
        for package in self.home.glob(f"{name}_*.deb"):
            house.must("dpkg-deb", "-x", package, folder)
            package.unlink()

    def with_dependencies(self, names):
        """The files of the packages and of all that they depend on."""
        install = ["apt-get", *self.options, "-y", "--no-install-recommends",
                   "install"]
        house.must(*install, "--download-only", *names)
        plan = house.must(*install, "--simulate", *names)
        found = [path for name, version in re.findall(
                     r"^Inst (\S+) \((\S+) ", plan, re.M)
                 for path in self.archives.glob(
                     f"{name}_{version.replace(':', '%3a')}_*.deb")]
        if not found:
            house.die(f"apt-get plans nothing:\n{plan[-3000:]}")
        return found


def fetched(folder, debian, name, pattern):
    """A file of a package, fetched unless it was before."""
    at = folder / f"{name}-{debian}"
    if not at.exists():
        packages = Packages(folder, debian)
        scratch = folder / "unpacked"
        shutil.rmtree(scratch, ignore_errors=True)
        packages.unpack(packages.real(name), scratch)
        found = list(scratch.glob(pattern))
        if not found:
            house.die(f"{name} has no {pattern}")
        found[0].rename(at)
        shutil.rmtree(scratch)
    return at
