/* SPDX-License-Identifier: PostgreSQL */
/* database.c - making, emptying, dropping and publishing databases. What they are like: database_facts.c */
#include "core/pg/database.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"

#define NAME_BYTES 63 /* of a name; a server built with another limit would cut it, and refuse it nowhere */
#define END_SECONDS 10
#define MAX_SQL (1024 * 1024)

/* Runs "BEFORE "name" AFTER". */
static int exec_about(PGconn *c, const char *before, const char *name, const char *after, struct err *err)
{
    struct buf sql;
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    buf_puts(&sql, before);
    conn_quote_name(&sql, name);
    buf_puts(&sql, after);
    if (buf_check(&sql, err) == 0)
        rc = conn_exec(c, ERR_RESTORE, err, sql.data);
    buf_release(&sql);
    return rc;
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

char *database_working_name(const char *name, long pid)
{
    char ending[40], *whole;
    size_t keep = strlen(name), room;

    snprintf(ending, sizeof ending, "_sfb_restore_%ld", pid);
    room = NAME_BYTES - strlen(ending);
    if (keep > room) {
        keep = room;
        while (keep > 0 && ((unsigned char)name[keep] & 0xC0) == 0x80) /* not within a character */
            keep--;
    }
    if (asprintf(&whole, "%.*s%s", (int)keep, name, ending) < 0)
        return NULL;
    return whole;
}

/* ---- making ---------------------------------------------------------------------------------------------------- */

static void put_option(struct buf *sql, const char *option, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    buf_printf(sql, " %s = ", option);
    conn_quote_text(sql, value);
}

/* What a server of this version knows to say; older ones have libc alone. */
static void put_shape(struct buf *sql, const struct database_shape *s, int version)
{
    const char *provider = s->provider != NULL && *s->provider != '\0' ? s->provider : "libc";
    bool builtin = strcmp(provider, "builtin") == 0;

    put_option(sql, "ENCODING", s->encoding);
    if (version >= 150000 && s->collate != NULL)
        buf_printf(sql, " LOCALE_PROVIDER = %s", provider);
    put_option(sql, "LC_COLLATE", s->collate);
    put_option(sql, "LC_CTYPE", s->ctype);
    if (strcmp(provider, "libc") != 0 && version >= 150000)
        put_option(sql, builtin ? "BUILTIN_LOCALE" : "ICU_LOCALE", s->locale);
    if (version >= 160000)
        put_option(sql, "ICU_RULES", s->icu_rules);
}

static int create(PGconn *c, const char *name, const struct database_shape *shape, struct err *err)
{
    struct buf sql;
    int rc = -1;

    buf_init(&sql, MAX_SQL);
    buf_puts(&sql, "CREATE DATABASE ");
    conn_quote_name(&sql, name);
    buf_puts(&sql, " WITH TEMPLATE = template0");
    put_shape(&sql, shape, PQserverVersion(c));
    /* naming the default one takes a privilege that using it does not */
    if (shape->tablespace != NULL && *shape->tablespace != '\0' && strcmp(shape->tablespace, "pg_default") != 0) {
        buf_puts(&sql, " TABLESPACE = ");
        conn_quote_name(&sql, shape->tablespace);
    }
    if (buf_check(&sql, err) == 0)
        rc = conn_exec(c, ERR_RESTORE, err, sql.data);
    buf_release(&sql);
    return rc;
}

static const char *shown(const char *value)
{
    return value != NULL && *value != '\0' ? value : "default";
}

int database_create(PGconn *c, const char *name, const struct database_shape *shape, struct err *err)
{
    struct database_shape plainer = { .encoding = shape->encoding, .tablespace = shape->tablespace };
    struct err first = { 0 }, ignored = { 0 };
    const char *got;

    if (create(c, name, shape, &first) == 0)
        return 0;
    if (os_check_interrupt(err) < 0)
        return -1;
    if (PQstatus(c) != CONNECTION_OK || shape->collate == NULL)
        goto fail;
    if (create(c, name, &plainer, &ignored) == 0) {
        got = "the server's default one";
    } else { /* the default locale may be of another encoding; C suits all */
        plainer.collate = plainer.ctype = (char *)"C";
        err_clear(&ignored);
        if (create(c, name, &plainer, &ignored) < 0)
            goto fail;
        got = "C";
    }
    log_warn("this server can't make a database with the backup's locale (%s, collation %s, character type %s%s%s); it "
             "gets %s: texts may sort differently",
             shown(shape->provider), shown(shape->collate), shown(shape->ctype),
             shape->locale != NULL && *shape->locale ? ", " : "", shape->locale != NULL ? shape->locale : "", got);
    log_debug("the server's words: %s", first.message);
    return 0;
fail:
    *err = first;
    err_context(err, "can't create a database");
    return -1;
}

/* ---- emptying and dropping ------------------------------------------------------------------------------------- */

static int refuse(PGresult *r, struct err *err, const char *name, const char *what, const char *remedy)
{
    struct buf list;

    buf_init(&list, sizeof err->hint);
    for (int i = 0; i < PQntuples(r) && i < 5; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", PQgetvalue(r, i, 0));
    err_set(err, ERR_RESTORE, "database %s can't be dropped: it has %s (%s); nothing was touched", name, what,
            list.data);
    buf_reset(&list);
    conn_quote_text(&list, PQgetvalue(r, 0, 0));
    err_hint(err, "%s%s", remedy, list.data);
    buf_release(&list);
    return -1;
}

int database_check_droppable(PGconn *c, const struct database *d, struct err *err)
{
    static const struct {
        const char *sql, *what, *remedy;
    } obstacles[] = {
        { "SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE database = $1",
          "logical replication slots, whose consumers would lose their place",
          "when their consumers can start anew, drop each: SELECT pg_drop_replication_slot(slot), e.g. of " },
        { "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = $1", "prepared transactions",
          "end each of them in that database: COMMIT PREPARED or ROLLBACK PREPARED " },
        { "SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid"
          " WHERE d.datname = $1",
          "subscriptions", "drop each of them in that database with DROP SUBSCRIPTION, e.g. " },
    };
    const char *params[] = { d->name };

    if (d->is_template) {
        err_set(err, ERR_RESTORE, "database %s is a template; nothing was touched", d->name);
        err_hint(err, "if it is to be replaced: ALTER DATABASE ... IS_TEMPLATE false");
        return -1;
    }
    for (size_t i = 0; i < sizeof obstacles / sizeof obstacles[0]; i++) {
        struct err ignored = { 0 };
        PGresult *r = conn_query(c, ERR_RESTORE, &ignored, obstacles[i].sql, 1, params);
        int n = PQntuples(r), rc = 0; /* what we may not look at, the server will tell when we try */

        if (n > 0)
            rc = refuse(r, err, d->name, obstacles[i].what, obstacles[i].remedy);
        PQclear(r);
        if (rc < 0)
            return -1;
    }
    return os_check_interrupt(err);
}

int database_allow(PGconn *c, const char *name, bool allow, struct err *err)
{
    return exec_about(c, "ALTER DATABASE ", name, allow ? " ALLOW_CONNECTIONS true" : " ALLOW_CONNECTIONS false", err);
}

/* Asks every connection to end; those we may not ask are found by the count that follows. */
static void terminate_all(PGconn *c, const char *name)
{
    const char *params[] = { name };
    struct err ignored = { 0 };
    PGresult *r = conn_query(c, ERR_RESTORE, &ignored,
                             "SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = $1"
                             " AND pid <> pg_catalog.pg_backend_pid()",
                             1, params);

    for (int i = 0; i < PQntuples(r); i++) {
        const char *pid[] = { PQgetvalue(r, i, 0) };
        err_clear(&ignored);
        PQclear(conn_query(c, ERR_RESTORE, &ignored, "SELECT pg_catalog.pg_terminate_backend($1)", 1, pid));
    }
    PQclear(r);
}

int database_end_connections(PGconn *c, const char *name, int seconds, struct err *err)
{
    static const char left_sql[] =
        "SELECT pg_catalog.format('pid %s, user %s%s', pid, usename,"
        " CASE WHEN application_name = '' THEN '' ELSE ', ' || application_name END)"
        " FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()"
        " AND usesysid IS NOT NULL"; /* autovacuum's workers have none: the server ends them itself */
    double deadline = clock_monotonic() + seconds;
    const char *params[] = { name };

    for (;;) {
        PGresult *r;
        int n;

        terminate_all(c, name);
        r = conn_query(c, ERR_RESTORE, err, left_sql, 1, params);
        if (r == NULL)
            return -1;
        n = PQntuples(r);
        if (n > 0 && clock_monotonic() > deadline) {
            err_set(err, ERR_RESTORE, "%d connections to %s do not end, e.g. %s", n, name, PQgetvalue(r, 0, 0));
            err_hint(err,
                     "stop that program, or connect as a superuser: only a superuser may end a superuser's session");
            PQclear(r);
            return -1;
        }
        PQclear(r);
        if (n == 0)
            return 0;
        if (conn_exec(c, ERR_RESTORE, err, "SELECT pg_catalog.pg_sleep(0.05)") < 0)
            return -1;
    }
}

int database_drop(PGconn *c, const char *name, struct err *err)
{
    /* for who came in between, and for sessions of ours that a signal or a crash cut off from their server */
    bool force = PQserverVersion(c) >= 130000;
    struct err ignored = { 0 };

    if (!force)
        database_end_connections(c, name, END_SECONDS, &ignored);
    return exec_about(c, "DROP DATABASE IF EXISTS ", name, force ? " WITH (FORCE)" : "", err);
}

#define AT_ONCE_MS 200
#define SLICE_MS 200

/* Until the connection has its answer, at most so long. 1: it has. */
static int wait_answer(PGconn *c, int milliseconds, struct err *err)
{
    double deadline = clock_monotonic() + milliseconds / 1000.0;

    while (PQisBusy(c)) {
        struct pollfd p = { .fd = PQsocket(c), .events = POLLIN };

        if (milliseconds >= 0 && clock_monotonic() >= deadline)
            return 0;
        poll(&p, p.fd >= 0 ? 1 : 0, milliseconds >= 0 && milliseconds < SLICE_MS ? milliseconds : SLICE_MS);
        if (os_check_interrupt(err) < 0)
            return -1;
        if (PQconsumeInput(c) == 0)
            return 1; /* PQgetResult tells what happened */
    }
    return 1;
}

int database_drop_end(PGconn *c, struct err *err)
{
    int rc;

    if (wait_answer(c, -1, err) < 0)
        return -1;
    rc = conn_finish(c, ERR_RESTORE, err);
    if (rc == 0 && PQstatus(c) != CONNECTION_OK) {
        conn_fail(err, ERR_RESTORE, c, NULL, NULL);
        rc = -1;
    }
    return rc;
}

int database_drop_begin(PGconn *c, const char *name, struct err *err)
{
    struct buf sql;
    int rc = -1, answered;

    buf_init(&sql, MAX_SQL);
    buf_puts(&sql, "DROP DATABASE ");
    conn_quote_name(&sql, name);
    if (PQserverVersion(c) >= 130000)
        buf_puts(&sql, " WITH (FORCE)");
    if (buf_check(&sql, err) < 0)
        goto out;
    if (PQsendQuery(c, sql.data) != 1) {
        conn_fail(err, ERR_RESTORE, c, NULL, NULL);
        goto out;
    }
    answered = wait_answer(c, AT_ONCE_MS, err);
    rc = answered < 0 ? -1 : answered == 0 ? 0 : database_drop_end(c, err);
out:
    buf_release(&sql);
    return rc;
}

/* ---- publishing ------------------------------------------------------------------------------------------------ */

/* Within a transaction: what the server refuses is undone and warned about. -1: the connection or the transaction is
 * lost, or a signal came. */
static int try_about(PGconn *c, const char *before, const char *name, const char *after, struct err *err)
{
    struct err refused = { 0 };

    if (conn_exec(c, ERR_RESTORE, err, "SAVEPOINT sfb") < 0)
        return -1;
    if (exec_about(c, before, name, after, &refused) == 0)
        return conn_exec(c, ERR_RESTORE, err, "RELEASE SAVEPOINT sfb");
    if (refused.class == ERR_SIGNAL) {
        *err = refused;
        return -1;
    }
    if (conn_exec(c, ERR_RESTORE, err, "ROLLBACK TO SAVEPOINT sfb") < 0)
        return -1;
    log_warn("left out: %s\"%s\"%s: %s", before, name, after, refused.message);
    return 0;
}

static int give_name(PGconn *c, const char *from, const char *name, struct err *err)
{
    struct buf after;
    int rc = -1;

    buf_init(&after, 4096);
    buf_puts(&after, " RENAME TO ");
    conn_quote_name(&after, name);
    if (buf_check(&after, err) == 0)
        rc = exec_about(c, "ALTER DATABASE ", from, after.data, err);
    buf_release(&after);
    return rc;
}

static int give_owner(PGconn *c, const struct database *d, struct err *err)
{
    struct buf after;
    int rc = -1;

    if (d->owner == NULL)
        return 0;
    buf_init(&after, 4096);
    buf_puts(&after, " OWNER TO ");
    conn_quote_name(&after, d->owner);
    if (buf_check(&after, err) == 0)
        rc = try_about(c, "ALTER DATABASE ", d->name, after.data, err);
    buf_release(&after);
    return rc;
}

static int publish_steps(PGconn *c, const char *from, const struct database *d, struct err *err)
{
    char limit[64];

    if (give_name(c, from, d->name, err) < 0)
        return -1;
    if (exec_about(c, "COMMENT ON DATABASE ", d->name, " IS NULL", err) < 0)
        return -1;
    if (d->connection_limit != -1) {
        snprintf(limit, sizeof limit, " CONNECTION LIMIT %d", d->connection_limit);
        if (try_about(c, "ALTER DATABASE ", d->name, limit, err) < 0)
            return -1;
    }
    if (exec_about(c, "ALTER DATABASE ", d->name, " ALLOW_CONNECTIONS true", err) < 0)
        return -1;
    if (give_owner(c, d, err) < 0) /* before the privileges: an owner's are its own */
        return -1;
    for (size_t i = 0; i < d->n_acts; i++) {
        if (try_about(c, d->acts[i].before, d->name, d->acts[i].after, err) < 0)
            return -1;
    }
    return 0;
}

int database_publish(PGconn *c, const char *from, const struct database *d, struct err *err)
{
    struct err ignored = { 0 };

    if (conn_exec(c, ERR_RESTORE, err, "BEGIN") < 0)
        return -1;
    if (publish_steps(c, from, d, err) == 0 && conn_exec(c, ERR_RESTORE, err, "COMMIT") == 0)
        return 0;
    conn_exec(c, ERR_RESTORE, &ignored, "ROLLBACK");
    return -1;
}
