/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is one LLVMFuzzerTestOneInput(), which takes any bytes at all and
 * aborts when the code under test does what it must not.  It is linked twice:
 * with libFuzzer, which invents inputs (scripts/fuzz), and with replay.c,
 * which plays those of corpus/TARGET in every build.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A wrong of the code under test. */
#define FUZZ_CHECK(ok) ((ok) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #ok))

_Noreturn static inline void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

#endif /* TESTS_FUZZ_FUZZ_H */
