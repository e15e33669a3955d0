/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <stdio.h>
#include <uma/uma.h>

struct conn {
	pthread_mutex_t lock;
	int fd;
};
static int made, served;

static void
conn_init(void *mem, int size) /* once, when memory enters the zone */
{
	pthread_mutex_init(&((struct conn *)mem)->lock, NULL);
	made += size == sizeof(struct conn);
}

static void
conn_ctor(void *mem, int size, void *arg) /* for every allocation */
{
	((struct conn *)mem)->fd = *(const int *)arg;
	served += size == sizeof(struct conn);
}

int
main(void)
{
	uma_zone_t zone = uma_zcreate("conn", sizeof(struct conn), conn_ctor,
	    NULL, conn_init, NULL, UMA_ALIGN_PTR, 0);

	for (int fd = 0; fd < 1000; fd++) {
		struct conn *conn = uma_zalloc_arg(zone, &fd, M_WAITOK);

		pthread_mutex_lock(&conn->lock); /* made long ago */
		pthread_mutex_unlock(&conn->lock);
		uma_zfree(zone, conn);
	}
	printf("%d connections served, %d mutexes made\n", served, made);
	return uma_zdestroy(zone, M_NOWAIT) != 0 || served != 1000;
}
