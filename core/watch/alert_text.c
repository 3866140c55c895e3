/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/alert_text.h"

#include <ctype.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/watch/secrets.h"

#define TEXT_MAX ((size_t)64 * 1024)
#define VALUE_MAX 1500 /* of a field, bytes: an error and its hint have at most 1023 each */

/* ---- making one -------------------------------------------------------------------------------------------------- */

static int copy(char **out, const char *text, struct err *err)
{
    *out = strdup(text);
    return *out ? 0 : err_no_memory(err);
}

int alert_init(struct alert *a, enum alert_event event, time_t t, const char *headline, const char *title,
               struct err *err)
{
    unsigned char id[(ALERT_ID - 1) / 2];

    memset(a, 0, sizeof *a);
    a->event = event;
    a->time = t;
    if (os_random(id, sizeof id, err) < 0 || copy(&a->headline, headline, err) < 0 || copy(&a->title, title, err) < 0) {
        alert_release(a);
        return -1;
    }
    text_hex(a->id, id, sizeof id);
    return 0;
}

void alert_release(struct alert *a)
{
    for (size_t i = 0; i < a->n_fields; i++) {
        free(a->fields[i].name);
        free(a->fields[i].value);
    }
    free(a->headline);
    free(a->title);
    free(a->action);
    free(a->run);
    memset(a, 0, sizeof *a);
}

/* Not longer than n bytes, and no character cut apart. */
static size_t cut_length(const char *text, size_t n)
{
    if (strlen(text) <= n)
        return strlen(text);
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* One line of at most VALUE_MAX bytes; the caller frees. */
static char *one_line(const char *text, struct err *err)
{
    struct buf visible;

    buf_init(&visible, TEXT_MAX);
    text_visible(&visible, text);
    if (visible.size > VALUE_MAX) {
        buf_cut(&visible, cut_length(visible.data, VALUE_MAX));
        buf_puts(&visible, "…");
    }
    return buf_take(&visible, err);
}

int alert_action(struct alert *a, const char *action, struct err *err)
{
    free(a->action);
    a->action = one_line(action, err);
    return a->action ? 0 : -1;
}

int alert_field(struct alert *a, const char *name, const char *value, bool detail, struct err *err)
{
    struct alert_field *f = &a->fields[a->n_fields];

    if (a->n_fields == ALERT_FIELDS)
        return 0;
    f->detail = detail;
    f->name = strdup(name);
    f->value = one_line(value, err);
    if (f->name && f->value) {
        a->n_fields++;
        return 0;
    }
    free(f->name);
    free(f->value);
    return err_no_memory(err);
}

int alert_field_clean(struct alert *a, const char *name, const char *value, bool detail, const struct settings *s,
                      struct err *err)
{
    struct buf clean;
    int rc = 0;

    buf_init(&clean, TEXT_MAX);
    secrets_hide(&clean, value, s);
    if (buf_check(&clean, err) < 0)
        rc = -1;
    else if (clean.size > 0)
        rc = alert_field(a, name, clean.data, detail, err);
    buf_release(&clean);
    return rc;
}

/* ---- of a run ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *what, *title; /* "Database backup" failed; *Database Backup Failed* */
    const char *action;       /* when the error has no hint of its own */
} kinds[RUN_KINDS] = {
    [RUN_NONE] = { "Run", "Run", "Look at the log of the run" },
    [RUN_BACKUP] = { "Database backup", "Database Backup",
                     "Run `sfb doctor`: it says what is wrong; then back up again" },
    [RUN_RESTORE] = { "Database restore", "Database Restore",
                      "Look at the log of the restore; the database is as it was before" },
    [RUN_VERIFY] = { "Backup verification", "Backup Verification",
                     "Run `sfb list` for another good backup, and take a new one now" },
    [RUN_PRUNE] = { "Backup pruning", "Backup Pruning",
                    "Run `sfb prune --dry-run`: it says what it would do, and why" },
    [RUN_DRILL] = { "Restore test", "Restore Test",
                    "Rehearse by hand: `sfb drill --keep`, and look at what was restored" },
};

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* The contract's example: what cannot be reached is looked at first. */
static const char *default_action(const struct run *r)
{
    return r->kind == RUN_BACKUP && r->exit_code == 1 ? "Investigate database connectivity" : kinds[r->kind].action;
}

