/* SPDX-License-Identifier: PostgreSQL */
/* drill.c - one rehearsal of a recovery, in its order. */
#include "core/backup/drilling.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup/catalog.h"
#include "core/backup/repository.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/pg/census.h"
#include "core/pg/health.h"
#include "core/pg/walk.h"

/* ---- which backup ------------------------------------------------------------------------------------------------ */

/* Is there a store to ask? Without credentials there is none, and the cache has to do. */
static bool has_store(const struct drill *d)
{
    struct err ignored = { 0 };
    struct store *store = repository_open(d->p->settings, NULL, STORE_READ, &ignored);
    bool usable = store != NULL && repository_check(store, &ignored) == 0;

    store_close(store);
    return usable;
}

static int find_cached(struct drill *d, struct err *err)
{
    const struct catalog_item *newest;
    struct catalog c;
    int rc = -1;

    if (d->places.cache == NULL) {
        err_set(err, ERR_CONFIG, "there is no store with credentials, and no local cache");
        err_hint(err, "name a backup: sfb drill FILE");
        return -1;
    }
    if (catalog_read(d->places.cache, "production", &c, err) < 0)
        return -1;
    newest = catalog_newest(&c, 0);
    if (newest == NULL) {
        err_set(err, ERR_NOT_FOUND, "there is no production backup in %s", d->places.cache);
        err_hint(err, "no store was asked, as there are no credentials for one; `sfb list` shows what there is");
    } else {
        d->cached = strdup(newest->path);
        rc = d->cached != NULL ? 0 : err_no_memory(err);
    }
    catalog_release(&c);
    return rc;
}

/* Was a backup or a moment asked for that there is none of? That says nothing about the backups that there are. */
static bool is_mistake(const struct drill *d, const struct err *err)
{
    const char *what = d->p->what;
    struct choice_params any = d->wanted;
    struct err ignored = { 0 };
    struct choice other;
    struct stat st;
    bool found;

    if (err->class != ERR_NOT_FOUND)
        return false;
    if (what != NULL &&
        (store_is_url(what) || (!fetch_is_meant(what) && (stat(what, &st) < 0 || !S_ISREG(st.st_mode)))))
        return true;
    if (d->p->moment == 0)
        return false;
    any.moment = 0;
    found = choice_find(&any, &other, &ignored) == 0;
    choice_release(&other);
    return found;
}

static int find_backup(struct drill *d, struct err *err)
{
    struct drill_result *r = d->r;

    d->wanted = (struct choice_params){ .settings = d->p->settings,
                                        .places = &d->places,
                                        .what = d->p->what,
                                        .source = "production",
                                        .moment = d->p->moment };
    if (d->wanted.what == NULL && has_store(d))
        d->wanted.what = "latest";
    if (d->wanted.what == NULL) {
        if (find_cached(d, err) < 0)
            return -1;
        d->wanted.what = d->cached;
    }
    d->has_choice = true;
    if (choice_find(&d->wanted, &d->choice, err) < 0) {
        r->mistaken = d->p->attended && is_mistake(d, err);
        return -1;
    }
    log_step("Chosen: %s%s%s%s", d->choice.shown, *d->choice.why != '\0' ? " (" : "", d->choice.why,
             *d->choice.why != '\0' ? ")" : "");
    r->stored = d->choice.stored;
    r->taken = d->choice.taken;
    r->size = d->choice.size;
    return drill_set(&r->backup, os_basename(d->choice.shown), err) < 0 ? -1
                                                                        : drill_set(&r->location, d->choice.shown, err);
}

static int fetch(struct drill *d, struct err *err)
{
    if (d->choice.stored)
        log_step("Downloading backup from S3...");
    if (choice_bring(&d->wanted, &d->choice, err) < 0)
        return -1;
    if (d->choice.fetched.cached)
        log_step("Not needed: the local cache has the same, %s", d->choice.path);
    return 0;
}

/* ---- is it whole ------------------------------------------------------------------------------------------------- */

/* What the manifest says, or without one the archive. */
static int note_backup(struct drill *d, struct err *err)
{
    const struct manifest *m = &d->checked.manifest;
    struct drill_result *r = d->r;

    r->size = d->checked.size;
    if (m->database.server_version != NULL && drill_set(&r->dumped_version, m->database.server_version, err) < 0)
        return -1;
    if (!d->checked.has_manifest)
        return 0;
    return drill_set(&r->environment, m->environment, err) < 0 || drill_set(&r->md5, m->md5, err) < 0 ||
                   drill_set(&r->sha256, m->sha256, err) < 0
             ? -1
             : 0;
}

