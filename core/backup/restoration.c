/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/restoring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/audit.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/roles.h"

#define END_SECONDS 30
#define SAVE_LEVEL 1 /* of gzip: it is read once more at most, and somebody waits */

/* ---- before anything is touched ---------------------------------------------------------------------------------- */

static int check_old(struct restoring *r, struct err *err)
{
    char *ours;
    bool may;

    if (!r->old.exists)
        return 0;
    ours = conn_value(r->admin, ERR_RESTORE, err,
                      "SELECT pg_catalog.pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = $1",
                      1, (const char *[]){ r->name });
    if (ours == NULL)
        return -1;
    may = *ours == 't';
    free(ours);
    if (!may) {
        err_set(err, ERR_RESTORE, "database %s belongs to %s, so user %s may not replace it; nothing was touched",
                r->name, r->old.owner, r->source.plan.user);
        err_hint(err, "restore as %s, or as a superuser", r->old.owner);
        return -1;
    }
    if (!r->old.allow_connections && !r->p->unsaved) {
        err_set(err, ERR_RESTORE, "database %s accepts no connections, so its content can't be saved first", r->name);
        err_hint(err, "ALTER DATABASE ... ALLOW_CONNECTIONS true; or --no-pre-restore, which gives its content up");
        return -1;
    }
    return database_check_droppable(r->admin, &r->old, err);
}

static int check_all(struct restoring *r, struct err *err)
{
    if (restoring_clear_leftovers(r, err) < 0 || database_capture(r->admin, r->name, &r->old, err) < 0)
        return -1;
    if (!r->old.exists)
        restoring_tell_saved(r);
    if (restoring_open_source(r, &r->source, err) < 0 || check_old(r, err) < 0 || restoring_check_space(r, err) < 0)
        return -1;
    return restoring_provide_roles(r, &r->source, err);
}

static void tell_plan(const struct restoring *r)
{
    const struct source *s = &r->source;
    char size[TEXT_SHORT];

    log_step("Dry run: the backup can be restored; nothing was changed");
    log_say("%s", "");
    log_say("📋 What a restore would do:");
    if (r->old.exists) {
        log_say("   Save database %s (%s) to %s/pre-restore-….dump%s", r->name, text_size(size, r->old.size),
                r->p->work_dir, r->p->unsaved ? " (not with --no-pre-restore)" : "");
        log_say("   End its connections, drop it, and create it again, owned by %s", r->old.owner);
    } else {
        log_say("   Create database %s, owned by %s", r->name,
                s->like.owner != NULL && !names_have(&s->refused, s->like.owner) ? s->like.owner : s->plan.user);
    }
    if (s->has_toc)
        log_say("   Restore it with pg_restore %s, %u jobs", tool_version(&s->plan.tool), r->p->jobs);
    else
        log_say("   Restore it with psql %s", tool_version(&s->psql));
    log_say("   Analyze and vacuum it, and compare %s", !s->checked->counted ? "nothing: the backup has no manifest"
                                                        : r->p->counts_only  ? "its row counts"
                                                                             : "every row");
}

/* ---- the old database is saved ----------------------------------------------------------------------------------- */

static int take_snapshot(struct restoring *r, struct dump *d, struct err *err)
{
    struct snapshot_params p = {
        .dump = d,
        .app = r->p->app,
        .environment = r->p->environment,
        .label = RESTORING_LABEL,
        .format = FORMAT_CUSTOM,
        .method = METHOD_GZIP,
        .level = SAVE_LEVEL,
        .jobs = r->p->jobs,
        .started = clock_now(),
        .directory = r->p->work_dir,
        .prefix = "",
        .quiet = true,
    };

    if (snapshot_check_space(&p, err) < 0 || snapshot_take(&p, &r->saved, err) < 0)
        return -1;
    r->is_saved = true;
    return 0;
}

/* It is checked as any backup is before it counts: what comes next can't be undone without it. */
static int save(struct restoring *r, struct err *err)
{
    struct dump_params open = {
        .target = r->p->target, .bindir = r->p->bindir, .lock_timeout = r->p->lock_timeout, .check_privileges = true
    };
    struct integrity_params check = { .depth = CHECK_ALL, .bindir = r->p->bindir, .walked = &r->saved.walked };
    struct dump *d = NULL;
    int rc = -1;

    log_step("Creating pre-restore backup...");
    os_sweep_partials(r->p->work_dir, RESTORING_LABEL "-");
    d = dump_open(&open, err);
    if (d != NULL && take_snapshot(r, d, err) == 0 &&
        integrity_check(r->saved.path, &check, &r->saved_check, &r->saved_fd, err) == 0)
        rc = restoring_mark(r, err);
    dump_close(d);
    if (rc < 0 && r->is_saved) {
        snapshot_remove_files(&r->saved);
        snapshot_release(&r->saved);
        r->is_saved = false;
    }
    if (rc == 0) {
        if (r->p->audit != NULL)
            audit_event(r->p->audit, AUDIT_INFO, "Pre-restore backup saved (file: %s)", r->saved.path);
        log_step("Pre-restore backup saved: %s", r->saved.path);
        r->result->pre_restore_path = strdup(r->saved.path);
        return r->result->pre_restore_path != NULL ? 0 : err_no_memory(err);
    }
    if (err->class == ERR_SIGNAL)
        return -1;
    err_context(err, "the present database can't be saved first");
    if (err->hint[0] == '\0')
        err_hint(err, "if it is damaged beyond saving, --no-pre-restore replaces it without a way back");
    return -1;
}

