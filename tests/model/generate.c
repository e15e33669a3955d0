/* SPDX-License-Identifier: BSD-2-Clause */
/* Sequences from a seed: mostly sense, now and then the borders. */
#include "model/model.h"
#include "model/stamp.h"

/* The generator's idea of the zones; a step that misses is no harm. */
struct maker {
	uint64_t seed;
	uint64_t ways; /* dice of their own: the calls stay those of the seed */
	bool blocks;
	int size[PLAY_ZONES]; /* 0: no zone there */
};

static bool
chance(struct maker *m, unsigned percent)
{
	return stamp_below(&m->seed, 100) < percent;
}

static unsigned
pick(struct maker *m, unsigned n)
{
	return stamp_below(&m->seed, n);
}

static int
pick_size(struct maker *m)
{
	unsigned way = pick(m, 100);

	if (way < 50)
		return 1 + (int)pick(m, 256);
	if (way < 70)
		return 257 + (int)pick(m, 4096);
	/* On and beside powers of two. */
	if (way < 88)
		return (1 << (3 + pick(m, 14))) - 1 + (int)pick(m, 3);
	if (way < 99)
		return 1 + (int)pick(m, 140000);
	return 1 + (int)pick(m, 1 << 21);
}

static int
pick_align(struct maker *m)
{
	unsigned bits = chance(m, 85) ? pick(m, 7) : pick(m, 17);

	return (1 << bits) - 1;
}

static unsigned
pick_zone_flags(struct maker *m)
{
	unsigned flags = 0;

	if (chance(m, 15))
		flags |= UMA_ZONE_PAGEABLE;
	if (chance(m, 20))
		flags |= UMA_ZONE_ZINIT;
	if (chance(m, 15))
		flags |= UMA_ZONE_STATIC;
	if (chance(m, 10))
		flags |= UMA_ZONE_OFFPAGE;
	if (chance(m, 15))
		flags |= UMA_ZONE_NOFREE;
	return flags;
}

static unsigned
pick_kind(struct maker *m)
{
	unsigned kind = 0;

	if (chance(m, 40))
		return chance(m, 20) ? WITH_ALLOCF | WITH_FREEF : 0;
	if (chance(m, 50))
		kind |= WITH_CTOR | WITH_DTOR;
	if (chance(m, 60))
		kind |= WITH_INIT | WITH_FINI;
	if (chance(m, 15))
		kind ^= 1u << pick(m, 4);
	if (chance(m, 20))
		kind |= WITH_ALLOCF;
	if ((kind & WITH_ALLOCF) != 0 && chance(m, 70))
		kind |= WITH_FREEF;
	return kind;
}

static unsigned
pick_flags(struct maker *m)
{
	unsigned way = pick(m, 10);

	if (way == 0)
		return 0;
	return (way < 3 ? M_WAITOK : M_NOWAIT) | (chance(m, 25) ? M_ZERO : 0u);
}

/* Zones by the inlined hit, and ends that wait. */
static void
pick_way(struct maker *m, struct step *s)
{
	bool other = stamp_below(&m->ways, 100) < 40;

	if (!other)
		return;
	if (s->act >= ALLOC && s->act <= DRAIN)
		s->kind |= FAST;
	else if (s->act == DESTROY)
		s->flags = M_WAITOK;
}

static void
make_create(struct maker *m, struct step *s)
{
	s->act = CREATE;
	s->size = pick_size(m);
	s->align = pick_align(m);
	s->flags = pick_zone_flags(m);
	s->kind = pick_kind(m);
	if (m->size[s->zone] == 0)
		m->size[s->zone] = s->size + s->align;
}

/* So many that they stay within a few megabytes. */
static int
pick_count(struct maker *m, unsigned zone, unsigned most)
{
	unsigned bound = (4u << 20) / (unsigned)(m->size[zone] + 8) + 1;

	return 1 + (int)pick(m, bound < most ? bound : most);
}

