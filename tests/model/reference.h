/* SPDX-License-Identifier: BSD-2-Clause */
/* reference.h - what the player knows: slots, counters, addresses */
#ifndef TESTS_MODEL_REFERENCE_H
#define TESTS_MODEL_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "hostile.h"
#include "model/play.h"
#include "model/stamp.h"

enum { PLAY_TYPES = 3, PLAY_VM_ZONES = 4 };

/* Who an item is from: a zone's slot, or one of these. */
enum {
	NO_OWNER = -1,
	BLOCK = PLAY_ZONES,
	TYPED,                  /* and up: a type of malloc(9) */
	VM = TYPED + PLAY_TYPES /* and up: a vm_zone */
};

struct play_item {
	unsigned char *at; /* NULL: an empty slot */
	size_t bytes;
	uint64_t stamp; /* rises with every allocation */
	int owner;      /* see above */
};

struct play_zone {
	uma_zone_t handle; /* NULL: an empty slot */
	struct step made;
	bool used;     /* allocated from, or filled */
	bool object;   /* has a backing object */
	bool boot;     /* may have boot memory, which stays */
	bool refused;  /* its supplier said no at least once */
	long capacity; /* items it can hold; -1: no bound known */
	long limit;    /* items that its object was set for, or 0 */
	long live;
	long allocs;
	long frees;
	long fails;
	long inits;
	long finis;
	long ctors;
	long dtors;
	unsigned refuse; /* how often the supplier is to refuse */
	unsigned refuse_kind;
	uint64_t slab_bytes; /* of one slab, and its items; 0: not known */
	uint64_t slab_items;
};

extern struct play_zone play_zones[PLAY_ZONES];
extern struct play_item play_items[PLAY_ITEMS];

/* What the callbacks of the call that runs must be given, and did. */
struct play_call {
	void *arg;
	bool zero;          /* M_ZERO */
	bool supplier_null; /* a supplier gave nothing good */
};
extern struct play_call play_call;

/* What the caller leaves in an item for the destructor to find. */
#define PLAY_LEFT_STAMP (UINT64_C(1) << 60)

extern bool play_booting; /* between startup and startup2 */
extern bool play_preloaded;

/* End the process: the library and the reference differ. */
_Noreturn void play_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* callbacks.c */
uma_zone_t callbacks_create(const struct step *s, const char *name);
/* Whether init and fini are both the test's own. */
bool callbacks_follow(const struct play_zone *z);
/* What an item that is not in use must hold; true if anything is known. */
bool callbacks_free_state_known(const struct play_zone *z);
void callbacks_put_free_state(int zone, void *item);
void callbacks_check_free_state(int zone, const void *item, bool zeroed);
void callbacks_forget(void);

/* inlined.c */
void *inlined_zalloc(uma_zone_t zone, int wait);
void inlined_zfree(uma_zone_t zone, void *item);

/* supplier.c */
void *supplier_take(int zone, int size, uint8_t *pflag);
void supplier_give(int zone, void *memory, int size, uint8_t pflag);
bool supplier_is_full(void);
void supplier_check_gone(int zone);
void supplier_forget(void);

/* numbers.c */
void numbers_start(void);
struct uma_zone_stats numbers_of(const struct play_zone *z);
void numbers_check(int zone);
void numbers_check_all(void);
void numbers_check_reclaimed(void);
void numbers_after_take(int zone, const struct uma_zone_stats *before);

/* slots.c */
void slots_put(unsigned item, void *at, size_t bytes, int owner);
void slots_verify(const struct play_item *item);
void slots_verify_all(void);
void slots_check_place(const void *at, size_t bytes, size_t mask);

/* blocks.c */
void blocks_step(const struct step *s);
void blocks_free(unsigned item);
long blocks_live(void);

/* types.c */
void types_step(const struct step *s);
void types_free(unsigned item, unsigned kind);
void types_end(void);
long types_live(void);
uint64_t types_zones(void);

#endif /* TESTS_MODEL_REFERENCE_H */
