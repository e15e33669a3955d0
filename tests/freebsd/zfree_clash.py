#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""See that zfree() of malloc(9) and of vm_zone(9) do not meet unnoticed."""
import subprocess
import sys

compiler, freebsd, public = sys.argv[1:]
FLAGS = ["-D_KERNEL", "-nostdinc", "-ffreestanding", "-Werror",
         "-I", freebsd, "-I", public, "-fsyntax-only", "-x", "c", "-"]
USE = "void use(void *, void *);\n" \
      "void use(void *a, void *b) { zfree(a, b); }\n"
MALLOC9 = "#define zfree(addr, type) uma_mzfree(addr, type)\n"
CASES = [
    (True, "#include <vm/vm_zone.h>\n" + USE),
    (False, "#include <sys/malloc.h>\n#include <vm/vm_zone.h>\n" + USE),
    (False, "#include <vm/vm_zone.h>\n#include <sys/malloc.h>\n" + USE),
    (False, MALLOC9 + "#include <vm/vm_zone.h>\n" + USE),
    (False, "#include <vm/vm_zone.h>\n" + MALLOC9 + USE),
    (True, MALLOC9 + "#define UMA_VM_ZONE_PREFIXED\n"
     "#include <uma/vm_zone.h>\n"),
]

print(f"1..{len(CASES)}")
for number, (good, text) in enumerate(CASES, 1):
    done = subprocess.run([compiler, *FLAGS], input=text, text=True,
                          capture_output=True)
    right = (done.returncode == 0) == good and \
        (good or "zfree" in done.stderr)
    print("ok" if right else "not ok", number)
    if not right:
        print("\n".join("# " + line for line in done.stderr.splitlines()))
