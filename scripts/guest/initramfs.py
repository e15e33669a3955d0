# SPDX-License-Identifier: BSD-2-Clause
"""The files of a guest: a cpio archive of the kind that kernels read."""
import pathlib
import shutil
import stat
import subprocess
import tarfile

FILE, FOLDER, LINK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK
# As Debian has it: links at the root.
MERGED = ("bin", "lib", "lib64", "sbin")
# Nothing here has a date, as the guest may not know what time it is; not zero,
# which ninja takes for a file that is not there.
WHEN = 1


class Image:
    """Written as it grows, after a copy of `base`, an image without an end."""

    def __init__(self, path, base=None):
        self.path, self.names, self.count = path, set(), 0
        self.file = path.open("wb")
        if base:
            with base.open("rb") as file:
                shutil.copyfileobj(file, self.file, 1 << 24)
        else:
            for name in MERGED:
                self.add(f"/usr/{name}", FOLDER | 0o755)
                self.put(name, LINK | 0o777, f"usr/{name}".encode())

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.file.close()

    def add(self, name, mode, body=b""):
        """A file, unless it is there; the folders that lead to it, too."""
        name = str(name).strip("/")
        if name.partition("/")[0] in MERGED:
            name = f"usr/{name}"
        if not name or name in self.names:
            return
        self.names.add(name)
        if "/" in name:
            self.add(name.rpartition("/")[0], FOLDER | 0o755)
        self.put(name, mode, body)

    def put(self, name, mode, body):
        self.count += 1
        name = name.encode() + b"\0"
        numbers = [self.count, mode, 0, 0, 1, WHEN, len(body), 0, 0, 0, 0,
                   len(name), 0]
        head = b"070701" + b"".join(b"%08X" % n for n in numbers)
        for part in (head + name, body):
            self.file.write(part + bytes(-len(part) % 4))

    def add_file(self, at, path=None):
        self.add(at, FILE | 0o755, pathlib.Path(path or at).read_bytes())

    def add_link(self, at, target):
        self.add(at, LINK | 0o777, str(target).encode())

    def add_package(self, path, without):
        """What a Debian package has, but for what is below `without`."""
        opened = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path],
                                  stdout=subprocess.PIPE)
        with opened, tarfile.open(fileobj=opened.stdout, mode="r|") as tar:
            for entry in tar:
                name = entry.name.lstrip("./")
                if any(f"{name}/".startswith(f"{folder}/")
                       for folder in without):
                    continue
                if entry.isdir():
                    self.add(name, FOLDER | entry.mode)
                elif entry.isfile():
                    self.add(name, FILE | entry.mode,
                             tar.extractfile(entry).read())
                elif entry.issym():
                    self.add_link(name, entry.linkname)
                elif entry.islnk():
                    self.add_link(name, "/" + entry.linkname.lstrip("./"))

    def end(self):
        self.put("TRAILER!!!", 0, b"")
        self.file.close()
