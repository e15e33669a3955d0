/* SPDX-License-Identifier: BSD-2-Clause */
/* Inner header of boot: the option string, key:value,key:value. */
#ifndef BOOT_OPTIONS_H
#define BOOT_OPTIONS_H

#include "base/base.h"
#include "supply/supply.h"

struct options {
	bool generic;       /* percpu:generic */
	bool malloc9_debug; /* malloc9:debug */
	bool malloc9_exec;  /* malloc9:exec */
	bool unwatched;     /* watch:off */
	uint8_t thp;        /* enum supply_thp */
};

/*
 * Read the user's options.  What cannot be understood gets one line on
 * standard error and is left out.
 */
void options_read(struct options *out);

#endif /* BOOT_OPTIONS_H */
