/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c - what is shown of a run */
#define _GNU_SOURCE 1
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tool.h"

#define ZONES_SHOWN 5

/* ---- numbers ---- */

struct word
word_count(uint64_t n)
{
	static const char units[] = "kMGTPE";
	double value = (double)n;
	struct word word;
	int unit = -1;

	if (n < 10000) {
		snprintf(word.text, sizeof word.text, "%" PRIu64, n);
		return word;
	}
	/* 999.95 would be shown as 1000.0. */
	while (value >= 999.95 && unit < 5) {
		value /= 1000;
		unit++;
	}
	snprintf(word.text, sizeof word.text, "%.1f %c", value, units[unit]);
	return word;
}

struct word
word_bytes(uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	struct word word;
	int unit = -1;

	if (bytes < 1024) {
		snprintf(word.text, sizeof word.text, "%" PRIu64 " B", bytes);
		return word;
	}
	while (value >= 1023.95 && unit < 5) {
		value /= 1024;
		unit++;
	}
	snprintf(word.text, sizeof word.text, "%.1f %ciB", value, units[unit]);
	return word;
}

/* All digits, in groups of three: 31 204. */
static struct word
grouped(uint64_t n)
{
	char digits[24];
	struct word word;
	size_t length, at = 0;

	length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, n);
	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			word.text[at++] = ' ';
		word.text[at++] = digits[i];
	}
	word.text[at] = '\0';
	return word;
}

static struct word
timed(double seconds)
{
	struct word word;

	if (seconds < 1)
		snprintf(word.text, sizeof word.text, "%.1f ms", seconds * 1e3);
	else
		snprintf(word.text, sizeof word.text, "%.2f s", seconds);
	return word;
}

static struct word
ended(int status)
{
	struct word word;

	if (WIFSIGNALED(status))
		snprintf(word.text, sizeof word.text, "killed by SIG%s",
		    sigabbrev_np(WTERMSIG(status)) != NULL
			? sigabbrev_np(WTERMSIG(status))
			: "?");
	else
		snprintf(word.text, sizeof word.text, "exit %d",
		    WEXITSTATUS(status));
	return word;
}

/* ---- the table ---- */

/*
 * The widths, commas, blanks and empty lines are those of vmstat(8) on
 * FreeBSD, and of uma_stats_print().
 */
void
report_table(FILE *out, const struct tally *tally)
{
	fprintf(out, "%-20s %6s %6s %8s %8s %8s %8s%4s %4s\n\n", "ITEM", "SIZE",
	    "LIMIT", "USED", "FREE", "REQ", "FAIL", "SLEEP", "XDOMAIN");
	for (size_t i = 0; i < tally->zone_count; i++) {
		const struct zone *z = &tally->zones[i];
		int pad = 19 - (int)strlen(z->name);

		fprintf(out,
		    "%s:%*s %6" PRIu64 ", %6" PRIu64 ",%8" PRIu64 ",%8" PRIu64
		    ",%8" PRIu64 ",%4" PRIu64 ",%4" PRIu64 ",%4" PRIu64 "\n",
		    z->name, pad > 0 ? pad : 0, "", z->size, z->limit, z->used,
		    z->free, z->allocs, z->fails, z->sleeps, z->xdomain);
	}
	fputc('\n', out);
	types_table(out, tally);
}

/* ---- one run ---- */

static uint64_t
allocations(const struct tally *tally)
{
	uint64_t sum = tally->large_allocs;

	for (size_t i = 0; i < tally->zone_count; i++)
		sum += tally->zones[i].allocs;
	return sum;
}

/*
 * The share of allocations and frees that a CPU's cache served, in percent.
 * Large blocks never come from one.  Rounded down: 100.0 means all of them.
 */
static double
served(const struct tally *tally)
{
	uint64_t all = tally->large_allocs + tally->large_frees;
	uint64_t missed = all;

	for (size_t i = 0; i < tally->zone_count; i++) {
		all += tally->zones[i].allocs + tally->zones[i].frees;
		missed += tally->zones[i].misses;
	}
	if (all == 0 || missed > all)
		return 0;
	return (double)(uint64_t)((double)(all - missed) / (double)all * 1e3) /
	       10;
}

static uint64_t
live_bytes(const struct zone *zone)
{
	return zone->used * zone->size;
}

