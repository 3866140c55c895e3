/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/watch.h"

#include <string.h>

#include "core/backup/places.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/watch/alert.h"
#include "core/watch/marker.h"
#include "core/watch/record.h"
#include "core/watch/status_gather.h"

static bool is_watched(const struct run *r)
{
    return r != NULL && r->begun && !r->unrecorded;
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
    record_run(f->settings, f->places, r, true);
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
    record_run(s, &places, r, true);
    marker_clear();
    alert_run(s, &places, r);
    places_release(&places);
    write_metrics(s);
    os_signals_shield(false);
}
