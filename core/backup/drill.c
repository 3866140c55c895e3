/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/drill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/catalog.h"
#include "core/backup/choice.h"
#include "core/backup/integrity.h"
#include "core/backup/places.h"
#include "core/backup/repository.h"
#include "core/backup/restoration.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/database.h"
#include "core/pg/smoke.h"

struct drill { /* one run, and all that it holds */
    const struct drill_params *params;
    struct drill_result *result;
    struct places places;
    struct os_lock lock;
    struct target *staging, *target; /* target: the drill's own database on the staging server */
    char *cached;                    /* the newest in the local cache */
    struct choice choice;
    bool has_choice;
    struct integrity checked;
    bool is_checked, restored;
    int fd;
};

/* ---- which backup ---------------------------------------------------------------------------------------------- */

/* Is there a store to ask? Without credentials there is none, and the cache has to do. */
static bool has_store(const struct drill *d)
{
    struct err ignored = { 0 };
    struct store *store = repository_open(d->params->settings, NULL, STORE_READ, &ignored);
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
    } else {
        d->cached = strdup(newest->path);
        rc = d->cached != NULL ? 0 : err_no_memory(err);
    }
    catalog_release(&c);
    return rc;
}

static int find_backup(struct drill *d, struct err *err)
{
    struct choice_params p = {
        .settings = d->params->settings, .places = &d->places, .what = d->params->what, .source = "production"
    };

    if (p.what == NULL && has_store(d))
        p.what = "latest";
    if (p.what == NULL) {
        if (find_cached(d, err) < 0)
            return -1;
        p.what = d->cached;
    }
    d->has_choice = true;
    if (choice_find(&p, &d->choice, err) < 0)
        return -1;
    log_step("Chosen: %s%s%s%s", d->choice.shown, *d->choice.why != '\0' ? " (" : "", d->choice.why,
             *d->choice.why != '\0' ? ")" : "");
    if (d->choice.stored)
        log_step("Downloading backup from S3...");
    if (choice_bring(&p, &d->choice, err) < 0)
        return -1;
    if (d->choice.fetched.cached)
        log_step("The local cache has the same: %s", d->choice.path);
    d->result->taken = d->choice.taken;
    d->result->size = d->choice.size;
    d->result->stored = d->choice.stored;
    d->result->backup = strdup(os_basename(d->choice.shown));
    d->result->location = strdup(d->choice.shown);
    return d->result->backup != NULL && d->result->location != NULL ? 0 : err_no_memory(err);
}

/* ---- the phases ------------------------------------------------------------------------------------------------ */

static int verify(struct drill *d, struct err *err)
{
    struct integrity_params p = { .depth = CHECK_ALL,
                                  .jobs = d->params->jobs,
                                  .bindir = settings_get(d->params->settings, SETTING_PG_BINDIR) };

    log_step("Verifying backup integrity...");
    d->is_checked = true;
    if (integrity_check(d->choice.path, &p, &d->checked, &d->fd, err) < 0)
        return -1;
    log_step("✅ Backup verification successful");
    return 0;
}

static int restore(struct drill *d, struct err *err)
{
    char *globals = manifest_globals_path_of(d->choice.path);
    struct restoration_params p = {
        .target = d->target,
        .path = d->choice.path,
        .fd = d->fd,
        .checked = &d->checked,
        .globals_path = globals != NULL && access(globals, F_OK) == 0 ? globals : NULL,
        .work_dir = d->places.work,
        .app = settings_get(d->params->settings, SETTING_APP),
        .environment = "staging",
        .bindir = settings_get(d->params->settings, SETTING_PG_BINDIR),
        .jobs = d->params->jobs,
        .unsaved = true, /* the database is new */
    };
    struct restoration_result result = { 0 };
    int rc = restoration_run(&p, &result, err);

    if (rc == 0) {
        d->restored = true;
        d->result->database_size = result.database_size;
        d->result->n_rows = result.rows;
        d->result->proven = result.proven;
    }
    restoration_release(&result);
    free(globals);
    return rc;
}

static int smoke(struct drill *d, struct err *err)
{
    size_t tests;

    if (d->params->smoke_sql == NULL)
        return 0;
    log_step("Running smoke tests...");
    if (smoke_run(d->target, d->params->smoke_sql, &tests, err) < 0)
        return -1;
    log_step("✅ %zu smoke test%s passed", tests, tests == 1 ? "" : "s");
    return 0;
}

