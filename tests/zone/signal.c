/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal - uma_zalloc(M_NOWAIT) and uma_zfree() in a signal handler
 *
 * A timer interrupts threads that use the same zones.  The handler keeps some
 * items from one run to the next, so that it also misses, and both sides
 * check their stamps.  The count of handler runs ends the test, not a clock.
 */
#include "zone/common.h"

#include <sys/time.h>

#define HELD    64
#define HANDLED 20000

static uma_zone_t zones[3];
static const size_t sizes[3] = { 32, 200, 5000 };
static _Atomic int handled;
static _Atomic long served;
static _Atomic long refused;
static _Atomic long broken;
static _Atomic int stop;

struct hand {
	void *item[HELD];
	uint64_t seed;
};

/* Free what a random slot holds, or fill it. */
static void
turn(struct hand *hand, int wait)
{
	uint32_t slot = dice(&hand->seed) % HELD;
	uint32_t zone = slot % 3;
	void **item = &hand->item[slot];
	uint64_t stamp = (uintptr_t)item;

	if (*item != NULL) {
		if (!pattern_holds(*item, sizes[zone], stamp))
			atomic_fetch_add(&broken, 1);
		uma_zfree(zones[zone], *item);
		*item = NULL;
		return;
	}
	*item = uma_zalloc(zones[zone], wait);
	if (*item == NULL) {
		atomic_fetch_add(&refused, 1);
		return;
	}
	atomic_fetch_add(&served, 1);
	pattern_fill(*item, sizes[zone], stamp);
}

static void
give_all(struct hand *hand)
{
	for (int i = 0; i < HELD; i++)
		uma_zfree(zones[i % 3], hand->item[i]);
}

/* Only one thread takes the signal, so its hand needs no lock. */
static struct hand handler_hand = { .seed = 77 };

static void
handler(int signo)
{
	int before = errno;

	(void)signo;
	errno = 4321;
	for (int i = 0; i < 6; i++)
		turn(&handler_hand, M_NOWAIT);
	if (errno != 4321)
		atomic_fetch_add(&broken, 1);
	atomic_fetch_add(&handled, 1);
	errno = before;
}

static void
mask(int how)
{
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	REQUIRE(pthread_sigmask(how, &alarm_only, NULL) == 0);
}

static void *
work(void *arg)
{
	struct hand hand = { .seed = (uintptr_t)arg };

	while (atomic_load(&stop) == 0)
		turn(&hand, M_WAITOK);
	give_all(&hand);
	return NULL;
}

static void
set_up(void)
{
	struct sigaction action = { .sa_handler = handler };

	for (int i = 0; i < 3; i++)
		zones[i] = zone_make("signal", (int)sizes[i], 7);
	REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
}

static void
timer(long us)
{
	const struct itimerval every = { { 0, us }, { 0, us } };

	REQUIRE(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void
settle(struct hand *hand)
{
	timer(0);
	signal(SIGALRM, SIG_IGN);
	give_all(hand);
	give_all(&handler_hand);
	harness_say("# handler runs %d, items %ld, refused %ld\n",
	    atomic_load(&handled), atomic_load(&served), atomic_load(&refused));
	CHECK_EQ(atomic_load(&broken), 0);
	CHECK(atomic_load(&served) > 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(zone_numbers(zones[i]).used_items, 0);
		zone_end(zones[i]);
	}
}

TEST_TIME(handler_interrupts_one_thread, 100)
{
	struct hand hand = { .seed = 5 };

	set_up();
	timer(60);
	while (atomic_load(&handled) < HANDLED)
		turn(&hand, M_WAITOK);
	settle(&hand);
}

/* Reclaim empties the caches, so that most of the calls miss. */
TEST_TIME(handler_interrupts_misses, 100)
{
	struct hand hand = { .seed = 5 };

	set_up();
	timer(60);
	while (atomic_load(&handled) < HANDLED / 4) {
		for (int i = 0; i < 20; i++)
			turn(&hand, M_WAITOK);
		uma_reclaim();
	}
	settle(&hand);
}

TEST_TIME(handler_beside_other_threads, 100)
{
	struct hand hand = { .seed = 5 };
	pthread_t t[3];

	set_up();
	/* They are born with the mask: none ever takes the signal. */
	mask(SIG_BLOCK);
	for (uintptr_t i = 0; i < 3; i++)
		t[i] = thread_start(work, (void *)(i + 1));
	mask(SIG_UNBLOCK);
	timer(60);
	while (atomic_load(&handled) < HANDLED / 2)
		turn(&hand, M_WAITOK);
	timer(0);
	atomic_store(&stop, 1);
	for (int i = 0; i < 3; i++)
		thread_join(t[i]);
	settle(&hand);
}

TEST_MAIN
