/* SPDX-License-Identifier: PostgreSQL */
/* drilling.h - the parts of one drill; for drill*.c alone.
 *
 *     drill.c             the order of things
 *     drill_result.c      checks, phases, tables: what is told
 *     drill_server.c      where it is restored: the staging server or a throwaway one; left-overs
 *     drill_production.c  compared with production as it is now
 *     drill_smoke.c       statements, a command, a URL
 */
#pragma once
#include "core/backup/audit.h"
#include "core/backup/choice.h"
#include "core/backup/drill.h"
#include "core/backup/integrity.h"
#include "core/backup/places.h"
#include "core/backup/restoration.h"
#include "core/base/os.h"
#include "core/pg/proof.h"
#include "core/pg/scratch.h"

/* The checks that every drill has; smoke tests come after them. */
enum drill_step {
    STEP_SERVER,
    STEP_FETCH,
    STEP_VERIFY,
    STEP_RESTORE,
    STEP_PROVE,
    STEP_INDEXES,
    STEP_SOUND,
    STEP_CONSTRAINTS,
    STEP_SEQUENCES,
    STEP_PRODUCTION,
    DRILL_STEPS
};

struct drill {
    const struct drill_params *p;
    struct drill_result *r;
    struct places places;
    struct audit audit;
    struct os_lock lock, staging_lock;
    struct target *server; /* staging's database, or one of the throwaway server */
    struct target *target; /* the restored database */
    struct hostpg programs;
    struct scratch *scratch;
    char *comment; /* DRILL_BESIDE: the database's */
    char *cached;  /* the newest in the local cache */
    struct choice_params wanted;
    struct choice choice;
    struct integrity checked;
    bool has_choice, is_checked;
    bool restored;
    struct names roles; /* that were made for the restored database */
    int fd;
};

/* ---- drill_result.c ---------------------------------------------------------------------------------------------- */

int drill_result_begin(struct drill_result *r, enum drill_where where, struct err *err);
void drill_result_end(struct drill_result *r, int rc, const struct err *err, double seconds);

/* Sets a string of the result: frees the old one and copies. */
int drill_set(char **member, const char *value, struct err *err);

int drill_check_set(struct drill_result *r, enum drill_step step, enum drill_outcome outcome, struct err *err,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
int drill_check_add(struct drill_result *r, const char *name, enum drill_outcome outcome, const char *detail,
                    struct err *err);
int drill_phase_add(struct drill_result *r, const char *name, double seconds, bool recovery, struct err *err);

/* A new table, zeroed but for its names and drift; NULL without memory. */
struct drill_table *drill_table_add(struct drill_result *r, const char *schema, const char *name, struct err *err);
void drill_tables_sort(struct drill_result *r);
/* Among the first n, which are sorted; NULL: it is none of them. */
struct drill_table *drill_table_find(struct drill_table *tables, size_t n, const char *schema, const char *name);

/* ERR_PROOF with the first check that failed, when there is one. */
int drill_judge(const struct drill_result *r, struct err *err);

/* ---- drill_server.c ---------------------------------------------------------------------------------------------- */

/* Where it will be: the server is asked whether it answers, and what killed drills left is removed. */
int drill_server_find(struct drill *d, struct err *err);

/* The backup is known: a throwaway server of its major is started; d->target is set. */
int drill_server_start(struct drill *d, struct err *err);

/* Drops the database, ends the server. Does not wait for signals. */
int drill_server_clear(struct drill *d, struct err *err);

/* Is it the name of a database that a drill made, "APP_drill_STAMP", or of one that its restore was filling? *at: when. */
bool drill_server_is_ours(const char *app, const char *name, bool *filling, time_t *at);

/* ---- drill_production.c ------------------------------------------------------------------------------------------ */

/* -1 only when the drill has to stop: a signal, no memory. */
int drill_production_compare(struct drill *d, struct err *err);

/* Pure. How far apart two numbers of rows are, in percent of the larger. Fills every table's drift and the whole's. */
double drill_drift(uint64_t a, uint64_t b);
void drill_production_measure(struct drill_result *r);

/* The first table that is over the limit: of those with DRIFT_ROWS rows or more, for few rows drift far at once. NULL: none
 * is. */
#define DRIFT_ROWS 1000
const struct drill_table *drill_production_over(const struct drill_result *r, double limit);

/* ---- drill_smoke.c ----------------------------------------------------------------------------------------------- */

/* Before anything is done: what would fail for sure. ERR_CONFIG. */
int drill_smoke_check(const struct drill_params *p, struct err *err);
bool drill_smoke_wanted(const struct drill_params *p);
int drill_smoke_run(struct drill *d, struct err *err); /* -1 only when the drill has to stop */
