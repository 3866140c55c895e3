/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/alert_digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define DAY 86400.0
#define SLOW 3600.0   /* contract: "Backup Duration" */
#define LISTED_MAX 30 /* runs of the week, in mails and JSON */
#define VALUE_SIZE 1024

/* What is put in, and what all of it needs. */
struct digest {
    struct alert *a;
    const struct status *s;
    const struct settings *settings;
    struct err *err;
    bool failed;
};

bool alert_digest_parse(const char *word, enum alert_digest *kind)
{
    *kind = strcmp(word, "weekly") == 0 ? ALERT_WEEKLY : ALERT_DAILY;
    return *kind == ALERT_WEEKLY || strcmp(word, "daily") == 0;
}

/* ---- fields -------------------------------------------------------------------------------------------------------- */

static void add(struct digest *d, bool detail, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void add(struct digest *d, bool detail, const char *name, const char *format, ...)
{
    char value[VALUE_SIZE];
    va_list args;

    if (d->failed)
        return;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    d->failed = alert_field_clean(d->a, name, value, detail, d->settings, d->err) < 0;
}

static void add_heading(struct digest *d)
{
    char when[CLOCK_TEXT];

    add(d, false, "Environment", "%s", d->s->facts->environment);
    add(d, false, "Time", "%s UTC", clock_log(when, d->s->now));
}

static void add_origin(struct digest *d)
{
    add(d, true, "Application", "%s", settings_get(d->settings, SETTING_APP));
    add(d, true, "Host", "%s", os_hostname());
}

/* ---- what needs attention ------------------------------------------------------------------------------------------ */

/* That something is not known is told only when nothing is known at all. */
static bool needs_attention(const struct status *s, const struct status_check *c)
{
    return c->level == STATUS_WARNING || c->level == STATUS_CRITICAL ||
           (c->level == STATUS_UNKNOWN && s->level == STATUS_UNKNOWN);
}

static size_t add_checks(struct digest *d)
{
    static const char *const words[] = { "", "warning: ", "critical: ", "unknown: " };
    size_t n = 0;

    for (size_t i = 0; i < d->s->n; i++) {
        const struct status_check *c = &d->s->checks[i];

        if (!needs_attention(d->s, c))
            continue;
        add(d, false, c->title, "%s%s", words[c->level], c->text);
        n++;
    }
    return n;
}

/* The check of durations looks at the newest backup; a digest tells of the day's others, too. */
static size_t add_slow(struct digest *d)
{
    const struct history *h = &d->s->facts->history;
    const struct run *newest = history_newest(h, RUN_BACKUP, 1);
    char when[CLOCK_TEXT], took[TEXT_SHORT];
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++) {
        const struct run *r = &h->runs[i];

        if (r->kind != RUN_BACKUP || r == newest || r->exit_code != 0 || r->seconds <= SLOW ||
            difftime(d->s->now, r->started) > DAY)
            continue;
        add(d, false, "Backup duration", "warning: %s at %s UTC", text_duration(took, r->seconds),
            clock_log(when, r->started));
        n++;
    }
    return n;
}

static int write_daily(struct digest *d)
{
    size_t n;

    if (alert_init(d->a, ALERT_WARNING, d->s->now, "⚠️ Database backups need attention", "Daily Backup Digest",
                   d->err) < 0)
        return -1;
    add_heading(d);
    n = add_checks(d) + add_slow(d);
    add_origin(d);
    if (d->failed || alert_action(d->a, "Run `sfb status`: it shows every check", d->err) < 0)
        return -1;
    return n > 0;
}

/* ---- what was done ------------------------------------------------------------------------------------------------- */

static bool is_of_the_week(const struct status *s, const struct run *r)
{
    return r->kind == RUN_BACKUP && r->exit_code != RUN_BUSY &&
           difftime(s->now, r->started) <= STATUS_WINDOW_DAYS * DAY && difftime(s->now, r->started) >= 0;
}