/* Hints begin in lower case; a sentence of its own does not, unless it begins with a name or a command. */
static int set_action(struct alert *a, const char *hint, struct err *err)
{
    size_t word = strspn(hint, "abcdefghijklmnopqrstuvwxyz");

    if (alert_action(a, hint, err) < 0)
        return -1;
    if (word > 0 && strchr(" ,:;", hint[word]))
        a->action[0] = (char)toupper((unsigned char)a->action[0]);
    return 0;
}

static void describe_end(struct buf *out, const struct run *r)
{
    if (r->error && *r->error)
        buf_puts(out, r->error);
    else if (r->signal)
        buf_printf(out, "ended by signal %d", r->signal);
    else
        buf_printf(out, "ended with exit code %d", r->exit_code);
}

/* Of these it is the first question which backup it was. */
static bool is_of_a_backup(const struct run *r)
{
    return r->kind == RUN_RESTORE || r->kind == RUN_VERIFY || r->kind == RUN_DRILL;
}

/* In the contract's order: who, what went wrong, when; of a drill, where all of it can be read. */
static int add_fields(struct alert *a, const struct run *r, time_t since, unsigned times, const struct settings *s,
                      struct err *err)
{
    char when[CLOCK_TEXT], moment[CLOCK_TEXT + 4], history[CLOCK_TEXT + 32];
    struct buf end;
    int rc = -1;

    buf_init(&end, TEXT_MAX);
    describe_end(&end, r);
    snprintf(moment, sizeof moment, "%s UTC", clock_log(when, a->time));
    if (alert_field_clean(a, "Environment", r->environment || r->kind != RUN_PRUNE ? or_empty(r->environment) : "all",
                          false, s, err) < 0 ||
        (is_of_a_backup(r) && alert_field_clean(a, "Backup", or_empty(r->backup), false, s, err) < 0) ||
        (a->event == ALERT_FAILED && alert_field_clean(a, "Error", end.data, false, s, err) < 0) ||
        alert_field(a, "Time", moment, false, err) < 0 ||
        alert_field_clean(a, "Report", or_empty(r->report), false, s, err) < 0)
        goto out;
    if (since > 0) {
        snprintf(history, sizeof history, "%s UTC (%u run%s)", clock_log(when, since), times, times == 1 ? "" : "s");
        if (alert_field(a, a->event == ALERT_FAILED ? "Failing Since" : "Had Failed Since", history, false, err) < 0)
            goto out;
    }
    rc = 0;
out:
    buf_release(&end);
    return rc;
}

/* The page on this host, when the one in the store was named already. */
static const char *other_report(const struct run *r)
{
    return r->report && r->report_path && strcmp(r->report, r->report_path) != 0 ? r->report_path : "";
}

static int add_details(struct alert *a, const struct run *r, const struct settings *s, struct err *err)
{
    char text[TEXT_SHORT];

    if (alert_field_clean(a, "Application", settings_get(s, SETTING_APP), true, s, err) < 0 ||
        alert_field_clean(a, "Database", or_empty(r->database), true, s, err) < 0 ||
        (!is_of_a_backup(r) && alert_field_clean(a, "Backup", or_empty(r->backup), true, s, err) < 0) ||
        alert_field_clean(a, "Location", or_empty(r->location), true, s, err) < 0 ||
        alert_field_clean(a, "Report File", other_report(r), true, s, err) < 0 ||
        alert_field_clean(a, "Host", or_empty(r->host), true, s, err) < 0 ||
        alert_field_clean(a, "User", or_empty(r->user), true, s, err) < 0 ||
        alert_field(a, "Duration", text_duration(text, r->seconds), true, err) < 0)
        return -1;
    snprintf(text, sizeof text, "%d", r->exit_code);
    return alert_field(a, "Exit Code", text, true, err);
}

