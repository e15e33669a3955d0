#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""-luma is the archive of near and the library: linked.c says so of itself.

Arguments: the source root, the library, the compiler.  As a user links it, with
each linker that is here and in each way that moves a program's symbols.
"""
import pathlib
import subprocess
import sys
import tempfile

WAYS = (["-fuse-ld=bfd"], ["-fuse-ld=gold"], ["-fuse-ld=lld"], ["-no-pie"],
        ["-Wl,--as-needed"], ["-Wl,--export-dynamic"], ["-Wl,--gc-sections"],
        ["-flto", "-fno-plt"], ["-Wl,-z,now"])


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True,
                          text=True)


def problem(root, library, compiler, way, tmp):
    """What is wrong; None if nothing is; "" if the way is not known here."""
    empty, program = tmp / "empty.c", tmp / "linked"
    empty.write_text("int main(void) { return 0; }\n")
    if run(*compiler, *way, empty, "-o", tmp / "empty").returncode != 0:
        return ""
    made = run(*compiler, "-O2", *way, "-I", root / "include", "-I",
               root / "tests", root / "tests/near/linked.c", "-o", program,
               "-L", library.parent, "-luma", "-lpthread",
               "-Wl,-rpath," + str(library.parent))
    if made.returncode != 0:
        return made.stderr
    done = run(program)
    return None if done.returncode == 0 else done.stdout + done.stderr


def main():
    root, library = map(pathlib.Path, sys.argv[1:3])
    failed = 0
    print(f"1..{len(WAYS)}")
    for number, way in enumerate(WAYS, 1):
        with tempfile.TemporaryDirectory() as tmp:
            said = problem(root, library, sys.argv[3:], way, pathlib.Path(tmp))
        for line in (said or "").splitlines():
            print("#", line)
        skipped = " # SKIP unknown here" if said == "" else ""
        print("not ok" if said else "ok", number, "-", *way, skipped)
        failed += bool(said)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