/* As deep as a recovery in earnest looks, for that is what is timed; each row is compared after the restore. */
static int verify(struct drill *d, struct err *err)
{
    struct integrity_params p = { .depth = integrity_depth(d->choice.path),
                                  .jobs = d->p->jobs,
                                  .bindir = settings_get(d->p->settings, SETTING_PG_BINDIR) };

    log_step("Verifying backup integrity...");
    d->is_checked = true;
    if (integrity_check(d->choice.path, &p, &d->checked, &d->fd, err) < 0)
        return -1;
    log_step("✅ Backup verification successful");
    return note_backup(d, err);
}

/* ---- restored and proven ----------------------------------------------------------------------------------------- */

struct listener {
    struct drill_result *result;
    struct err err; /* that there is no memory */
};

static void note_table(void *cookie, const struct proof_finding *f)
{
    struct listener *l = cookie;
    struct drill_table *t = drill_table_add(l->result, f->schema, f->name, &l->err);

    if (t == NULL)
        return;
    t->expected = f->expected != NULL;
    t->rows = f->expected != NULL ? f->expected->rows : 0;
    t->bytes = f->expected != NULL ? f->expected->bytes : 0;
    t->found = f->found != NULL;
    t->rows_found = f->found != NULL ? f->found->rows : 0;
    t->same = f->same;
}

static int note_success(struct drill *d, const struct restoration_result *result, struct err *err)
{
    char tables[TEXT_SHORT], rows[TEXT_SHORT];

    d->restored = true;
    d->r->database_size = result->database_size;
    d->r->n_rows = result->rows;
    d->r->proven = result->proven;
    text_count(tables, result->tables);
    text_count(rows, result->rows);
    if (drill_check_set(d->r, STEP_RESTORE, DRILL_PASSED, err, "into database %s of PostgreSQL %s", d->r->database,
                        d->r->server_version) < 0)
        return -1;
    if (!result->proven)
        return drill_check_set(d->r, STEP_PROVE, DRILL_WARNING, err,
                               "%s tables, %s rows; there is no manifest to compare them with", tables, rows);
    return drill_check_set(d->r, STEP_PROVE, DRILL_PASSED, err, "%s tables, %s rows, rows and fingerprints equal",
                           tables, rows);
}

static void note_failure(struct drill *d, const struct err *err)
{
    bool unproven = err->class == ERR_PROOF;
    struct err ignored = { 0 };

    if (unproven)
        drill_check_set(d->r, STEP_RESTORE, DRILL_PASSED, &ignored, "into database %s of PostgreSQL %s", d->r->database,
                        d->r->server_version);
    drill_check_set(d->r, unproven ? STEP_PROVE : STEP_RESTORE, DRILL_FAILED, &ignored, "%s", err->message);
}

static int restore_it(struct drill *d, struct restoration_params *p, struct restoration_result *result, struct err *err)
{
    struct listener listener = { .result = d->r };
    const struct proof_listener tell = { .tell = note_table, .cookie = &listener };
    int rc;

    p->listener = &tell;
    rc = restoration_run(p, result, err);
    p->listener = NULL;
    d->roles = result->roles;
    result->roles = (struct names){ 0 };
    d->r->put_back = result->put_back;
    if (rc == 0 && listener.err.class != ERR_NONE) {
        *err = listener.err;
        rc = -1;
    }
    if (rc < 0)
        note_failure(d, err);
    else
        rc = note_success(d, result, err);
    if (result->pre_restore_path != NULL && drill_set(&d->r->pre_restore, result->pre_restore_path, err) < 0)
        rc = -1;
    return rc;
}

static int restore(struct drill *d, struct err *err)
{
    const struct settings *s = d->p->settings;
    char *globals = manifest_globals_path_of(d->choice.path);
    double from = clock_monotonic(), seconds;
    struct restoration_result result = { 0 };
    struct restoration_params p = {
        .target = d->target,
        .path = d->choice.path,
        .fd = d->fd,
        .checked = &d->checked,
        .globals_path = globals != NULL && access(globals, F_OK) == 0 ? globals : NULL,
        .work_dir = d->places.work,
        .app = settings_get(s, SETTING_APP),
        .environment = "staging",
        .bindir = settings_get(s, SETTING_PG_BINDIR),
        .jobs = d->p->jobs,
        .unsaved = d->p->where != DRILL_REPLACE, /* else the database is new */
        .comment = d->comment,
        .audit = &d->audit,
    };
    int rc = settings_int(s, SETTING_LOCK_TIMEOUT, 0, 86400, &p.lock_timeout, err);

    if (rc == 0)
        rc = restore_it(d, &p, &result, err);
    seconds = clock_monotonic() - from;
    if (drill_phase_add(d->r, "restore", seconds - result.prove_seconds, true, err) < 0 ||
        drill_phase_add(d->r, "prove", result.prove_seconds, true, err) < 0)
        rc = -1;
    restoration_release(&result);
    free(globals);
    return rc;
}

