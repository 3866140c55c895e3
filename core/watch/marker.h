/* SPDX-License-Identifier: PostgreSQL */
/* marker.h - a run at work leaves a mark, so that one that ended without a word is known: kill -9, no memory, no power.
 *
 *     STATE_DIR/running-20251023-020000-backup-4711.json    what it set out to do, as it will stand in the history
 *     STATE_DIR/running-20251023-020000-backup-4711.lock    held as long as it lives, wherever its pid means anything
 *
 * Who comes next finds the mark, takes the lock that nobody holds, and writes the history's line for it. All of it is best
 * effort: without a state directory there are no marks.
 */
#pragma once
#include "core/backup/places.h"
#include "core/watch/run.h"

#define MARKER_EXIT_CODE 137 /* what a shell says of kill -9 */

/* This process's own: one at a time. */
void marker_set(const struct places *p, const struct run *r);
void marker_clear(void); /* the run has been remembered; fine when none was set */

/* Calls found for each other run that ended without a word, with exit code, error and hint, then forgets its mark. */
typedef void marker_found(void *cookie, const struct run *r);
void marker_sweep(const struct places *p, marker_found *found, void *cookie);
