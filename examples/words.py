# SPDX-License-Identifier: BSD-2-Clause
"""Count, sort and join many made-up words: work for an allocator."""
import collections


def words(count):
    """Yield `count` words from a fixed sequence of numbers."""
    state = 1
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        yield "w" + format(state >> 14, "x")


def main():
    counts = collections.Counter(words(600000))
    by_length = collections.defaultdict(list)
    for word, seen in sorted(counts.items()):
        by_length[len(word)].append((word, seen))
    text = "\n".join(f"{word} {seen}" for group in by_length.values()
                     for word, seen in group)
    print(len(counts), "words,", len(text), "characters")


main()
