# SPDX-License-Identifier: BSD-2-Clause
"""Real programs, and the input made for them, the same in every run."""
import pathlib
import shutil
import subprocess

PYTHON = """
import json
class Node:
    def __init__(self, key):
        self.key, self.text, self.links = key, str(key) * 3, []
nodes = [Node(i) for i in range(60000)]
for node in nodes:
    node.links = [nodes[(node.key * k) % len(nodes)] for k in (3, 7, 31)]
table = {node.text: [link.key for link in node.links] for node in nodes}
for turn in range(3):
    again = json.loads(json.dumps(table))
    assert again == table
    words = " ".join(again).split()
    words.sort(key=lambda word: word[::-1])
"""

PERL = r"""
my (%count, @lines);
for my $turn (1 .. 6) {
    @lines = map { join ' ', map { ($_ * $turn) % 9973 } $_ .. $_ + 9 }
        1 .. 15000;
    for my $line (@lines) {
        $count{$_}{length $line}++ for split / /, $line;
    }
    my @sorted = sort { $a cmp $b } map { scalar reverse } @lines;
    delete $count{$_} for grep { $_ % 3 == $turn % 3 } keys %count;
}
die unless keys %count;
"""

SQL = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, score REAL, kind INT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                        WHERE i < 120000)
INSERT INTO item SELECT i, 'name ' || (i * 7919 % 100003), i * 0.5, i % 97
FROM n;
CREATE INDEX item_name ON item (name);
SELECT kind, count(*), group_concat(name) FROM item GROUP BY kind;
SELECT count(*) FROM item a JOIN item b ON a.name = b.name WHERE a.kind < 9;
UPDATE item SET name = name || '!' WHERE kind % 2 = 0;
DELETE FROM item WHERE kind % 3 = 0;
SELECT name, score FROM item ORDER BY name DESC LIMIT 20000;
"""

FUNCTION = """
struct s{n} {{ struct s{n} *next; int key[{k}]; const char *name; }};
static int
work{n}(struct s{n} *s, int a, int b)
{{
	int sum = {n};
	for (int i = 0; i < a; i++) {{
		if (s->key[i % {k}] > b)
			sum += s->key[i % {k}] * {k};
		else
			sum ^= a << (i & 7);
		switch (sum & 3) {{
		case 0: sum += b; break;
		case 1: s = s->next ? s->next : s; break;
		default: sum -= i;
		}}
	}}
	return sum;
}}
int (*const pointer{n})(struct s{n} *, int, int) = work{n};
"""


def big_c():
    return "".join(FUNCTION.format(n=n, k=n % 13 + 3) for n in range(250))


def history(count):
    """A repository's history for git fast-import."""
    for i in range(count):
        text = "".join(f"{i} {line * i % 997}\n" for line in range(40))
        message = f"change {i}"
        yield (f"commit refs/heads/main\ncommitter A <a@b> {10**9 + i} +0000\n"
               f"data {len(message)}\n{message}\n"
               f"M 644 inline d{i % 17}/f{i % 101}\n"
               f"data {len(text)}\n{text}\n")


def make_repository(folder):
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"],
                   input="".join(history(2500)), text=True, check=True)


def prepare(folder):
    """Write all input into `folder`; returns {name: (command, env)}."""
    folder = pathlib.Path(folder)
    (folder / "big.c").write_text(big_c())
    (folder / "work.py").write_text(PYTHON)
    (folder / "work.pl").write_text(PERL)
    (folder / "work.sql").write_text(SQL)
    repository = folder / "repository"
    if shutil.which("git"):
        make_repository(repository)
    programs = {
        # Nobody's settings decide what it does.
        "git-log": (["git", "-C", repository, "log", "--stat"],
                    {"GIT_CONFIG_GLOBAL": "/dev/null"}),
        # By default Python's own allocator stands before malloc.
        "python3": (["python3", folder / "work.py"], {}),
        "python3-malloc": (["python3", folder / "work.py"],
                           {"PYTHONMALLOC": "malloc"}),
        "gcc": (["gcc", "-O1", "-c", folder / "big.c", "-o",
                 folder / "big.o"], {}),
        "sqlite3": (["sqlite3", ":memory:", f".read {folder / 'work.sql'}"],
                    {}),
        "perl": (["perl", folder / "work.pl"], {}),
    }
    return {name: program for name, program in programs.items()
            if shutil.which(program[0][0])}
