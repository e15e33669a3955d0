#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""See that zfree() of malloc(9) and of vm_zone(9) do not meet unnoticed.

All headers that have to do with either, in every order of two and of three:
where both functions are asked for the compiler says so, and where one is, it
is that one.
"""
import itertools
import subprocess
import sys

compiler, freebsd, public = sys.argv[1:]
FLAGS = ["-D_KERNEL", "-nostdinc", "-ffreestanding", "-Werror", "-Wall",
         "-I", freebsd, "-I", public, "-fsyntax-only", "-x", "c", "-"]
PREFIXED = "#define UMA_VM_ZONE_PREFIXED\n"
# What is included, and whose zfree() it asks for.
HEADERS = {
    "#include <uma/malloc9.h>\n": None,
    "#include <sys/malloc.h>\n": "malloc9",
    "#include <uma/vm_zone.h>\n": "vm_zone",
    "#include <vm/vm_zone.h>\n": "vm_zone",
    PREFIXED + "#include <uma/vm_zone.h>\n#undef UMA_VM_ZONE_PREFIXED\n":
        None,
}
USE = {
    "malloc9": "void use(void *p);\nvoid use(void *p) { zfree(p, M_TEMP); }\n",
    "vm_zone": "void use(vm_zone_t z, void *p);\n"
               "void use(vm_zone_t z, void *p) { zfree(z, p); }\n",
    None: "void zfree(int, char **);\n",
}
MACRO = "#define zfree(addr, type) uma_mzfree(addr, type)\n"


def cases():
    """Text, and the word that its error names; None where it is good."""
    for count in (1, 2, 3):
        for order in itertools.permutations(HEADERS, count):
            owners = {HEADERS[header] for header in order} - {None}
            text = "".join(order)
            if len(owners) == 2:
                yield text, "zfree"
            else:
                yield text + USE[owners.pop() if owners else None], None
    # Where the names are asked for and forbidden at once.
    for first in ("", "#include <uma/vm_zone.h>\n"):
        yield (PREFIXED + first + "#include <vm/vm_zone.h>\n",
               "UMA_VM_ZONE_PREFIXED")
    # FreeBSD's own header, or one like it.
    yield MACRO + "#include <vm/vm_zone.h>\n", "zfree"
    yield "#include <vm/vm_zone.h>\n" + MACRO, "zfree"
    yield MACRO + PREFIXED + "#include <uma/vm_zone.h>\n", None


CASES = list(cases())
print(f"1..{len(CASES)}")
for number, (text, word) in enumerate(CASES, 1):
    done = subprocess.run([compiler, *FLAGS], input=text, text=True,
                          capture_output=True)
    right = done.returncode == 0 if word is None else \
        done.returncode != 0 and word in done.stderr
    print("ok" if right else "not ok", number)
    if not right:
        print("\n".join("# " + line
                        for line in (text + done.stderr).splitlines()))
