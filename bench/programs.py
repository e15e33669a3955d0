# SPDX-License-Identifier: BSD-2-Clause
"""Real programs, and the input made for them, the same in every run."""
import collections
import pathlib
import shutil
import subprocess

# `client`: None, or a command that runs beside and makes the program end.
Program = collections.namedtuple("Program", "command env client",
                                 defaults=({}, None))

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


# What a compiler of templates does: many small nodes, few of them freed.
TEMPLATES = """
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>
template <int N> struct chain {
	struct inner { int n[N + 1]; };
	using type = std::variant<std::vector<inner>, std::map<int, inner *>>;
	static int depth(const type &t) {
		auto size = [](auto &v) { return int(v.size()) + N; };
		return std::visit(size, t) + chain<N - 1>::depth({});
	}
};
template <> struct chain<0> {
	using type = int;
	static int depth(const type &t) { return t; }
};
template <std::size_t... I> int sum(std::index_sequence<I...>) {
	auto t = std::make_tuple(std::integral_constant<std::size_t, I>()...);
	return int((std::get<I>(t) + ... + 0u)) +
	       (chain<int(I % 12)>::depth({}) + ... + 0);
}
int main() {
	std::unordered_map<std::string, std::function<int()>> table;
	table["sum"] = [] { return sum(std::make_index_sequence<40>()); };
	std::regex words("[a-z]+( [0-9]+)*");
	std::set<std::string> names;
	for (auto &[name, call] : table)
		if (std::regex_match(name, words) && call() > 0)
			names.insert(name);
	return names.empty();
}
"""

# Values of many sizes set, changed, expired, then a sorted set and lists.
REDIS_CLIENT = """
socket=$1
for try in $(seq 200); do
	redis-cli -s "$socket" ping >/dev/null 2>&1 && break
	sleep 0.05
done
for bytes in 20 150 1200; do
	redis-benchmark -s "$socket" -q -P 32 -n 30000 -r 20000 -d $bytes \\
		-t set,get,sadd,hset,zadd
done
redis-benchmark -s "$socket" -q -P 32 -n 30000 -d 100 -t lpush,lpop
redis-cli -s "$socket" shutdown nosave
"""


REDIS_TOOLS = ("redis-cli", "redis-benchmark")


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


def write_input(folder):
    (folder / "big.c").write_text(big_c())
    (folder / "templates.cc").write_text(TEMPLATES)
    (folder / "work.py").write_text(PYTHON)
    (folder / "work.pl").write_text(PERL)
    (folder / "work.sql").write_text(SQL)
    if shutil.which("git"):
        make_repository(folder / "repository")


def every(folder):
    """{name: Program}, those that are not installed too."""
    repository = folder / "repository"
    socket = folder / "redis.socket"
    return {
        # Nobody's settings decide what it does.
        "git-log": Program(["git", "-C", repository, "log", "--stat"],
                           {"GIT_CONFIG_GLOBAL": "/dev/null"}),
        # By default Python's own allocator stands before malloc.
        "python3": Program(["python3", folder / "work.py"]),
        "python3-malloc": Program(["python3", folder / "work.py"],
                                  {"PYTHONMALLOC": "malloc"}),
        "gcc": Program(["gcc", "-O1", "-c", folder / "big.c", "-o",
                        folder / "big.o"]),
        "g++": Program(["g++", "-std=c++17", "-O0", "-c",
                        folder / "templates.cc", "-o",
                        folder / "templates.o"]),
        "sqlite3": Program(["sqlite3", ":memory:",
                            f".read {folder / 'work.sql'}"]),
        "perl": Program(["perl", folder / "work.pl"]),
        "redis": Program(
            ["redis-server", "--port", "0", "--unixsocket", socket, "--save",
             "", "--appendonly", "no", "--dir", folder, "--hz", "10"],
            client=["sh", "-c", REDIS_CLIENT, "client", socket]),
    }


def needs(program):
    return [program.command[0], *(REDIS_TOOLS if program.client else ())]


def absent():
    """{name: the command that is missing} of all that cannot run."""
    return {name: command for name, program in
            every(pathlib.Path("/")).items()
            for command in needs(program) if not shutil.which(command)}


def names():
    return list(every(pathlib.Path("/")))


def prepare(folder):
    """Write all input into `folder`; returns {name: Program}, if installed."""
    folder = pathlib.Path(folder)
    write_input(folder)
    away = absent()
    return {name: program for name, program in every(folder).items()
            if name not in away}
