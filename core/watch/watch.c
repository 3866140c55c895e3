/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/watch.h"

#include <string.h>

#include "core/backup/places.h"
#include "core/backup/repository.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/watch/alert.h"
#include "core/watch/history.h"
#include "core/watch/marker.h"
#include "core/watch/status_gather.h"

#define PATIENCE 10         /* seconds for a store that does not answer: the run is over, and somebody may wait */
#define PATIENCE_SIGNALED 3 /* somebody does */

static bool is_watched(const struct run *r)
{
    return r != NULL && r->begun && !r->unrecorded;
}

/* ---- the history ----------------------------------------------------------------------------------------------- */

/* Without the state directory there is no record but this. So a store is asked that was named, or that has the backup;
 * one that does not want it (the contract's restore role may only read) is no trouble, nor is one without credentials. */
static void put_record(const struct settings *s, const struct run *r)
{
    unsigned seconds = r->signal != 0 ? PATIENCE_SIGNALED : PATIENCE;
    struct err err = { 0 };
    struct store *store;

    if (r->local || !(r->stored || settings_given(s, SETTING_BUCKET)))
        return;
    store = repository_open_briefly(s, NULL, STORE_WRITE, seconds, &err);
    if (store == NULL || repository_check(store, &err) < 0 || history_put(store, r, &err) < 0) {
        if (r->stored && strstr(err.message, "AccessDenied") == NULL)
            log_warn("the store has no record of this run: %s", err.message);
        else
            log_debug("the store has no record of this run: %s", err.message);
    }
    store_close(store);
}

static void remember(const struct settings *s, const struct places *p, const struct run *r)
{
    struct err err = { 0 };

    if (history_append(p, r, &err) < 0)
        log_warn("this run is not in the history: %s", err.message);
    put_record(s, r);
}

/* ---- runs that ended without a word ------------------------------------------------------------------------------ */

struct finder {
    const struct settings *settings;
    const struct places *places;
};

static void find_dead(void *cookie, const struct run *r)
{
    const struct finder *f = cookie;
    char when[CLOCK_TEXT];

    log_warn("the %s of %s UTC (pid %d): %s", run_kind_name(r->kind), clock_log(when, r->started), r->pid, r->error);
    remember(f->settings, f->places, r);
    alert_run(f->settings, f->places, r);
}

/* ---- metrics --------------------------------------------------------------------------------------------------- */

/* From what this host knows: nobody shall wait for it. */
static void write_metrics(const struct settings *s)
{
    struct status_params p = { .settings = s, .now = clock_now(), .here_only = true };
    const char *path = settings_get(s, SETTING_METRICS_FILE);
    struct err err = { 0 };

    if (*path != '\0' && status_metrics(&p, path, NULL, NULL, &err) < 0)
        log_warn("SFB_METRICS_FILE was not written: %s", err.message);
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

void watch_begin(const struct settings *s, struct run *r)
{
    struct places places;
    struct finder finder = { .settings = s, .places = &places };

    if (r == NULL)
        return;
    r->begun = true;
    if (!is_watched(r))
        return;
    places_open_state(s, &places);
    marker_sweep(&places, find_dead, &finder);
    marker_set(&places, r);
    places_release(&places);
    alert_begin(s, r);
}

void watch_end(const struct settings *s, const struct run *r)
{
    struct places places;

    if (!is_watched(r)) {
        marker_clear(); /* it has begun, and was then refused */
        return;
    }
    os_signals_shield(true); /* one that ended the run must not end what tells of it */
    places_open_state(s, &places);
    remember(s, &places, r);
    marker_clear();
    alert_run(s, &places, r);
    places_release(&places);
    write_metrics(s);
    os_signals_shield(false);
}
