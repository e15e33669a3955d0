/* SPDX-License-Identifier: BSD-2-Clause */
/* port/die.c - the last line of a process, and text without stdio */
#include "port/port.h"

#define LINE_BYTES 512

static void put_char(struct text *t, char c);
static void put_blanks(struct text *t, size_t count);
static void put_part(struct text *t, const char *s);
static size_t length(const char *s);
_Noreturn static void end(struct text *t, char *line);

/* See die.h. */
void
uma_die(const char *kind, const char *what, const char *function)
{
	char line[LINE_BYTES];
	struct text t = { line, line + LINE_BYTES - 1 };

	text_clean(&t, "uma");
	put_part(&t, function);
	put_part(&t, kind);
	put_part(&t, what);
	end(&t, line);
}

/* See die.h. */
void
uma_crime(
    const char *function, const char *rule, const void *ptr, const char *zone)
{
	char line[LINE_BYTES];
	struct text t = { line, line + LINE_BYTES - 1 };

	text_clean(&t, "uma");
	put_part(&t, function);
	put_part(&t, rule);
	if (ptr != NULL) {
		text_put(&t, ": ptr ");
		text_hex(&t, (uintptr_t)ptr);
	}
	if (zone != NULL) {
		text_put(&t, ptr == NULL ? ": zone \"" : " zone \"");
		text_clean(&t, zone);
		text_put(&t, "\"");
	}
	end(&t, line);
}

/* See die.h. */
void
text_put(struct text *t, const char *s)
{
	while (*s != '\0')
		put_char(t, *s++);
}

/* See die.h. */
void
text_clean(struct text *t, const char *s)
{
	for (; *s != '\0'; s++)
		put_char(t, *s >= ' ' && *s <= '~' ? *s : '?');
}

/* See die.h. */
void
text_hex(struct text *t, uintptr_t n)
{
	unsigned shift = n == 0 ? 0 : highest_bit(n) & ~3u;

	text_put(t, "0x");
	for (;; shift -= 4) {
		put_char(t, "0123456789abcdef"[n >> shift & 15]);
		if (shift == 0)
			return;
	}
}

/* See die.h. */
void
text_num(struct text *t, uint64_t n, int width)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;
	size_t wanted = width < 0 ? (size_t) - (long)width : (size_t)width;
	size_t used, blanks;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	used = sizeof(digits) - 1 - at;
	blanks = used < wanted ? wanted - used : 0;
	if (width > 0)
		put_blanks(t, blanks);
	text_put(t, digits + at);
	if (width < 0)
		put_blanks(t, blanks);
}

/* See die.h. */
void
text_pad(struct text *t, const char *s, int width)
{
	size_t used = length(s);

	text_put(t, s);
	if (width > 0 && used < (size_t)width)
		put_blanks(t, (size_t)width - used);
}

static void
put_char(struct text *t, char c)
{
	if (t->at < t->end)
		*t->at++ = c;
}

static void
put_blanks(struct text *t, size_t count)
{
	while (count-- > 0)
		put_char(t, ' ');
}

/* A part of the line that may be missing. */
static void
put_part(struct text *t, const char *s)
{
	if (s == NULL)
		return;
	text_put(t, ": ");
	text_clean(t, s);
}

static size_t
length(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

/* The line has a byte left for its end, however much was dropped. */
static void
end(struct text *t, char *line)
{
	*t->at++ = '\n';
	port_print(line, (size_t)(t->at - line));
	port_abort();
}
