/* SPDX-License-Identifier: PostgreSQL */
/* restoration.h - puts a backup in place of a database, and puts the old one back when that fails.
 *
 * The contract's order: end connections, drop, create, pg_restore, ANALYZE, indexes, VACUUM, compare. Two things make
 * it safe. The new database is filled under a working name (NAME_sfb_restore_PID) and gets its own only when it has
 * been proven, so that no application ever sees half a database; and the pre-restore backup is a whole sfb backup,
 * which goes back in by the same code when anything fails after the drop.
 */
#pragma once
#include <stdbool.h>
#include "core/backup/integrity.h"
#include "core/base/err.h"
#include "core/pg/conn.h"

struct restoration_params {
    const struct target *target;
    const char *path;                 /* the backup file */
    int fd;                           /* the same file, open, already checked */
    const struct integrity *checked;
    const char *globals_path;         /* or NULL */
    const char *work_dir, *app, *environment, *bindir;
    unsigned jobs;
    bool dry_run;
    bool counts_only;                 /* compare row counts, not fingerprints */
    bool create_logins;               /* roles that are created may log in (without a password they still can't) */
    int lock_timeout;
};

struct restoration_result {
    uint64_t database_size;
    size_t tables;
    uint64_t rows;
    bool proven;              /* rows and fingerprints of every table equal what the backup holds */
    char *pre_restore_path;   /* NULL: there was no database to save */
    bool put_back;            /* it failed, and the old database is in place again */
    double restore_seconds;
};

int restoration_run(const struct restoration_params *p, struct restoration_result *result, struct err *err);
void restoration_release(struct restoration_result *result);
