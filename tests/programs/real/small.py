# SPDX-License-Identifier: BSD-2-Clause
"""Programs for which a few commands are work enough: a row each, with its
name, the commands that it needs, and a function from (run, n) to command
lines.  `n` grows with the inputs; `data` is a file of text lines."""

LUA = """local t = {}
for i = 1, %d do t[i %% 997] = (t[i %% 997] or '') .. i end
local s = 0 for k, v in pairs(t) do s = s + #v end print(s, #t)"""
RUBY = """h = Hash.new { |x, k| x[k] = [] }
%d.times { |i| h[i %% 997] << "item#{i}" * (i %% 5) }
puts h.values.map { |v| v.join.length }.sum; GC.start; puts h.size"""
PHP = """$a = [];
for ($i = 0; $i < %d; $i++) $a[$i %% 997][] = str_repeat("$i", 3);
ksort($a); echo md5(json_encode($a)), "\\n";"""
NODE = """const m = new Map(); for (let i = 0; i < %d; i++) {
const k = 'k' + i %% 997; m.set(k, (m.get(k) || []).concat(i %% 7)); if (i %%
997 == 0) m.delete('k' + i %% 91); } console.log(m.size, require('crypto')
.createHash('sha1').update(JSON.stringify([...m])).digest('hex'));"""
GUILE = """(let loop ((i 0) (l '())) (if (< i %d) (loop (+ i 1)
(cons (number->string i) (if (= 0 (modulo i 997)) '() l)))
(begin (write (length l)) (newline))))"""
TCL = """for {set i 0} {$i < %d} {incr i} {
dict lappend d [expr {$i %% 997}] $i }
puts [dict size $d]; puts [string length [dict values $d]]"""
EMACS = """(let ((h (make-hash-table))) (dotimes (i %d)
(puthash (%% i 997) (format "%%s%%d" (or (gethash (%% i 97) h) "") i) h)
(if (= 0 (%% i 5000)) (clrhash h))) (princ (hash-table-count h)) (terpri))"""
AWK = """BEGIN { for (i = 0; i < %d; i++) a[i %% 9973] = a[i %% 9973] "." i
for (k in a) s += length(a[k]); print length(a), s }"""
JQ = "[range(%d) | {k: (. %% 97), v: tostring}] | group_by(.k) | map(length)"
JAVA = """import java.util.*; public class Work { public static void main(
String[] a) { Map<Integer, List<String>> m = new TreeMap<>();
for (int i = 0; i < %d; i++) m.computeIfAbsent(i %% 997, k -> new ArrayList<>())
.add("s" + i); System.out.println(m.hashCode()); } }"""
MAKE = "all: $(foreach i,$(shell seq %d),t$(i))\nt%%: ; @echo $* $(words $^)\n"
CMAKE = """foreach(i RANGE %d)\nlist(APPEND l "item${i}")\nendforeach()
list(SORT l)\nstring(SHA1 s "${l}")\nmessage("${s}")\n"""
POSTSCRIPT = """/t %d dict def 0 1 %d { dup 99 mod exch t 3 1 roll put } for
t length = 10 10 moveto 500 700 lineto stroke showpage quit\n"""


def script(run, name, text):
    (run.dir / name).write_text(text)
    return name


def graph(n):
    edges = "".join(f"n{i} -> n{i * 7 % 61};\n" for i in range(n))
    return f"digraph g {{\n{edges}}}\n"