/* By live bytes, and what is left by use. */
static int
compare_zones(const void *a, const void *b)
{
	const struct zone *const *za = a;
	const struct zone *const *zb = b;
	uint64_t la = live_bytes(*za), lb = live_bytes(*zb);

	if (la != lb)
		return la < lb ? 1 : -1;
	if ((*za)->allocs != (*zb)->allocs)
		return (*za)->allocs < (*zb)->allocs ? 1 : -1;
	return strcmp((*za)->name, (*zb)->name);
}

static void
show_zones(FILE *out, const struct tally *tally)
{
	const struct zone **order;
	size_t shown = 0;

	order = must(calloc(tally->zone_count + 1, sizeof *order));
	for (size_t i = 0; i < tally->zone_count; i++)
		order[i] = &tally->zones[i];
	qsort(order, tally->zone_count, sizeof *order, compare_zones);
	fprintf(out, "uma: largest zones    live at exit  in slabs"
		     "  allocations\n");
	for (; shown < tally->zone_count && shown < ZONES_SHOWN; shown++) {
		const struct zone *z = order[shown];

		if (z->allocs == 0 && z->used == 0)
			break;
		fprintf(out, "uma:   %-18.40s %12s %9s %12s\n", z->name,
		    word_bytes(live_bytes(z)).text, word_bytes(z->slab).text,
		    word_count(z->allocs).text);
	}
	free(order);
}

void
report_run(FILE *out, const char *command, const struct outcome *outcome,
    const struct tally *tally)
{
	fprintf(out, "uma: %.60s: %s, %s, peak RSS %s, %s page faults\n",
	    command, ended(outcome->status).text, timed(outcome->seconds).text,
	    word_bytes(outcome->peak_bytes).text,
	    grouped(outcome->faults).text);
	if (outcome->left_running)
		fprintf(out, "uma: a process still runs and is not counted"
			     " (--wait waits for it)\n");
	if (tally->processes == 0) {
		fprintf(out, "uma: no process reported: %s\n",
		    WIFSIGNALED(outcome->status)
			? "one killed by a signal cannot"
			: "none ran on UMA, or none allocated");
		return;
	}
	fprintf(out,
	    "uma: %s allocations in %s process%s,"
	    " %.1f%% served by per-CPU caches\n",
	    word_count(allocations(tally)).text, grouped(tally->processes).text,
	    tally->processes == 1 ? "" : "es", served(tally));
	show_zones(out, tally);
	if (tally->large_allocs != 0)
		fprintf(out, "uma:   %-18s %12s %9s %12s\n", "(large blocks)",
		    word_bytes(tally->large).text, "-",
		    word_count(tally->large_allocs).text);
	types_show(out, tally);
}

/* ---- two of them ---- */

/* How far `mine` is from `theirs`, with the word for its side. */
static struct word
against(double mine, double theirs, const char *less, const char *more)
{
	struct word word;
	double percent;

	if (theirs <= 0) {
		snprintf(word.text, sizeof word.text, "-");
		return word;
	}
	percent = (mine / theirs - 1) * 100;
	if (percent > -0.05 && percent < 0.05)
		snprintf(word.text, sizeof word.text, "the same");
	else if (percent < 0)
		snprintf(
		    word.text, sizeof word.text, "%.1f%% %s", -percent, less);
	else
		snprintf(
		    word.text, sizeof word.text, "%.1f%% %s", percent, more);
	return word;
}

static void
show_row(FILE *out, const char *name, const struct outcome *outcome)
{
	fprintf(out, "  %-12.12s %14s %14s %14s", name,
	    timed(outcome->seconds).text, word_bytes(outcome->peak_bytes).text,
	    grouped(outcome->faults).text);
}

void
report_peers(FILE *out, const char *peer, const struct outcome *uma,
    const struct outcome *other, int rounds, const struct tally *tally)
{
	const char *slash = strrchr(peer, '/');

	peer = slash != NULL ? slash + 1 : peer;
	fprintf(out, "  %-12s %14s %14s %14s   (median of %d)\n", "", "time",
	    "peak RSS", "page faults", rounds);
	show_row(out, "uma", uma);
	if (tally->processes != 0)
		fprintf(out, "   %s allocations, %.1f%% from per-CPU caches",
		    word_count(allocations(tally)).text, served(tally));
	fprintf(out, "\n");
	show_row(out, peer, other);
	fprintf(out, "\n");
	fprintf(out, "  %-12s %14s %14s %14s\n", "uma is",
	    against(uma->seconds, other->seconds, "faster", "slower").text,
	    against((double)uma->peak_bytes, (double)other->peak_bytes, "less",
		"more")
		.text,
	    against((double)uma->faults, (double)other->faults, "fewer", "more")
		.text);
}