/* The run's line of the history, without secrets. */
static int add_run(struct alert *a, const struct run *r, const struct settings *s, struct err *err)
{
    struct run clean = *r; /* borrows all but two */
    struct buf error, hint, json;
    int rc = -1;

    buf_init(&error, TEXT_MAX);
    buf_init(&hint, TEXT_MAX);
    buf_init(&json, TEXT_MAX);
    secrets_hide(&error, or_empty(r->error), s);
    secrets_hide(&hint, or_empty(r->hint), s);
    if (buf_check(&error, err) < 0 || buf_check(&hint, err) < 0)
        goto out;
    clean.error = r->error ? error.data : NULL;
    clean.hint = r->hint ? hint.data : NULL;
    if (run_write(&clean, &json, err) < 0)
        goto out;
    a->run = buf_take(&json, err);
    rc = a->run ? 0 : -1;
out:
    buf_release(&error);
    buf_release(&hint);
    buf_release(&json);
    return rc;
}

static int add_action(struct alert *a, const struct run *r, const struct settings *s, struct err *err)
{
    struct buf clean;
    int rc;

    buf_init(&clean, TEXT_MAX);
    secrets_hide(&clean, r->hint && *r->hint ? r->hint : default_action(r), s);
    rc = buf_check(&clean, err) < 0 ? -1 : set_action(a, clean.data, err);
    buf_release(&clean);
    return rc;
}

int alert_of_run(struct alert *a, enum alert_event event, const struct run *r, time_t since, unsigned times,
                 const struct settings *s, struct err *err)
{
    char headline[64], title[64];
    bool failed = event == ALERT_FAILED;

    snprintf(headline, sizeof headline, failed ? "❌ %s failed" : "✅ %s works again", kinds[r->kind].what);
    snprintf(title, sizeof title, failed ? "%s Failed" : "%s Recovered", kinds[r->kind].title);
    if (alert_init(a, event, r->started + (time_t)r->seconds, headline, title, err) < 0)
        return -1;
    if (add_fields(a, r, since, times, s, err) < 0 || add_details(a, r, s, err) < 0 ||
        (failed && add_action(a, r, s, err) < 0) || add_run(a, r, s, err) < 0) {
        alert_release(a);
        return -1;
    }
    return 0;
}

/* ---- sameness ------------------------------------------------------------------------------------------------------ */

void alert_condition(struct buf *out, const struct run *r)
{
    buf_printf(out, "%s %s", run_kind_name(r->kind), or_empty(r->environment));
    if (r->kind == RUN_VERIFY) /* that another backup is whole says nothing about this one */
        buf_printf(out, " %s", or_empty(r->backup));
}

/* Ports, process ids, sizes, times and made-up names differ from run to run: each word with a digit in it is one. */
static void add_without_numbers(struct buf *out, const char *text)
{
    while (*text) {
        size_t n = 0;
        bool digit = false;

        while (isalnum((unsigned char)text[n]))
            digit = isdigit((unsigned char)text[n++]) || digit;
        if (n == 0)
            buf_putc(out, *text++);
        else if (digit)
            buf_putc(out, '#');
        else
            buf_add(out, text, n);
        text += n;
    }
}

void alert_key(char out[ALERT_ID], const struct run *r)
{
    unsigned char sum[32];
    struct buf text;

    buf_init(&text, TEXT_MAX);
    alert_condition(&text, r);
    buf_printf(&text, "\n%d\n", r->exit_code);
    add_without_numbers(&text, or_empty(r->error));
    mbedtls_sha256((const unsigned char *)text.data, text.size, sum, 0);
    text_hex(out, sum, (ALERT_ID - 1) / 2);
    buf_release(&text);
}
