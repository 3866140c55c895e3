/* SPDX-License-Identifier: PostgreSQL */
/* drill_production.c - what was restored, compared with production as it is now: how many rows each table has.
 *
 * They differ, for production lives on. How far tells whether the backup is of the right database and not too old; and a
 * table that has fewer rows in production than in its backup may be why somebody will want it back.
 */
#include "core/backup/drilling.h"

#include <string.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/pg/census.h"

#define COUNTED_BYTES (UINT64_C(256) * 1024 * 1024) /* what is larger is estimated */

/* ---- pure -------------------------------------------------------------------------------------------------------- */

double drill_drift(uint64_t a, uint64_t b)
{
    uint64_t larger = a > b ? a : b, less = a > b ? b : a;

    return larger > 0 ? 100.0 * (double)(larger - less) / (double)larger : 0;
}

static uint64_t rows_then(const struct drill_table *t)
{
    return t->found ? t->rows_found : t->rows;
}

/* A table that only one side has differs by all of its rows. */
void drill_production_measure(struct drill_result *r)
{
    uint64_t apart = 0, then = 0, now = 0;

    for (size_t i = 0; i < r->n_tables; i++) {
        struct drill_table *t = &r->tables[i];
        uint64_t a = rows_then(t), b = t->rows_production;

        if (!t->in_production)
            continue;
        t->drift = drill_drift(a, b);
        apart += a > b ? a - b : b - a;
        then += a;
        now += b;
        r->has_drift = true;
    }
    if (r->has_drift && (then > 0 || now > 0))
        r->drift = 100.0 * (double)apart / (double)(then > now ? then : now);
    if (r->drift > 100) /* what went and what came, together */
        r->drift = 100;
}

const struct drill_table *drill_production_over(const struct drill_result *r, double limit)
{
    const struct drill_table *worst = NULL;

    for (size_t i = 0; i < r->n_tables; i++) {
        const struct drill_table *t = &r->tables[i];

        if (t->drift > limit && (rows_then(t) >= DRIFT_ROWS || t->rows_production >= DRIFT_ROWS) &&
            (worst == NULL || t->drift > worst->drift))
            worst = t;
    }
    return worst;
}

/* ---- production is asked ----------------------------------------------------------------------------------------- */

static bool is_in_backup(void *cookie, const char *schema, const char *name)
{
    const struct drill_result *r = cookie;

    return drill_table_find(r->tables, r->n_tables, schema, name) != NULL;
}

/* Of the backup's tables: how many rows they have now; none when they are gone. New ones are added. */
static int pair(struct drill_result *r, const struct census *c, struct err *err)
{
    size_t known = r->n_tables;

    for (size_t i = 0; i < known; i++) {
        struct drill_table *t = &r->tables[i];
        const struct census_table *now = census_find(c, t->schema, t->name);

        t->in_production = now == NULL || now->known; /* gone: no rows */
        t->rows_production = now != NULL ? now->rows : 0;
        t->estimated = now != NULL && now->estimated;
    }
    for (size_t i = 0; i < c->n; i++) {
        const struct census_table *now = &c->tables[i];
        struct drill_table *t;

        if (!now->known || now->rows == 0 || drill_table_find(r->tables, known, now->schema, now->name) != NULL)
            continue;
        t = drill_table_add(r, now->schema, now->name, err);
        if (t == NULL)
            return -1;
        t->in_production = true;
        t->rows_production = now->rows;
        t->estimated = now->estimated;
    }
    drill_tables_sort(r);
    return 0;
}

/* ---- what that means --------------------------------------------------------------------------------------------- */

static const struct drill_table *furthest(const struct drill_result *r)
{
    const struct drill_table *worst = NULL;
    uint64_t most = 0;

    for (size_t i = 0; i < r->n_tables; i++) {
        const struct drill_table *t = &r->tables[i];
        uint64_t a = rows_then(t), apart = a > t->rows_production ? a - t->rows_production : t->rows_production - a;

        if (t->in_production && apart > most) {
            most = apart;
            worst = t;
        }
    }
    return worst;
}

