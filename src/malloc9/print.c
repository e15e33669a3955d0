/* SPDX-License-Identifier: BSD-2-Clause */
/* What all types did, for people and programs: see malloc9.h. */
#include "malloc9/inner.h"
#include "port/port.h"

/* Room for a name of 63 bytes, the numbers, and every class. */
#define LINE_BYTES 512

#define KIB 1024u

/* See malloc9.h. */
void
uma_malloc_stats(struct malloc_type *type, struct uma_malloc_stats *out)
{
	struct ledger *l = type_ledger(type, __func__);

	if (l == NULL || !ledger_read(l, out)) {
		__builtin_memset(out, 0, sizeof(*out));
		out->struct_bytes = sizeof(*out);
	}
}

/* See malloc9.h. */
void
uma_malloc_stats_walk(
    void (*each)(const struct uma_malloc_stats *type, void *arg), void *arg)
{
	struct ledger *l = NULL;

	while ((l = ledger_next(l)) != NULL) {
		struct uma_malloc_stats s;

		if (ledger_read(l, &s))
			each(&s, arg);
	}
}

/* Right-aligned, as vmstat sets names here. */
static void
put_name(struct text *t, const char *name, size_t width)
{
	size_t length = 0;

	while (name[length] != '\0')
		length++;
	for (; length < width; length++)
		text_put(t, " ");
	text_clean(t, name);
}

static void
print_row(const struct uma_malloc_stats *s, void *arg)
{
	char line[LINE_BYTES];
	struct text t = { line, line + sizeof(line) };

	if (s->allocs == 0)
		return;
	put_name(&t, s->name, 13);
	text_put(&t, " ");
	text_num(&t, s->in_use, 5);
	text_put(&t, " ");
	text_num(&t, div_up(s->in_use_bytes, KIB), 5);
	text_put(&t, "K ");
	text_num(&t, s->allocs, 8);
	text_put(&t, "  ");
	for (unsigned i = 0; i < s->size_count; i++) {
		text_put(&t, i == 0 ? "" : ",");
		text_num(&t, s->sizes[i], 0);
	}
	text_put(&t, "\n");
	port_write(*(const int *)arg, line, (size_t)(t.at - line));
}

/* See malloc9.h. */
void
uma_malloc_stats_print(int fd)
{
	static const char head[] =
	    "         Type InUse MemUse Requests  Size(s)\n";

	port_write(fd, head, sizeof(head) - 1);
	uma_malloc_stats_walk(print_row, &fd);
}
