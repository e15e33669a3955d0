/* SPDX-License-Identifier: BSD-2-Clause */
/* The shortest sequence that still fails. */
#include "model/model.h"

#include <string.h>
#include <time.h>

enum { FOLD_ITEMS = 600 };

struct shrinking {
	struct step *steps;
	unsigned count;
	time_t end;
};

static bool
time_is_up(const struct shrinking *s)
{
	return time(NULL) >= s->end;
}

/* Leave out `count` steps from `at` on, if it fails without them too. */
static bool
leave_out(struct shrinking *s, unsigned at, unsigned count)
{
	static struct step shorter[STEPS_MAX];
	unsigned rest = s->count - at - count;

	memcpy(shorter, s->steps, at * sizeof *shorter);
	memcpy(shorter + at, s->steps + at + count, rest * sizeof *shorter);
	if (watch_steps(shorter, at + rest, true).good)
		return false;
	memcpy(s->steps, shorter, (at + rest) * sizeof *shorter);
	s->count = at + rest;
	return true;
}

/* Halve what is tried, until single steps cannot be left out any more. */
static void
leave_out_steps(struct shrinking *s)
{
	unsigned chunk = s->count / 2;

	while (chunk != 0 && !time_is_up(s)) {
		bool shorter = false;
		unsigned at = s->count;

		/* From the end: what comes last depends on what came first. */
		while (at > 0 && !time_is_up(s)) {
			unsigned n = at < chunk ? at : chunk;

			at -= n;
			shorter = leave_out(s, at, n) || shorter;
		}
		if (chunk != 1 || !shorter)
			chunk /= 2;
	}
}

/* One FILL instead of all the allocations from its zone, or from any. */
static bool
fold_into(struct shrinking *s, unsigned at, bool any)
{
	static struct step folded[STEPS_MAX];
	unsigned zone = s->steps[at].zone;
	unsigned count = 0;

	for (unsigned i = 0; i < s->count; i++) {
		const struct step *step = &s->steps[i];
		bool takes = step->act == ALLOC || step->act == FILL;

		if (i != at && takes && (any || step->zone == zone))
			continue;
		folded[count] = *step;
		if (i == at) {
			folded[count].act = FILL;
			folded[count].count = FOLD_ITEMS;
		}
		count++;
	}
	if (count == s->count || watch_steps(folded, count, true).good)
		return false;
	memcpy(s->steps, folded, count * sizeof *folded);
	s->count = count;
	return true;
}

static void
fold_allocations(struct shrinking *s)
{
	for (unsigned i = s->count; i-- > 0 && !time_is_up(s);)
		if (i < s->count &&
		    (s->steps[i].act == ALLOC || s->steps[i].act == FILL) &&
		    !fold_into(s, i, true))
			(void)fold_into(s, i, false);
}

static bool
try_number(struct shrinking *s, int *number, int to)
{
	int was = *number;

	if (was == to)
		return false;
	*number = to;
	if (!watch_steps(s->steps, s->count, true).good)
		return true;
	*number = was;
	return false;
}

static void
simplify_number(struct shrinking *s, int *number, int least)
{
	while (*number > least && !time_is_up(s)) {
		if (!try_number(s, number, least) &&
		    !try_number(s, number, (*number + least) / 2) &&
		    !try_number(s, number, *number - 1))
			return;
	}
}

static void
simplify_bits(struct shrinking *s, unsigned *bits, bool or_no_wait)
{
	for (unsigned bit = 1; bit <= M_ZERO && !time_is_up(s); bit <<= 1) {
		unsigned was = *bits;

		if ((was & bit) == 0 || (or_no_wait && bit == M_NOWAIT))
			continue;
		*bits &= ~bit;
		/* An allocation without wait flags is another thing. */
		if (or_no_wait && bit == M_WAITOK)
			*bits |= M_NOWAIT;
		if (watch_steps(s->steps, s->count, true).good)
			*bits = was;
	}
}

static void
simplify_numbers(struct shrinking *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct step *step = &s->steps[i];
		bool takes = step->act == ALLOC || step->act == FILL;

		simplify_number(s, &step->count, step->count > 0);
		if (step->size != 0)
			simplify_number(s, &step->size, 8);
		if (step->act == CREATE)
			(void)try_number(s, &step->align, 7);
		simplify_bits(s, &step->flags, takes);
		simplify_bits(s, &step->kind, false);
	}
}

unsigned
shrink(struct step *steps, unsigned count, unsigned seconds)
{
	struct shrinking s = { steps, count, time(NULL) + (time_t)seconds };
	unsigned was;

	do {
		was = s.count;
		leave_out_steps(&s);
		fold_allocations(&s);
		simplify_numbers(&s);
	} while (s.count < was && !time_is_up(&s));
	return s.count;
}
