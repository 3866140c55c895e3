/* SPDX-License-Identifier: PostgreSQL */
/* history.h - the runs of the past: STATE_DIR/history.jsonl, one JSON line a run (run.h), and a copy of each in the store.
 *
 * The line is appended under a lock in one write and synced; a line that a crash cut short is skipped, with a warning,
 * and never breaks the ones after it. The file is cut to its newest half when it outgrows HISTORY_BYTES. In the store a
 * run is one object, ENV/history/STAMP-KIND-HOST-PID.json: it needs only s3:PutObject, and a refusal is no failure.
 */
#pragma once
#include "core/backup/places.h"
#include "core/backup/settings.h"
#include "core/watch/run.h"

#define HISTORY_BYTES ((size_t)8 * 1024 * 1024)

struct history {
    struct run *runs; /* oldest first */
    size_t n;
    size_t skipped; /* lines that could not be read */
};

int history_append(const struct settings *s, const struct places *p, const struct run *r, struct err *err);

/* This host's; no file is an empty history. environment NULL: all. */
int history_read(const struct places *p, const char *environment, struct history *h, struct err *err);

/* What the store knows and this host does not (another host's runs, or all of them on a new one) is added to *h and kept
 * in the state directory, newest `limit` runs. A store that can't be listed is ERR_STORE and leaves *h as it is. */
int history_read_store(const struct settings *s, const struct places *p, const char *environment, size_t limit,
                       struct history *h, struct err *err);
void history_release(struct history *h);

/* The newest run of the kind, of success or not (-1: either); NULL when there is none. */
const struct run *history_newest(const struct history *h, enum run_kind kind, int success);
