/* SPDX-License-Identifier: BSD-2-Clause */
/* Bound and scenario, for search.c: see world.h. */

/* Two hits; a hit and a miss; two misses of each kind. */
"2 half/a.f/00/m", "3 half/a.f/01/m", "2 half/f.f/00/m", "2 half/a.a/00/m",
    "2 full/a.a/00/m", "2 depot/f.f/00/m", "2 full/a.f/00/m", "2 full/a.f/01/m",
    "2 full/f.f/00/m", "2 full/f.f/01/m", "2 depot/a.a/01/m",
    "2 depot/a.f/00/m", "1 cold/a.a/00/m", "2 cold/f.f/01/m",
    "1 empty/a.a/00/m", "1 empty/a.a/01/m", "2 empty/a.f/00/m",

    /* A hit and a miss while the zone is drained from another CPU. */
    "2 cold/a.d/01/m", "2 cold/f.d/01/m", "2 empty/a.d/01/m", "2 half/a.d/01/m",
    "2 half/f.d/01/m", "1 full/a.d/01/m", "1 full/f.d/01/m", "1 depot/a.d/01/m",
    "1 depot/f.d/01/m", "2 half/d.d/01/m", "1 depot/d.d/01/m",
    "1 half/a.f.d/010/m", "2 half/a.r/01/m", "1 full/f.r/01/m",

    /* The end of a zone, and the wait for an item of a full one. */
    "1 cold/f.X/01/m", "1 half/f.X/01/m", "1 full/f.X/01/m",
    "1 half/f.f.X/010/m", "2 fixed/w.f/01/m", "1 fixed/w.ff/00/m",
    "1 fixed/w.w.ff/010/m", "1 fixed/wf.ff.wf/010/m", "2 fixed/a.f/01/m",
    "2 loose/a.w/01/m", "1 loose/a.w.f/010/m",

    /* Zones that come and go beside a reclaim, and beside each other. */
    "1 half/r.X/01/m", "1 half/fr.X/01/m", "1 full/r.fX/01/m",
    "1 half/z.r/01/m", "1 half/z.z/01/m", "1 cold/z.d/01/m", "2 half/r.r/01/m",
    "1 half/z.k/01/m", "1 full/r.k/01/m", "1 half/z.f/01/h",

    /* Handlers that allocate, at every point. */
    "1 half/a.f/01/h", "1 empty/a.a/01/h", "1 full/f.d/01/h",
    "1 depot/a.d/01/h", "1 fixed/w.f/01/h",

    /* Fork: the parent goes on; the child does. */
    "1 empty/a.K/01/m", "1 full/ff.K/01/m", "1 half/d.K/01/m",
    "1 empty/a.k/01/m", "1 full/f.k/01/m", "1 half/d.k/01/m",
    "1 fixed/w.f.k/010/m", "1 half/a.k/01/h",

    /* Refused; without sequences; with the kernel's concurrency ids. */
    "2 cold/a.a/00/r", "2 half/a.d/01/r", "2 half/a.f/01/g", "1 empty/a.d/01/g",
    "2 half/a.f.f/000/i", "1 half/a.f.d/010/i",

    /* Every access of a hit and of a drain is a point. */
    "1 half/a.d/01/p", "1 full/f.d/01/p", "1 empty/a.f/01/p",

    /* Counters of malloc(9). */
    "2 cold/c.c/00/m", "2 cold/cc.cc/01/m", "2 cold/c.c/01/g",
