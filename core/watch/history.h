/* SPDX-License-Identifier: PostgreSQL */
/* history.h - the runs of the past: STATE_DIR/history.jsonl, one JSON line a run (run.h), and a copy of each in the store.
 *
 * The line is appended under a lock in one write and synced, whole or not at all; one that a crash cut short is skipped
 * and never breaks those after it. The file is cut to its newest half when it outgrows HISTORY_BYTES. In the store a run
 * is one object, ENV/history/STAMP-KIND-HOST-PID.json (history/... for a run of no one environment): writing it needs
 * s3:PutObject alone, and a refusal is no failure. Its name is no backup's, so nothing takes it for one.
 */
#pragma once
#include "core/backup/places.h"
#include "core/backup/proofs.h"
#include "core/backup/settings.h"
#include "core/store/store.h"
#include "core/watch/run.h"

#define HISTORY_BYTES ((size_t)8 * 1024 * 1024)

struct history {
    struct run *runs; /* oldest first */
    size_t n;
    size_t skipped; /* lines and objects that could not be read */
};

/* With no state directory (p->state NULL) nothing is kept, and that is no error. */
int history_append(const struct places *p, const struct run *r, struct err *err);

/* The run's object in the store: appends its key and what is in it. */
int history_object(const struct run *r, struct buf *key, struct buf *text, struct err *err);

/* This host's; no file is an empty history. environment NULL: all; else also the runs of no one environment. */
int history_read(const struct places *p, const char *environment, struct history *h, struct err *err);

/* What the store knows of this year and the last and *h does not (another host's runs, or all of them on a new one), the
 * newest `limit` of it, is added to *h, and to the state directory where there is one. A store that can't be listed is
 * ERR_STORE and leaves *h as it is. */
int history_read_store(struct store *store, const struct places *p, const char *environment, time_t now, size_t limit,
                       struct history *h, struct err *err);
void history_release(struct history *h);

/* The newest run of the kind, of success or not (-1: either); NULL when there is none. One that was busy is neither. */
const struct run *history_newest(const struct history *h, enum run_kind kind, int success);

/* Of the environment's backups whose every row came back in a run, the newest one's run: also a run that failed for another
 * reason, a smoke test say. One that a later drill refuted is none. NULL: there is none. */
const struct run *history_newest_proven(const struct history *h, const struct proofs *proofs, const char *environment);
