/* SPDX-License-Identifier: PostgreSQL */
/* restoring_server.c - the maintenance connection, the lock, names, what a killed run left. */
#include "core/backup/restoring.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/catalog.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define RESTART_SECONDS 60.0 /* a server that crashed is usually back in this time */
#define MAX_SQL 65536

/* ---- the maintenance connection ---------------------------------------------------------------------------------- */

static int connect_to(struct restoring *r, const char *database, struct err *err)
{
    target_free(r->maintenance);
    r->maintenance = target_with_database(r->p->target, database, err);
    if (r->maintenance == NULL)
        return -1;
    r->admin = conn_open(r->maintenance, "-c synchronous_commit=on -c default_transaction_read_only=off", err);
    return r->admin != NULL ? 0 : -1;
}

/* postgres, where it is not what is replaced; some servers have none, and everyone has template1. */
static int connect_admin(struct restoring *r, struct err *err)
{
    struct err first = { 0 };

    if (strcmp(r->name, "postgres") != 0) {
        if (connect_to(r, "postgres", &first) == 0)
            return 0;
        if (first.class == ERR_SIGNAL || first.class == ERR_CONFIG)
            goto fail;
    }
    if (strcmp(r->name, "template1") != 0 && connect_to(r, "template1", err) == 0)
        return 0;
    if (first.class == ERR_NONE)
        return err->class != ERR_NONE ? -1 : err_set(err, ERR_CONFIG, "template1 can't be replaced by a restore");
    err_clear(err);
fail:
    *err = first;
    return -1;
}

/* FNV-1a: what two sfbs that restore the same database have in common. */
static void lock_key(const char *name, char out[24])
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const char *part = "sfb restore "; part != NULL; part = part == name ? NULL : name)
        for (const char *at = part; *at != '\0'; at++)
            hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    snprintf(out, 24, "%lld", (long long)(int64_t)hash);
}

static int lock(struct restoring *r, struct err *err)
{
    char key[24], *got;
    bool held;

    lock_key(r->name, key);
    got = conn_value(r->admin, ERR_RESTORE, err, "SELECT pg_catalog.pg_try_advisory_lock($1)", 1,
                     (const char *[]){ key });
    if (got == NULL)
        return -1;
    held = *got == 't';
    free(got);
    if (held)
        return 0;
    err_set(err, ERR_BUSY, "another sfb is restoring database %s on this server right now", r->name);
    err_hint(err, "wait until it has ended; it may run on another machine");
    return -1;
}

static int check_writable(struct restoring *r, struct err *err)
{
    char *standby = conn_value(r->admin, ERR_RESTORE, err, "SELECT pg_catalog.pg_is_in_recovery()", 0, NULL);
    bool is_standby = standby != NULL && *standby == 't';

    if (standby == NULL)
        return -1;
    free(standby);
    if (!is_standby)
        return 0;
    err_set(err, ERR_RESTORE, "this server is a standby, which can't be changed; nothing was touched");
    err_hint(err, "restore on its primary: the standby follows");
    return -1;
}

/* The server cuts names that are too long, and would find another database than we think. */
static int cut_name(struct restoring *r, struct err *err)
{
    char *cut = conn_value(r->admin, ERR_RESTORE, err, "SELECT $1::pg_catalog.name", 1, (const char *[]){ r->name });

    if (cut == NULL)
        return -1;
    free(r->name);
    r->name = cut;
    return 0;
}

/* How sfb itself connects to what it fills: without the triggers on login that may come with the backup. */
static int aim(struct restoring *r, struct err *err)
{
    const char *superuser = PQparameterStatus(r->admin, "is_superuser");
    bool no_triggers = PQserverVersion(r->admin) >= 170000 && superuser != NULL && strcmp(superuser, "on") == 0;
    struct target *plain = NULL;
    char *conninfo = NULL;

    r->work = database_working_name(r->name, (long)getpid());
    if (r->work == NULL)
        return err_no_memory(err);
    plain = target_with_database(r->p->target, r->work, err);
    if (plain != NULL && no_triggers) {
        conninfo = target_conninfo(plain, "-c event_triggers=off", err);
        r->filling = conninfo != NULL ? target_parse(conninfo, err) : NULL;
        target_free(plain);
        if (conninfo != NULL)
            text_wipe(conninfo, strlen(conninfo));
        free(conninfo);
    } else {
        r->filling = plain;
    }
    return r->filling != NULL ? 0 : -1;
}

