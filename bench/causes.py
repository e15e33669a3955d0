# SPDX-License-Identifier: BSD-2-Clause
"""Why a bar is missed: printed beside each row that misses one.

The first line that fits counts.  A row that is kept again loses its line; a
row that misses without a line says that nobody knows yet.
"""
import fnmatch

# Globs of row, metric and peer, and the cause in a few words.
CAUSES = (
    ("pair/*", "ns", "uma-inline",
     "not the instructions: four fewer changed nothing; each commit reads the "
     "word that the last one stored"),
    ("pair/*", "ns", "uma-zone",
     "not the checks: without them it is at 1.20 of the called list"),
    ("pair/*", "ns", "uma-malloc",
     "57 instructions, 13 of them the check of the pointer, which also says "
     "where the block goes: nothing of the free can start before"),
    ("constructed/*", "ns", "uma-zone",
     "as the pair through the library, which this row is for a zone"),
    ("burst/*/1000/*", "ns", "*",
     "a bucket has 254 items at most, so four times a burst the gate and a "
     "lock are passed"),
    ("burst/*/100000/random", "ns", "*",
     "items go back to their slabs one by one: some 6 ns to find the slab and "
     "set the bit"),
    ("kernel/short", "ns", "*",
     "a pop is two loads that wait for each other, and the row's stores wait "
     "for them: docs/design/speed.md"),
    ("kernel/tree", "ns", "*",
     "nearly all nodes pass through the slabs in each round"),
    ("kernel/large", "ns", "*",
     "freed memory is kept within a bound, and the stores of the row wait at "
     "the first locked instruction: docs/design/speed.md"),
    ("kernel/large", "peak-mib", "*",
     "up to 32 MiB of freed memory are kept for reuse"),
    ("fresh/16", "resident", "*",
     "a slab's header takes 1,280 bytes, 2 %; the rest is the library's own "
     "pages"),
    ("fresh/*", "ns", "*",
     "the kernel's page faults and zeroing; huge pages from 64 MiB on only"),
)

UNKNOWN = "cause not known"


def of(row, metric, peer):
    for *globs, cause in CAUSES:
        if all(map(fnmatch.fnmatchcase, (row, metric, peer), globs)):
            return cause
    return UNKNOWN