/* ---- the exchange ------------------------------------------------------------------------------------------------ */

static int remove_old(struct restoring *r, struct err *err)
{
    log_step("Terminating active database connections...");
    r->blocked = true; /* before the fact: a lost answer must not leave it closed */
    if (database_allow(r->admin, r->name, false, err) < 0 ||
        database_end_connections(r->admin, r->name, END_SECONDS, err) < 0 || os_check_interrupt(err) < 0)
        return -1;
    log_step("Dropping existing database...");
    r->dropping = conn_open(r->maintenance, NULL, err);
    if (r->dropping == NULL)
        return -1;
    r->touched = true;
    return database_drop_begin(r->dropping, r->name, err);
}

/* The server has had all the time of the restore for it. */
static int end_drop(struct restoring *r, struct err *err)
{
    if (r->dropping == NULL)
        return 0;
    if (database_drop_end(r->dropping, err) < 0)
        return -1;
    r->dropped = true;
    r->blocked = false;
    conn_close(r->dropping);
    r->dropping = NULL;
    return 0;
}

/* The working database and its schema come first, silently: what fails there has changed nothing. */
static int exchange(struct restoring *r, struct err *err)
{
    if (restoring_create(r, &r->source, err) < 0)
        return -1;
    if (r->old.exists && ((!r->p->unsaved && save(r, err) < 0) || remove_old(r, err) < 0))
        return -1;
    log_step("Creating new database...");
    if (restoring_load(r, &r->source, err) < 0 || restoring_tidy(r, err) < 0 || restoring_prove(r, &r->source, err) < 0)
        return -1;
    if (end_drop(r, err) < 0)
        return -1;
    r->complete = true;
    if (restoring_publish(r, &r->source, err) < 0)
        return -1;
    if (r->result->proven)
        log_step("✅ Data integrity verification successful");
    return 0;
}

/* ---- when it failed ---------------------------------------------------------------------------------------------- */

/* What is only for comfort must not keep the database away. */
static int publish_back(struct restoring *r, struct source *back, struct err *err)
{
    struct err trouble = { 0 };

    if (restoring_tidy(r, &trouble) < 0)
        log_warn("its statistics are not up to date: %s", trouble.message);
    err_clear(&trouble);
    if (restoring_prove(r, back, &trouble) < 0)
        log_warn("pg_restore had no errors, but: %s", trouble.message);
    return restoring_publish(r, back, err);
}

/* The old database from its own backup, by the same code, and with its own properties. */
static int fill_back(struct restoring *r, struct err *err)
{
    struct source back = { .path = r->saved.path, .fd = r->saved_fd, .checked = &r->saved_check };
    struct restoration_result kept = *r->result;
    int rc = -1;

    if (restoring_reconnect(r, err) < 0 || restoring_drop(r, err) < 0 || restoring_drop_rest(r, err) < 0)
        return -1;
    if (restoring_open_source(r, &back, err) == 0 && restore_plan_settle(&back.plan, &back.refused, err) == 0 &&
        restoring_create(r, &back, err) == 0 && restoring_load(r, &back, err) == 0 && publish_back(r, &back, err) == 0)
        rc = 0;
    restoring_release_source(&back);
    *r->result = kept;
    return rc;
}

static void put_back(struct restoring *r, struct err *err)
{
    struct err why = { 0 };
    struct buf command;
    char when[CLOCK_TEXT];

    log_warn("%s", err->message);
    log_step("Putting the previous database back...");
    for (int tries = 0; tries < 2 && !r->result->put_back; tries++) {
        err_clear(&why);
        r->result->put_back = fill_back(r, &why) == 0;
    }
    if (r->result->put_back) {
        clock_log(when, r->saved.manifest.snapshot_at);
        log_step("The previous database is back, as it was at %s UTC", when);
        roles_drop(r->admin, &r->made);
        err_hint(err, "database %s is back as it was at %s UTC (from %s, which stays)", r->name, when, r->saved.path);
        return;
    }
    buf_init(&command, 8192);
    restoring_put_command(r, r->saved.path, &command);
    err_hint(
        err,
        "database %s is GONE and could not be put back (%s). All it held is in %s. When the server is well, type: %s",
        r->name, why.message, r->saved.path, command.data);
    buf_release(&command);
}

