/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mbuf_client - network buffers in the manner of 1997, over vm_zone(9)
 *
 * Headers and clusters come from ZONE_INTERRUPT zones, control blocks from a
 * boot zone that is completed later, as the kernel's PV entries were.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>

#include <vm/vm.h>
#include <vm/vm_object.h>
#include <vm/vm_zone.h>

#include "clients.h"

#define NMBUFS    512
#define NCLUSTERS 64
#define NPCB_BOOT 4
#define NPCB      60

#define MLEN (MSIZE - 4 * sizeof(void *))

struct mbuf {
	struct mbuf *m_next;
	struct mbuf *m_nextpkt;
	caddr_t m_data;
	u_short m_len;
	u_short m_flags;
	char m_dat[MLEN];
};
#define M_EXT 0x0001

struct pcb {
	struct mbuf *pcb_queue;
	u_long pcb_sent;
	u_long pcb_magic;
};

static vm_zone_t mbzone;
static vm_zone_t mclzone;
static struct vm_zone pcbzone_store;
static vm_zone_t pcbzone = &pcbzone_store;
static struct vm_object pcbzone_obj;
static struct pcb pcb_initial[NPCB_BOOT];

/* Early: nothing but static memory. */
static void
pcb_bootstrap(void *unused)
{
	(void)unused;
	zbootinit(pcbzone, "PCB", sizeof(struct pcb), pcb_initial, NPCB_BOOT);
}
SYSINIT(pcbboot, SI_SUB_VM, SI_ORDER_FIRST, pcb_bootstrap, NULL);

static void
mbinit(void *unused)
{
	(void)unused;
	mbzone = zinit("MBUF", sizeof(struct mbuf), NMBUFS, ZONE_INTERRUPT, 2);
	mclzone = zinit("MCLUSTER", MCLBYTES, NCLUSTERS, ZONE_INTERRUPT, 4);
	if (mbzone == NULL || mclzone == NULL)
		panic("mbinit: no address space");
	if (!zinitna(pcbzone, &pcbzone_obj, NULL, 0, NPCB, ZONE_INTERRUPT, 1))
		panic("mbinit: no address space for control blocks");
}
SYSINIT(mbuf, SI_SUB_MBUF, SI_ORDER_FIRST, mbinit, NULL);

static struct mbuf *
m_get(void)
{
	struct mbuf *m = zalloci(mbzone);

	if (m == NULL)
		return (NULL);
	m->m_next = NULL;
	m->m_nextpkt = NULL;
	m->m_data = m->m_dat;
	m->m_len = 0;
	m->m_flags = 0;
	return (m);
}

static void
m_clget(struct mbuf *m)
{
	caddr_t cl = zalloci(mclzone);

	if (cl == NULL)
		return;
	m->m_data = cl;
	m->m_flags |= M_EXT;
}

static struct mbuf *
m_free(struct mbuf *m)
{
	struct mbuf *n = m->m_next;

	if ((m->m_flags & M_EXT) != 0)
		zfreei(mclzone, m->m_data);
	zfreei(mbzone, m);
	return (n);
}

static void
m_freem(struct mbuf *m)
{
	while (m != NULL)
		m = m_free(m);
}

/* A chain of `len` bytes of a pattern; NULL when buffers ran out. */
static struct mbuf *
m_fill(u_int seed, u_int len)
{
	struct mbuf *top = NULL;
	struct mbuf **mp = &top;
	u_int at = 0;
	u_int i, room;

	while (at < len) {
		*mp = m_get();
		if (*mp == NULL) {
			m_freem(top);
			return (NULL);
		}
		if (len - at > MLEN)
			m_clget(*mp);
		room = ((*mp)->m_flags & M_EXT) != 0 ? MCLBYTES : MLEN;
		(*mp)->m_len = (u_short)MIN(room, len - at);
		for (i = 0; i < (*mp)->m_len; i++)
			(*mp)->m_data[i] = (char)(seed + at + i);
		at += (*mp)->m_len;
		mp = &(*mp)->m_next;
	}
	return (top);
}

static int
m_check(const struct mbuf *m, u_int seed, u_int len)
{
	u_int at = 0;
	u_int i;

	for (; m != NULL; m = m->m_next)
		for (i = 0; i < m->m_len; i++, at++)
			if (m->m_data[i] != (char)(seed + at))
				return (0);
	return (at == len);
}

int
mbuf_client(unsigned seed)
{
	struct pcb *pcb;
	u_int round, len;
	u_long sent = 0;

	pcb = zalloc(pcbzone);
	if (pcb == NULL)
		return (__LINE__);
	bzero(pcb, sizeof(*pcb));
	pcb->pcb_magic = seed;
	for (round = 0; round < 20000; round++) {
		seed = seed * 1103515245 + 12345;
		len = 1 + (seed >> 16) % 5000;
		pcb->pcb_queue = m_fill(seed, len);
		if (pcb->pcb_queue == NULL)
			continue;
		if (!m_check(pcb->pcb_queue, seed, len))
			return (__LINE__);
		m_freem(pcb->pcb_queue);
		pcb->pcb_sent++;
		sent++;
	}
	if (pcb->pcb_sent != sent || sent == 0)
		return (__LINE__);
	zfree(pcbzone, pcb);
	return (0);
}

/* Every buffer is there again, and not one more. */
static int
count(vm_zone_t z, int expected)
{
	static void *held[NMBUFS + NCLUSTERS + NPCB + NPCB_BOOT];
	int n = 0;
	int i;

	while ((held[n] = zalloci(z)) != NULL)
		if (++n > expected)
			return (0);
	for (i = 0; i < n; i++)
		zfreei(z, held[i]);
	return (n == expected);
}

int
mbuf_client_end(void)
{
	if (!count(mbzone, NMBUFS))
		return (__LINE__);
	if (!count(mclzone, NCLUSTERS))
		return (__LINE__);
	if (!count(pcbzone, NPCB_BOOT + NPCB))
		return (__LINE__);
	zdestroy(mbzone);
	zdestroy(mclzone);
	return (0);
}
