/* SPDX-License-Identifier: PostgreSQL */
/* proofs.h - which backup was rehearsed when, and with which verdict: the names of the drills' reports tell.
 *
 *     ENV/reports/drill-20251101-040000-passed-backup-20251023-020000.html     in a store; .json and .txt beside it
 *     STATE_DIR/reports/ENV/drill-...                                          on this host
 *
 * So one listing of a prefix answers it; no report is read. A report's backup is named without place and ending, as
 * every copy of it is (a promoted one, the cache's, the work directory's with the application's name before it).
 *
 *     struct proofs proofs = { 0 };
 *     proofs_read_host(&proofs, places.state, NULL, &err);
 *     proofs_read_store(&proofs, store, NULL, &err);        what both know is there once
 *     newest = proofs_newest(&proofs, "production");
 *     proofs_release(&proofs);
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include "core/backup/catalog.h"
#include "core/base/err.h"
#include "core/store/store.h"

enum proofs_verdict {
    PROOFS_PASSED,
    PROOFS_FAILED,     /* the backup does not bring the database back */
    PROOFS_UNFINISHED, /* no server, no space, no network: it says nothing about the backup */
};

struct proofs_item {
    char *name; /* of the report, without its ending */
    char *environment;
    char *backup;          /* "backup-20251023-020000"; "": there was none to drill */
    time_t drilled, taken; /* taken: as the backup's name says; 0: it says nothing */
    enum proofs_verdict verdict;
    bool doomed; /* proofs_plan */
};

struct proofs {
    struct proofs_item *items; /* the newest drill first */
    size_t n;
};

#define PROOFS_KEEP 60 /* reports of an environment, beside those that prove what is still there */

/* ---- names: pure ------------------------------------------------------------------------------------------------ */

const char *proofs_verdict_name(enum proofs_verdict v); /* "passed" */

/* A backup's path, URL or file name as reports name it; letters that no file name should have become "_". NULL: "".
 * The caller frees; NULL without memory. */
char *proofs_backup_name(const char *path);

/* "drill-20251101-040000-passed-backup-20251023-020000", for a backup by its path. The caller frees. */
char *proofs_name(time_t drilled, enum proofs_verdict verdict, const char *backup);
/* "production/reports/" and "production/reports/NAME" + ending. The caller frees. */
char *proofs_key(const char *environment, const char *name, const char *ending);

/* A report's name, with or without its ending. 1: *out has been filled (the caller frees its strings), 0: it is no
 * report's, -1 and err: no memory. */
int proofs_parse(const char *environment, const char *name, struct proofs_item *out, struct err *err);

/* ---- which there are -------------------------------------------------------------------------------------------- */

/* Add to *out, which starts from zeros; environment NULL: production and staging. On failure *out is as it was. */
int proofs_read_host(struct proofs *out, const char *state, const char *environment, struct err *err);
int proofs_read_store(struct proofs *out, struct store *store, const char *environment, struct err *err);
/* One more, by its report's name; taken 0: as the name says. What is no report's name is passed over. */
int proofs_add(struct proofs *out, const char *environment, const char *name, time_t taken, struct err *err);
void proofs_release(struct proofs *proofs);

/* The newest drill of that backup (by its path or URL) that passed or failed; NULL: none did. */
const struct proofs_item *proofs_of(const struct proofs *proofs, const char *environment, const char *path);

/* The proof of the newest backup whose newest verdict is that it passed; NULL: nothing is proven. */
const struct proofs_item *proofs_newest(const struct proofs *proofs, const char *environment);

/* ---- old ones go ------------------------------------------------------------------------------------------------ */

/* Marks as doomed what is neither one of the environment's newest `keep` nor the newest verdict on a backup that is
 * still there (NULL: not asked). Returns how many are doomed. */
size_t proofs_plan(struct proofs *proofs, const struct catalog *there, size_t keep);

/* Removes the doomed: all three files of each. What is gone already is no failure. */
int proofs_remove_host(const struct proofs *proofs, const char *state, struct err *err);
int proofs_remove_store(const struct proofs *proofs, struct store *store, struct err *err);
