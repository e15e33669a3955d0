/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/options.h"

#include "port/port.h"

/* Places in the table below. */
enum { KEY_PERCPU, KEY_MALLOC9, KEY_WATCH, KEY_THP, KEY_REPORT, KEYS };
enum { PERCPU_IS_RSEQ, PERCPU_IS_GENERIC };
enum { MALLOC9_DEBUG, MALLOC9_EXEC };
enum { WATCH_ON, WATCH_OFF };

/* The keys there are.  A NULL list of values: any text will do. */
static const struct key {
	const char *name;
	const char *values[4];
	const char *help;
} keys[KEYS] = {
	[KEY_PERCPU] = { "percpu",
	    { [PERCPU_IS_RSEQ] = "rseq", [PERCPU_IS_GENERIC] = "generic" },
	    "who may change a CPU's cache; rseq where the kernel can" },
	[KEY_MALLOC9] = { "malloc9",
	    { [MALLOC9_DEBUG] = "debug", [MALLOC9_EXEC] = "exec" },
	    "blocks of malloc(9) remember their type; may hold code" },
	[KEY_WATCH] = { "watch", { [WATCH_ON] = "on", [WATCH_OFF] = "off" },
	    "tell valgrind and sanitizers of items; on where there is one" },
	[KEY_THP] = { "thp",
	    { [SUPPLY_THP_DEFAULT] = "default",
		[SUPPLY_THP_NEVER] = "never",
		[SUPPLY_THP_ALWAYS] = "always" },
	    "huge pages: behind large zones, none, behind all" },
	[KEY_REPORT] = { "report", { NULL },
	    "file that the process's record is added to" },
};

/* A piece of the option string. */
struct piece {
	const char *at;
	size_t length;
};

static bool
is_text(struct piece p, const char *text)
{
	size_t i = 0;

	while (i < p.length && text[i] != '\0' && p.at[i] == text[i])
		i++;
	return i == p.length && text[i] == '\0';
}

/* Cut at the first of two characters; `rest` begins behind it. */
static struct piece
cut(const char *from, char a, char b, const char **rest)
{
	struct piece p = { from, 0 };

	while (from[p.length] != '\0' && from[p.length] != a &&
	       from[p.length] != b)
		p.length++;
	*rest = from + p.length + (from[p.length] != '\0');
	return p;
}

/* Letters that differ, place by place, and the difference in length. */
static size_t
distance(struct piece p, const char *text)
{
	size_t n = 0;
	size_t i = 0;

	for (; i < p.length && text[i] != '\0'; i++)
		n += p.at[i] != text[i];
	n += p.length - i;
	while (text[i++] != '\0')
		n++;
	return n;
}

static void
put_piece(struct text *t, struct piece p)
{
	for (size_t i = 0; i < p.length && t->at < t->end; i++)
		*t->at++ = p.at[i] < ' ' ? '?' : p.at[i];
}

/* One line: what was not understood, and what may have been meant. */
static void
complain(const char *what, struct piece p, const char *hint)
{
	char line[256];
	struct text t = { line, line + sizeof(line) - 1 };

	text_put(&t, "uma: UMA_OPTIONS: ");
	text_put(&t, what);
	text_put(&t, " \"");
	put_piece(&t, p);
	text_put(&t, "\", did you mean \"");
	text_put(&t, hint);
	text_put(&t, "\"?");
	t.end++;
	text_put(&t, "\n");
	port_print(line, (size_t)(t.at - line));
}

static const char *
nearer(struct piece p, const char *a, const char *b)
{
	return distance(p, b) < distance(p, a) ? b : a;
}

static const char *
nearest_key(struct piece p)
{
	const char *best = keys[0].name;

	for (size_t i = 1; i < KEYS; i++)
		best = nearer(p, best, keys[i].name);
	return best;
}

static void
print_help(void)
{
	for (size_t i = 0; i < KEYS; i++) {
		char line[160];
		struct text t = { line, line + sizeof(line) };

		text_put(&t, "uma: ");
		text_put(&t, keys[i].name);
		text_put(&t, ":");
		for (size_t v = 0; keys[i].values[v] != NULL; v++) {
			text_put(&t, v == 0 ? "" : "|");
			text_put(&t, keys[i].values[v]);
		}
		if (keys[i].values[0] == NULL)
			text_put(&t, "PATH");
		text_put(&t, "  ");
		text_put(&t, keys[i].help);
		text_put(&t, "\n");
		port_print(line, (size_t)(t.at - line));
	}
}

/* The place of a value among the key's, 0 of any text; -1 after a complaint. */
static int
value_of(const struct key *key, struct piece value)
{
	const char *best = key->values[0];

	if (best == NULL)
		return 0;
	for (int v = 0; key->values[v] != NULL; v++) {
		if (is_text(value, key->values[v]))
			return v;
		best = nearer(value, best, key->values[v]);
	}
	complain("unknown value", value, best);
	return -1;
}

static void
apply(struct options *out, struct piece name, struct piece value)
{
	int v;

	for (size_t i = 0; i < KEYS; i++) {
		if (!is_text(name, keys[i].name))
			continue;
		v = value_of(&keys[i], value);
		if (v < 0)
			return;
		if (i == KEY_PERCPU)
			out->generic = v == PERCPU_IS_GENERIC;
		else if (i == KEY_MALLOC9 && v == MALLOC9_DEBUG)
			out->malloc9_debug = true;
		else if (i == KEY_MALLOC9)
			out->malloc9_exec = true;
		else if (i == KEY_WATCH)
			out->unwatched = v == WATCH_OFF;
		else if (i == KEY_THP)
			out->thp = (uint8_t)v;
		return;
	}
	complain("unknown key", name, nearest_key(name));
}

void
options_read(struct options *out)
{
	const char *at = port_options();

	out->generic = false;
	out->malloc9_debug = false;
	out->malloc9_exec = false;
	out->unwatched = !UMA_WATCH;
	out->thp = SUPPLY_THP_DEFAULT;
	while (at != NULL && *at != '\0') {
		const char *behind;
		const char *rest;
		struct piece option = cut(at, ',', ',', &rest);
		struct piece name = cut(at, ':', '=', &behind);
		struct piece value;

		if (name.length > option.length)
			name = option;
		value.at = at + min_size(name.length + 1, option.length);
		value.length = (size_t)(at + option.length - value.at);
		at = rest;
		if (is_text(option, "help"))
			print_help();
		else if (option.length != 0)
			apply(out, name, value);
	}
}