ROWS = [
    ("gawk", [], lambda run, n: [["gawk", AWK % n]]),
    ("sed", [], lambda run, n: [
        ["sed", "-E", r"s/([0-9]+)7/<\1>/g; s/(.)(.)/\2\1/3", "data"]]),
    ("sort", ["uniq", "join", "tac"], lambda run, n: [
        ["sort", "-S", "1M", "--parallel=2", "-k2", "data"],
        ["sort", "-n", "-u", "data"], ["tac", "data"]]),
    ("grep", [], lambda run, n: [
        ["grep", "-c", "-E", "(7|13)+.*(line|5)", "data"]]),
    ("tar", [], lambda run, n: [
        ["tar", "--sort=name", "--mtime=@0", "-cf", "a.tar", "data", "tree"],
        ["tar", "-tvf", "a.tar"], ["tar", "-xOf", "a.tar"]]),
    ("zstd", [], lambda run, n: [["zstd", "-q", "-9", "-T2", "data"],
        ["zstd", "-q", "-t", "data.zst"], ["zstd", "-qdc", "data.zst"]]),
    ("openssl", [], lambda run, n: [["openssl", "dgst", "-sha512", "data"],
        ["openssl", "enc", "-aes-256-cbc", "-K", "0f" * 32, "-iv", "1e" * 16,
         "-a", "-in", "data"]]),
    ("node", [], lambda run, n: [["node", "-e", NODE % n]]),
    ("lua5.4", [], lambda run, n: [["lua5.4", "-e", LUA % n]]),
    ("ruby", [], lambda run, n: [["ruby", "-e", RUBY % n]]),
    ("php", [], lambda run, n: [["php", "-n", "-r", PHP % n]]),
    ("guile", [], lambda run, n: [
        ["guile", "--no-auto-compile", "-c", GUILE % n]]),
    ("tclsh", [], lambda run, n: [
        ["tclsh", script(run, "work.tcl", TCL % n)]]),
    ("emacs", [], lambda run, n: [
        ["emacs", "-Q", "--batch", "--eval", EMACS % n]]),
    ("vim.tiny", [], lambda run, n: [["vim.tiny", "-u", "NONE", "-es",
        "+%s/\\d\\+/<&>/g", "+sort", "+w! out", "+q!", "data"],
        ["cat", "out"]]),
    ("make", [], lambda run, n: [["make", "-j1", "-f",
        script(run, "many.mk", MAKE % (n // 200 + 20))]]),
    ("cmake", [], lambda run, n: [["cmake", "-P",
        script(run, "work.cmake", CMAKE % (n // 20))]]),
    ("jq", [], lambda run, n: [["jq", "-n", "-c", JQ % n]]),
    ("rsync", [], lambda run, n: [["rsync", "-a", "tree/", "copy"],
        ["rsync", "-ani", "--delete", "tree/", "copy"]]),
    ("gs", [], lambda run, n: [["gs", "-q", "-dBATCH", "-dNOPAUSE",
        "-sDEVICE=pgmraw", "-r50", "-sOutputFile=page.pgm",
        script(run, "work.ps", POSTSCRIPT % (n, n))], ["cat", "page.pgm"]]),
    ("dot", [], lambda run, n: [["dot", "-Tplain",
        script(run, "work.dot", graph(60 + n // 2000))]]),
    ("gnuplot", [], lambda run, n: [["gnuplot", "-e",
        f"set term dumb; set samples {n // 50}; plot sin(x) / x"]]),
    ("bc", [], lambda run, n: [["bc", "-lq",
        script(run, "work.bc", f"scale = {n // 100}\ne(1)\n2 ^ {n}\nquit\n")]]),
    ("m4", [], lambda run, n: [["m4", script(run, "work.m4",
        "define(`f', `ifelse($1, 0, , `$1 f(decr($1))')')f("
        f"{n // 40})\n")]]),
    ("convert", [], lambda run, n: [["convert", "-size", "300x300",
        "gradient:", "-rotate", "30", "-blur", "0x3", "-depth", "8",
        "gray:-"]]),
    ("java", ["javac"], lambda run, n: [["java", "-Xmx256m", "-XX:+UseSerialGC",
        script(run, "Work.java", JAVA % n)]]),
    ("gdb", [], lambda run, n: [["gdb", "-q", "-nx", "-batch", "-ex",
        f"python print(sum(len(str(i)) for i in range({n})))"]]),
]


def fill(run, n):
    """The file of lines, and a small tree."""
    (run.dir / "data").write_text("".join(
        f"{i * 7919 % 100003} line {i % 31} of {i}\n" for i in range(n)))
    for i in range(40):
        folder = run.dir / "tree" / f"part{i % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{i}").write_text(f"{i}\n" * (i * 50))


def register(program):
    """Make a test of each row by check-programs' decorator."""
    for name, also, lines in ROWS:
        def test(run, lines=lines):
            n = run.scale(20000, 300000)
            fill(run, n)
            for line in lines(run, n):
                run.call(*line)
        program(name, *also)(test)