int restoring_connect(struct restoring *r, struct err *err)
{
    r->name = strdup(target_database(r->p->target));
    if (r->name == NULL)
        return err_no_memory(err);
    if (connect_admin(r, err) < 0 || cut_name(r, err) < 0 || lock(r, err) < 0 || check_writable(r, err) < 0)
        return -1;
    return aim(r, err);
}

int restoring_reconnect(struct restoring *r, struct err *err)
{
    double deadline = clock_monotonic() + RESTART_SECONDS;
    struct err ignored = { 0 };

    if (r->admin != NULL && conn_exec(r->admin, ERR_RESTORE, &ignored, "ROLLBACK") == 0) /* and so it is idle, too */
        return 0;
    if (os_check_interrupt(err) < 0)
        return -1;
    for (;;) {
        err_clear(err);
        conn_close(r->admin);
        r->admin = NULL;
        if (connect_admin(r, err) == 0) {
            lock(r, &ignored); /* best effort: our own lost session may hold it for a while yet */
            return 0;
        }
        if (err->class == ERR_SIGNAL || clock_monotonic() > deadline)
            return -1;
        poll(NULL, 0, 500);
    }
}

/* A drop that a crash interrupted leaves a name behind which is good for nothing but to be dropped. */
int restoring_drop_rest(struct restoring *r, struct err *err)
{
    char *n = conn_value(
        r->admin, ERR_RESTORE, err,
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_database WHERE datname = $1 AND datconnlimit = -2", 1,
        (const char *[]){ r->name });
    bool invalid = n != NULL && strcmp(n, "0") != 0;

    if (n == NULL)
        return -1;
    free(n);
    return invalid ? database_drop(r->admin, r->name, err) : 0;
}

int restoring_has(struct restoring *r, const char *name, bool *there, struct err *err)
{
    char *n = conn_value(r->admin, ERR_RESTORE, err,
                         "SELECT pg_catalog.count(*) FROM pg_catalog.pg_database WHERE datname = $1"
                         " AND datconnlimit <> -2",
                         1, (const char *[]){ name });

    *there = n != NULL && strcmp(n, "0") != 0;
    free(n);
    return n != NULL ? 0 : -1;
}

/* ---- what a killed run leaves ------------------------------------------------------------------------------------ */

static const char mark_begins[] = "sfb restore in progress; pid ";
static const char mark_backup[] = "; pre-restore backup ";

int restoring_mark(struct restoring *r, struct err *err)
{
    const char *backup = r->is_saved ? r->saved.path : r->old.exists ? NULL : r->earlier;
    struct buf sql, mark;
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    buf_init(&mark, MAX_SQL);
    buf_printf(&mark, "%s%ld on %s", mark_begins, (long)getpid(), os_hostname());
    if (backup != NULL)
        buf_printf(&mark, "%s%s", mark_backup, backup);
    buf_puts(&sql, "COMMENT ON DATABASE ");
    conn_quote_name(&sql, r->work);
    buf_puts(&sql, " IS ");
    conn_quote_text(&sql, mark.data);
    if (buf_check(&mark, err) == 0 && buf_check(&sql, err) == 0)
        rc = conn_exec(r->admin, ERR_RESTORE, err, sql.data);
    buf_release(&sql);
    buf_release(&mark);
    return rc;
}

/* Is it a working name of the database that is replaced? */
static bool is_ours(const struct restoring *r, const char *name)
{
    const char *dash = strrchr(name, '_');
    char *same;
    int pid;
    bool ours;

    if (dash == NULL || !text_parse_int(dash + 1, 1, 1 << 30, &pid))
        return false;
    same = database_working_name(r->name, pid);
    ours = same != NULL && strcmp(same, name) == 0;
    free(same);
    return ours;
}

/* Its restore had closed the old database, so it was open before: only such are ever closed. */
static int open_again(struct restoring *r, struct err *err)
{
    struct database now = { 0 };
    bool there = true;
    int rc = database_capture(r->admin, r->name, &now, err);

    if (rc == 0 && now.exists && !now.allow_connections) {
        struct err ignored = { 0 };

        rc = database_allow(r->admin, r->name, true, err);
        if (rc == 0) {
            log_warn("that restore had closed %s; it accepts connections again", r->name);
        } else if (restoring_has(r, r->name, &there, &ignored) == 0 && !there) { /* the server was dropping it still */
            err_clear(err);
            rc = restoring_drop_rest(r, err);
        }
    }
    database_release(&now);
    return rc;
}

