/* SPDX-License-Identifier: PostgreSQL */
/* retrieval.h - some tables out of a backup, into a database or as SQL: what `sfb restore --table` does.
 *
 * Of a backup in a store just the table of contents and the tables' own bytes are fetched. They are made into an archive
 * of their own (core/pg/excerpt.h), which flows through a pipe into pg_restore: no file on this host. Rows are counted
 * and fingerprinted on their way, and what differs from the manifest ends it all before anything is committed, for
 * pg_restore works in one transaction. The last byte of a table is held back until it is known to be right.
 *
 *     retrieval_open(&params, &r, err);     which backup, which tables, how much; nothing is changed
 *     retrieval_announce(r);                says all that
 *     retrieval_run(r, &result, err);
 *     retrieval_close(r);
 */
#pragma once
#include "core/backup/choice.h"
#include "core/backup/settings.h"

struct retrieval_params {
    const struct settings *settings;
    const char *what, *source; /* as in choice.h */
    const char *environment;   /* whose database gets them */
    time_t moment;             /* 0: none */
    const char *const *tables; /* names, as in core/pg/excerpt.h */
    size_t n_tables;
    const char *output; /* a file that gets them as SQL, "-": standard output; NULL: into the database */
    unsigned jobs;
    bool data_only;   /* rows, into tables that are there */
    bool dry_run;     /* up to the first change */
    bool counts_only; /* afterwards count the rows, and do not compare their fingerprints */
};

struct retrieval_result {
    uint64_t tables, rows; /* with rows of their own */
    bool proven;           /* new tables: what is in them equals what the backup holds */
    double seconds;
};

struct retrieval;

/* ERR_NOT_FOUND: no such backup, or no such table in it. ERR_CONFIG, ERR_STORE, ERR_DAMAGED. */
struct retrieval *retrieval_open(const struct retrieval_params *p, struct err *err);
const struct choice *retrieval_choice(const struct retrieval *r);
void retrieval_announce(const struct retrieval *r);

/* ERR_RESTORE: nothing was changed. ERR_DAMAGED: the backup is not what its manifest says; nothing was changed. ERR_PROOF:
 * the tables are there, and hold something else. */
int retrieval_run(struct retrieval *r, struct retrieval_result *result, struct err *err);
void retrieval_close(struct retrieval *r); /* NULL is fine */
