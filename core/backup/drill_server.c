/* SPDX-License-Identifier: PostgreSQL */
/* drill_server.c - where a drill restores: a database of its own on the staging server, that in use there, or a throwaway
 * server; and what killed drills left.
 */
#include "core/backup/drilling.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/database.h"
#include "core/pg/roles.h"

#define APP_BYTES 20 /* of the application's name: with all that follows no name is cut by the server */
#define OLD_SECONDS 86400

static const char infix[] = "_drill_", filling_infix[] = "_sfb_restore_";
static const char mark[] = "made by sfb drill", kept_mark[] = "kept by sfb drill --keep";

static const char *app_of(const struct drill *d)
{
    return settings_get(d->p->settings, SETTING_APP);
}

/* ---- talking to the server --------------------------------------------------------------------------------------- */

/* By way of any database but the drill's own: postgres, which nearly every server has, else the one that was named. */
static PGconn *connect_beside(const struct drill *d, struct err *err)
{
    struct target *postgres = target_with_database(d->server, "postgres", err);
    struct err first = { 0 };
    PGconn *c = NULL;

    if (postgres == NULL)
        return NULL;
    c = conn_open(postgres, NULL, &first);
    if (c == NULL && first.class == ERR_CONNECT)
        c = conn_open(d->server, NULL, &first);
    if (c == NULL)
        *err = first;
    target_free(postgres);
    return c;
}

static int note_server(struct drill *d, PGconn *c, struct err *err)
{
    const char *version = PQparameterStatus(c, "server_version");

    if (drill_set(&d->r->server_version, version != NULL ? version : "", err) < 0)
        return -1;
    return drill_check_set(d->r, STEP_SERVER, DRILL_PASSED, err, "PostgreSQL %s", d->r->server_version);
}

/* ---- what killed drills left ------------------------------------------------------------------------------------- */

bool drill_server_is_ours(const char *app, const char *name, bool *filling, time_t *at)
{
    size_t n = strnlen(app, APP_BYTES), stamp = sizeof "20251023-020000" - 1;
    const char *rest;
    int pid;

    if (strncmp(name, app, n) != 0 || !text_starts(name + n, infix))
        return false;
    name += n + sizeof infix - 1;
    if (strnlen(name, stamp) < stamp || !clock_parse_stamp(name, at))
        return false;
    rest = name + stamp;
    *filling = text_starts(rest, filling_infix);
    return *rest == '\0' || (*filling && text_parse_int(rest + sizeof filling_infix - 1, 1, 1 << 30, &pid));
}

/* Without force: one that somebody is connected to is in use. */
static void drop_left_over(PGconn *c, const char *name)
{
    struct err why = { 0 };
    struct buf sql;

    buf_init(&sql, 4096);
    buf_puts(&sql, "DROP DATABASE ");
    conn_quote_name(&sql, name);
    if (buf_check(&sql, &why) == 0 && conn_exec(c, ERR_RESTORE, &why, sql.data) == 0)
        log_warn("removed database %s, which a killed drill left", name);
    else
        log_warn("a killed drill left database %s: %s", name, why.message);
    buf_release(&sql);
}

/* One that a drill made says so in its comment, unless it was kept; one that was still being filled tells by its name. */
static void sweep_server(const struct drill *d, PGconn *c)
{
    struct err ignored = { 0 };
    PGresult *found = conn_query(c, ERR_RESTORE, &ignored,
                                 "SELECT datname, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '')"
                                 " FROM pg_catalog.pg_database WHERE pg_catalog.strpos(datname, '_drill_') > 0",
                                 0, NULL);

    for (int i = 0; i < PQntuples(found); i++) {
        const char *name = PQgetvalue(found, i, 0);
        bool filling;
        time_t at;

        if (drill_server_is_ours(app_of(d), name, &filling, &at) && clock_now() - at > OLD_SECONDS &&
            (filling || text_starts(PQgetvalue(found, i, 1), mark)))
            drop_left_over(c, name);
    }
    PQclear(found);
}

/* ---- where it will be -------------------------------------------------------------------------------------------- */

/* Is there a server program at all? Which one fits is known when the backup is. */
static int find_local(struct drill *d, struct err *err)
{
    scratch_sweep(d->places.work);
    return hostpg_find(settings_get(d->p->settings, SETTING_PG_BINDIR), 0, &d->programs, err);
}