static void describe(struct buf *out, const struct drill_table *t)
{
    char then[TEXT_SHORT], now[TEXT_SHORT];

    buf_printf(out, "%s.%s %s rows then, %s%s now (%.1f %%)", t->schema, t->name, text_count(then, rows_then(t)),
               t->estimated ? "about " : "", text_count(now, t->rows_production), t->drift);
}

static int judge(struct drill *d, const struct census *c, struct err *err)
{
    const struct drill_table *worst = furthest(d->r), *over = NULL;
    enum drill_outcome outcome = c->unknown > 0 ? DRILL_WARNING : DRILL_PASSED;
    double limit = d->p->max_drift;
    struct buf detail;
    int rc;

    buf_init(&detail, 4096);
    if (limit < 0 && d->r->drift > 0 && outcome == DRILL_PASSED)
        outcome = DRILL_SKIPPED; /* how far is too far? nobody said */
    if (limit >= 0) {
        over = drill_production_over(d->r, limit);
        if (over != NULL || d->r->drift > limit)
            outcome = DRILL_FAILED;
    }
    buf_printf(&detail, "%.1f %% of the rows differ", d->r->drift);
    if (outcome == DRILL_FAILED)
        buf_printf(&detail, ", %.1f %% are allowed", limit);
    else if (limit < 0 && d->r->drift > 0)
        buf_puts(&detail, ", no limit is set (--max-drift)");
    if (over != NULL || worst != NULL)
        buf_puts(&detail, outcome == DRILL_FAILED ? ": " : "; the most: ");
    if (over != NULL || worst != NULL)
        describe(&detail, over != NULL ? over : worst);
    if (c->unknown > 0)
        buf_printf(&detail, "; %zu table%s could not be counted there, e.g. %s", c->unknown, c->unknown == 1 ? "" : "s",
                   c->why);
    rc = drill_check_set(d->r, STEP_PRODUCTION, outcome, err, "%s", detail.data);
    buf_release(&detail);
    return rc;
}

static int skip(struct drill *d, enum drill_outcome outcome, const char *why, struct err *err)
{
    if (outcome == DRILL_WARNING)
        log_warn("production can't be compared: %s", why);
    return drill_check_set(d->r, STEP_PRODUCTION, outcome, err, "%s", why);
}

static bool is_configured(const struct drill *d)
{
    const struct settings *s = d->p->settings;

    if (strcmp(d->r->environment, "production") != 0)
        return *settings_get(s, SETTING_STAGING_URL) != '\0';
    return *settings_get(s, SETTING_PRODUCTION_URL) != '\0' || *settings_get(s, SETTING_DATABASE_URL) != '\0';
}

int drill_production_compare(struct drill *d, struct err *err)
{
    struct census_params p = { .counted_bytes = COUNTED_BYTES, .wanted = is_in_backup, .cookie = d->r };
    struct err why = { 0 };
    struct census c = { 0 };
    struct target *t;
    int rc = -1;

    if (d->p->no_production)
        return skip(d, DRILL_SKIPPED, "not asked for", err);
    t = places_target(d->p->settings, d->r->environment, &why);
    if (t == NULL)
        return skip(d, is_configured(d) ? DRILL_WARNING : DRILL_SKIPPED, why.message, err);
    log_step("Comparing with %s...", d->r->environment);
    p.target = t;
    drill_tables_sort(d->r);
    if (census_take(&p, &c, &why) == 0) {
        rc = pair(d->r, &c, err);
        if (rc == 0) {
            drill_production_measure(d->r);
            rc = judge(d, &c, err);
        }
    } else if (why.class == ERR_SIGNAL || why.class == ERR_INTERNAL) {
        *err = why;
    } else {
        rc = skip(d, DRILL_WARNING, why.message, err);
    }
    census_release(&c);
    target_free(t);
    return rc;
}
