/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/status_gather.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/audit_recent.h"
#include "core/backup/catalog.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/watch/alert.h"
#include "core/watch/marker.h"
#include "core/watch/record.h"
#include "core/watch/status_gather_impl.h"

static int read_settings(const struct settings *s, struct status_facts *f, struct err *err)
{
    if (settings_int(s, SETTING_SCHEDULE_HOURS, 0, 24 * 366, &f->schedule_hours, err) < 0 ||
        settings_int(s, SETTING_RTO_MINUTES, 0, 60 * 24 * 366, &f->rto_minutes, err) < 0)
        return -1;
    return settings_int(s, SETTING_DRILL_DAYS, 0, 10 * 366, &f->drill_days, err);
}

/* A directory as it is: whoever asks for the status need not be who makes backups, and makes no directories. */
static int look(const struct settings *s, enum setting which, const char *what, char **path, struct err *err)
{
    const char *directory = settings_get(s, which);

    if (*directory == '\0' || access(directory, F_OK) < 0)
        return 0;
    if (access(directory, R_OK | X_OK) < 0) {
        log_warn("user %s may not read the %s in %s: the status is told without it", os_user(), what, directory);
        return 0;
    }
    *path = strdup(directory);
    return *path != NULL ? 0 : err_no_memory(err);
}

/* Its mark is gone with that, so whoever is to be told is told now; the store learns of it from the next run. */
static void find_dead(void *cookie, const struct run *r)
{
    const struct status_gathering *g = cookie;

    record_run(g->p->settings, &g->places, r, false);
    alert_run(g->p->settings, &g->places, r);
}

/* Is the log of who did what as it was written? As much of it as can be read at once. */
static int read_audit(struct status_gathering *g, struct err *err)
{
    const struct settings *s = g->p->settings;
    struct status_facts *f = g->facts;
    struct audit_result found;
    struct err trouble = { 0 };
    int rc = audit_recent_check(settings_get(s, SETTING_LOG_DIR), settings_get(s, SETTING_APP), &g->cache,
                                AUDIT_RECENT_BYTES, &found, &trouble);

    f->audit_entries = found.entries;
    f->audit_first = found.first;
    audit_result_release(&found);
    f->audit_read = rc == 0 || trouble.class == ERR_DAMAGED;
    if (trouble.class == ERR_INTERNAL) {
        *err = trouble;
        return -1;
    }
    if (rc == 0 || trouble.class == ERR_NOT_FOUND)
        return 0;
    return run_set(f->audit_read ? &f->audit_damage : &f->audit_trouble, trouble.message, err);
}

/* What can't be read here is warned about: the store may know as much. */
static int read_host(struct status_gathering *g, struct err *err)
{
    struct status_facts *f = g->facts;
    struct err trouble = { 0 };

    if (look(g->p->settings, SETTING_STATE_DIR, "history", &g->places.state, err) < 0 ||
        look(g->p->settings, SETTING_CACHE_DIR, "cache", &g->places.cache, err) < 0)
        return -1;
    marker_sweep(&g->places, find_dead, g);
    if (history_read(&g->places, g->p->environment, &f->history, &trouble) < 0 ||
        proofs_read_host(&f->proofs, g->places.state, g->p->environment, &trouble) < 0)
        log_warn("%s", trouble.message);
    err_clear(&trouble);
    if (g->places.cache != NULL && catalog_read(g->places.cache, g->p->environment, &g->cache, &trouble) < 0)
        log_warn("%s", trouble.message);
    return read_audit(g, err);
}

static void release(struct status_gathering *g)
{
    for (size_t i = 0; i < g->n_stored; i++) {
        free(g->stored[i].stem);
        free(g->stored[i].file);
    }
    free(g->stored);
    catalog_release(&g->cache);
    places_release(&g->places);
}

int status_gather(const struct status_params *p, struct status_facts *facts, struct err *err)
{
    struct status_gathering g = { .p = p, .facts = facts };
    int rc = -1;

    memset(facts, 0, sizeof *facts);
    facts->environment = strdup(p->environment);
    if (facts->environment == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (read_settings(p->settings, facts, err) < 0 || read_host(&g, err) < 0 || status_gather_store(&g, err) < 0)
        goto out;
    rc = os_check_interrupt(err);
out:
    release(&g);
    if (rc < 0)
        status_release_facts(facts);
    return rc;
}