static int name_beside(struct drill *d, struct err *err)
{
    char stamp[CLOCK_TEXT], name[64];

    snprintf(name, sizeof name, "%.*s%s%s", APP_BYTES, app_of(d), infix, clock_stamp(stamp, clock_now()));
    if (drill_set(&d->r->database, name, err) < 0)
        return -1;
    if (asprintf(&d->comment, "%s; pid %ld on %s", d->p->keep ? kept_mark : mark, (long)getpid(), os_hostname()) < 0) {
        d->comment = NULL;
        return err_no_memory(err);
    }
    return 0;
}

static int find_staging(struct drill *d, struct err *err)
{
    PGconn *c = NULL;
    int rc = -1;

    d->server = places_target(d->p->settings, "staging", err);
    if (d->server == NULL)
        return -1;
    if (d->p->where == DRILL_BESIDE ? name_beside(d, err) < 0
                                    : drill_set(&d->r->database, target_database(d->server), err) < 0)
        return -1;
    c = connect_beside(d, err);
    if (c != NULL && note_server(d, c, err) == 0) {
        sweep_server(d, c);
        d->target = target_with_database(d->server, d->r->database, err);
        rc = d->target != NULL ? 0 : -1;
    }
    conn_close(c);
    return rc;
}

int drill_server_find(struct drill *d, struct err *err)
{
    int rc = d->p->where == DRILL_LOCAL ? find_local(d, err) : find_staging(d, err);

    if (rc < 0)
        drill_check_set(d->r, STEP_SERVER, DRILL_FAILED, &(struct err){ 0 }, "%s", err->message);
    return rc;
}

/* ---- the throwaway server ---------------------------------------------------------------------------------------- */

/* Production's name will do, but for those that a new server has already. */
static bool is_free(const char *name)
{
    return name != NULL && *name != '\0' && strcmp(name, "postgres") != 0 && !text_starts(name, "template");
}

static int start_local(struct drill *d, struct err *err)
{
    const struct manifest_database *m = &d->checked.manifest.database;
    int major = m->server_version_num / 10000;
    double from = clock_monotonic();
    PGconn *c = NULL;
    int rc = -1;

    hostpg_release(&d->programs);
    if (hostpg_find(settings_get(d->p->settings, SETTING_PG_BINDIR), major, &d->programs, err) < 0)
        return -1;
    log_step("Starting a throwaway PostgreSQL %d (%s)...", d->programs.major, d->programs.bindir);
    d->scratch = scratch_start(d->places.work, &d->programs, d->p->jobs, err);
    if (d->scratch == NULL)
        return -1;
    d->server = scratch_target(d->scratch, "postgres", err);
    if (d->server == NULL || drill_set(&d->r->database, is_free(m->name) ? m->name : "restored", err) < 0)
        return -1;
    d->target = target_with_database(d->server, d->r->database, err);
    c = d->target != NULL ? connect_beside(d, err) : NULL;
    if (c != NULL && note_server(d, c, err) == 0)
        rc = drill_phase_add(d->r, "start a server", clock_monotonic() - from, false, err);
    conn_close(c);
    return rc;
}

int drill_server_start(struct drill *d, struct err *err)
{
    if (d->p->where != DRILL_LOCAL)
        return 0;
    if (start_local(d, err) == 0)
        return 0;
    drill_check_set(d->r, STEP_SERVER, DRILL_FAILED, &(struct err){ 0 }, "%s", err->message);
    return -1;
}

/* ---- afterwards -------------------------------------------------------------------------------------------------- */

static int drop(struct drill *d, struct err *err)
{
    PGconn *c = NULL;
    int rc = -1;

    log_step("Dropping the drill's database...");
    c = connect_beside(d, err);
    if (c != NULL)
        rc = database_drop(c, d->r->database, err);
    if (rc == 0)
        roles_drop(c, &d->roles);
    else
        err_hint(err, "drop it by hand: DROP DATABASE \"%s\";", d->r->database);
    conn_close(c);
    return rc;
}

int drill_server_clear(struct drill *d, struct err *err)
{
    int rc = 0;

    os_signals_shield(true);
    if (d->p->where == DRILL_BESIDE && d->restored && !d->p->keep)
        rc = drop(d, err);
    d->r->kept = d->restored && d->p->where != DRILL_LOCAL && (d->p->where == DRILL_REPLACE || d->p->keep || rc < 0);
    scratch_stop(d->scratch);
    d->scratch = NULL;
    os_signals_shield(false);
    return rc;
}
