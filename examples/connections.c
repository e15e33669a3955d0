/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connections.c - a small server on zones of its own
 *
 * Four workers serve clients over socket pairs.  Each connection, its buffer
 * and each request is an item of a zone.  What this shows:
 *
 *   - init makes what outlives a connection: its mutex and list head are set
 *     up once when memory enters the zone, not for every client;
 *   - ctor makes what each client needs afresh; dtor leaves the item as init
 *     left it, so the next client finds a mutex that works;
 *   - fini undoes init when memory leaves the zone;
 *   - at the end uma_zdestroy() tells whether anything was forgotten;
 *   - uma_stats_print() shows all of it as vmstat -z would.
 *
 * Build:  cc connections.c $(pkg-config --cflags --libs uma) -lpthread
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uma/stats.h>
#include <uma/uma.h>

#define WORKERS      4
#define CONNECTIONS  2000 /* by each worker, one after the other */
#define REQUESTS     8    /* on each connection */
#define BUFFER_BYTES 2048

struct request {
	STAILQ_ENTRY(request) next;
	int number;
	char text[48];
};

struct connection {
	pthread_mutex_t lock;                 /* from init to fini */
	STAILQ_HEAD(requests, request) queue; /* empty when free */
	int fd;                               /* -1 when free */
	int peer;
	char *buffer;
};

static uma_zone_t connection_zone;
static uma_zone_t buffer_zone;
static uma_zone_t request_zone;

/* How often each callback ran: checked at the end. */
static atomic_int inits, ctors, dtors, finis;
static atomic_int answers;

/* Relaxed: the threads are joined before anyone reads the sums. */
static void
bump(atomic_int *count)
{
	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static int
sum(const atomic_int *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static void
require(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "connections: %s\n", what);
		exit(1);
	}
}

/* ---- the connection's life ---- */

/* Once, when memory enters the zone. */
static void
connection_init(void *mem, int size)
{
	struct connection *c = mem;

	(void)size;
	require(pthread_mutex_init(&c->lock, NULL) == 0, "no mutex");
	STAILQ_INIT(&c->queue);
	c->fd = -1;
	c->peer = -1;
	c->buffer = NULL;
	bump(&inits);
}

/* For each client; `arg` is what uma_zalloc_arg() was given. */
static void
connection_ctor(void *mem, int size, void *arg)
{
	struct connection *c = mem;
	const int *fds = arg;

	(void)size;
	c->fd = fds[0];
	c->peer = fds[1];
	/* A constructor may allocate.  With M_WAITOK this cannot fail. */
	c->buffer = uma_zalloc(buffer_zone, M_WAITOK);
	bump(&ctors);
}

/* Leaves the item as init left it: the mutex stays, the queue is empty. */
static void
connection_dtor(void *mem, int size, void *arg)
{
	struct connection *c = mem;

	(void)size;
	(void)arg;
	require(STAILQ_EMPTY(&c->queue), "closed with requests waiting");
	uma_zfree(buffer_zone, c->buffer);
	c->buffer = NULL;
	close(c->fd);
	close(c->peer);
	c->fd = -1;
	c->peer = -1;
	bump(&dtors);
}

/* Once, when memory leaves the zone. */
static void
connection_fini(void *mem, int size)
{
	struct connection *c = mem;

	(void)size;
	pthread_mutex_destroy(&c->lock);
	bump(&finis);
}

/* ---- the server ---- */

