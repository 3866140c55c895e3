/* SPDX-License-Identifier: PostgreSQL */
/* status_text.c - how things stand, for people, monitoring plugins and programs. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/watch/status_impl.h"

#define TEXT_MAX (64 * 1024)

/* On one line, and without the sign that ends a plugin's text. */
static void add_plain(struct buf *out, const char *text)
{
    struct buf visible;

    buf_init(&visible, TEXT_MAX);
    text_visible(&visible, text);
    for (size_t i = 0; i < visible.size; i++)
        buf_putc(out, visible.data[i] == '|' ? '/' : visible.data[i]);
    buf_release(&visible);
}

/* ---- the line of a monitoring plugin ----------------------------------------------------------------------------- */

/* "100:" alarms below it, "3600" above it. */
static void add_limit(struct buf *out, double limit, bool least)
{
    buf_putc(out, ';');
    if (!isnan(limit))
        buf_printf(out, "%.0f%s", limit, least ? ":" : "");
}

static void add_value(struct buf *out, const struct status_check *c)
{
    static const char *const units[] = {
        [STATUS_NUMBER] = "", [STATUS_SECONDS] = "s", [STATUS_BYTES] = "B", [STATUS_PERCENT] = "%"
    };

    buf_printf(out, " %s=%.0f%s", c->name, c->value, units[c->unit]);
    add_limit(out, c->warning, c->least);
    add_limit(out, c->critical, c->least);
}

void status_line(struct buf *out, const struct status *s)
{
    buf_printf(out, "%s - ", status_level_name(s->level));
    add_plain(out, s->summary);
    buf_puts(out, " |");
    for (size_t i = 0; i < s->n; i++)
        if (s->checks[i].known)
            add_value(out, &s->checks[i]);
    buf_putc(out, '\n');
}

void status_text(struct buf *out, const struct status *s)
{
    static const char *const marks[] = { "✅ ", "⚠️  ", "❌ ", "➖ " };

    status_line(out, s);
    for (size_t i = 0; i < s->n; i++) {
        buf_printf(out, "%s%s: ", marks[s->checks[i].level], s->checks[i].title);
        add_plain(out, s->checks[i].text);
        buf_putc(out, '\n');
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static bool put_text(cJSON *object, const char *name, const char *text)
{
    struct buf visible;
    bool put;

    buf_init(&visible, TEXT_MAX);
    text_visible(&visible, text);
    put = !visible.failed && cJSON_AddStringToObject(object, name, visible.data);
    buf_release(&visible);
    return put;
}

static bool put_time(cJSON *object, const char *name, time_t t)
{
    char text[CLOCK_TEXT];

    return t == 0 ? cJSON_AddNullToObject(object, name) != NULL
                  : cJSON_AddStringToObject(object, name, clock_iso(text, t)) != NULL;
}

static bool put_number(cJSON *object, const char *name, double value, bool known)
{
    return known ? cJSON_AddNumberToObject(object, name, round(value * 1000) / 1000) != NULL
                 : cJSON_AddNullToObject(object, name) != NULL;
}

static bool put_level(cJSON *object, const char *name, enum status_level level)
{
    static const char *const names[] = { "ok", "warning", "critical", "unknown" };

    return cJSON_AddStringToObject(object, name, names[level]) != NULL;
}

static bool put_newest(cJSON *root, const struct status_backup *b)
{
    cJSON *object;

    if (b == NULL)
        return cJSON_AddNullToObject(root, "newest_backup") != NULL;
    object = cJSON_AddObjectToObject(root, "newest_backup");
    return object && put_text(object, "file", b->file) && put_time(object, "started", b->started) &&
           put_number(object, "size", (double)b->size, true) && cJSON_AddBoolToObject(object, "stored", b->stored) &&
           cJSON_AddBoolToObject(object, "cached", b->cached);
}

static bool put_recovery(cJSON *root, const struct status *s)
{
    cJSON *object = cJSON_AddObjectToObject(root, "recovery");

    return object && put_number(object, "seconds", s->recovery, s->drills > 0) &&
           put_number(object, "median_seconds", s->recovery_median, s->drills > 0) &&
           put_number(object, "worst_seconds", s->recovery_worst, s->drills > 0) &&
           put_number(object, "drills", (double)s->drills, true);
}

static bool put_check(cJSON *list, const struct status_check *c)
{
    static const char *const units[] = { "", "seconds", "bytes", "percent" };
    cJSON *object = cJSON_CreateObject();

    return cJSON_AddItemToArray(list, object) && cJSON_AddStringToObject(object, "name", c->name) &&
           cJSON_AddStringToObject(object, "title", c->title) && put_level(object, "level", c->level) &&
           put_text(object, "text", c->text) && put_number(object, "value", c->value, c->known) &&
           cJSON_AddStringToObject(object, "unit", units[c->unit]) &&
           put_number(object, "warning", c->warning, !isnan(c->warning)) &&
           put_number(object, "critical", c->critical, !isnan(c->critical)) &&
           cJSON_AddBoolToObject(object, "least", c->least);
}

static bool put_status(cJSON *root, const struct status *s)
{
    bool put = put_text(root, "environment", s->facts->environment) && put_time(root, "checked", s->now) &&
               put_level(root, "status", s->level) && put_text(root, "summary", s->summary) &&
               put_newest(root, s->newest) && put_time(root, "newest_proven", s->proven) && put_recovery(root, s);
    cJSON *list = put ? cJSON_AddArrayToObject(root, "checks") : NULL;

    put = list != NULL;
    for (size_t i = 0; put && i < s->n; i++)
        put = put_check(list, &s->checks[i]);
    return put;
}

int status_json(struct buf *out, const struct status *s, struct err *err)
{
    cJSON *root = cJSON_CreateObject();
    char *text = root != NULL && put_status(root, s) ? cJSON_Print(root) : NULL;
    int rc = -1;

    if (text == NULL) {
        err_no_memory(err);
        goto out;
    }
    buf_printf(out, "%s\n", text);
    rc = buf_check(out, err);
out:
    free(text);
    cJSON_Delete(root);
    return rc;
}
