/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Under a tool that sees gaps a block is as long as was asked for, though its
 * class is longer.  How long that is stands in the gap behind it.
 */
#include "heap/inner.h"
#include "watch/watch.h"

static void
set_note(size_t *note, size_t bytes)
{
	watch_open(note, sizeof(*note), PORT_KEPT);
	*note = bytes;
	watch_close(note, sizeof(*note));
}

static size_t *
note_of(void *block, size_t room)
{
	return (size_t *)(void *)((char *)block + room);
}

void
asked_make_large(struct large *l)
{
	struct watch_slab memory = { .base = l->base, .bytes = l->bytes };

	watch_slab_made(&memory);
}

void
asked_take(void *block, size_t bytes, size_t room, bool kept)
{
	/* A block of no bytes has one, or it would look free. */
	bytes = max_size(bytes, 1);
	watch_take(NULL, block, bytes, kept);
	if (watch_gap != 0)
		set_note(note_of(block, room), bytes);
}

size_t
asked_bytes(void *block, size_t room)
{
	size_t *note = note_of(block, room);
	size_t bytes = room;

	if (watch_gap != 0) {
		watch_open(note, sizeof(*note), PORT_KEPT);
		bytes = *note;
		watch_close(note, sizeof(*note));
	}
	return bytes;
}

void
asked_open(void *block, size_t room)
{
	size_t bytes = asked_bytes(block, room);

	if (bytes == room)
		return;
	watch_open((char *)block + bytes, room - bytes, PORT_FRESH);
	set_note(note_of(block, room), room);
}

void
asked_give_large(struct large *l)
{
	struct watch_slab memory = { .base = l->base, .bytes = l->bytes };

	/* A second free finds no block. */
	(void)watch_give(NULL, l->base, l->bytes);
	watch_slab_ended(&memory);
}