/* Read what the client sent and queue one request for each line. */
static void
receive(struct connection *c)
{
	ssize_t length = read(c->fd, c->buffer, BUFFER_BYTES - 1);
	char *line, *rest;

	require(length > 0, "the client sent nothing");
	c->buffer[length] = '\0';
	for (line = strtok_r(c->buffer, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct request *r = uma_zalloc(request_zone, M_WAITOK);

		r->number = atoi(line);
		snprintf(r->text, sizeof r->text, "answer to %d\n", r->number);
		pthread_mutex_lock(&c->lock);
		STAILQ_INSERT_TAIL(&c->queue, r, next);
		pthread_mutex_unlock(&c->lock);
	}
}

static void
answer(struct connection *c)
{
	struct request *r;

	pthread_mutex_lock(&c->lock);
	while ((r = STAILQ_FIRST(&c->queue)) != NULL) {
		size_t length = strlen(r->text);

		STAILQ_REMOVE_HEAD(&c->queue, next);
		require(write(c->fd, r->text, length) == (ssize_t)length,
		    "the client is gone");
		uma_zfree(request_zone, r);
		bump(&answers);
	}
	pthread_mutex_unlock(&c->lock);
}

/* The client's side: what it asks, and whether it was answered. */
static void
ask(int fd)
{
	char text[BUFFER_BYTES];
	size_t length = 0;

	for (int i = 0; i < REQUESTS; i++)
		length += (size_t)snprintf(
		    text + length, sizeof text - length, "%d\n", i);
	require(write(fd, text, length) == (ssize_t)length, "cannot ask");
}

static void
check_answers(int fd)
{
	char text[BUFFER_BYTES], expected[BUFFER_BYTES];
	size_t length = 0;
	ssize_t got;

	for (int i = 0; i < REQUESTS; i++)
		length += (size_t)snprintf(expected + length,
		    sizeof expected - length, "answer to %d\n", i);
	got = read(fd, text, sizeof text);
	require(got == (ssize_t)length && memcmp(text, expected, length) == 0,
	    "a wrong answer");
}

static void *
work(void *unused)
{
	(void)unused;
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c;
		int fds[2];

		require(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0,
		    "no socket pair");
		c = uma_zalloc_arg(connection_zone, fds, M_WAITOK);
		ask(c->peer);
		receive(c);
		answer(c);
		check_answers(c->peer);
		uma_zfree(connection_zone, c);
	}
	return NULL;
}

/* ---- all of it ---- */

static void
make_zones(void)
{
	connection_zone = uma_zcreate("connection", sizeof(struct connection),
	    connection_ctor, connection_dtor, connection_init, connection_fini,
	    UMA_ALIGN_CACHE, 0);
	buffer_zone = uma_zcreate("connection buffer", BUFFER_BYTES, NULL, NULL,
	    NULL, NULL, UMA_ALIGN_CACHE, 0);
	request_zone = uma_zcreate("request", sizeof(struct request), NULL,
	    NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	require(connection_zone != NULL && buffer_zone != NULL &&
		    request_zone != NULL,
	    "no memory for zones");
}

static void
serve(void)
{
	pthread_t workers[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		require(pthread_create(&workers[i], NULL, work, NULL) == 0,
		    "no thread");
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
}

int
main(void)
{
	struct connection *held;
	int fds[2];

	make_zones();
	serve();

	/* While an item is out, a zone refuses to go. */
	require(
	    socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "no socket pair");
	held = uma_zalloc_arg(connection_zone, fds, M_WAITOK);
	require(uma_zdestroy(connection_zone, M_NOWAIT) == EWOULDBLOCK,
	    "a zone in use was destroyed");
	uma_stats_print(STDOUT_FILENO);
	uma_zfree(connection_zone, held);

	require(uma_zdestroy(connection_zone, M_NOWAIT) == 0 &&
		    uma_zdestroy(buffer_zone, M_NOWAIT) == 0 &&
		    uma_zdestroy(request_zone, M_NOWAIT) == 0,
	    "a zone was left with items out");
	require(sum(&ctors) == WORKERS * CONNECTIONS + 1 &&
		    sum(&dtors) == sum(&ctors),
	    "a ctor or dtor was missed");
	require(sum(&inits) > 0 && sum(&finis) == sum(&inits),
	    "an init or fini was missed");
	require(sum(&answers) == WORKERS * CONNECTIONS * REQUESTS,
	    "a request was not answered");
	printf("%d connections, %d requests; %d mutexes made for them\n",
	    sum(&ctors), sum(&answers), sum(&inits));
	return 0;
}
