/* SPDX-License-Identifier: PostgreSQL */
/* database.h - a database as an object of its server: what it is like, ending its connections, making, dropping and
 * renaming it.
 *
 * pg_restore fills a database but leaves alone what belongs to the database itself: owner, privileges, settings, comment,
 * connection limit. They are kept here as statements with a gap where the name goes, so that they can be said again of
 * a database of another name, whether they come from a server's catalog or from an archive.
 *
 * All functions work on a connection to a database other than the one they are about.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/base/err.h"
#include "core/base/names.h"
#include "core/pg/archive.h"
#include "core/pg/conn.h"

/* How it is created. NULL or "": the server's default. */
struct database_shape {
    char *encoding, *provider; /* provider: "libc", "icu" or "builtin" */
    char *collate, *ctype, *locale, *icu_rules;
    char *tablespace;
};

struct database_act {
    char *before, *after;
}; /* a statement around the database's name */

struct database {
    bool exists;
    char *name, *oid, *owner; /* owner NULL: whoever creates it */
    struct database_shape shape;
    bool allow_connections, is_template;
    int connection_limit;
    uint64_t size; /* 0: not known */
    struct database_act *acts;
    size_t n_acts;
};

/* As it is on the server; when there is no such database, d->exists is false and that is no error. */
int database_capture(PGconn *c, const char *name, struct database *d, struct err *err);

/* As the archive's own entries have it (pg_restore --create would make it so). Statements of another shape than
 * pg_dump's are left out. */
int database_from_archive(const struct archive *a, struct database *d, struct err *err);

void database_release(struct database *d);

/* ERR_RESTORE when it can't be dropped whatever we do: templates, logical replication slots, subscriptions, prepared
 * transactions. The hint has the statement that helps. */
int database_check_droppable(PGconn *c, const struct database *d, struct err *err);

/* NAME_sfb_restore_PID, where NAME is cut so that it fits. Caller frees; NULL without memory. */
char *database_working_name(const char *name, long pid);

/* Creates it from template0. A server that can't have this locale gets its own default one, in the same encoding, with
 * a warning that says what is different. */
int database_create(PGconn *c, const char *name, const struct database_shape *shape, struct err *err);

/* Nobody may connect any more (or may again), not even a superuser. */
int database_allow(PGconn *c, const char *name, bool allow, struct err *err);

/* Ends the connections that there are and waits until they are gone: at most `seconds`, then ERR_RESTORE names those
 * that stay. */
int database_end_connections(PGconn *c, const char *name, int seconds, struct err *err);

int database_drop(PGconn *c, const char *name, struct err *err); /* one that is not there is fine */

/* The same in two parts, on a connection of its own: dropping waits for the disks, and other work need not. A failure
 * that comes at once is found at once. */
int database_drop_begin(PGconn *c, const char *name, struct err *err);
int database_drop_end(PGconn *c, struct err *err);

/* `from`, which nobody is connected to, gets the name and all that d has: in one transaction. What of it the server
 * does not accept is warned about and left out; the renaming itself must succeed. */
int database_publish(PGconn *c, const char *from, const struct database *d, struct err *err);
