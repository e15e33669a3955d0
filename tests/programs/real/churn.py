# SPDX-License-Identifier: BSD-2-Clause
"""churn.py SCALE: allocate in many ways and print only what must not vary."""
import collections
import concurrent.futures
import hashlib
import json
import multiprocessing
import pickle
import queue
import re
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
import zlib

SEED = 12345


class Node:
    def __init__(self, key, left=None, right=None):
        self.key, self.left, self.right = key, left, right


def numbers(count, state=SEED):
    for _ in range(count):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield state


def digest(parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else repr(part).encode())
    return total.hexdigest()


def trees(scale):
    """Millions of small objects that die in another order than born."""
    alive = collections.deque(maxlen=scale)
    total = 0
    for n in numbers(scale * 6):
        alive.append(Node(n, (n, str(n)), [n % 7]))
        total += alive[n % len(alive)].key
    return total


def tables(scale):
    table = {}
    for n in numbers(scale * 2):
        table.setdefault(n % scale, []).append(n)
        if n % 5 == 0:
            table.pop((n >> 3) % scale, None)
    return digest(sorted((key, sum(row)) for key, row in table.items()))


def strings(scale):
    parts = [f"{n:x}" * (n % 9) for n in numbers(scale)]
    text = "/".join(parts)
    words = collections.Counter(re.findall(r"[a-f]+\d", text))
    return digest([text, text.upper().replace("/", "::"),
                   sorted(words.items())])


def blobs(scale):
    held, total = {}, hashlib.sha256()
    for n in numbers(scale // 4):
        blob = bytes([n & 255]) * (n % 3000)
        held[n % 997] = bytearray(blob) + blob[: n % 50]
        if n % 64 == 0:
            total.update(zlib.compress(b"".join(
                held[key] for key in sorted(held)[:20])))
    return total.hexdigest()


def formats(scale):
    data = [{"id": n, "name": f"n{n}", "tags": [n % 3] * (n % 5)}
            for n in numbers(scale // 8)]
    text = json.dumps(data)
    root = ElementTree.fromstring("<all>" + "".join(
        f"<row id='{row['id']}'>{row['name']}</row>" for row in data)
        + "</all>")
    return digest([json.loads(text) == data,
                   pickle.loads(pickle.dumps(data)) == data,
                   len(root), ElementTree.tostring(root)])


def threads(scale):
    """Objects made by one thread and freed by another."""
    pipe, sums = queue.Queue(maxsize=100), []

    def make(seed):
        for n in numbers(scale // 40, seed):
            pipe.put([bytes([n & 255]) * (n % 700), {n: str(n)}])
        pipe.put(None)

    def take():
        total = 0
        while (item := pipe.get()) is not None:
            total += sum(item[0]) + sum(item[1])
        sums.append(total)

    crew = [threading.Thread(target=make, args=(seed,)) for seed in range(4)]
    crew += [threading.Thread(target=take) for _ in range(4)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda n: zlib.crc32(b"x" * n), range(500)))
    return sum(sums), digest(many)


def children(scale):
    code = "import sys; d = sys.stdin.buffer.read(); print(len(d), sum(d))"
    answers = []
    for n in range(4):
        answers.append(subprocess.run(
            [sys.executable, "-c", code], input=bytes([n]) * scale,
            stdout=subprocess.PIPE, check=True).stdout)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        answers += pool.map(strings, [scale // 50] * 4)
    return digest(answers)


def main():
    scale = int(sys.argv[1])
    for job in (trees, tables, strings, blobs, formats, threads, children):
        print(job.__name__, job(scale), flush=True)


if __name__ == "__main__":
    main()
