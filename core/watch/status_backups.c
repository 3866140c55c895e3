/* SPDX-License-Identifier: PostgreSQL */
/* status_backups.c - are backups made, in time, and do they look as they should? (contract: "Monitoring Requirements") */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/watch/status_impl.h"

#define GRACE_HOURS 1.0               /* a backup may begin and take as long before the next one counts as missed */
#define DURATION (60 * STATUS_MINUTE) /* contract: "Backup Duration" */
#define GROWTH 50.0                   /* percent in STATUS_WINDOW_DAYS (contract: "Backup Size Growth") */
#define SHRINKAGE 50.0                /* what was there is gone: deleted by mistake? */
#define GROWTH_FLOOR (1024 * 1024)    /* bytes: what is smaller doubles without anybody noticing */
#define WINDOW (STATUS_WINDOW_DAYS * STATUS_DAY)
#define AHEAD STATUS_HOUR /* a backup of tomorrow is of a clock that was wrong, and says nothing */

static bool is_good(const struct status_backup *b)
{
    return b->ran || b->stored || b->cached;
}

static double age(const struct status *s, time_t then)
{
    double seconds = difftime(s->now, then);

    return seconds > 0 ? seconds : 0;
}

static bool is_recent(const struct status *s, const struct run *r, enum run_kind kind)
{
    return r->kind == kind && r->exit_code != RUN_BUSY && difftime(s->now, r->started) <= WINDOW;
}

/* ---- is there one, and is it new? ------------------------------------------------------------------------------- */

static void find_newest(struct status *s)
{
    for (size_t i = 0; i < s->facts->n_backups && s->newest == NULL; i++)
        if (is_good(&s->facts->backups[i]) && difftime(s->facts->backups[i].started, s->now) <= AHEAD)
            s->newest = &s->facts->backups[i];
}

static void check_age(struct status *s)
{
    static const char title[] = "Last successful backup";
    const struct status_facts *f = s->facts;
    double limit = f->schedule_hours > 0 ? (f->schedule_hours + GRACE_HOURS) * STATUS_HOUR : NAN;
    char span[TEXT_SHORT], size[TEXT_SHORT];
    struct status_check *c;

    if (s->newest == NULL && f->history.n == 0 && !f->store_listed) {
        status_add(s, "backup_age", title, STATUS_UNKNOWN,
                   "nothing is known on this host: no history, no cache, and no list of a store");
        return;
    }
    if (s->newest == NULL) {
        status_add(s, "backup_age", title, STATUS_CRITICAL, "there is none");
        return;
    }
    c = status_add(s, "backup_age", title, status_judge_value(age(s, s->newest->started), NAN, limit), "%s ago: %s, %s",
                   status_span(span, age(s, s->newest->started)), s->newest->file, text_size(size, s->newest->size));
    status_measure(c, STATUS_SECONDS, age(s, s->newest->started), NAN, limit);
}

/* How many backups should have been made in a gap between two, and were not. */
static double missed(double gap, double every)
{
    return gap > every + GRACE_HOURS * STATUS_HOUR ? ceil((gap - GRACE_HOURS * STATUS_HOUR) / every) - 1 : 0;
}

/* From the oldest one known, or the beginning of the window, to now. */
static void check_schedule(struct status *s)
{
    double every = s->facts->schedule_hours * STATUS_HOUR, n = 0;
    time_t next = s->now;
    struct status_check *c;

    if (every <= 0 || s->newest == NULL)
        return;
    for (const struct status_backup *b = s->newest; b < s->facts->backups + s->facts->n_backups; b++) {
        if (!is_good(b))
            continue;
        n += missed(fmin(difftime(next, b->started), WINDOW - difftime(s->now, next)), every);
        next = b->started;
        if (difftime(s->now, next) >= WINDOW)
            break;
    }
    c = status_add(s, "schedule", "Schedule", n > 0 ? STATUS_WARNING : STATUS_OK,
                   "one every %d h; %.0f missed in the last %d days", s->facts->schedule_hours, n, STATUS_WINDOW_DAYS);
    status_measure(c, STATUS_NUMBER, n, 0, NAN);
}

/* ---- did they succeed? ------------------------------------------------------------------------------------------ */

static void say_failure(struct status_check *c, const struct run *r)
{
    char when[CLOCK_TEXT];

    snprintf(c->text, sizeof c->text, "failed at %s UTC (exit code %d): %s", clock_log(when, r->started), r->exit_code,
             r->error != NULL ? r->error : "no message");
}

