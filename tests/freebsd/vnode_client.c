/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vnode_client - vnodes in the manner of 2002, over <vm/uma.h>
 *
 * A vnode's lock and magic number are made once, by init, and survive from one
 * user to the next; its constructor gives it a mount and a reference, and its
 * destructor leaves it as init had made it.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>

#include <vm/uma.h>

#include "clients.h"

#define VMAGIC 0x766e6f64u
#define NHELD  40

struct mount {
	u_int mnt_serial;
};

struct vnode {
	u_int v_magic;     /* from init to fini */
	u_int v_interlock; /* 0 when free: from init to fini */
	u_int v_usecount;
	struct mount *v_mount;
	char v_name[72];
};

static uma_zone_t vnode_zone;
static uma_zone_t namei_zone;
static u_long inits, finis, ctors, dtors, wrong;

static void
bump(u_long *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static void
vnode_init(void *mem, int size)
{
	struct vnode *vp = mem;

	if (size != sizeof(struct vnode))
		bump(&wrong);
	bzero(vp, sizeof(*vp));
	vp->v_magic = VMAGIC;
	bump(&inits);
}

static void
vnode_fini(void *mem, int size)
{
	struct vnode *vp = mem;

	(void)size;
	if (vp->v_magic != VMAGIC || vp->v_interlock != 0)
		bump(&wrong);
	vp->v_magic = 0;
	bump(&finis);
}

static void
vnode_ctor(void *mem, int size, void *arg)
{
	struct vnode *vp = mem;

	(void)size;
	if (vp->v_magic != VMAGIC || vp->v_usecount != 0)
		bump(&wrong);
	vp->v_mount = arg;
	vp->v_usecount = 1;
	bump(&ctors);
}

static void
vnode_dtor(void *mem, int size, void *arg)
{
	struct vnode *vp = mem;

	(void)size;
	if (arg != vp->v_mount)
		bump(&wrong);
	vp->v_mount = NULL;
	vp->v_usecount = 0;
	bump(&dtors);
}

static void
vntblinit(void *unused)
{
	(void)unused;
	vnode_zone = uma_zcreate("VNODE", sizeof(struct vnode), vnode_ctor,
	    vnode_dtor, vnode_init, vnode_fini, UMA_ALIGN_PTR, 0);
	namei_zone = uma_zcreate(
	    "NAMEI", 1024, NULL, NULL, NULL, NULL, UMA_ALIGN_PTR, 0);
	if (vnode_zone == NULL || namei_zone == NULL)
		panic("vntblinit: no memory");
}
SYSINIT(vfs, SI_SUB_VFS, SI_ORDER_FIRST, vntblinit, NULL);

static struct vnode *
getnewvnode(struct mount *mp, const char *path)
{
	struct vnode *vp = uma_zalloc_arg(vnode_zone, mp, M_WAITOK);
	char *name = uma_zalloc(namei_zone, M_WAITOK | M_ZERO);

	snprintf(name, 1024, "%s-%u", path, mp->mnt_serial);
	bcopy(name, vp->v_name, sizeof(vp->v_name));
	uma_zfree(namei_zone, name);
	return (vp);
}

static void
vrele(struct vnode *vp)
{
	KASSERT(vp->v_usecount == 1, ("vrele: %u users", vp->v_usecount));
	uma_zfree_arg(vnode_zone, vp, vp->v_mount);
}

int
vnode_client(unsigned seed)
{
	struct vnode *held[NHELD];
	struct mount mnt;
	char name[72];
	u_int i, at;

	mnt.mnt_serial = seed;
	bzero(held, sizeof(held));
	bzero(name, sizeof(name));
	snprintf(name, sizeof(name), "file-%u", seed);
	for (i = 0; i < 50000; i++) {
		seed = seed * 1103515245 + 12345;
		at = (seed >> 16) % NHELD;
		if (held[at] == NULL) {
			held[at] = getnewvnode(&mnt, "file");
			continue;
		}
		if (held[at]->v_mount != &mnt ||
		    strcmp(held[at]->v_name, name) != 0)
			return (__LINE__);
		vrele(held[at]);
		held[at] = NULL;
	}
	for (at = 0; at < NHELD; at++)
		if (held[at] != NULL)
			vrele(held[at]);
	return (0);
}

int
vnode_client_end(void)
{
	struct mount mnt;
	struct vnode *vp;

	mnt.mnt_serial = 1;
	vp = getnewvnode(&mnt, "last");
	if (uma_zdestroy(vnode_zone, M_NOWAIT) == 0)
		return (__LINE__);
	vrele(vp);
	if (uma_zdestroy(vnode_zone, M_NOWAIT) != 0)
		return (__LINE__);
	if (uma_zdestroy(namei_zone, M_NOWAIT) != 0)
		return (__LINE__);
	if (wrong != 0 || ctors != dtors || inits != finis || inits == 0)
		return (__LINE__);
	return (0);
}
