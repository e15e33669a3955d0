/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc_types.c - who holds the memory, asked of the program itself
 *
 * A small index of words.  Its table, its words and its scratch buffers each
 * have a malloc type, so the program can tell at any time how much each of
 * them holds, and a leak shows as the type that does not go back to zero.
 *
 *   - UMA_MALLOC_DEFINE makes and registers a type;
 *   - uma_malloc and uma_mfree name the type of every block;
 *   - uma_malloc_stats() asks for one type, uma_malloc_stats_print() prints
 *     all of them as vmstat -m would.
 *
 * Build:  cc malloc_types.c $(pkg-config --cflags --libs uma)
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <uma/malloc9.h>

static UMA_MALLOC_DEFINE(M_TABLE, "word_table", "hash table of the index");
static UMA_MALLOC_DEFINE(M_WORD, "word", "words of the index");
static UMA_MALLOC_DEFINE(M_SCRATCH, "scratch", "buffers of a moment");

#define BUCKETS 64
#define WORDS   1000

struct word {
	struct word *next;
	unsigned count;
	char text[]; /* as long as it must be */
};

static unsigned
hash(const char *text)
{
	unsigned h = 5381;

	while (*text != '\0')
		h = h * 33 + (unsigned char)*text++;
	return h % BUCKETS;
}

static void
add_word(struct word **table, const char *text)
{
	struct word **bucket = &table[hash(text)];
	struct word *w = *bucket;

	while (w != NULL && strcmp(w->text, text) != 0)
		w = w->next;
	if (w == NULL) {
		/* M_WAITOK never returns NULL. */
		w = uma_malloc(
		    sizeof(*w) + strlen(text) + 1, M_WORD, M_WAITOK | M_ZERO);
		strcpy(w->text, text);
		w->next = *bucket;
		*bucket = w;
	}
	w->count++;
}

static void
fill(struct word **table)
{
	for (int i = 0; i < WORDS; i++) {
		char *text = uma_malloc(64, M_SCRATCH, M_WAITOK);

		snprintf(text, 64, "word-%0*d", 1 + i % 40, i % 250);
		add_word(table, text);
		uma_mfree(text, M_SCRATCH);
	}
}

static void
empty(struct word **table)
{
	for (int i = 0; i < BUCKETS; i++) {
		while (table[i] != NULL) {
			struct word *w = table[i];

			table[i] = w->next;
			uma_mfree(w, M_WORD);
		}
	}
}

static uint64_t
in_use(struct malloc_type *type)
{
	struct uma_malloc_stats s;

	uma_malloc_stats(type, &s);
	return s.in_use;
}

int
main(void)
{
	struct word **table;
	uint64_t words;

	table = uma_mallocarray(
	    BUCKETS, sizeof(*table), M_TABLE, M_WAITOK | M_ZERO);
	fill(table);
	words = in_use(M_WORD);
	printf("%" PRIu64 " different words\n\n", words);
	fflush(stdout);
	uma_malloc_stats_print(1);

	empty(table);
	uma_mfree(table, M_TABLE);
	if (words == 0 || in_use(M_WORD) != 0 || in_use(M_TABLE) != 0 ||
	    in_use(M_SCRATCH) != 0) {
		fprintf(stderr, "something was forgotten\n");
		return 1;
	}
	return 0;
}