/* The newest run decides; one that failed before it is a warning until it is STATUS_WINDOW_DAYS old. */
static void check_success(struct status *s)
{
    const struct history *h = &s->facts->history;
    const struct run *newest = history_newest(h, RUN_BACKUP, -1);
    size_t runs = 0, failed = 0;
    struct status_check *c;
    double rate;

    if (newest == NULL)
        return;
    for (size_t i = 0; i < h->n; i++)
        if (is_recent(s, &h->runs[i], RUN_BACKUP)) {
            runs++;
            failed += run_failed(&h->runs[i]);
        }
    rate = runs > 0 ? 100.0 * (double)(runs - failed) / (double)runs : 100;
    c = status_add(s, "backup_success", "Backup success rate", failed > 0 ? STATUS_WARNING : STATUS_OK,
                   "%zu of %zu in the last %d days", runs - failed, runs, STATUS_WINDOW_DAYS);
    if (runs == 0)
        snprintf(c->text, sizeof c->text, "no run in the last %d days", STATUS_WINDOW_DAYS);
    if (run_failed(newest)) {
        c->level = STATUS_CRITICAL;
        say_failure(c, newest);
    }
    status_measure(c, STATUS_PERCENT, rate, 100, NAN);
    c->least = true;
}

static void check_uploads(struct status *s)
{
    const struct history *h = &s->facts->history;
    const struct run *newest = history_newest(h, RUN_BACKUP, -1);
    struct status_check *c;
    size_t failed = 0;

    for (size_t i = 0; i < h->n; i++)
        failed += is_recent(s, &h->runs[i], RUN_BACKUP) && h->runs[i].upload_failed;
    if (newest == NULL || (!s->facts->store_asked && failed == 0))
        return;
    c = status_add(s, "upload_failures", "Upload failures",
                   newest->upload_failed ? STATUS_CRITICAL
                   : failed > 0          ? STATUS_WARNING
                                         : STATUS_OK,
                   "%zu in the last %d days%s", failed, STATUS_WINDOW_DAYS,
                   newest->upload_failed ? "; the newest backup is on its host alone" : "");
    status_measure(c, STATUS_NUMBER, (double)failed, 0, NAN);
}

/* ---- do they look as they should? ------------------------------------------------------------------------------- */

static void check_duration(struct status *s)
{
    const struct run *r = history_newest(&s->facts->history, RUN_BACKUP, 1);
    char text[TEXT_SHORT];
    struct status_check *c;

    if (r == NULL)
        return;
    c = status_add(s, "backup_duration", "Backup duration", status_judge_value(r->seconds, DURATION, NAN), "%s",
                   text_duration(text, r->seconds));
    status_measure(c, STATUS_SECONDS, r->seconds, DURATION, NAN);
}

static const char *ending(const struct status_backup *b)
{
    const char *dot = strchr(b->file, '.');

    return dot != NULL ? dot : "";
}

/* Sizes of a gzip and of a plain dump say nothing about the data. */
static bool comparable(const struct status_backup *a, const struct status_backup *b)
{
    if (a->format != NULL && b->format != NULL)
        return strcmp(a->format, b->format) == 0;
    return strcmp(ending(a), ending(b)) == 0;
}

/* The newest that is at least as old as the window, if it is not twice as old; else the oldest within the window. */
static const struct status_backup *find_baseline(const struct status *s)
{
    const struct status_backup *found = NULL;

    for (const struct status_backup *b = s->newest + 1; b < s->facts->backups + s->facts->n_backups; b++) {
        double before = difftime(s->newest->started, b->started);

        if (!is_good(b) || b->size == 0 || !comparable(b, s->newest))
            continue;
        if (before > 2 * WINDOW)
            break;
        found = b;
        if (before >= WINDOW)
            break;
    }
    return found;
}

static void check_growth(struct status *s)
{
    const struct status_backup *base = s->newest != NULL ? find_baseline(s) : NULL;
    char from[TEXT_SHORT], to[TEXT_SHORT], span[TEXT_SHORT];
    enum status_level level;
    struct status_check *c;
    double growth;

    if (base == NULL)
        return;
    growth = 100.0 * ((double)s->newest->size / (double)base->size - 1);
    level = growth > GROWTH || growth < -SHRINKAGE ? STATUS_WARNING : STATUS_OK;
    if (s->newest->size < GROWTH_FLOOR && base->size < GROWTH_FLOOR)
        level = STATUS_OK;
    c = status_add(s, "size_growth", "Backup size growth", level, "%+.0f %% in %s: from %s to %s", growth,
                   status_span(span, difftime(s->newest->started, base->started)), text_size(from, base->size),
                   text_size(to, s->newest->size));
    status_measure(c, STATUS_PERCENT, growth, GROWTH, NAN);
}

void status_check_backups(struct status *s)
{
    find_newest(s);
    check_age(s);
    check_schedule(s);
    check_success(s);
    check_uploads(s);
    check_duration(s);
    check_growth(s);
}
