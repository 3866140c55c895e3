/* SPDX-License-Identifier: PostgreSQL */
/* drill.h - rehearses a recovery: is the newest backup one that brings the database back, and how long does it take?
 *
 * The contract's procedure: the latest production backup, from the store or else from the local cache, is verified,
 * restored beside the staging database into one of its own, proven row for row, put through smoke tests, and dropped.
 * Nothing that anybody uses is touched.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "core/backup/settings.h"
#include "core/base/err.h"

struct drill_params {
    const struct settings *settings;
    const char *what;      /* a file, a URL of a store, "latest"; NULL: latest, from the cache when there is no store */
    const char *smoke_sql; /* a file of statements; NULL: none */
    unsigned jobs;
    bool keep; /* the restored database stays */
};

enum drill_phase { DRILL_FETCH, DRILL_VERIFY, DRILL_RESTORE, DRILL_SMOKE, DRILL_PHASES };

struct drill_result {
    char *backup;   /* path or URL */
    char *database; /* where it was restored */
    time_t taken;   /* the moment that the backup holds */
    uint64_t size, database_size, tables, rows;
    bool proven; /* every row compared with what was counted at the dump, and equal */
    size_t smoke_tests;
    double seconds[DRILL_PHASES];
};

/* ERR_NOT_FOUND, ERR_DAMAGED, ERR_CONNECT, ERR_RESTORE, ERR_PROOF as their phases fail. A false smoke test is ERR_PROOF.
 * *result tells what was reached either way; release it. */
int drill_run(const struct drill_params *p, struct drill_result *result, struct err *err);
void drill_release(struct drill_result *result);

const char *drill_phase_name(enum drill_phase phase);
double drill_recovery_seconds(const struct drill_result *result); /* what a recovery takes: all but the smoke tests */
