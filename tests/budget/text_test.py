#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""usage: text_test.py ARCHIVE MOST: the code and constants of an archive."""
import subprocess
import sys


def main():
    archive, most = sys.argv[1], int(sys.argv[2])
    table = subprocess.run(["size", "-t", archive], check=True,
                           capture_output=True, text=True).stdout
    text = int(table.splitlines()[-1].split()[0])
    print(f"{archive}: {text} bytes of text, at most {most} allowed")
    sys.exit(not 0 < text <= most)


if __name__ == "__main__":
    main()
