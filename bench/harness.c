/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* dladdr, CPU sets */
#include "harness.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Five blocks of at least 10 ms: a measurement takes 50 ms or more. */
#define BLOCK_COUNT 5
#define BLOCK_NS    10000000u

static pthread_t spawned;
static cpu_set_t allowed; /* before the first pin; threads inherit the pin */

static int run_row(const struct row *rows, const char *name);
static int print_names(const struct row *rows);
static int print_owner(void);
static double median(double *values, size_t count);
static uint64_t field_of(const char *path, const char *field);

int
bench_main(int argc, char **argv, const struct row *rows)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return print_names(rows);
	if (argc == 2 && strcmp(argv[1], "--who") == 0)
		return print_owner();
	if (argc == 2 && argv[1][0] != '-')
		return run_row(rows, argv[1]);
	fprintf(stderr, "usage: %s ROW | --list | --who\n", argv[0]);
	return 1;
}

static int
run_row(const struct row *rows, const char *name)
{
	for (; rows->name != NULL; rows++) {
		if (strcmp(rows->name, name) == 0) {
			bench_pin(0);
			rows->run(rows);
			return 0;
		}
	}
	fprintf(stderr, "no row %s\n", name);
	return 1;
}

static int
print_names(const struct row *rows)
{
	for (; rows->name != NULL; rows++)
		puts(rows->name);
	return 0;
}

static int
print_owner(void)
{
	Dl_info info;
	void *address = dlsym(RTLD_DEFAULT, "malloc");

	bench_need(address != NULL && dladdr(address, &info) != 0,
	    "cannot tell whose malloc this is");
	puts(info.dli_fname);
	return 0;
}

double
bench_measure(bench_work *work, void *arg, clockid_t clock)
{
	double blocks[BLOCK_COUNT];
	uint64_t rounds = 1;

	for (;;) {
		uint64_t start = bench_ns(clock);
		uint64_t taken;

		work(arg, rounds);
		taken = bench_ns(clock) - start;
		if (taken >= BLOCK_NS)
			break;
		/* Aim a little high, but never trust one short block far. */
		if (taken > BLOCK_NS / 16)
			rounds = rounds * BLOCK_NS / taken + rounds / 8 + 1;
		else
			rounds *= 8;
	}
	for (size_t i = 0; i < BLOCK_COUNT; i++) {
		uint64_t start = bench_ns(clock);

		work(arg, rounds);
		blocks[i] = (double)(bench_ns(clock) - start) / (double)rounds;
	}
	return median(blocks, BLOCK_COUNT);
}

static double
median(double *values, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		for (size_t j = i; j > 0 && values[j] < values[j - 1]; j--) {
			double swapped = values[j];

			values[j] = values[j - 1];
			values[j - 1] = swapped;
		}
	}
	return values[count / 2];
}

uint64_t
bench_ns(clockid_t clock)
{
	struct timespec now;

	bench_need(clock_gettime(clock, &now) == 0, "no clock");
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
bench_print(const char *metric, double value)
{
	printf("%s %.6g\n", metric, value);
}

void
bench_pin(unsigned n)
{
	cpu_set_t one;

	if (CPU_COUNT(&allowed) == 0 &&
	    sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return;
	n %= (unsigned)CPU_COUNT(&allowed);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed) && n-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			/* Refusal costs precision only. */
			(void)sched_setaffinity(0, sizeof(one), &one);
			return;
		}
	}
}

void
bench_unpin(void)
{
	if (CPU_COUNT(&allowed) != 0)
		(void)sched_setaffinity(0, sizeof(allowed), &allowed);
}

void
bench_spawn(void *(*body)(void *arg), void *arg)
{
	bench_need(pthread_create(&spawned, NULL, body, arg) == 0, "no thread");
}

void
bench_join(void)
{
	bench_need(pthread_join(spawned, NULL) == 0, "thread lost");
}

void *
bench_pages(size_t bytes)
{
	void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	bench_need(pages != MAP_FAILED, "no memory for the benchmark itself");
	return pages;
}

uint32_t *
bench_shuffled(size_t count)
{
	uint32_t *order = bench_pages(count * sizeof(*order));
	uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < count; i++) {
		size_t j = bench_random(&state) % (i + 1);

		order[i] = order[j];
		order[j] = (uint32_t)i;
	}
	return order;
}

uint64_t
bench_resident(void)
{
	static const char rollup[] = "/proc/self/smaps_rollup";

	/* A pool's memory is a memfd, which is not anonymous. */
	return field_of(rollup, "\nAnonymous:") +
	       field_of(rollup, "\nPss_Shmem:");
}

uint64_t
bench_peak_rss(void)
{
	return field_of("/proc/self/status", "\nVmHWM:");
}

/* The kilobytes after `field` in a file of /proc, as bytes. */
static uint64_t
field_of(const char *path, const char *field)
{
	char text[8192];
	size_t bytes = 0;
	const char *found;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	bench_need(fd >= 0, path);
	for (;;) {
		ssize_t got = read(fd, text + bytes, sizeof(text) - 1 - bytes);

		if (got <= 0)
			break;
		bytes += (size_t)got;
	}
	close(fd);
	text[bytes] = '\0';
	found = strstr(text, field);
	bench_need(found != NULL, path);
	return strtoull(found + strlen(field), NULL, 10) * 1024;
}

void
bench_need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}
