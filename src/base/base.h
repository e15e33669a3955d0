/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base - the words every room speaks
 *
 * Why it is here.  Types, bit tricks, compiler words, asserts and the one
 * way to stop the process.  Nothing here knows of memory or of the system.
 *
 * What it may touch.  Nothing.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/config.h"

#include "base/bits.h"
#include "base/tally.h"
#include "base/die.h"

#endif /* BASE_BASE_H */
