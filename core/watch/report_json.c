/* SPDX-License-Identifier: PostgreSQL */
/* report_json.c - a drill's report for programs; packaging/report.schema.json says what each member means. */
#include "core/watch/report.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "version.h"

#define REPORT_VERSION 1

/* Text from outside may be no UTF-8, which JSON must be: it is made visible as on a terminal. */
static void add_text(cJSON *object, const char *name, const char *text)
{
    struct buf visible;

    if (text == NULL || *text == '\0') {
        cJSON_AddNullToObject(object, name);
        return;
    }
    buf_init(&visible, REPORT_MAX);
    text_visible(&visible, text);
    cJSON_AddStringToObject(object, name, visible.data);
    buf_release(&visible);
}

/* Raw: cJSON's own doubles are rounded to 15 digits. */
static void add_count(cJSON *object, const char *name, bool known, uint64_t n)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRIu64, n);
    if (known)
        cJSON_AddRawToObject(object, name, digits);
    else
        cJSON_AddNullToObject(object, name);
}

static void add_seconds(cJSON *object, const char *name, bool known, double seconds)
{
    char digits[64];

    if (!known || !isfinite(seconds)) {
        cJSON_AddNullToObject(object, name);
        return;
    }
    snprintf(digits, sizeof digits, "%.3f", seconds);
    cJSON_AddRawToObject(object, name, digits);
}

static void add_time(cJSON *object, const char *name, time_t t)
{
    char text[CLOCK_TEXT];

    if (t == 0)
        cJSON_AddNullToObject(object, name);
    else
        cJSON_AddStringToObject(object, name, clock_iso(text, t));
}

static cJSON *add_element(cJSON *array)
{
    cJSON *one = cJSON_CreateObject();

    if (cJSON_AddItemToArray(array, one))
        return one;
    cJSON_Delete(one);
    return NULL;
}

static void add_backup(cJSON *root, const struct drill_result *d)
{
    cJSON *o = cJSON_AddObjectToObject(root, "backup");

    add_text(o, "file", d->backup);
    add_text(o, "location", d->location);
    cJSON_AddBoolToObject(o, "stored", d->stored);
    add_time(o, "taken", d->taken);
    add_count(o, "size", d->size > 0, d->size);
    add_text(o, "md5", d->md5);
    add_text(o, "sha256", d->sha256);
    add_text(o, "server_version", d->dumped_version);
}

static void add_restored(cJSON *root, const struct drill_result *d)
{
    cJSON *o = cJSON_AddObjectToObject(root, "restored");

    cJSON_AddStringToObject(o, "where", drill_where_name(d->where));
    add_text(o, "database", d->database);
    add_text(o, "server_version", d->server_version);
    cJSON_AddBoolToObject(o, "kept", d->kept);
    add_text(o, "saved_before", d->pre_restore);
    cJSON_AddBoolToObject(o, "put_back", d->put_back);
    add_count(o, "size", d->database_size > 0, d->database_size);
    add_count(o, "rows", true, d->n_rows);
    cJSON_AddBoolToObject(o, "proven", d->proven);
    add_seconds(o, "drift_percent", d->has_drift, d->drift);
}

static void add_figures(cJSON *root, const struct report *r)
{
    cJSON *o = cJSON_AddObjectToObject(root, "figures");

    add_seconds(o, "recovery_seconds", r->measured > 0, r->median);
    add_seconds(o, "recovery_seconds_worst", r->measured > 0, r->worst);
    add_count(o, "drills_measured", true, r->measured);
    add_seconds(o, "loss_seconds", report_loss(r) >= 0, report_loss(r));
    add_text(o, "newest_proven", r->newest_backup);
    add_time(o, "newest_proven_taken", r->newest);
}

static void add_checks(cJSON *root, const struct drill_result *d)
{
    cJSON *array = cJSON_AddArrayToObject(root, "checks");

    for (size_t i = 0; array != NULL && i < d->n_checks; i++) {
        cJSON *o = add_element(array);

        add_text(o, "name", d->checks[i].name);
        cJSON_AddStringToObject(o, "outcome", drill_outcome_name(d->checks[i].outcome));
        add_text(o, "detail", d->checks[i].detail);
    }
}

static void add_phases(cJSON *root, const struct drill_result *d)
{
    cJSON *array = cJSON_AddArrayToObject(root, "phases");

    for (size_t i = 0; array != NULL && i < d->n_phases; i++) {
        cJSON *o = add_element(array);

        add_text(o, "name", d->phases[i].name);
        add_seconds(o, "seconds", true, d->phases[i].seconds);
        cJSON_AddBoolToObject(o, "recovery", d->phases[i].recovery);
    }
}

static void add_tables(cJSON *root, const struct drill_result *d)
{
    cJSON *array = cJSON_AddArrayToObject(root, "tables");

    for (size_t i = 0; array != NULL && i < d->n_tables; i++) {
        const struct drill_table *t = &d->tables[i];
        cJSON *o = add_element(array);

        add_text(o, "schema", t->schema);
        add_text(o, "name", t->name);
        add_count(o, "rows", t->expected, t->rows);
        add_count(o, "bytes", t->expected, t->bytes);
        add_count(o, "rows_restored", t->found, t->rows_found);
        cJSON_AddBoolToObject(o, "same", t->found && t->same);
        add_count(o, "rows_production", t->in_production, t->rows_production);
        cJSON_AddBoolToObject(o, "estimated", t->estimated);
        add_seconds(o, "drift_percent", t->in_production && t->drift >= 0, t->drift);
    }
}

static void add_drills(cJSON *root, const struct report *r)
{
    cJSON *array = cJSON_AddArrayToObject(root, "drills");

    for (size_t i = 0; array != NULL && i < r->n_drills; i++) {
        cJSON *o = add_element(array);

        add_time(o, "started", r->drills[i].started);
        cJSON_AddBoolToObject(o, "passed", r->drills[i].passed);
        add_seconds(o, "recovery_seconds", r->drills[i].recovery_seconds > 0, r->drills[i].recovery_seconds);
        add_text(o, "backup", r->drills[i].backup);
    }
}

int report_json(struct buf *out, const struct report *r, struct err *err)
{
    cJSON *root = cJSON_CreateObject();
    struct buf verdict;
    char *text;

    buf_init(&verdict, 1024);
    report_verdict(&verdict, r);
    cJSON_AddNumberToObject(root, "report_version", REPORT_VERSION);
    add_text(root, "name", r->name);
    add_text(root, "environment", r->environment);
    cJSON_AddStringToObject(root, "verdict", proofs_verdict_name(r->verdict));
    add_text(root, "sentence", verdict.data);
    add_text(root, "error", r->drill->error);
    add_text(root, "hint", r->drill->hint);
    add_time(root, "started", r->drill->started);
    add_seconds(root, "seconds", true, r->drill->seconds);
    add_time(root, "made", r->made);
    add_figures(root, r);
    add_backup(root, r->drill);
    add_restored(root, r->drill);
    add_checks(root, r->drill);
    add_phases(root, r->drill);
    add_tables(root, r->drill);
    add_drills(root, r);
    add_text(root, "host", os_hostname());
    cJSON_AddStringToObject(root, "sfb_version", SFB_VERSION);
    text = root != NULL ? cJSON_Print(root) : NULL;
    if (text != NULL)
        buf_printf(out, "%s\n", text);
    else
        err_no_memory(err);
    free(text);
    cJSON_Delete(root);
    buf_release(&verdict);
    return text != NULL ? buf_check(out, err) : -1;
}
