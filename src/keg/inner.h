/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of keg. */
#ifndef KEG_INNER_H
#define KEG_INNER_H

#include "keg/keg.h"

#define BIN_IDLE     0u
#define BIN_FULL     (KEG_BINS - 1)
#define BIN_UNLINKED 255u

/*
 * The bin of a slab, by its part of a whole slab's items: exact, as the product
 * errs by less than one of them.
 */
#define BIN_SHIFT 40u

UMA_FAST unsigned
keg_bin(const struct keg *keg, const struct slab *s)
{
	uint64_t used = s->limit - s->free_count;

	if (used == 0)
		return BIN_IDLE;
	if (s->free_count == 0)
		return BIN_FULL;
	return 1 + (unsigned)(used * keg->bin_reciprocal >> BIN_SHIFT);
}

/* list.c: with the lock held. */
void keg_move(struct keg *keg, struct slab *s, unsigned bin)
    UMA_REQUIRES(&keg->lock);
/* To the one that a slab belongs on by now. */
void keg_rebin(struct keg *keg, struct slab *s) UMA_REQUIRES(&keg->lock);
/* An idle slab is none that the keg has. */
void keg_take_out(struct keg *keg, struct slab *s) UMA_REQUIRES(&keg->lock);
/*
 * Take in listed slabs, and the emergency slab if anything of it is claimed, or
 * if the keg has to do with what it has.
 */
void keg_adopt_all(struct keg *keg) UMA_REQUIRES(&keg->lock);
void keg_adopt(struct keg *keg, struct slab *s) UMA_REQUIRES(&keg->lock);
/* Put a slab on the late list unless it is on it. */
void keg_list(struct keg *keg, struct slab *s);

/* grow.c: have init run on an item that nobody else knows, if there is one. */
void keg_init(struct keg *keg, void *item);

/* grow.c: begin some work, the innermost of this thread, and end it. */
void keg_begin(struct keg *keg, struct keg_work *work);
void keg_end(const struct keg_work *work);

/*
 * grow.c: one more slab, linked; or an unlinked one, which `work` is making
 * until another can adopt it.  *how is the caller's; on return it is what the
 * last meta_enter() said: where the user's functions run, or memory is backed,
 * the gate is left, and entered again if it lets us.
 */
bool keg_grow(struct keg *keg, int wait, bool ready, enum meta_how *how);
struct slab *keg_make(struct keg *keg, struct keg_work *work, int wait,
    bool ready, enum meta_how *how);
bool keg_back(struct keg *keg, struct slab *s, const char *item);

#endif /* KEG_INNER_H */
