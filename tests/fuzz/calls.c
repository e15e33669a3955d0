/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls - bytes as calls of the whole interface, against the model's reference
 *
 * Every step takes as many bytes as it needs: which call, on which zone and
 * slot, and its arguments, kept within what is no crime and a few megabytes.
 * tests/model plays them: it knows what every item holds and every counter
 * reads.  The malloc family is the library's own under other names (see
 * meson.build), so that the fuzzer's malloc stays the C library's.
 */
#include "fuzz/fuzz.h"
#include "model/reference.h"

enum { STEPS = 150, ITEMS = 64, ZONE_BYTES = 1 << 20, COUNT_MAX = 300 };

struct bytes {
	const uint8_t *at;
	size_t left;
};

/* 0 from the end on. */
static unsigned
byte(struct bytes *b)
{
	if (b->left == 0)
		return 0;
	b->left--;
	return *b->at++;
}

/* On, beside and between powers of two, up to 2 MiB. */
static int
size(struct bytes *b)
{
	unsigned first = byte(b);
	unsigned bits = first & 31;
	int base = 1 << (bits < 21 ? bits : bits - 21);

	if (first >= 192)
		return base + (int)byte(b) * (base / 256);
	return base + (int)(first >> 5 & 3) - (base > 2);
}

/* A power of two less one, up to 64 KiB. */
static int
align(struct bytes *b)
{
	unsigned first = byte(b);

	return (1 << (first < 200 ? first % 7 : first % 17)) - 1;
}

static unsigned
wait_flags(struct bytes *b)
{
	static const unsigned flags[] = { M_NOWAIT, M_WAITOK, M_NOWAIT | M_ZERO,
		M_WAITOK | M_ZERO };

	return flags[byte(b) % 4];
}

/* So many items of a zone as stay within its bytes. */
static int
count(struct bytes *b, unsigned zone)
{
	unsigned most =
	    (unsigned)ZONE_BYTES / (unsigned)(play_zones[zone].made.size + 8 +
					      play_zones[zone].made.align) +
	    1;

	return 1 + (int)((byte(b) << 2 | 3) %
			 (most < COUNT_MAX ? most : COUNT_MAX));
}

static unsigned
zone_flags(struct bytes *b)
{
	const unsigned all = UMA_ZONE_PAGEABLE | UMA_ZONE_ZINIT |
			     UMA_ZONE_STATIC | UMA_ZONE_OFFPAGE |
			     UMA_ZONE_NOFREE;

	return (byte(b) | byte(b) << 8) & all;
}

/* A supplier without a freef and the other way round are told apart. */
static unsigned
zone_kind(struct bytes *b)
{
	unsigned kind = byte(b) & 63;

	return (kind & WITH_ALLOCF) == 0 ? kind & ~(unsigned)WITH_FREEF : kind;
}

static void
fill_in(struct step *s, struct bytes *b)
{
	if (s->act == CREATE) {
		s->size = size(b);
		s->align = align(b);
		s->flags = zone_flags(b);
		s->kind = zone_kind(b);
		/* The reference has room for so many items that see both. */
		if ((~s->kind & (WITH_INIT | WITH_FINI)) == 0)
			s->size |= 15;
	} else if (s->act == ALLOC || s->act == FILL) {
		s->flags = wait_flags(b);
		s->count = s->act == FILL ? count(b, s->zone) : 0;
	} else if (s->act == DRAIN || s->act == SET_OBJ || s->act == PREALLOC) {
		s->count = count(b, s->zone);
		s->kind = byte(b) % 3;
	} else if (s->act == REFUSE) {
		s->count = (int)(byte(b) % 3);
		s->kind = byte(b) % 2;
	} else if (s->act >= MALLOC && s->act <= ALIGNED) {
		s->size = size(b);
		s->count = 1 + (int)(byte(b) % 4);
		s->kind = byte(b) % 3;
		s->align = align(b) | 7;
	} else if (s->act == TYPED_TAKE || s->act == TYPED_RESIZE) {
		s->size = size(b);
		s->align = align(b) | 7;
		s->count = (int)(byte(b) % 3);
		s->flags = wait_flags(b);
		s->kind = byte(b) % 7;
	} else if (s->act == VM_MAKE) {
		s->size = size(b) % 100000 + 1;
		s->count = 1 + (int)(byte(b) % 64);
		s->kind = byte(b) % 4;
	} else
		s->kind = byte(b) % 2;
}

/* Acts that <uma/fast.h> has a call for. */
static bool
takes_or_gives(unsigned act)
{
	return act == ALLOC || act == FREE || act == FILL || act == DRAIN;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct bytes b = { data, bytes };

	for (int i = 0; i < STEPS && b.left != 0; i++) {
		struct step s = { .act = byte(&b) % ACTS };
		unsigned place = byte(&b);

		s.zone = place % PLAY_ZONES;
		s.item = (place ^ byte(&b) * 7) % ITEMS;
		/* A start by hand is once in a process: the model has it. */
		if (s.act == STARTUP || s.act == STARTUP2)
			s.act = NUMBERS;
		fill_in(&s, &b);
		if ((place & 128) != 0 && takes_or_gives(s.act))
			s.kind |= FAST;
		play_step(&s);
	}
	play_end();
	return 0;
}
