#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every fuzz target can fail: its corpus shows each defect of `plants`.

Arguments: the source root, the compiler with its options, and for each target
`-- NAME` and what it is made of.  A target is built once as it is, and its
corpus must pass; then once with each defect, and it must not.
"""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
# What is sound takes a second; what has a defect and hangs is found.
SOUND_SECONDS, PLANTED_SECONDS = 100, 10


def load_mutants(root):
    """The script that knows how defects are written."""
    path = str(root / "scripts/mutants")
    sys.path.insert(0, str(root / "scripts"))
    loader = importlib.machinery.SourceFileLoader("mutants", path)
    spec = importlib.util.spec_from_loader("mutants", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def with_planted(parts, sound, planted):
    """The parts with a source replaced; None if it is only included."""
    others = [part for part in parts
              if part.startswith("-") or not sound.samefile(part)]
    if others == parts and not any(part.endswith(".a") for part in parts):
        return None
    # Before a library that has the sound one: then that is left there.
    return ["-iquote", str(sound.parent), str(planted), *others]


def build(compiler, parts, root, folder, defect=None):
    """The program; with the defect, if there is one."""
    if defect is not None:
        sound, text = defect.plant(root)
        planted = folder / sound.name
        planted.write_text(text)
        parts = with_planted(parts, sound, planted) or parts
    subprocess.run([compiler[0], "-I", folder, *compiler[1:], *parts,
                    "-o", folder / "target"], check=True)
    return folder / "target"


def survives(program, root, target, seconds):
    try:
        return subprocess.run([program, root / "tests/fuzz/corpus" / target],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL,
                              timeout=seconds).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main():
    root = pathlib.Path(sys.argv[1])
    compiler, targets = [], {}
    into = compiler
    arguments = iter(sys.argv[2:])
    for argument in arguments:
        if argument == "--":
            into = targets.setdefault(next(arguments), [])
        else:
            into.append(argument)
    mutants = load_mutants(root)
    defects, _ = mutants.read(root / "tests/fuzz/plants")
    tests = [(target, None) for target in targets]
    tests += [(target, defect) for defect in defects
              for target in defect.tests]
    bad = 0
    print(f"1..{len(tests)}")
    for number, (target, defect) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            program = build(compiler, targets[target], root,
                            pathlib.Path(folder), defect)
            good = (survives(program, root, target, SOUND_SECONDS)
                    if defect is None else
                    not survives(program, root, target, PLANTED_SECONDS))
        bad += not good
        print(f"{'ok' if good else 'not ok'} {number} - {target}: "
              f"{defect.name if defect else 'no defect'}", flush=True)
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
