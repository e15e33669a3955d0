/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signals.c - malloc and free inside a handler that interrupted malloc
 *
 * No standard asks for this; this library promises it.  Method: signals at a
 * rate that hits every part of the allocator, a bounded number of them, and
 * contents verified by both sides.  Blocks change hands between handler and
 * program, so that each frees what the other made.
 */
#include "conform.h"

#include <sys/time.h>

enum { SIGNALS = 20000, SLOTS = 512, TRADED = 64 };

struct block {
	uint32_t bytes;
	uint32_t owner;
	unsigned char fill[];
};

static _Atomic(struct block *) traded[TRADED];
static _Atomic long handled;

/* Status 4: a block was not as its owner left it; 3: there was none. */
static void
destroy(struct block *b)
{
	if (b == NULL)
		return;
	if (!stamped(b->fill, b->bytes, b->owner))
		_exit(4);
	memset(b, 0xee, sizeof *b + b->bytes);
	free(b);
}

static struct block *
make(uint64_t r, unsigned owner)
{
	size_t fill = (r >> 16) % ((r >> 8) % 128 == 0 ? 100000 : 900);
	struct block *b;

	switch (r >> 61) {
	case 0:
		b = calloc(1, sizeof *b + fill);
		if (b != NULL && !all_zero(b, sizeof *b + fill))
			_exit(4);
		break;
	case 1:
		b = memalign((size_t)32 << (r >> 56) % 5, sizeof *b + fill);
		break;
	case 2:
		b = realloc(malloc((r >> 40) % 300), sizeof *b + fill);
		break;
	default:
		b = malloc(sizeof *b + fill);
	}
	if (b == NULL)
		_exit(3);
	b->bytes = (uint32_t)fill;
	b->owner = owner;
	stamp(b->fill, fill, owner);
	return b;
}

static void
allocate_in_handler(int signo)
{
	uint64_t random =
	    0x9e3779b97f4a7c15u * (uint64_t)(atomic_fetch_add(&handled, 1) + 1);
	int saved = errno;
	uint64_t kind = next_random(&random);
	struct block *first = make(kind, (unsigned)random);
	struct block *second = make(kind, (unsigned)random + 1);

	(void)signo;
	/*
	 * Freeing the first of two alike and keeping the second leaves a list
	 * of free blocks with its old head and a new second: a list that looks
	 * only at the head, in the code interrupted, breaks.
	 */
	destroy(first);
	destroy(
	    atomic_exchange(&traded[next_random(&random) % TRADED], second));
	destroy(make(next_random(&random), (unsigned)random));
	errno = saved;
}

/* The interrupted side, until `enough` signals were handled. */
static void
work_until(long enough, uint64_t random)
{
	struct block *slot[SLOTS] = { 0 };

	while (atomic_load(&handled) < enough) {
		for (int step = 0; step < 200; step++) {
			uint64_t r = next_random(&random);
			struct block **mine = &slot[r % SLOTS];

			if (*mine == NULL)
				*mine = make(next_random(&random), (unsigned)r);
			else if (r >> 60 == 0)
				*mine = atomic_exchange(
				    &traded[(r >> 32) % TRADED], *mine);
			else {
				destroy(*mine);
				*mine = NULL;
			}
		}
	}
	for (int i = 0; i < SLOTS; i++)
		destroy(slot[i]);
}

static void
install(int signo)
{
	struct sigaction action = { .sa_handler = allocate_in_handler,
		.sa_flags = SA_RESTART };

	REQUIRE(sigaction(signo, &action, NULL) == 0);
}

TEST_TIME(an_alarm_every_60_microseconds, 60)
{
	struct itimerval often = { { 0, 60 }, { 0, 60 } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	if (!on_uma())
		SKIP("glibc's malloc is not safe in signal handlers");
	install(SIGALRM);
	REQUIRE(setitimer(ITIMER_REAL, &often, NULL) == 0);
	work_until(SIGNALS, 1);
	REQUIRE(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(atomic_load(&handled) >= SIGNALS);
}

static void *
work_in_thread(void *arg)
{
	work_until(SIGNALS / 2, 100 + (uintptr_t)arg);
	return NULL;
}

TEST_TIME(signals_to_four_threads_that_allocate, 60)
{
	pthread_t threads[4];
	unsigned next = 0;

	if (!on_uma())
		SKIP("glibc's malloc is not safe in signal handlers");
	install(SIGUSR1);
	for (uintptr_t i = 0; i < COUNT_OF(threads); i++)
		REQUIRE(pthread_create(
			    &threads[i], NULL, work_in_thread, (void *)i) == 0);
	while (atomic_load(&handled) < SIGNALS / 2) {
		pthread_kill(threads[next++ % COUNT_OF(threads)], SIGUSR1);
		usleep(20);
	}
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static void
nest(int signo)
{
	allocate_in_handler(signo);
	/* The next signal of the other kind interrupts this one's miss. */
	if (signo == SIGUSR1)
		raise(SIGUSR2);
	allocate_in_handler(signo);
}

TEST_TIME(handlers_interrupted_by_handlers, 60)
{
	struct sigaction action = { .sa_handler = nest,
		.sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 60 }, { 0, 60 } };
	struct itimerval never = { { 0, 0 }, { 0, 0 } };

	if (!on_uma())
		SKIP("glibc's malloc is not safe in signal handlers");
	REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
	REQUIRE(sigaction(SIGUSR2, &action, NULL) == 0);
	install(SIGALRM);
	REQUIRE(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (atomic_load(&handled) < SIGNALS) {
		raise(SIGUSR1);
		destroy(make((uint64_t)atomic_load(&handled) << 16, 3));
	}
	REQUIRE(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

static volatile sig_atomic_t calls;
static _Atomic int saved_errno;

static void
fail_in_handler(int signo)
{
	(void)signo;
	errno = 0;
	if (malloc(opaque(SIZE_MAX)) == NULL)
		atomic_store(&saved_errno, errno);
	calls = calls + 1;
}

TEST(a_failure_in_a_handler_is_enomem)
{
	struct sigaction action = { .sa_handler = fail_in_handler };

	REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
	raise(SIGUSR1);
	CHECK_EQ(calls, 1);
	CHECK_EQ(atomic_load(&saved_errno), ENOMEM);
}

TEST_MAIN
