/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/die.h - asserts by blame, and the one way to stop the process
 *
 *   UMA_ASSERT   this room is wrong: on in checked builds, gone in release
 *   uma_crime    the caller broke the contract: stays in every build
 *
 * The condition of an assert has no side effects.  One fact per line.
 */
#ifndef BASE_DIE_H
#define BASE_DIE_H

#define UMA_ASSERT(ok) \
	((!UMA_CHECKED || (ok)) ? (void)0 : uma_die("assert", #ok, __func__))

/* Print "uma: FUNCTION: KIND: WHAT" and end the process. */
_Noreturn UMA_SLOW void uma_die(
    const char *kind, const char *what, const char *function);

/*
 * Print "uma: FUNCTION: RULE: ptr ADDRESS zone "NAME"" and end the process.
 * Leaves out the parts that are NULL.
 */
UMA_EXPORT _Noreturn UMA_SLOW void uma_crime(
    const char *function, const char *rule, const void *ptr, const char *zone);

/*
 * A bounded line of text, made without malloc, stdio or locale.  Text beyond
 * the end is dropped.
 */
struct text {
	char *at;
	char *end;
};

void text_put(struct text *t, const char *s);
/*
 * A string from outside: one line stays one line, and a terminal gets no
 * commands, whatever a zone is called.
 */
void text_clean(struct text *t, const char *s);
void text_hex(struct text *t, uintptr_t n);
/* Decimal, right-aligned in `width` with blanks; left-aligned if negative. */
void text_num(struct text *t, uint64_t n, int width);
/* A string left-aligned in `width`. */
void text_pad(struct text *t, const char *s, int width);

#endif /* BASE_DIE_H */