/* The staging database is changed for others to see: as with any restore, those who read the audit log are told. */
static int restore_audited(struct drill *d, struct err *err)
{
    double from = clock_monotonic();
    char duration[TEXT_SHORT];
    int rc;

    if (d->p->where != DRILL_REPLACE)
        return restore(d, err);
    audit_event(&d->audit, AUDIT_WARNING, "Restore initiated (user: %s, backup: %s, target: staging)", os_user(),
                d->r->backup);
    rc = restore(d, err);
    if (rc < 0) {
        audit_event(&d->audit, AUDIT_ERROR, "Restore failed (%s)%s", err->message,
                    d->r->put_back ? "; the previous database was put back" : "");
        return -1;
    }
    audit_event(&d->audit, AUDIT_INFO, "Restore completed (duration: %s)",
                text_duration(duration, clock_monotonic() - from));
    if (d->r->proven)
        audit_event(&d->audit, AUDIT_INFO, "Data integrity verification successful");
    return 0;
}

/* ---- examined ---------------------------------------------------------------------------------------------------- */

/* A backup without a manifest left no counts: what is there now is what production is compared with. */
static int count_tables(struct drill *d, struct err *err)
{
    struct census_params p = { .target = d->target, .counted_bytes = INT64_MAX };
    struct census c = { 0 };
    int rc;

    if (d->r->n_tables > 0)
        return 0;
    rc = census_take(&p, &c, err);
    for (size_t i = 0; rc == 0 && i < c.n; i++) {
        struct drill_table *t = drill_table_add(d->r, c.tables[i].schema, c.tables[i].name, err);

        if (t == NULL) {
            rc = -1;
        } else {
            t->found = c.tables[i].known;
            t->rows_found = c.tables[i].rows;
        }
    }
    census_release(&c);
    return rc;
}

static int note_health(struct drill *d, const struct health_finding found[HEALTH_PARTS], struct err *err)
{
    static const enum drill_outcome outcomes[] = { [HEALTH_GOOD] = DRILL_PASSED,
                                                   [HEALTH_DOUBTFUL] = DRILL_WARNING,
                                                   [HEALTH_BAD] = DRILL_FAILED,
                                                   [HEALTH_UNKNOWN] = DRILL_SKIPPED };
    int rc = 0;

    for (int part = 0; rc == 0 && part < HEALTH_PARTS; part++) {
        enum drill_step step = (enum drill_step)(STEP_INDEXES + part);

        if (found[part].state == HEALTH_DOUBTFUL || found[part].state == HEALTH_BAD)
            log_warn("not so: %s (%s)", d->r->checks[step].name, found[part].detail);
        rc = drill_check_set(d->r, step, outcomes[found[part].state], err, "%s", found[part].detail);
    }
    return rc;
}

static int examine(struct drill *d, struct err *err)
{
    struct health_finding found[HEALTH_PARTS];
    struct health_params p = { .target = d->target, .may_add = d->p->where != DRILL_REPLACE, .jobs = d->p->jobs };
    struct archive contents;
    struct walk_file file;
    bool has_contents = false;
    int rc;

    log_step("Examining indexes, constraints and sequences...");
    if (d->checked.kind == KIND_CUSTOM) {
        if (walk_file_fd(&file, &d->fd, err) < 0 || walk_contents(&file, &contents, err) < 0)
            return -1;
        has_contents = true;
        p.archive = &contents;
    }
    rc = health_examine(&p, found, err);
    if (rc == 0)
        rc = note_health(d, found, err);
    if (rc == 0)
        rc = count_tables(d, err);
    if (has_contents)
        archive_release(&contents);
    return rc;
}

/* ---- in order ---------------------------------------------------------------------------------------------------- */

/* A phase with one check: that it passed or not is what the check says, with `detail` when it did. */
static int checked_phase(struct drill *d, enum drill_step step, const char *name,
                         int (*work)(struct drill *d, struct err *err), struct err *err)
{
    double from = clock_monotonic();
    char size[TEXT_SHORT];
    int rc = work(d, err);

    if (drill_phase_add(d->r, name, clock_monotonic() - from, true, err) < 0)
        return -1;
    if (rc < 0 && err->class != ERR_SIGNAL)
        drill_check_set(d->r, step, DRILL_FAILED, &(struct err){ 0 }, "%s", err->message);
    else if (rc == 0)
        rc = drill_check_set(d->r, step, DRILL_PASSED, err, "%s, %s", d->r->backup, text_size(size, d->r->size));
    return rc;
}

