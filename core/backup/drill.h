/* SPDX-License-Identifier: PostgreSQL */
/* drill.h - rehearses a recovery: does the newest backup bring the database back, and how long does it take?
 *
 * The contract's procedure: a production backup, from the store or else from the local cache, is verified, restored,
 * proven row for row, examined (drill_health.c), compared with production as it is now, and put through smoke tests.
 * Where it is restored:
 *
 *     DRILL_BESIDE   a database of its own on the staging server, dropped afterwards. Nothing that anybody uses is touched
 *     DRILL_REPLACE  in place of the staging database, as `sfb restore` does it: saved before, put back on failure
 *     DRILL_LOCAL    a throwaway server of this host's own PostgreSQL programs (core/pg/scratch.h); no server is needed
 *
 * What was found is in *result, for whoever reports it, also when the drill failed: every check has its line, those that
 * were not reached are skipped.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "core/backup/settings.h"
#include "core/base/err.h"

enum drill_where { DRILL_BESIDE, DRILL_REPLACE, DRILL_LOCAL };
enum drill_outcome { DRILL_PASSED, DRILL_FAILED, DRILL_WARNING, DRILL_SKIPPED };

struct drill_result;

struct drill_params {
    const struct settings *settings;
    const char *what; /* a file, a URL of a store, "latest"; NULL: latest, from the cache when there is no store */
    time_t moment;    /* the newest backup that is not from after it; 0: none */
    enum drill_where where;
    unsigned jobs;
    bool attended; /* somebody sees at once that what he named is not there; else that is a failed drill */
    bool keep;     /* the restored database stays. Not with DRILL_LOCAL */
    /* Smoke tests; NULL: none. */
    const char *smoke_sql; /* a file of statements */
    const char *smoke_cmd; /* for /bin/sh */
    const char *smoke_url, *smoke_text;
    int smoke_status;       /* 0: any 2xx */
    unsigned smoke_seconds; /* for each statement, the command, and the URL with all its retries */
    /* Production as it is now. */
    bool no_production; /* is not asked */
    double max_drift;   /* percent; below 0: no limit */
    /* DRILL_REPLACE: asked when the backup is chosen; 0 goes on, -1 with err (ERR_CANCELLED) does not. NULL: go on. */
    int (*agree)(const struct drill_result *so_far, struct err *err);
};

struct drill_check {
    char *name; /* "every row is as it was backed up" */
    enum drill_outcome outcome;
    char *detail; /* "15 tables, 1,245,678 rows"; why it failed or was skipped; never NULL. No secrets */
};

struct drill_phase {
    char
        *name; /* "choose", "fetch", "verify", "restore", "prove", "examine", "production", "smoke tests", "clear up" */
    double seconds;
    bool recovery; /* a recovery in earnest would take this time, too */
};

struct drill_table {
    char *schema, *name;
    bool expected;  /* the backup tells of it: rows and bytes are known */
    uint64_t rows;  /* in the backup */
    uint64_t bytes; /* of COPY text in the backup */
    bool found;     /* it was there after the restore, and read */
    uint64_t rows_found;
    bool same;                     /* rows and fingerprint are the backup's */
    bool in_production, estimated; /* estimated: too large to be counted there, so its statistics were asked */
    uint64_t rows_production;
    double drift; /* percent of the larger number, 0 to 100; below 0: not known */
};

struct drill_result {
    enum drill_where where;
    bool passed;   /* no check failed */
    bool mistaken; /* what was asked for is not there, and whoever asked sees that: no drill has begun */
    time_t started;
    double seconds;
    char *environment; /* whose backup it is: "production" */
    char *backup;      /* its file name: backup-20251023-020000.dump */
    char *location;    /* path or URL */
    bool stored;       /* it came from a store, or from the cache as its copy */
    time_t taken;      /* the moment that the backup holds */
    uint64_t size;
    char *md5, *sha256;   /* of the backup; "" when it has no manifest */
    char *dumped_version; /* of the server that was backed up: "15.18 (Debian 15.18-0+deb12u1)"; "" when not known */
    char *server_version; /* of the one that it was restored to; "" when that was not reached */
    char *database;       /* where it was restored: name only */
    bool kept;            /* and still is */
    char *pre_restore;    /* DRILL_REPLACE: where the content of the staging database is saved; "" when it is not */
    bool put_back;        /* DRILL_REPLACE: it failed, and the staging database is as it was */
    uint64_t database_size, n_rows;
    bool proven; /* every row compared with what was counted at the dump, and equal */
    double recovery_seconds;
    bool has_drift;
    double drift;               /* of all tables together, percent; when has_drift */
    char *error, *hint;         /* "" when it passed */
    struct drill_check *checks; /* in the order in which they are made */
    size_t n_checks;
    struct drill_phase *phases;
    size_t n_phases;
    struct drill_table *tables; /* by schema and name */
    size_t n_tables;
};

/* ERR_NOT_FOUND, ERR_DAMAGED, ERR_CONNECT, ERR_RESTORE as their phases fail. ERR_PROOF: rows, indexes, constraints or
 * sequences are not what they were, a smoke test failed, or production drifted further than the limit. */
int drill_run(const struct drill_params *p, struct drill_result *result, struct err *err);
void drill_release(struct drill_result *result);

const char *drill_outcome_name(enum drill_outcome outcome); /* "passed" */
const char *drill_where_name(enum drill_where where);       /* "beside", "replace", "local" */
