/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * old_zone.c - packets from vm_zones, as a driver of 1998 took them
 *
 * What this shows:
 *
 *   - ZONE_INTERRUPT: room for so many packets is set aside at once, and a
 *     signal handler may take them; when all are out, zalloci() says NULL;
 *   - zbootinit(): a zone that works from static memory, before anything else,
 *     and that zinitna() lets grow later;
 *   - memory is zeroed once: a packet taken again is as it was left;
 *   - uma_vm_zone_print() shows what `sysctl vm.zone` did.
 *
 * Build:  cc old_zone.c $(pkg-config --cflags --libs uma)
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uma/vm_zone.h>

#define PACKETS 100

struct packet {
	struct packet *next;
	int uses; /* survives from one user to the next */
	char data[1500];
};

struct device {
	int unit;
	struct packet *received;
};

static struct device first_devices[2];
static struct vm_zone device_store;
static vm_zone_t device_zone = &device_store;
static vm_zone_t packet_zone;
static struct device *device;

static void
require(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "old_zone: %s\n", what);
		exit(1);
	}
}

/* The device has something for us. */
static void
interrupt(int signo)
{
	struct packet *p = zalloci(packet_zone);

	(void)signo;
	if (p == NULL)
		return; /* dropped, as on a full ring */
	p->uses++;
	p->next = device->received;
	device->received = p;
}

/* How many packets the handler could get of twice as many as there are. */
static int
receive(void)
{
	struct packet *p;
	int count = 0;

	for (int i = 0; i < 2 * PACKETS; i++)
		raise(SIGUSR1);
	uma_vm_zone_print(STDOUT_FILENO);
	while ((p = device->received) != NULL) {
		device->received = p->next;
		zfreei(packet_zone, p);
		count++;
	}
	return count;
}

int
main(void)
{
	struct packet *p;

	/* The first devices are found before there is any allocator. */
	zbootinit(
	    device_zone, "DEVICE", sizeof(struct device), first_devices, 2);
	device = zalloc(device_zone);
	require(device >= first_devices && device < first_devices + 2,
	    "the boot items do not come first");

	require(zinitna(device_zone, NULL, NULL, 0, 0, 0, 1) == 1,
	    "no memory for devices");
	packet_zone =
	    zinit("PACKET", sizeof(struct packet), PACKETS, ZONE_INTERRUPT, 4);
	require(packet_zone != NULL, "no room for packets");

	signal(SIGUSR1, interrupt);
	for (int round = 1; round <= 3; round++)
		require(receive() == PACKETS, "not all packets, or too many");

	/* Three users each, and nobody set the counts to zero. */
	p = zalloc(packet_zone);
	require(p != NULL && p->uses == 3, "memory was not left as it was");
	zfree(packet_zone, p);
	zfree(device_zone, device);
	zdestroy(packet_zone);
	printf("%d packets, three times\n", PACKETS);
	return 0;
}
