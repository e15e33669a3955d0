# SPDX-License-Identifier: BSD-2-Clause
"""Why a bar is missed: printed beside each row that misses one.

The first line that fits counts.  A row that is kept again loses its line; a
row that misses without a line says that nobody knows yet.
"""
import fnmatch

# Globs of row, metric and peer, and the cause in a few words.
CAUSES = (
    ("fresh/16", "resident", "*",
     "a slab's header of 1,104 bytes lies in 2,048 of meta: 3 %; the rest is "
     "the library's own pages"),
    ("fresh/*", "ns", "*",
     "the kernel's page faults and zeroing; no huge pages by default"),
)

UNKNOWN = "cause not known"


def of(row, metric, peer):
    for *globs, cause in CAUSES:
        if all(map(fnmatch.fnmatchcase, (row, metric, peer), globs)):
            return cause
    return UNKNOWN