static int timed(struct drill *d, const char *name, int (*work)(struct drill *d, struct err *err), struct err *err)
{
    double from = clock_monotonic();
    int rc = work(d, err);

    return drill_phase_add(d->r, name, clock_monotonic() - from, false, err) < 0 ? -1 : rc;
}

static int prepare(struct drill *d, struct err *err)
{
    const struct settings *s = d->p->settings;

    if (drill_smoke_check(d->p, err) < 0 || places_open(s, &d->places, err) < 0 ||
        places_lock(s, &d->places, "drill", &d->lock, err) < 0)
        return -1;
    audit_open(&d->audit, s, &d->places, AUDIT_DRILL);
    audit_event(&d->audit, AUDIT_INFO, "Drill started (user: %s, pid: %ld, %s)", os_user(), (long)getpid(),
                drill_where_name(d->p->where));
    if (d->p->where == DRILL_REPLACE && places_lock(s, &d->places, "staging", &d->staging_lock, err) < 0)
        return -1;
    return drill_server_find(d, err);
}

static int run(struct drill *d, struct err *err)
{
    if (prepare(d, err) < 0 || checked_phase(d, STEP_FETCH, "choose", find_backup, err) < 0 ||
        (d->p->agree != NULL && d->p->agree(d->r, err) < 0) || checked_phase(d, STEP_FETCH, "fetch", fetch, err) < 0 ||
        checked_phase(d, STEP_VERIFY, "verify", verify, err) < 0 || drill_server_start(d, err) < 0 ||
        restore_audited(d, err) < 0)
        return -1;
    /* from here on every check is made, whatever the others find */
    if (timed(d, "examine", examine, err) < 0 || timed(d, "production", drill_production_compare, err) < 0)
        return -1;
    if (drill_smoke_wanted(d->p) && timed(d, "smoke tests", drill_smoke_run, err) < 0)
        return -1;
    return drill_judge(d->r, err);
}

/* A drill that failed leaves nothing behind either. */
static int clear_up(struct drill *d, int rc, struct err *err)
{
    struct err trouble = { 0 };
    double from = clock_monotonic();

    if (drill_server_clear(d, &trouble) < 0) {
        if (rc == 0)
            *err = trouble;
        else
            log_warn("%s: %s", trouble.message, trouble.hint);
        rc = -1;
    }
    return drill_phase_add(d->r, "clear up", clock_monotonic() - from, false, err) < 0 ? -1 : rc;
}

static void tell_audit(struct drill *d, int rc, const struct err *err, double seconds)
{
    char duration[TEXT_SHORT];

    if (d->r->mistaken)
        audit_event(&d->audit, AUDIT_WARNING, "Drill not begun: %s", err->message);
    else if (rc == 0)
        audit_event(&d->audit, AUDIT_INFO, "Drill completed (duration: %s, backup: %s, %s)",
                    text_duration(duration, seconds), d->r->backup, d->r->proven ? "proven" : "not proven");
    else
        audit_event(&d->audit, AUDIT_ERROR, "Drill failed (backup: %s): %s",
                    *d->r->backup != '\0' ? d->r->backup : "none", err->message);
}

static void release(struct drill *d)
{
    if (d->is_checked)
        integrity_release(&d->checked);
    if (d->fd >= 0)
        close(d->fd);
    if (d->has_choice)
        choice_release(&d->choice);
    hostpg_release(&d->programs);
    names_release(&d->roles);
    free(d->cached);
    free(d->comment);
    target_free(d->target);
    target_free(d->server);
    audit_close(&d->audit);
    os_lock_release(&d->staging_lock);
    os_lock_release(&d->lock);
    places_release(&d->places);
}

int drill_run(const struct drill_params *p, struct drill_result *result, struct err *err)
{
    struct drill d = { .p = p, .r = result, .lock = OS_LOCK_NONE, .staging_lock = OS_LOCK_NONE, .fd = -1 };
    double from = clock_monotonic();
    int rc = -1;

    if (drill_result_begin(result, p->where, err) == 0)
        rc = clear_up(&d, run(&d, err), err);
    drill_result_end(result, rc, err, clock_monotonic() - from);
    tell_audit(&d, rc, err, result->seconds);
    release(&d);
    return rc;
}
