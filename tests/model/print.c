/* SPDX-License-Identifier: BSD-2-Clause */
/* A sequence as a program that can be compiled and kept. */
#include "model/model.h"

static const char *const act_names[ACTS] = {
	[CREATE] = "CREATE",
	[SET_OBJ] = "SET_OBJ",
	[ALLOC] = "ALLOC",
	[FREE] = "FREE",
	[FILL] = "FILL",
	[DRAIN] = "DRAIN",
	[PREALLOC] = "PREALLOC",
	[RECLAIM] = "RECLAIM",
	[REFUSE] = "REFUSE",
	[DESTROY] = "DESTROY",
	[NUMBERS] = "NUMBERS",
	[STARTUP] = "STARTUP",
	[STARTUP2] = "STARTUP2",
	[MALLOC] = "MALLOC",
	[CALLOC] = "CALLOC",
	[REALLOC] = "REALLOC",
	[ALIGNED] = "ALIGNED",
	[BLOCK_FREE] = "BLOCK_FREE",
	[TYPED_TAKE] = "TYPED_TAKE",
	[TYPED_RESIZE] = "TYPED_RESIZE",
	[TYPED_FREE] = "TYPED_FREE",
	[VM_MAKE] = "VM_MAKE",
	[VM_TAKE] = "VM_TAKE",
	[VM_GIVE] = "VM_GIVE",
	[VM_END] = "VM_END",
};

struct bit {
	unsigned value;
	const char *name;
};

static const struct bit zone_flags[] = {
	{ UMA_ZONE_PAGEABLE, "UMA_ZONE_PAGEABLE" },
	{ UMA_ZONE_ZINIT, "UMA_ZONE_ZINIT" },
	{ UMA_ZONE_STATIC, "UMA_ZONE_STATIC" },
	{ UMA_ZONE_OFFPAGE, "UMA_ZONE_OFFPAGE" },
	{ UMA_ZONE_NOFREE, "UMA_ZONE_NOFREE" },
	{ 0, NULL },
};
static const struct bit wait_flags[] = {
	{ M_NOWAIT, "M_NOWAIT" },
	{ M_WAITOK, "M_WAITOK" },
	{ M_ZERO, "M_ZERO" },
	{ 0, NULL },
};
static const struct bit ways[] = {
	{ 1, "1" },
	{ 2, "2" },
	{ FAST, "FAST" },
	{ 0, NULL },
};
static const struct bit kinds[] = {
	{ WITH_CTOR, "WITH_CTOR" },
	{ WITH_DTOR, "WITH_DTOR" },
	{ WITH_INIT, "WITH_INIT" },
	{ WITH_FINI, "WITH_FINI" },
	{ WITH_ALLOCF, "WITH_ALLOCF" },
	{ WITH_FREEF, "WITH_FREEF" },
	{ 0, NULL },
};

static void
print_bits(FILE *to, const char *field, unsigned bits, const struct bit *names)
{
	const char *between = "";

	if (bits == 0)
		return;
	fprintf(to, ", .%s = ", field);
	for (; names->name != NULL; names++) {
		if ((bits & names->value) == 0)
			continue;
		fprintf(to, "%s%s", between, names->name);
		between = " | ";
	}
}

static void
print_number(FILE *to, const char *field, long number)
{
	if (number != 0)
		fprintf(to, ", .%s = %ld", field, number);
}

static void
print_step(FILE *to, const struct step *s)
{
	fprintf(to, "\tDO(.act = %s", act_names[s->act]);
	print_number(to, "zone", (long)s->zone);
	print_number(to, "item", (long)s->item);
	print_number(to, "size", s->size);
	print_number(to, "align", s->align);
	print_number(to, "count", s->count);
	if (s->act == CREATE) {
		print_bits(to, "flags", s->flags, zone_flags);
		print_bits(to, "kind", s->kind, kinds);
	} else if (s->act >= ALLOC && s->act <= DRAIN) {
		print_bits(to, "flags", s->flags, wait_flags);
		print_bits(to, "kind", s->kind, ways);
	} else {
		print_bits(to, "flags", s->flags, wait_flags);
		print_number(to, "kind", (long)s->kind);
	}
	fprintf(to, ");\n");
}

void
print_program(
    FILE *to, const struct step *steps, unsigned count, const char *why)
{
	fprintf(to,
	    "/* SPDX-License-Identifier: BSD-2-Clause */\n"
	    "/*\n"
	    " * %s\n"
	    " *\n"
	    " * Link with play.c, slots.c, callbacks.c, inlined.c,\n"
	    " * supplier.c, numbers.c, blocks.c and types.c of tests/model,\n"
	    " * and with the library.\n"
	    " */\n"
	    "#include \"model/play.h\"\n\n"
	    "int\nmain(void)\n{\n",
	    why);
	for (unsigned i = 0; i < count; i++)
		print_step(to, &steps[i]);
	fprintf(to, "\tplay_end();\n\treturn 0;\n}\n");
	fflush(to);
}
