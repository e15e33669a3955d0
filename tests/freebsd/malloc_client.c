/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc_client - a driver's unit table, in the manner of kernel sources
 *
 * The table grows by realloc as units come; each unit has a softc that has to
 * be zero and a name of its own.  Everything is counted by two types.
 */
#include <sys/param.h>
#include <sys/systm.h>
#include <sys/kernel.h>
#include <sys/malloc.h>

#include "malloc_client.h"

#define NUNITS 200

MALLOC_DECLARE(M_FOONAME); /* as a header of the driver would */
static MALLOC_DEFINE(M_FOOTAB, "foo_table", "foo(4) unit table");
MALLOC_DEFINE(M_FOONAME, "foo_name", "foo(4) unit names");

struct foo_softc {
	int sc_unit;
	char *sc_name;
	uint32_t sc_regs[20];
	struct {
		int (*free)(int); /* a field may be called so */
	} sc_ops;
};

struct foo_table {
	struct foo_softc **ft_unit;
	size_t ft_count;
	size_t ft_room;
};

static int
foo_release(int unit)
{
	return (unit);
}

static int
foo_grow(struct foo_table *ft)
{
	size_t room = ft->ft_room == 0 ? 4 : ft->ft_room * 2;

	if (WOULD_OVERFLOW(room, sizeof(*ft->ft_unit)))
		return (__LINE__);
	ft->ft_unit = realloc(
	    ft->ft_unit, room * sizeof(*ft->ft_unit), M_FOOTAB, M_WAITOK);
	if (malloc_usable_size(ft->ft_unit) < room * sizeof(*ft->ft_unit))
		return (__LINE__);
	ft->ft_room = room;
	return (0);
}

static int
foo_attach(struct foo_table *ft, int unit)
{
	struct foo_softc *sc;
	u_int i;

	if (ft->ft_count == ft->ft_room && foo_grow(ft) != 0)
		return (__LINE__);
	sc = malloc(sizeof(*sc), M_FOOTAB, M_WAITOK | M_ZERO);
	for (i = 0; i < nitems(sc->sc_regs); i++) {
		if (sc->sc_regs[i] != 0)
			return (__LINE__);
	}
	sc->sc_unit = unit;
	sc->sc_name =
	    mallocarray(16, 1 + (size_t)unit % 9, M_FOONAME, M_WAITOK);
	snprintf(sc->sc_name, 16, "foo%d", unit);
	sc->sc_ops.free = foo_release;
	sc->sc_regs[unit % 20] = 0xffffffff;
	ft->ft_unit[ft->ft_count++] = sc;
	return (0);
}

static int
foo_detach(struct foo_softc *sc)
{
	char want[16];

	snprintf(want, sizeof(want), "foo%d", sc->sc_unit);
	if (strcmp(sc->sc_name, want) != 0)
		return (__LINE__);
	if (sc->sc_ops.free(sc->sc_unit) != sc->sc_unit)
		return (__LINE__);
	zfree(sc->sc_name, M_FOONAME);
	bzero(sc, sizeof(*sc));
	free(sc, M_FOOTAB);
	return (0);
}

int
malloc_client(unsigned seed)
{
	struct foo_table ft = { NULL, 0, 0 };
	int line = 0;
	int unit;

	for (unit = 0; unit < NUNITS && line == 0; unit++)
		line = foo_attach(&ft, (int)(seed % 1000) + unit);
	while (ft.ft_count != 0 && line == 0)
		line = foo_detach(ft.ft_unit[--ft.ft_count]);
	free(ft.ft_unit, M_FOOTAB);
	return (line);
}

void
malloc_client_leak(void)
{
	char *name = malloc(100, M_FOONAME, M_NOWAIT);

	KASSERT(name != NULL, ("no memory for %d bytes", 100));
	bcopy("lost", name, 5);
}

static int
count_type(struct malloc_type *type)
{
	return (type == M_FOOTAB || type == M_FOONAME || type == M_TEMP);
}

static void
see_type(struct malloc_type *type, void *arg)
{
	*(int *)arg += count_type(type);
}

static int
aligned_calls(void)
{
	char *p = malloc_aligned(100, 8192, M_TEMP, M_WAITOK);

	if ((uintptr_t)p % 8192 != 0)
		return (__LINE__);
	free(p, M_TEMP);
	p = malloc_domainset_aligned(100, 256, M_DEVBUF, NULL, M_NOWAIT);
	if (p == NULL || (uintptr_t)p % 256 != 0)
		return (__LINE__);
	free(p, M_DEVBUF);
	p = malloc_domainset(10, M_TEMP, NULL, M_WAITOK | M_USE_RESERVE);
	p = reallocf(p, 100000, M_TEMP, M_WAITOK | M_NODUMP);
	free(p, M_TEMP);
	p = mallocarray_domainset(10, 10, M_TEMP, NULL, M_NOWAIT);
	free(p, M_TEMP);
	return (p == NULL ? __LINE__ : 0);
}

int
malloc_client_calls(void)
{
	int seen = 0;

	malloc_type_list(see_type, &seen);
	if (seen != 3)
		return (__LINE__);
	if (malloc_desc2type("foo_table") != M_FOOTAB)
		return (__LINE__);
	if (malloc_size(1) < 1 || malloc_size(1 << 20) != 0)
		return (__LINE__);
	malloc_type_allocated(M_TEMP, 5000);
	malloc_type_freed(M_TEMP, 5000);
	free(NULL, M_TEMP);
	return (aligned_calls());
}

void
malloc_client_read(struct malloc_client_numbers *n)
{
	struct uma_malloc_stats table, names;

	uma_malloc_stats(M_FOOTAB, &table);
	uma_malloc_stats(M_FOONAME, &names);
	n->table_blocks = (unsigned long)table.in_use;
	n->name_blocks = (unsigned long)names.in_use;
	n->requests = (unsigned long)(table.allocs + names.allocs);
}
