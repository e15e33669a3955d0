# SPDX-License-Identifier: BSD-2-Clause
"""Why a bar is missed: printed beside each row that misses one.

The first line that fits counts.  A row that is kept again loses its line; a
row that misses without a line says that nobody knows yet.
"""
import fnmatch

# Globs of row, metric and peer, and the cause in a few words.
CAUSES = (
    ("pair/*", "ns", "uma-inline",
     "what protects the sequence, 0.9 ns; without it the pair is at 1.71: "
     "docs/design/speed.md"),
    ("pair/*", "ns", "uma-zone",
     "0.2 ns of its 2.8 check the pointer, 0.2 protect the sequence: "
     "docs/design/speed.md"),
    ("pair/*", "ns", "uma-malloc",
     "57 instructions, 13 of them the check of the pointer, which also says "
     "where the block goes: nothing of the free can start before"),
    ("constructed/16/1", "ns", "*",
     "list heads alone, which a malloc's user makes in 2 ns: what is left is "
     "the pair, and the best malloc's is at 5.5"),
    ("constructed/16/1000", "ns", "uma-inline", "as constructed/16/1"),
    ("constructed/*", "ns", "uma-zone",
     "as burst: a thousand items, by two calls, with the check of the pointer"),
    ("burst/*/1000/*", "ns", "uma-zone",
     "two calls, 2.5 ns where they do nothing, and the check of the pointer, "
     "1.1; pools are inlined and look at no item: docs/design/speed.md"),
    ("burst/*/1000/*", "ns", "*",
     "two calls of a library, 4.1 ns where they do nothing, and the check of "
     "the pointer, 1.1: docs/design/speed.md"),
    ("burst/*/100000/random", "ns", "*",
     "items go back to their slabs one by one: some 3 ns to find the slab and "
     "set the bit"),
    ("kernel/short", "ns", "*",
     "a pop is two loads that wait for each other, and the row's stores wait "
     "for them: docs/design/speed.md"),
    ("kernel/churn", "ns", "*", "as kernel/short"),
    ("kernel/tree", "ns", "*",
     "as kernel/short, and nearly all nodes pass through the slabs in each "
     "round"),
    ("kernel/large", "ns", "*",
     "blocks above 256 KiB come from the supply, where the row's stores wait "
     "at the first locked instruction: docs/design/speed.md"),
    ("kernel/large", "peak-mib", "*",
     "freed memory that is soon taken again is kept; jemalloc, which keeps "
     "least, takes ten times as long"),
    ("kernel/zeroed", "peak-mib", "*",
     "freed blocks are kept for reuse; jemalloc and glibc, which give them "
     "back at once, take ten times as long and more"),
    ("kernel/fragment", "peak-mib", "*",
     "glibc alone merges neighbours of any size; what has classes of sizes is "
     "where this is, or above"),
    ("kernel/grow", "peak-mib", "*",
     "glibc's block grows where it is, at the end of the heap, in eleven times "
     "the time"),
    ("kernel/cross", "peak-mib", "*",
     "items of two dozen sizes rest in the caches of both CPUs, 0.4 MiB"),
    ("kernel/tree", "peak-mib", "*", "as kernel/short"),
    ("kernel/s[ht]or[tm]", "peak-mib", "*",
     "0.4 MiB of a process that has 1.5: the libraries' own files, first pages "
     "and tables"),
    ("program/*", "cpu-ms", "*",
     "the spread of the runs: run the row again, with more rounds"),
    ("threads/4096/1000", "ns", "uma-malloc",
     "2 % above its bar in one run, within it in those before"),
    ("handoff/*", "ns", "*",
     "lines that the reader's cache still holds, as long as few items go "
     "round, with no allocator too: docs/design/speed.md"),
    ("fresh/*", "ns", "*",
     "the kernel's page faults and zeroing; huge pages from 64 MiB on only"),
)

UNKNOWN = "cause not known"


def of(row, metric, peer):
    for *globs, cause in CAUSES:
        if all(map(fnmatch.fnmatchcase, (row, metric, peer), globs)):
            return cause
    return UNKNOWN
