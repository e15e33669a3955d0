# SPDX-License-Identifier: BSD-2-Clause
"""What the check scripts share: arguments, file lists, reports."""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(doc, problems):
    """Be a check: print what problems(root) yields, exit 1 if anything.

    Each problem is (file, line number, what to do instead).
    """
    args = sys.argv[1:]
    if args == ["--help"] or len(args) > 1:
        name = pathlib.Path(sys.argv[0]).name
        print(f"usage: {name} [ROOT]\n\n{doc.strip()}")
        sys.exit(args != ["--help"])
    root = pathlib.Path(args[0]).resolve() if args else ROOT
    found = sorted(problems(root), key=lambda p: (str(p[0]), p[1]))
    for file, line, what in found:
        print(f"{relative(file, root)}:{line}: {what}")
    sys.exit(1 if found else 0)


def relative(file, root):
    file = pathlib.Path(file)
    return file.relative_to(root) if file.is_relative_to(root) else file


def files(root):
    """The files of the tree: git's, or all of an unpacked archive's."""
    git = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached",
                          "--others", "--exclude-standard"],
                         capture_output=True, text=True)
    if git.returncode == 0:
        names = filter(None, git.stdout.split("\0"))
        paths = sorted({root / name for name in names})
    else:
        paths = sorted(path for path in root.rglob("*") if not
                       {".git", "build"} & set(path.relative_to(root).parts))
    return [path for path in paths if path.is_file()]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def without_comments(text, strings=True):
    """Blank out comments, and strings unless told to keep them."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)

    def blank(match):
        if match[0][0] == '"' and not strings:
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])
    return token.sub(blank, text)


def parallel(function, items):
    """function(item) for all items on all processors, results in order."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, items))


def output(*command, **how):
    """What a command prints; the command must succeed."""
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE, **how).stdout


def die(text):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {text}")


def must(*command, **how):
    """What a command says; if it fails, that is the last that is said."""
    done = subprocess.run([str(word) for word in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, **how)
    if done.returncode != 0:
        die(f"{' '.join(map(str, command[:3]))} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def map_names(path):
    """The global names, with wildcards, of a linker version script."""
    text = without_comments(path.read_text())
    return [name for part in re.findall(r"global:(.*?)local:", text, re.S)
            for name in re.findall(r"[\w*]+", part)]
