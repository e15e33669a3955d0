/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model - random sequences on the library and on a naive reference
 *
 *	--seed N     where to begin; 0: from the clock (default 1)
 *	--steps N    steps in a sequence (default 2000)
 *	--seconds N  how long to go on (default 5)
 *	--threads N  instead, so many threads at once
 *	--blocks     the malloc family too: meant to be run under LD_PRELOAD
 *	--out FILE   where the program goes that shows a failure
 *
 * The seed of each sequence that fails is printed; --seed with it, and the
 * same steps, plays it again.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/model.h"

enum { SHRINK_SECONDS = 60 };

static struct {
	uint64_t seed;
	unsigned steps;
	unsigned seconds;
	unsigned threads;
	bool blocks;
	const char *out;
} options = { .seed = 1, .steps = 2000, .seconds = 5 };

static struct step steps[STEPS_MAX];

static bool
read_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "threads", required_argument, NULL, 'j' },
		{ "blocks", no_argument, NULL, 'b' },
		{ "out", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 's')
			options.seed = strtoull(optarg, NULL, 0);
		else if (c == 'n')
			options.steps = (unsigned)strtoul(optarg, NULL, 0);
		else if (c == 't')
			options.seconds = (unsigned)strtoul(optarg, NULL, 0);
		else if (c == 'j')
			options.threads = (unsigned)strtoul(optarg, NULL, 0);
		else if (c == 'b')
			options.blocks = true;
		else if (c == 'o')
			options.out = optarg;
		else
			return false;
	}
	if (options.seed == 0)
		options.seed = (uint64_t)time(NULL) << 20;
	return optind == argc && options.steps >= 1 &&
	       options.steps <= STEPS_MAX;
}

/* The failing sequence, as short as it gets. */
static void
show(unsigned count, struct verdict *v)
{
	FILE *to = stdout;

	if (v->step < count && !watch_steps(steps, v->step, true).good)
		count = v->step;
	count = shrink(steps, count, SHRINK_SECONDS);
	*v = watch_steps(steps, count, false);
	printf("# shortened to %u steps, at step %u: %s\n", count, v->step,
	    v->good ? "sometimes" : v->why);
	if (options.out != NULL)
		to = fopen(options.out, "w");
	if (to == NULL)
		return;
	print_program(to, steps, count, v->why);
	if (to != stdout)
		fclose(to);
}

static bool
run_sequences(void)
{
	time_t end = time(NULL) + (time_t)options.seconds;
	unsigned rounds = 0;
	struct verdict v;

	do {
		uint64_t seed = options.seed + rounds++;

		generate(steps, options.steps, seed, options.blocks);
		v = watch_steps(steps, options.steps, false);
		if (v.good)
			continue;
		printf("# seed %llu fails at step %u: %s\n",
		    (unsigned long long)seed, v.step, v.why);
		fflush(stdout);
		show(options.steps, &v);
		return false;
	} while (time(NULL) < end);
	printf("# %u sequences of %u steps, from seed %llu\n", rounds,
	    options.steps, (unsigned long long)options.seed);
	return true;
}

static bool
run_threads(void)
{
	struct verdict v = watch_threads(
	    options.seed, options.threads, options.seconds, options.blocks);

	printf("# %llu operations by %u threads, seed %llu\n", v.operations,
	    options.threads, (unsigned long long)options.seed);
	if (!v.good)
		printf("# %s\n", v.why);
	return v.good;
}

int
main(int argc, char **argv)
{
	bool good;

	if (!read_options(argc, argv)) {
		fprintf(stderr, "usage: model [--seed N] [--steps N] "
				"[--seconds N] [--threads N] [--blocks] "
				"[--out FILE]\n");
		return 2;
	}
	printf("1..1\n");
	good = options.threads != 0 ? run_threads() : run_sequences();
	printf("%s 1 - model\n", good ? "ok" : "not ok");
	return good ? 0 : 1;
}
