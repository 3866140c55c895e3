/* SPDX-License-Identifier: PostgreSQL */
/* witness.h - an archive looked at while it passes: what cannot be read back from a file is walked on its way.
 *
 * Everything that is written to the witness is inflated, counted and fingerprinted by threads of its own, as walk() does
 * with a finished archive; nothing is kept. Start it after the last fork() that should come before threads.
 *
 *     w = witness_new(jobs, err);
 *     witness_write(w, bytes, n, err)      all of the archive, in order, from any thread
 *     witness_finish(w, &result, err)      what was in it
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

/* The archive ends here. Release the result with walk_result_release. */
int witness_finish(struct witness *w, struct walk_result *result, struct err *err);

void witness_free(struct witness *w); /* NULL is fine */