static void
make_zone_step(struct maker *m, struct step *s)
{
	unsigned way = pick(m, 1000);

	s->zone = pick(m, PLAY_ZONES);
	s->item = pick(m, PLAY_ITEMS);
	if (m->size[s->zone] == 0) {
		make_create(m, s);
	} else if (way < 340) {
		s->act = ALLOC;
		s->flags = pick_flags(m);
	} else if (way < 700) {
		s->act = FREE;
	} else if (way < 800) {
		s->act = FILL;
		s->count = pick_count(m, s->zone, chance(m, 5) ? 2500 : 80);
		s->flags = pick_flags(m);
	} else if (way < 900) {
		s->act = DRAIN;
		s->count = 1 + (int)pick(m, chance(m, 20) ? PLAY_ITEMS : 80);
		s->kind = pick(m, ORDERS);
	} else if (way < 915) {
		s->act = PREALLOC;
		s->count = pick_count(m, s->zone, 300) - 1;
	} else if (way < 930) {
		s->act = SET_OBJ;
		s->count = pick_count(m, s->zone, 300);
		s->kind = pick(m, 3);
	} else if (way < 945) {
		s->act = REFUSE;
		s->count = (int)pick(m, 3);
		s->kind = pick(m, 2);
	} else if (way < 955) {
		s->act = RECLAIM;
	} else if (way < 965) {
		s->act = NUMBERS;
	} else {
		s->act = DESTROY;
		m->size[s->zone] = 0;
	}
}

static void
make_block_step(struct maker *m, struct step *s)
{
	unsigned way = pick(m, 100);

	s->item = pick(m, PLAY_ITEMS);
	s->size = pick_size(m);
	s->count = 1;
	s->act = way < 30 ? MALLOC : BLOCK_FREE;
	if (way >= 40 && way < 50) {
		s->act = CALLOC;
		s->count = 1 + (int)pick(m, 4);
	} else if (way >= 50 && way < 65) {
		s->act = REALLOC;
		if (chance(m, 3))
			s->size = (int)(pick(m, 80) << 19) + 1;
	} else if (way >= 65 && way < 80) {
		s->act = ALIGNED;
		s->kind = pick(m, 3);
		s->align = (8 << pick(m, chance(m, 10) ? 16 : 8)) - 1;
	}
}

/* malloc(9) and vm_zone(9). */
static void
make_typed_step(struct maker *m, struct step *s)
{
	unsigned way = pick(m, 100);

	s->item = pick(m, PLAY_ITEMS / 4);
	s->zone = pick(m, 10);
	s->kind = pick(m, 7);
	s->size = pick_size(m);
	if (way < 25) {
		s->act = TYPED_TAKE;
		s->count = (int)pick(m, 3);
		s->align = (8 << pick(m, chance(m, 10) ? 16 : 8)) - 1;
		s->flags = pick_flags(m);
	} else if (way < 35) {
		s->act = TYPED_RESIZE;
	} else if (way < 55) {
		s->act = TYPED_FREE;
	} else if (way < 60) {
		s->act = VM_MAKE;
		s->size = 1 + (int)pick(m, chance(m, 90) ? 2000 : 100000);
		s->count = 1 + (int)pick(m, 60);
		s->kind = pick(m, 4);
	} else if (way < 80) {
		s->act = VM_TAKE;
	} else if (way < 97) {
		s->act = VM_GIVE;
	} else {
		s->act = VM_END;
	}
}

void
generate(struct step *steps, unsigned count, uint64_t seed, bool blocks)
{
	struct maker m = { .seed = seed, .ways = ~seed, .blocks = blocks };
	unsigned boot = 0;

	/* One sequence in eight starts the library by hand. */
	if (chance(&m, 12))
		boot = 1 + pick(&m, count / 4 + 1);
	for (unsigned i = 0; i < count; i++) {
		struct step *s = &steps[i];

		*s = (struct step){ .act = NUMBERS };
		if (boot != 0 && i == 0)
			s->act = STARTUP;
		else if (boot != 0 && i == boot)
			s->act = STARTUP2;
		else if (m.blocks && chance(&m, 40))
			make_block_step(&m, s);
		else if (chance(&m, 20))
			make_typed_step(&m, s);
		else
			make_zone_step(&m, s);
		pick_way(&m, s);
	}
}
