#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""-luma is the archive of near and the library: linked.c says so of itself.

Arguments: the source root, the library, the compiler.  As a user links it:
with each linker that is here, in each way that moves a program's symbols, as a
shared object, beside one, and statically, where the archive gives way, as it
does to functions of the program.  And <uma/fast.h> in inline functions of C++,
of which the linker keeps one copy.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROGRAMS = (["-fuse-ld=bfd"], ["-fuse-ld=gold"], ["-fuse-ld=lld"],
            ["-no-pie"], ["-Wl,--as-needed"], ["-Wl,--export-dynamic"],
            ["-Wl,--gc-sections"], ["-flto", "-fno-plt"], ["-Wl,-z,now"])
USER = """#include <uma/uma.h>
%s int
use(void)
{
	uma_zone_t zone = uma_zcreate("user", 64, NULL, NULL, NULL, NULL, 7, 0);
	void *item = uma_zalloc(zone, M_WAITOK);

	uma_zfree(zone, item);
	return uma_zdestroy(zone, M_NOWAIT);
}
"""
# The program's own, as for a debugging run.
OWN = """#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <uma/uma.h>
static int frees;
void
uma_zfree(uma_zone_t zone, void *item)
{
	void (*give)(uma_zone_t, void *);
	void *symbol = dlsym(RTLD_NEXT, "uma_zfree");

	memcpy(&give, &symbol, sizeof give);
	give(zone, item);
	frees++;
}
int
main(void)
{
	uma_zone_t zone = uma_zcreate("own", 64, NULL, NULL, NULL, NULL, 7, 0);

	for (int i = 0; i < 10; i++)
		uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	return uma_zdestroy(zone, M_NOWAIT) != 0 || frees != 10;
}
"""
BLOCK = """#include <stdlib.h>
int main(void) { free(malloc(9)); return use(); }
"""
INLINE = """#include <uma/fast.h>
inline int
pair(uma_zone_t zone)
{
	uma_fast_zfree(zone, uma_fast_zalloc(zone, M_WAITOK));
	return 0;
}
"""
ONE = INLINE + """int other(uma_zone_t);
int
main()
{
	uma_zone_t zone = uma_zcreate("c++", 64, NULL, NULL, NULL, NULL, 7, 0);
	int (*volatile call)(uma_zone_t) = pair;

	for (int i = 0; i < 10; i++)
		call(zone);
	return other(zone) != 0 || uma_zdestroy(zone, M_NOWAIT) != 0;
}
"""
OTHER = INLINE + """int other(uma_zone_t);
int
other(uma_zone_t zone)
{
	int (*volatile call)(uma_zone_t) = pair;

	return call(zone);
}
"""
MAIN = "int use(void);\nint main(void) { return use(); }\n"


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True,
                          text=True)


class Luma:
    def __init__(self, root, library, compiler, tmp):
        self.include, self.tests = root / "include", root / "tests"
        self.libraries, self.compiler, self.tmp = library.parent, compiler, tmp
        (tmp / "main.c").write_text(MAIN)
        (tmp / "user.c").write_text(USER % "")
        (tmp / "hidden.c").write_text(USER % "static" +
                                      MAIN.replace("int use(void);", ""))
        (tmp / "own.c").write_text(OWN)
        (tmp / "block.c").write_text(USER % "static" + BLOCK)
        (tmp / "one.cc").write_text(ONE)
        (tmp / "other.cc").write_text(OTHER)
        (tmp / "empty.c").write_text("int main(void) { return 0; }\n")

    def knows(self, *way):
        return run(*self.compiler, *way, self.tmp / "empty.c", "-o",
                   self.tmp / "empty").returncode == 0

    def link(self, out, *parts, compiler=None):
        """What the compiler says; nothing if it links."""
        paths = [f"-Wl,-rpath,{path}" for path in (self.libraries, self.tmp)]
        done = run(*(compiler or self.compiler), "-O2", "-I", self.include,
                   "-I", self.tests, *parts, "-o", self.tmp / out, "-L",
                   self.libraries, "-luma", "-lpthread", *paths)
        return done.stderr if done.returncode != 0 else ""

    def own(self, file):
        """The hits that are in a file."""
        names = run("nm", "--defined-only", self.tmp / file).stdout.split()
        return {"uma_zalloc", "uma_zfree"} & set(names)

    def play(self, file="program"):
        done = run(self.tmp / file)
        if done.returncode == 0:
            return ""
        return f"exit {done.returncode}\n" + done.stdout + done.stderr

    def program(self, *way):
        if not self.knows(*way):
            return None
        return (self.link("program", *way, self.tests / "near/linked.c") or
                self.play())

    def shared_object(self):
        """A library with hits, in a program without any."""
        said = self.link("libuser.so", "-shared", "-fPIC",
                         self.tmp / "user.c") or \
            self.link("program", self.tmp / "main.c",
                      self.tmp / "libuser.so") or self.play()
        if not said and not self.own("libuser.so"):
            said = "the shared object has no hits of its own"
        return said or ("" if not self.own("program") else
                        "a program that calls none has hits")

    def beside(self):
        """A program with hits, before and behind a library with its own."""
        said = self.link("libuser.so", "-shared", "-fPIC",
                         self.tmp / "user.c")
        for parts in (["hidden.c", "libuser.so"], ["libuser.so", "hidden.c"]):
            said = said or self.link("program", *(self.tmp / part
                                                  for part in parts))
            said = said or self.play()
            if not said and not self.own("program"):
                said = "the program has no hits of its own"
        return said

    def own_free(self):
        return self.link("program", self.tmp / "own.c") or self.play()

    def static_malloc(self):
        """The archive of malloc, which has all hits, behind -luma."""
        return self.link("program", self.tmp / "block.c", "-luma",
                         self.libraries / "libuma_malloc.a") or self.play()

    def cxx(self, *way):
        if not shutil.which("c++") or not self.knows(*way):
            return None
        return self.link("program", *way, self.tmp / "one.cc",
                         self.tmp / "other.cc", compiler=["c++"]) or \
            self.play()

    def static(self):
        if not self.knows("-static"):
            return None
        return self.link("program", "-static", self.tmp / "hidden.c") or \
            self.play()


def main():
    root, library = map(pathlib.Path, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as tmp:
        luma = Luma(root, library, sys.argv[3:], pathlib.Path(tmp))
        tests = [(" ".join(way), lambda way=way: luma.program(*way))
                 for way in PROGRAMS]
        tests += [("a shared object", luma.shared_object),
                  ("beside a shared object", luma.beside),
                  ("-static", luma.static),
                  ("its own uma_zfree", luma.own_free),
                  ("libuma_malloc.a behind it", luma.static_malloc)]
        tests += [("C++ " + " ".join(way), lambda way=way: luma.cxx(*way))
                  for way in PROGRAMS[:3]]
        failed = 0
        print(f"1..{len(tests)}")
        for number, (name, test) in enumerate(tests, 1):
            said = test()
            for line in (said or "").splitlines():
                print("#", line)
            print("not ok" if said else "ok", number, "-", name,
                  "# SKIP unknown here" if said is None else "")
            failed += bool(said)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
