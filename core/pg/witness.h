/* SPDX-License-Identifier: PostgreSQL */
/* witness.h - an archive looked at while it is made: whole and counted as soon as its last byte is there.
 *
 * It is inflated, counted and fingerprinted by threads of the witness's own, as walk() does with a finished archive;
 * nothing is kept. One that passes is written to the witness; one that grows in a file is read back from there.
 * Start it after the last fork() that should come before threads.
 *
 *     w = witness_new(jobs, err);                              w = witness_follow(fd, contents, name, jobs, err);
 *     witness_write(w, bytes, n, err)   in order, any thread   witness_advance(w, size, err)
 *     witness_finish(w, &result, err)   what was in it         witness_finish(w, &result, err), witness_sum(w, xxh3)
 *     witness_free(w);
 */
#pragma once
#include <stddef.h>
#include "core/base/err.h"
#include "core/pg/walk.h"

struct witness;
struct witness *witness_new(unsigned jobs, struct err *err);

/* Waits while the witness is behind. -1: what it has seen is no whole archive (ERR_DAMAGED). */
int witness_write(struct witness *w, const void *bytes, size_t n, struct err *err);

/* The file is open for reading, and its first bytes, the contents, may still change after they were looked at; it stays
 * open until the witness has finished. `name` is for messages, and kept. */
struct witness *witness_follow(int fd, uint64_t contents, const char *name, unsigned jobs, struct err *err);

/* The file's first `size` bytes are there. Does not wait. -1: what it has seen is no whole archive (ERR_DAMAGED). */
int witness_advance(struct witness *w, uint64_t size, struct err *err);

/* The archive ends here. Release the result with walk_result_release. */
int witness_finish(struct witness *w, struct walk_result *result, struct err *err);

/* After that: the XXH3 (core/io/digest.h) of what it has read behind the contents. Whoever reads the file again can tell
 * by it whether that is what was inflated. */
void witness_sum(struct witness *w, uint8_t xxh3[16]);

void witness_free(struct witness *w); /* NULL is fine */
