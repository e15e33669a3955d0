/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay - play the inputs of a folder on a fuzz target
 *
 * Each in turn, in one process, as the fuzzer does.  TAP; the first that is
 * not survived ends it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz/fuzz.h"

enum { INPUT_MAX = 1 << 20 };

static int
is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void
play(const char *folder, const char *name)
{
	static uint8_t data[INPUT_MAX];
	char path[4096];
	size_t bytes;
	uint8_t *input;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "re");
	if (file == NULL)
		fuzz_fail(path, 0, "the input can be read");
	bytes = fread(data, 1, sizeof data, file);
	fclose(file);
	/* A block of its own length: who reads beyond it is seen. */
	input = malloc(bytes + (bytes == 0));
	if (input == NULL)
		fuzz_fail(path, 0, "there is memory");
	memcpy(input, data, bytes);
	(void)LLVMFuzzerTestOneInput(input, bytes);
	free(input);
}

int
main(int argc, char **argv)
{
	struct dirent **inputs;
	int count;

	count = argc == 2 ? scandir(argv[1], &inputs, is_input, alphasort) : -1;
	if (count <= 0) {
		fprintf(stderr, "usage: replay FOLDER\n");
		return 2;
	}
	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		printf("# %s\n", inputs[i]->d_name);
		fflush(stdout);
		play(argv[1], inputs[i]->d_name);
		printf("ok %d - %s\n", i + 1, inputs[i]->d_name);
		free(inputs[i]);
	}
	free(inputs);
	return 0;
}