/* The old database was not dropped, or there was none: everything as it was. */
static void undo(struct restoring *r, bool there, struct err *err)
{
    struct err why = { 0 };

    if (restoring_drop(r, &why) < 0)
        log_warn("database %s is left over and can be dropped: %s", r->work, why.message);
    err_clear(&why);
    if (r->blocked && database_allow(r->admin, r->name, true, &why) < 0)
        log_warn("database %s accepts no connections; ALTER DATABASE ... ALLOW_CONNECTIONS true: %s", r->name,
                 why.message);
    roles_drop(r->admin, &r->made);
    if (r->is_saved)
        snapshot_remove_files(&r->saved);
    if (err->hint[0] != '\0')
        return;
    if (r->dropped || (r->touched && !there))
        err_hint(err, "there is no database %s now: its content was given up (--no-pre-restore)", r->name);
    else if (r->old.exists && there)
        err_hint(err, "nothing was changed: database %s is as it was", r->name);
    else if (r->old.exists)
        err_hint(err, "somebody else dropped database %s meanwhile; this restore changed nothing", r->name);
    else if (r->earlier != NULL)
        err_hint(err, "nothing was changed: there is no database %s, as before; what it held is in %s", r->name,
                 r->earlier);
    else
        err_hint(err, "nothing was changed: there is no database %s, as before", r->name);
}

/* The name went to somebody else between the drop and now: what was restored is whole, and stays. */
static void keep_restored(struct restoring *r, struct err *err)
{
    struct err ignored = { 0 };
    struct buf sql;

    buf_init(&sql, 4096);
    buf_puts(&sql, "ALTER DATABASE ");
    conn_quote_name(&sql, r->work);
    buf_puts(&sql, " RENAME TO ");
    conn_quote_name(&sql, r->name);
    database_allow(r->admin, r->work, true, &ignored);
    err_hint(err, "somebody made a new database %s meanwhile. What was restored is complete: drop the new one, then %s",
             r->name, sql.data);
    buf_release(&sql);
}

/* The server does not answer: all that is left is to say what is where. */
static void tell_unreachable(struct restoring *r, const struct err *why, struct err *err)
{
    struct buf command;

    buf_init(&command, 8192);
    if (r->is_saved)
        restoring_put_command(r, r->saved.path, &command);
    if (!r->touched)
        err_hint(
            err,
            "the server does not answer any more. Database %s was not dropped, but may refuse connections: restore "
            "again, or ALTER DATABASE ... ALLOW_CONNECTIONS true",
            r->name);
    else if (r->is_saved)
        err_hint(
            err,
            "database %s may be GONE, and the server does not answer (%s). All it held is in %s. When the server is "
            "well, type: %s",
            r->name, why->message, r->saved.path, command.data);
    buf_release(&command);
}

/* Signals wait from here on. What is there now decides what is to be done. 0: it had succeeded after all. */
static int recover(struct restoring *r, struct err *err)
{
    bool there = true, work = false;
    struct err why = { 0 };
    int rc = -1;

    os_signals_shield(true);
    if (r->dropping != NULL &&
        end_drop(r, &why) < 0) /* it can't be stopped half way; and what it says is not the cause */
        err_clear(&why);
    if (restoring_reconnect(r, &why) < 0 || restoring_has(r, r->name, &there, &why) < 0 ||
        restoring_has(r, r->work, &work, &why) < 0) {
        tell_unreachable(r, &why, err);
    } else if (r->complete && there && !work) { /* only the answer to the last COMMIT was lost */
        err_clear(err);
        rc = 0;
    } else if (r->complete && there) {
        keep_restored(r, err);
    } else if (there || !r->is_saved) {
        undo(r, there, err);
    } else {
        put_back(r, err);
    }
    os_signals_shield(false);
    return rc;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void end(struct restoring *r)
{
    restoring_release_source(&r->source);
    names_release(&r->made);
    if (r->is_saved)
        snapshot_release(&r->saved);
    integrity_release(&r->saved_check);
    if (r->saved_fd >= 0)
        close(r->saved_fd);
    database_release(&r->old);
    conn_close(r->dropping);
    conn_close(r->admin);
    target_free(r->maintenance);
    target_free(r->filling);
    free(r->work);
    free(r->earlier);
    free(r->name);
}

int restoration_run(const struct restoration_params *p, struct restoration_result *result, struct err *err)
{
    struct restoring r = {
        .p = p,
        .result = result,
        .saved_fd = -1,
        .source = { .path = p->path, .fd = p->fd, .checked = p->checked },
    };
    int rc = -1;

    memset(result, 0, sizeof *result);
    if (restoring_connect(&r, err) < 0)
        goto out;
    if (check_all(&r, err) < 0) {
        roles_drop(r.admin, &r.made);
        goto out;
    }
    if (p->dry_run) {
        tell_plan(&r);
        rc = 0;
        goto out;
    }
    rc = exchange(&r, err);
    if (rc < 0)
        rc = recover(&r, err);
    if (rc == 0) {
        result->roles = r.made;
        r.made = (struct names){ 0 };
    }
out:
    end(&r);
    return rc;
}

void restoration_release(struct restoration_result *result)
{
    free(result->pre_restore_path);
    names_release(&result->roles);
    memset(result, 0, sizeof *result);
}