/* ---- the drill's database -------------------------------------------------------------------------------------- */

static int name_database(struct drill *d, struct err *err)
{
    char stamp[CLOCK_TEXT];

    if (asprintf(&d->result->database, "%.40s_drill_%s", settings_get(d->params->settings, SETTING_APP),
                 clock_stamp(stamp, clock_now())) < 0) {
        d->result->database = NULL;
        return err_no_memory(err);
    }
    d->target = target_with_database(d->staging, d->result->database, err);
    return d->target != NULL ? 0 : -1;
}

/* From the staging database: the drill's own can't be dropped from within. */
static int drop_database(struct drill *d, struct err *err)
{
    PGconn *c = NULL;
    int rc = -1;

    log_step("Dropping the drill's database...");
    c = conn_open(d->staging, NULL, err);
    if (c != NULL)
        rc = database_drop(c, d->result->database, err);
    conn_close(c);
    if (rc < 0)
        err_hint(err, "drop it by hand: DROP DATABASE \"%s\";", d->result->database);
    return rc;
}

/* A drill that failed leaves no database behind either, as far as that is in our hands. */
static int clear_up(struct drill *d, int rc, struct err *err)
{
    struct err trouble = { 0 };

    if (!d->restored || d->params->keep)
        return rc;
    if (drop_database(d, &trouble) == 0)
        return rc;
    if (rc == 0)
        *err = trouble;
    else
        log_warn("%s: %s", trouble.message, trouble.hint);
    return -1;
}

/* ---- in order -------------------------------------------------------------------------------------------------- */

static int timed(struct drill *d, const char *phase, bool recovery, int (*work)(struct drill *d, struct err *err),
                 struct err *err)
{
    struct drill_result *r = d->result;
    struct drill_phase *more = reallocarray(r->phases, r->n_phases + 1, sizeof *more);
    double from = clock_monotonic();
    int rc;

    if (more == NULL)
        return err_no_memory(err);
    r->phases = more;
    rc = work(d, err);
    more[r->n_phases] = (struct drill_phase){ strdup(phase), clock_monotonic() - from, recovery };
    if (more[r->n_phases].name == NULL)
        return rc < 0 ? rc : err_no_memory(err);
    r->recovery_seconds += recovery ? more[r->n_phases].seconds : 0;
    r->n_phases++;
    return rc;
}

static int prepare(struct drill *d, struct err *err)
{
    const struct settings *s = d->params->settings;

    if (places_open(s, &d->places, err) < 0 || places_lock(s, &d->places, "drill", &d->lock, err) < 0)
        return -1;
    d->staging = places_target(s, "staging", err);
    return d->staging != NULL ? name_database(d, err) : -1;
}

int drill_run(const struct drill_params *p, struct drill_result *result, struct err *err)
{
    struct drill d = { .params = p, .result = result, .lock = OS_LOCK_NONE, .fd = -1 };
    int rc = -1;

    memset(result, 0, sizeof *result);
    if (prepare(&d, err) == 0) {
        if (timed(&d, "fetch", true, find_backup, err) == 0 && timed(&d, "verify", true, verify, err) == 0 &&
            timed(&d, "restore", true, restore, err) == 0)
            rc = timed(&d, "smoke tests", false, smoke, err);
        rc = clear_up(&d, rc, err);
    }
    if (d.is_checked)
        integrity_release(&d.checked);
    if (d.fd >= 0)
        close(d.fd);
    if (d.has_choice)
        choice_release(&d.choice);
    free(d.cached);
    target_free(d.target);
    target_free(d.staging);
    os_lock_release(&d.lock);
    places_release(&d.places);
    return rc;
}

void drill_release(struct drill_result *result)
{
    for (size_t i = 0; i < result->n_phases; i++)
        free(result->phases[i].name);
    free(result->phases);
    free(result->backup);
    free(result->location);
    free(result->database);
    memset(result, 0, sizeof *result);
}

const char *drill_outcome_name(enum drill_outcome outcome)
{
    static const char *const names[] = { "passed", "failed", "warning", "skipped" };

    return names[outcome];
}

const char *drill_where_name(enum drill_where where)
{
    static const char *const names[] = { "beside", "replace", "local" };

    return names[where];
}