static int by_length(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void add_durations(struct digest *d)
{
    const struct history *h = &d->s->facts->history;
    double *seconds = calloc(h->n + 1, sizeof *seconds);
    char median[TEXT_SHORT], longest[TEXT_SHORT];
    size_t n = 0;

    for (size_t i = 0; seconds && i < h->n; i++)
        if (is_of_the_week(d->s, &h->runs[i]) && h->runs[i].exit_code == 0)
            seconds[n++] = h->runs[i].seconds;
    if (n > 0) {
        qsort(seconds, n, sizeof *seconds, by_length);
        add(d, false, "Duration", "median %s, longest %s", text_duration(median, seconds[n / 2]),
            text_duration(longest, seconds[n - 1]));
    }
    free(seconds);
}

/* A check's text, under a name of ours, when the check is there and is not among those that need attention. */
static void add_check(struct digest *d, const char *check, const char *name)
{
    const struct status_check *c = status_find(d->s, check);

    if (c && !needs_attention(d->s, c))
        add(d, false, name, "%s", c->text);
}

static void add_backups(struct digest *d, size_t good, size_t all)
{
    const struct run *newest = history_newest(&d->s->facts->history, RUN_BACKUP, 1);
    char rows[TEXT_SHORT], size[TEXT_SHORT];

    add(d, false, "Backups", "%zu of %zu successful", good, all);
    if (d->s->newest)
        add(d, false, "Newest", "%s, %s", d->s->newest->file, text_size(size, d->s->newest->size));
    if (newest && newest->tables > 0)
        add(d, false, "Rows", "%s in %zu tables", text_count(rows, newest->rows), (size_t)newest->tables);
    add_durations(d);
    add_check(d, "size_growth", "Size");
}

static void add_proofs(struct digest *d)
{
    const struct status *s = d->s;
    char median[TEXT_SHORT], longest[TEXT_SHORT];

    add_check(d, "drill_success", "Restore Drills");
    add_check(d, "proof_age", "Newest Proven Backup");
    if (s->drills > 0)
        add(d, false, "Recovery Time", "median %s, worst %s", text_duration(median, s->recovery_median),
            text_duration(longest, s->recovery_worst));
}

static void add_stored(struct digest *d)
{
    const struct status_facts *f = d->s->facts;
    uint64_t bytes = 0;
    char size[TEXT_SHORT];
    struct buf text;

    if (!f->store_listed)
        return;
    buf_init(&text, VALUE_SIZE);
    for (int tier = 0; tier < TIER_COUNT; tier++) {
        bytes += f->stored_bytes[tier];
        if (f->stored[tier] > 0)
            buf_printf(&text, "%s%zu %s", text.size > 0 ? ", " : "", f->stored[tier],
                       manifest_tier_name((enum tier)tier));
    }
    add(d, false, "Stored", "%s%s%s", text.data, text.size > 0 ? "; " : "nothing; ", text_size(size, bytes));
    buf_release(&text);
}

static void add_run(struct digest *d, const struct run *r)
{
    char when[CLOCK_TEXT], name[CLOCK_TEXT + 4], size[TEXT_SHORT], took[TEXT_SHORT];

    snprintf(name, sizeof name, "%s UTC", clock_log(when, r->started));
    if (r->exit_code == 0)
        add(d, true, name, "✅ %s in %s%s%s", text_size(size, r->size), text_duration(took, r->seconds),
            r->verified ? ", verified" : "", r->stored ? ", stored" : "");
    else
        add(d, true, name, "❌ exit code %d: %s", r->exit_code, r->error ? r->error : "no message");
}

/* The newest ones, oldest first. */
static void add_runs(struct digest *d, size_t all)
{
    const struct history *h = &d->s->facts->history;
    size_t skip = all > LISTED_MAX ? all - LISTED_MAX : 0;

    for (size_t i = 0; i < h->n; i++) {
        if (!is_of_the_week(d->s, &h->runs[i]))
            continue;
        if (skip > 0)
            skip--;
        else
            add_run(d, &h->runs[i]);
    }
}

static int write_weekly(struct digest *d)
{
    const struct history *h = &d->s->facts->history;
    size_t good = 0, all = 0;
    char headline[96];

    for (size_t i = 0; i < h->n; i++)
        if (is_of_the_week(d->s, &h->runs[i])) {
            all++;
            good += h->runs[i].exit_code == 0;
        }
    snprintf(headline, sizeof headline, "%s Database backups of the week: %zu of %zu successful",
             d->s->level == STATUS_OK ? "✅" : "⚠️", good, all);
    if (alert_init(d->a, ALERT_SUMMARY, d->s->now, headline, "Weekly Backup Summary", d->err) < 0)
        return -1;
    add_heading(d);
    add(d, false, "Status", "%s", status_level_name(d->s->level));
    add_backups(d, good, all);
    add_proofs(d);
    add_stored(d);
    add_checks(d);
    add_origin(d);
    add_runs(d, all);
    if (d->s->level != STATUS_OK && !d->failed)
        d->failed = alert_action(d->a, "Run `sfb status`: it shows every check", d->err) < 0;
    return d->failed ? -1 : 1;
}

int alert_digest_write(struct alert *a, enum alert_digest kind, const struct status *s, const struct settings *settings,
                       struct err *err)
{
    struct digest d = { .a = a, .s = s, .settings = settings, .err = err };
    int rc;

    memset(a, 0, sizeof *a);
    rc = kind == ALERT_DAILY ? write_daily(&d) : write_weekly(&d);
    if (rc <= 0)
        alert_release(a);
    return rc;
}
