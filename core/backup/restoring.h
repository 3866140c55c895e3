/* SPDX-License-Identifier: PostgreSQL */
/* restoring.h - the parts of one restoration; for restoration*.c alone.
 *
 *     restoration.c         the order of things, and what happens when one of them fails
 *     restoring_server.c    the maintenance connection, the lock, names, what a killed run left
 *     restoring_source.c    a backup file made ready: contents, plan, roles
 *     restoring_fill.c      the new database: made, filled, kept up, compared
 */
#pragma once
#include "core/backup/restoration.h"
#include "core/backup/snapshot.h"
#include "core/pg/database.h"
#include "core/pg/restore.h"
#include "core/pg/sqlscript.h"

#define RESTORING_LABEL "pre-restore" /* of the backups that restores make */

/* A backup about to be restored: the one that was asked for, or the pre-restore backup on its way back. */
struct source {
    const char *path;
    int fd;
    const struct integrity *checked;
    struct archive toc; /* KIND_CUSTOM */
    bool has_toc;
    struct sqlscript_facts script; /* KIND_SQL */
    struct tool psql;
    struct restore_plan plan;
    bool has_plan;
    struct names refused; /* roles of plan.missing that can't be had */
    struct database like; /* how the new database is to be, as far as the backup tells */
};

struct restoring {
    const struct restoration_params *p;
    struct restoration_result *result;
    struct target *maintenance;
    PGconn *admin;
    PGconn *dropping;       /* busy with it, or NULL */
    char *name;             /* of the database that is replaced */
    char *work;             /* working name of the new one */
    char *earlier;          /* a pre-restore backup of what is not there any more; NULL: none */
    struct target *filling; /* the same, to connect to */
    struct database old;    /* what was there: exists or not */
    struct source source;
    struct names made;     /* roles */
    struct snapshot saved; /* the pre-restore backup */
    struct integrity saved_check;
    int saved_fd;
    bool is_saved;
    bool blocked;  /* the old database lets nobody in, because we said so */
    bool touched;  /* the drop was begun: whether it is still there must be asked */
    bool dropped;  /* and it succeeded */
    bool complete; /* the new one is filled and proven: only its name is missing */
};

/* ---- restoring_server.c ------------------------------------------------------------------------------------------ */

int restoring_connect(struct restoring *r, struct err *err); /* connects, locks; sets name, work, filling */
int restoring_reconnect(struct restoring *r,
                        struct err *err); /* when the connection was lost: waits for a server that restarts */

/* What a killed run left of this database: dropped, or only told of with dry_run. */
int restoring_clear_leftovers(struct restoring *r, struct err *err);

/* There is no such database: where is what it held, when an earlier restore had saved it? Told, with the way back. */
void restoring_tell_saved(struct restoring *r);
/* The command that puts a pre-restore backup in place. */
void restoring_put_command(const struct restoring *r, const char *path, struct buf *out);

/* Marks the working database as ours, for the next run should this one be killed. */
int restoring_mark(struct restoring *r, struct err *err);

/* Is there a database of this name that can be used? */
int restoring_has(struct restoring *r, const char *name, bool *there, struct err *err);

/* What an interrupted drop left of the old database. */
int restoring_drop_rest(struct restoring *r, struct err *err);

/* Is there room? ERR_SPACE when certainly not; a warning when it may be too little. Silent where it can't be known. */
int restoring_check_space(struct restoring *r, struct err *err);

/* ---- restoring_source.c ------------------------------------------------------------------------------------------ */

int restoring_open_source(struct restoring *r, struct source *s, struct err *err); /* s->path, fd and checked are set */
void restoring_release_source(struct source *s);                                   /* fd stays open */

/* The roles that are missing, from the globals or plain; then the plan is settled. With dry_run nothing is made. */
int restoring_provide_roles(struct restoring *r, struct source *s, struct err *err);

/* ---- restoring_fill.c -------------------------------------------------------------------------------------------- */

int restoring_create(struct restoring *r, struct source *s, struct err *err); /* the working database and its schema */
int restoring_load(struct restoring *r, struct source *s, struct err *err);   /* everything else; logs its steps */
int restoring_tidy(struct restoring *r, struct err *err);                     /* ANALYZE, indexes, VACUUM */
int restoring_prove(struct restoring *r, struct source *s, struct err *err);
int restoring_publish(struct restoring *r, const struct source *s, struct err *err); /* it gets its name */
int restoring_drop(struct restoring *r, struct err *err); /* the working database, if it is there */
