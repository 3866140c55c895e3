/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/doctor.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/doctor_impl.h"
#include "core/base/os.h"
#include "core/base/text.h"

/* ---- findings -------------------------------------------------------------------------------------------------- */

void doctor_add(struct doctor_report *r, enum doctor_state state, const char *topic, const char *format, ...)
{
    struct doctor_finding *f = &r->items[r->n];
    va_list args;

    if (r->n == DOCTOR_FINDINGS)
        return;
    r->n++;
    memset(f, 0, sizeof *f);
    f->state = state;
    snprintf(f->topic, sizeof f->topic, "%s", topic);
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
}

void doctor_remedy(struct doctor_report *r, const char *format, ...)
{
    struct doctor_finding *f = &r->items[r->n - 1];
    va_list args;

    va_start(args, format);
    vsnprintf(f->remedy, sizeof f->remedy, format, args);
    va_end(args);
}

void doctor_add_err(struct doctor_report *r, enum doctor_state state, const char *topic, const struct err *err)
{
    doctor_add(r, state, topic, "%s", err->message);
    doctor_remedy(r, "%s", err->hint);
}

size_t doctor_count(const struct doctor_report *r, enum doctor_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += r->items[i].state == state;
    return n;
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *mark, *name;
} states[] = {
    [DOCTOR_FINE] = { "✅ ", "fine" },
    [DOCTOR_UNKNOWN] = { "➖ ", "unknown" },
    [DOCTOR_WARNING] = { "⚠️  ", "warning" },
    [DOCTOR_BROKEN] = { "❌ ", "broken" },
};

void doctor_line(struct buf *out, const struct doctor_finding *f)
{
    buf_printf(out, "%s%s: ", states[f->state].mark, f->topic);
    text_visible(out, f->text);
    buf_putc(out, '\n');
    if (f->remedy[0] == '\0')
        return;
    buf_puts(out, "      ");
    text_visible(out, f->remedy);
    buf_putc(out, '\n');
}

static void say_count(struct buf *out, size_t n, const char *one, const char *many)
{
    buf_printf(out, "%zu %s", n, n == 1 ? one : many);
}

void doctor_summary(struct buf *out, const struct doctor_report *r)
{
    size_t broken = doctor_count(r, DOCTOR_BROKEN), warnings = doctor_count(r, DOCTOR_WARNING);

    buf_puts(out, states[broken > 0 ? DOCTOR_BROKEN : warnings > 0 ? DOCTOR_WARNING : DOCTOR_FINE].mark);
    if (broken == 0 && warnings == 0) {
        buf_puts(out, "All is well\n");
        return;
    }
    if (broken > 0)
        say_count(out, broken, "thing is broken", "things are broken");
    else
        buf_puts(out, "Nothing is broken");
    if (warnings > 0) {
        buf_puts(out, ", ");
        say_count(out, warnings, "warning", "warnings");
    }
    buf_putc(out, '\n');
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

/* Text from outside may be no UTF-8: visible as on a terminal. */
static void add_text(cJSON *object, const char *name, const char *text)
{
    struct buf visible;

    buf_init(&visible, 64 * 1024);
    text_visible(&visible, text);
    cJSON_AddStringToObject(object, name, visible.data);
    buf_release(&visible);
}

int doctor_json(struct buf *out, const struct doctor_report *r, const char *environment, struct err *err)
{
    cJSON *root = cJSON_CreateObject(), *list;
    char *text;

    add_text(root, "environment", environment);
    cJSON_AddNumberToObject(root, "broken", (double)doctor_count(r, DOCTOR_BROKEN));
    cJSON_AddNumberToObject(root, "warnings", (double)doctor_count(r, DOCTOR_WARNING));
    list = cJSON_AddArrayToObject(root, "findings");
    for (size_t i = 0; list && i < r->n; i++) {
        cJSON *one = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(list, one))
            break;
        cJSON_AddStringToObject(one, "state", states[r->items[i].state].name);
        add_text(one, "topic", r->items[i].topic);
        add_text(one, "text", r->items[i].text);
        add_text(one, "remedy", r->items[i].remedy);
    }
    text = root ? cJSON_Print(root) : NULL;
    if (text)
        buf_printf(out, "%s\n", text);
    free(text);
    cJSON_Delete(root);
    return text ? buf_check(out, err) : err_no_memory(err);
}

/* ---- the examination ------------------------------------------------------------------------------------------- */

const char *doctor_origin(char out[DOCTOR_ORIGIN], const struct settings *s, enum setting which)
{
    static const char *const origins[] = { [FROM_DEFAULT] = "the default", [FROM_ENVIRONMENT] = "the environment" };
    enum setting_origin from = settings_origin(s, which);

    snprintf(out, DOCTOR_ORIGIN, "%s, from %s", settings_name(which),
             from == FROM_FILE ? settings_file(s) : origins[from]);
    return out;
}

static void (*const steps[])(struct doctor_exam *e) = {
    doctor_host_settings,    doctor_host_database,  doctor_host_directories, doctor_store_open,
    doctor_store_reach,      doctor_store_backups,  doctor_store_write,      doctor_bucket_protection,
    doctor_bucket_lifecycle, doctor_bucket_uploads,
};

int doctor_examine(const struct doctor_params *p, struct doctor_report *r, struct err *err)
{
    struct doctor_exam e = { .p = p, .r = r, .base = "" };
    int rc = 0;

    r->n = 0;
    for (size_t i = 0; rc == 0 && i < sizeof steps / sizeof steps[0]; i++) {
        size_t n = r->n;

        steps[i](&e);
        rc = os_check_interrupt(err); /* what was found while the end was asked for, is not meant */
        for (; rc == 0 && p->found && n < r->n; n++)
            p->found(p->cookie, &r->items[n]);
    }
    store_close(e.store);
    return rc;
}
