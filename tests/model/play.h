/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * play.h - one step after another on the library and on a naive reference
 *
 * A step is one call of the public interface, or a run of the same call.  It
 * names zones and items by slots.  A step that makes no sense where it stands
 * (a free of an empty slot, a creation in a used one) does nothing, so that
 * any part of a sequence is a sequence too: that is what makes it possible to
 * shorten one that fails.
 *
 * The reference knows what every item must hold, which addresses are taken,
 * and what each counter must read.  The first difference ends the process:
 * with status 1 if somebody watches, else with one line and by abort().  One
 * thread only.
 */
#ifndef TESTS_MODEL_PLAY_H
#define TESTS_MODEL_PLAY_H

#include <stdatomic.h>
#include <stdint.h>
#include <uma/stats.h>
#include <uma/uma.h>

enum { PLAY_ZONES = 10, PLAY_ITEMS = 3000 };

enum act {
	CREATE,       /* zone, size, align, flags, kind */
	SET_OBJ,      /* zone, count; kind: anonymous, descriptor, too small */
	ALLOC,        /* zone, item, flags, kind: FAST */
	FREE,         /* item, kind: FAST */
	FILL,         /* zone, item (the first), count, flags, kind: FAST */
	DRAIN,        /* zone, count, kind: an order, FAST */
	PREALLOC,     /* zone, count */
	RECLAIM,      /* - */
	REFUSE,       /* zone, count, kind: NULL or misaligned memory */
	DESTROY,      /* zone, flags */
	NUMBERS,      /* - */
	STARTUP,      /* must be the first step */
	STARTUP2,     /* - */
	MALLOC,       /* item, size */
	CALLOC,       /* item, size, count */
	REALLOC,      /* item, size */
	ALIGNED,      /* item, size, align, kind: which of three functions */
	BLOCK_FREE,   /* item */
	TYPED_TAKE,   /* item, size, align, flags, count: type; kind: way */
	TYPED_RESIZE, /* item, size, kind: which of two functions */
	TYPED_FREE,   /* item, kind: which of two functions */
	VM_MAKE,      /* zone, size, count, kind: limited, own structure */
	VM_TAKE,      /* zone, item, kind: which of two functions */
	VM_GIVE,      /* item, kind: which of two functions */
	VM_END,       /* zone */
	ACTS
};

/* Bits of `kind`, for DRAIN beside an order: oldest, newest, every second. */
enum {
	ORDERS = 3,
	FAST = 4 /* by the inlined hit of <uma/fast.h> */
};

/* What a zone is created with: bits of `kind`. */
enum {
	WITH_CTOR = 1,
	WITH_DTOR = 2,
	WITH_INIT = 4,
	WITH_FINI = 8,
	WITH_ALLOCF = 16,
	WITH_FREEF = 32
};

struct step {
	enum act act;
	unsigned zone;
	unsigned item;
	int size;
	int align;
	int count;
	unsigned flags;
	unsigned kind;
};

/* Where the player says what it is doing; shared with who watches it. */
struct play_report {
	_Atomic unsigned step;                 /* how many were begun */
	_Atomic unsigned long long operations; /* of threads */
	char why[200];
};
extern struct play_report *play_report;

void play_step(const struct step *step);
/* Give everything back and check that nothing is left; then all is new. */
void play_end(void);

/* Play steps written out: DO(.act = FREE, .item = 3); */
#define DO(...) play_step(&(const struct step){ __VA_ARGS__ })

#endif /* TESTS_MODEL_PLAY_H */
