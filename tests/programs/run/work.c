/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * work.c - a program with known allocations, for the test of `uma run`
 *
 *	work WAY N BYTES	N blocks of BYTES bytes, of which every other
 *				one is freed; then leave by WAY:
 *	return exit _exit _Exit quick_exit abort
 *	fork	a child does the same and both leave by exit
 *	fork_idle	a child leaves by _exit without doing anything
 *	thread	a thread leaves by exit while main waits
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void **blocks;

static void
work(size_t count, size_t bytes)
{
	blocks = calloc(count, sizeof *blocks);
	if (blocks == NULL)
		abort();
	for (size_t i = 0; i < count; i++) {
		blocks[i] = malloc(bytes);
		if (blocks[i] == NULL)
			abort();
		memset(blocks[i], 1, bytes);
	}
	for (size_t i = 0; i < count; i += 2)
		free(blocks[i]);
}

static void *
leave_from_thread(void *unused)
{
	(void)unused;
	exit(0);
}

static int
fork_and_work(bool is_idle, size_t count, size_t bytes)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return 1;
	if (pid == 0 && is_idle)
		_exit(0);
	if (pid == 0) {
		work(count, bytes);
		exit(0);
	}
	return waitpid(pid, &status, 0) != pid || status != 0;
}

static int
leave(const char *way, size_t count, size_t bytes)
{
	pthread_t thread;

	if (strcmp(way, "exit") == 0)
		exit(0);
	if (strcmp(way, "_exit") == 0)
		_exit(0);
	if (strcmp(way, "_Exit") == 0)
		_Exit(0);
	if (strcmp(way, "quick_exit") == 0)
		quick_exit(0);
	if (strcmp(way, "abort") == 0)
		abort();
	if (strncmp(way, "fork", 4) == 0)
		return fork_and_work(way[4] != '\0', count, bytes);
	if (strcmp(way, "thread") == 0 &&
	    pthread_create(&thread, NULL, leave_from_thread, NULL) == 0)
		pthread_join(thread, NULL);
	return strcmp(way, "return") != 0;
}

int
main(int argc, char **argv)
{
	size_t count, bytes;

	if (argc != 4) {
		fprintf(stderr, "usage: work WAY N BYTES\n");
		return 2;
	}
	count = strtoul(argv[2], NULL, 10);
	bytes = strtoul(argv[3], NULL, 10);
	work(count, bytes);
	return leave(argv[1], count, bytes);
}