static int clear_one(struct restoring *r, const char *name, const char *mark, struct err *err)
{
    const char *backup = strstr(mark, mark_backup);

    log_warn("an earlier restore of %s was killed: %s %s", r->name, r->p->dry_run ? "it left database" : "removing",
             name);
    if (backup != NULL) {
        backup += sizeof mark_backup - 1;
        log_warn("what %s held before that restore is in %s", r->name, backup);
        free(r->earlier);
        r->earlier = strdup(backup);
        if (r->earlier == NULL)
            return err_no_memory(err);
    }
    if (r->p->dry_run)
        return 0;
    return open_again(r, err) < 0 ? -1 : database_drop(r->admin, name, err);
}

int restoring_clear_leftovers(struct restoring *r, struct err *err)
{
    PGresult *found;
    int rc;

    if (!r->p->dry_run && restoring_drop_rest(r, err) < 0)
        return -1;
    found = conn_query(r->admin, ERR_RESTORE, err,
                       "SELECT datname, pg_catalog.shobj_description(oid, 'pg_database') FROM"
                       " pg_catalog.pg_database WHERE datname LIKE '%\\_sfb\\_restore\\_%'",
                       0, NULL);
    rc = found != NULL ? 0 : -1;
    for (int i = 0; rc == 0 && i < PQntuples(found); i++)
        if (text_starts(PQgetvalue(found, i, 1), mark_begins) && is_ours(r, PQgetvalue(found, i, 0)))
            rc = clear_one(r, PQgetvalue(found, i, 0), PQgetvalue(found, i, 1), err);
    PQclear(found);
    return rc;
}

/* The newest of those on this host; the mark on the server may be gone with the run that read it. */
static void find_saved(struct restoring *r)
{
    struct catalog catalog = { 0 };
    struct err ignored = { 0 };
    char when[CLOCK_TEXT];

    if (catalog_read(r->p->work_dir, r->p->environment, &catalog, &ignored) < 0)
        return;
    for (size_t i = 0; i < catalog.n && r->earlier == NULL; i++) {
        const struct catalog_item *item = &catalog.items[i];

        if (catalog_is_complete(item) && strcmp(item->manifest.label, RESTORING_LABEL) == 0 &&
            strcmp(item->manifest.database.name, r->name) == 0 && (r->earlier = strdup(item->path)) != NULL)
            log_warn("there is no database %s; what %s held at %s UTC is in %s", r->name, r->name,
                     clock_log(when, item->manifest.snapshot_at), r->earlier);
    }
    catalog_release(&catalog);
}

void restoring_put_command(const struct restoring *r, const char *path, struct buf *out)
{
    buf_printf(out, "sfb restore --force --environment %s %s", r->p->environment, path);
}

void restoring_tell_saved(struct restoring *r)
{
    struct buf command;

    if (r->earlier == NULL)
        find_saved(r);
    if (r->earlier == NULL || strcmp(r->earlier, r->p->path) == 0)
        return;
    buf_init(&command, 8192);
    restoring_put_command(r, r->earlier, &command);
    log_warn("to have that back instead, type: %s", command.data);
    buf_release(&command);
}

/* ---- space ------------------------------------------------------------------------------------------------------- */

static bool is_this_machine(const struct target *t)
{
    const char *host = target_host(t);

    return target_is_local_socket(t) || strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           strcmp(host, "::1") == 0;
}

int restoring_check_space(struct restoring *r, struct err *err)
{
    uint64_t needed = r->source.checked->manifest.database.size, available = 0;
    char need[TEXT_SHORT], have[TEXT_SHORT], *directory;
    struct err ignored = { 0 };
    int rc = 0;

    if (needed == 0 || !is_this_machine(r->p->target))
        return 0;
    directory = conn_value(r->admin, ERR_RESTORE, &ignored, "SHOW data_directory", 0, NULL);
    if (directory == NULL ||
        os_free_space(directory, &available, &ignored) < 0) /* not for us to see: a container, another user's */
        goto out;
    available += r->old.size; /* which goes first */
    text_size(need, needed);
    text_size(have, available);
    if (available < needed / 2) {
        rc = err_set(err, ERR_SPACE,
                     "the server has room for %s in %s, and the backup's database was %s; nothing was touched", have,
                     directory, need);
        err_hint(err, "make room on the server's disk, then restore again");
    } else if (available < needed) {
        log_warn("the server has room for %s, and the backup's database was %s: it may just fit", have, need);
    }
out:
    free(directory);
    return rc;
}
