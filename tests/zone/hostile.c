/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile.c - what a hostile reader of the code once broke
 *
 * Each test is the shortest program that showed a defect: callbacks that use
 * the library while it works for another zone, frees that race with a waiting
 * destroy, and children that inherit what other threads had under way.
 */
#include "common.h"

#include <pthread.h>
#include <sys/time.h>
#include <sys/wait.h>

static uma_zone_t other;
static int destroyed = -1;

static void
fini_destroys_other(void *mem, int size)
{
	(void)mem;
	(void)size;
	if (other != NULL) {
		uma_zone_t zone = other;

		other = NULL;
		destroyed = uma_zdestroy(zone, M_NOWAIT);
	}
}

TEST(fini_in_reclaim_may_destroy_another_zone)
{
	uma_zone_t zone = uma_zcreate("fini", 512, NULL, NULL, NULL,
	    fini_destroys_other, UMA_ALIGN_PTR, 0);

	REQUIRE(zone != NULL);
	uma_zfree(zone, uma_zalloc(zone, M_WAITOK));
	other = zone_make("other", 64, 7);
	uma_zfree(other, uma_zalloc(other, M_WAITOK));
	uma_reclaim();
	CHECK_EQ(destroyed, 0);
	zone_end(zone);
}

/* ---- destroy against frees ---- */

enum { ITEMS = 20000, ROUNDS = HOSTILE ? 2 : 40 };

struct half {
	uma_zone_t zone;
	void *items[ITEMS];
};

static void *
free_all(void *arg)
{
	struct half *h = arg;

	for (int i = 0; i < ITEMS; i++)
		uma_zfree(h->zone, h->items[i]);
	return NULL;
}

TEST_TIME(waiting_destroy_races_with_frees, 60)
{
	static struct half half[2];

	for (int round = 0; round < ROUNDS; round++) {
		uma_zone_t zone = zone_make("race", 48, 7);
		pthread_t t[2];

		for (int k = 0; k < 2; k++) {
			half[k].zone = zone;
			for (int i = 0; i < ITEMS; i++)
				half[k].items[i] = uma_zalloc(zone, M_WAITOK);
		}
		for (int k = 0; k < 2; k++)
			t[k] = thread_start(free_all, &half[k]);
		CHECK_EQ(uma_zdestroy(zone, M_WAITOK), 0);
		for (int k = 0; k < 2; k++)
			thread_join(t[k]);
	}
}

/* ---- fork ---- */

static void *
wait_for_item(void *arg)
{
	return uma_zalloc(arg, M_WAITOK);
}

/* The child has the only thread: nobody waits in line there. */
TEST(a_waiter_is_not_inherited)
{
	static void *items[20000];
	uma_zone_t zone = uma_zcreate(
	    "static", 1000, NULL, NULL, NULL, NULL, 7, UMA_ZONE_STATIC);
	int count = 0;
	int status;
	pthread_t t;
	pid_t pid;

	REQUIRE(zone != NULL);
	uma_prealloc(zone, 50);
	while (count < 20000 &&
	       (items[count] = uma_zalloc(zone, M_NOWAIT)) != NULL)
		count++;
	t = thread_start(wait_for_item, zone);
	usleep(50000);
	pid = fork();
	if (pid == 0) {
		alarm(10);
		for (int i = 0; i < count; i++)
			uma_zfree(zone, items[i]);
		_exit(uma_zalloc(zone, M_NOWAIT) == NULL);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
	uma_zfree(zone, items[--count]);
	uma_zfree(zone, thread_join(t));
	while (count > 0)
		uma_zfree(zone, items[--count]);
	zone_end(zone);
}

enum { FORKS = 100, BETWEEN_US = 3000 };

static _Atomic bool forker_runs;
static _Atomic int forks_done;

static void
ring_once(void)
{
	const struct itimerval once = { { 0, 0 }, { 0, BETWEEN_US } };

	setitimer(ITIMER_REAL, &once, NULL);
}

static void
fork_in_handler(int signo)
{
	int status = -1;
	pid_t pid = fork();

	(void)signo;
	if (pid == 0)
		_exit(0);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	atomic_fetch_add(&forks_done, status == 0);
	/* Counted from here: a fork may take longer than that. */
	if (atomic_load(&forks_done) < FORKS)
		ring_once();
}

static void *
churn(void *arg)
{
	uma_zone_t zone = arg;
	static __thread void *hold[600];

	while (atomic_load(&forker_runs)) {
		for (int i = 0; i < 600; i++)
			hold[i] = uma_zalloc(zone, M_WAITOK);
		for (int i = 0; i < 600; i++)
			uma_zfree(zone, hold[i]);
		uma_reclaim();
	}
	return NULL;
}

/* The handler's thread may hold what the others wait for, and goes on. */
TEST_TIME(fork_in_a_handler_while_others_want_the_same_locks, 60)
{
	uma_zone_t zone = zone_make("shared", 3000, 7);
	static void *hold[600];
	sigset_t alarms;
	pthread_t t[3];

	signal(SIGALRM, fork_in_handler);
	atomic_store(&forker_runs, true);
	/* They are born with the mask: none ever takes the signal. */
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	REQUIRE(pthread_sigmask(SIG_BLOCK, &alarms, NULL) == 0);
	for (int i = 0; i < 3; i++)
		t[i] = thread_start(churn, zone);
	REQUIRE(pthread_sigmask(SIG_UNBLOCK, &alarms, NULL) == 0);
	ring_once();
	while (atomic_load(&forks_done) < FORKS) {
		for (int i = 0; i < 600; i++)
			hold[i] = uma_zalloc(zone, M_WAITOK);
		for (int i = 0; i < 600; i++)
			uma_zfree(zone, hold[i]);
		uma_reclaim();
	}
	atomic_store(&forker_runs, false);
	for (int i = 0; i < 3; i++)
		thread_join(t[i]);
	zone_end(zone);
}

/* ---- addresses that are no items ---- */

TEST(beyond_the_limit_of_an_object_there_are_no_items)
{
	uma_zone_t zone = zone_make("four", 128, 7);
	char *items[4];
	char *highest = NULL;
	char *beyond;

	CHECK_EQ(uma_zone_set_obj(zone, NULL, 4), 1);
	for (int i = 0; i < 4; i++) {
		items[i] = uma_zalloc(zone, M_WAITOK);
		if (items[i] > highest)
			highest = items[i];
	}
	beyond = highest + 128;
	DIES(uma_zfree(zone, beyond),
	    "uma: uma_zfree: pointer into an item: ptr %p zone \"four\"",
	    (void *)beyond);
	for (int i = 0; i < 4; i++)
		uma_zfree(zone, items[i]);
	zone_end(zone);
}

TEST_MAIN
