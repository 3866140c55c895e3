/* SPDX-License-Identifier: PostgreSQL */
/* restoration.h - puts a backup in place of a database, and puts the old one back when that fails.
 *
 * The contract's order: end connections, drop, create, pg_restore, ANALYZE, indexes, VACUUM, compare. Three things make
 * it safe. The new database is made and gets its schema under a working name (NAME_sfb_restore_PID) before the old one
 * is touched, so that a backup which does not fit this server changes nothing. It gets its own name only when it has
 * been proven, so that no application ever sees half a database. And the pre-restore backup is a whole, verified sfb
 * backup, which goes back in by the same code when anything fails after the drop.
 *
 * Until the drop, failure (a signal, too) leaves the server as it was. Behind it no signal stops the old database from
 * coming back. Should sfb itself be killed, the next restore of the same database finds what was left and clears it up:
 * the working database's comment says what it is, and a lock on the server tells the living from the dead. As long as
 * there is no database of that name, every restore on this host tells where the newest pre-restore backup of it is.
 */
#pragma once
#include <stdbool.h>
#include "core/backup/integrity.h"
#include "core/base/err.h"
#include "core/base/names.h"
#include "core/pg/conn.h"

struct audit;
struct proof_listener;

struct restoration_params {
    const struct target *target;
    const char *path; /* the backup file */
    int fd;           /* the same file, open, already checked */
    const struct integrity *checked;
    const char *globals_path; /* or NULL */
    const char *work_dir, *app, *environment, *bindir;
    unsigned jobs;
    bool dry_run;        /* up to the first change; what would be done is said */
    bool unsaved;        /* without a pre-restore backup: for a database that can't be dumped any more */
    bool counts_only;    /* compare row counts, not fingerprints */
    bool create_logins;  /* roles that are created may log in (without a password they still can't) */
    const char *comment; /* the new database's, given with its name; NULL: what the backup or the old one has */
    const struct proof_listener *listener; /* told of every table (core/pg/proof.h); NULL: nobody */
    struct audit *audit;                   /* told where the old database's backup is, before the drop; NULL: nobody */
    int lock_timeout;
};

struct restoration_result {
    uint64_t database_size;
    uint64_t tables;
    uint64_t rows;
    bool proven;            /* rows, and unless counts_only fingerprints, of every table equal what the backup holds */
    char *pre_restore_path; /* NULL: there was no database to save */
    bool put_back;          /* it failed, and the old database is in place again */
    double restore_seconds; /* of the restore program alone */
    double prove_seconds;
    struct names roles; /* that were made because the backup needs them, and are there now */
};

/* ERR_CONNECT: before anything was done. ERR_PROOF: it was restored and is not what was backed up. ERR_SIGNAL: stopped.
 * ERR_BUSY: another restore of this database is at work. Anything else: ERR_RESTORE, ERR_SPACE, ERR_DUMP... The hint
 * tells in what state everything is. */
int restoration_run(const struct restoration_params *p, struct restoration_result *result, struct err *err);
void restoration_release(struct restoration_result *result);
