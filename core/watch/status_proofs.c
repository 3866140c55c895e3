/* SPDX-License-Identifier: PostgreSQL */
/* status_proofs.c - has it been shown that the backups bring the database back, and how long does that take? */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/watch/status_impl.h"

#define DRILL_WINDOW_DAYS 92 /* monthly drills: three of them */

/* Drills are production's (contract: "Monthly Restore Tests"); elsewhere nobody misses them. */
static bool is_expected(const struct status *s)
{
    return s->facts->drill_days > 0 && strcmp(s->facts->environment, "production") == 0;
}

static bool is_subject(const struct status *s, const struct run *r)
{
    return run_subject(r) != NULL && strcmp(run_subject(r), s->facts->environment) == 0;
}

/* ---- drills ----------------------------------------------------------------------------------------------------- */

/* Before there was a history there may have been drills: their reports tell. */
static void check_reports(struct status *s)
{
    const struct proofs *p = &s->facts->proofs;
    char when[CLOCK_TEXT];

    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->items[i].environment, s->facts->environment) != 0)
            continue;
        status_add(s, "drill_success", "Restore drills",
                   p->items[i].verdict == PROOFS_PASSED ? STATUS_OK : STATUS_CRITICAL, "the last one, at %s UTC, %s",
                   clock_log(when, p->items[i].drilled), proofs_verdict_name(p->items[i].verdict));
        return;
    }
}

static void check_drills(struct status *s)
{
    const struct history *h = &s->facts->history;
    const struct run *newest = NULL;
    size_t runs = 0, failed = 0;
    char when[CLOCK_TEXT];
    struct status_check *c;

    for (size_t i = 0; i < h->n; i++) {
        const struct run *r = &h->runs[i];

        if (r->kind != RUN_DRILL || !is_subject(s, r) || r->exit_code == RUN_BUSY)
            continue;
        newest = r;
        if (difftime(s->now, r->started) > DRILL_WINDOW_DAYS * STATUS_DAY)
            continue;
        runs++;
        failed += run_failed(r);
    }
    if (newest == NULL) {
        check_reports(s);
        return;
    }
    c = status_add(s, "drill_success", "Restore drills", run_failed(newest) ? STATUS_CRITICAL : STATUS_OK,
                   "%zu of %zu succeeded in the last %d days", runs - failed, runs, DRILL_WINDOW_DAYS);
    if (run_failed(newest))
        snprintf(c->text, sizeof c->text, "failed at %s UTC (exit code %d): %s", clock_log(when, newest->started),
                 newest->exit_code, newest->error != NULL ? newest->error : "no message");
    status_measure(c, STATUS_PERCENT, runs > 0 ? 100.0 * (double)(runs - failed) / (double)runs : 100, 100, 100);
    c->least = true;
}

/* ---- the newest backup that was proven -------------------------------------------------------------------------- */

static void check_age(struct status *s)
{
    const struct proofs_item *p = proofs_newest(&s->facts->proofs, s->facts->environment);
    double limit = is_expected(s) ? s->facts->drill_days * STATUS_DAY : NAN, age;
    const struct run *r = history_newest_proven(&s->facts->history, &s->facts->proofs, s->facts->environment);
    char span[TEXT_SHORT];
    struct status_check *c;

    s->proven = p != NULL ? p->taken : 0;
    if (r != NULL && r->taken > s->proven)
        s->proven = r->taken;
    if (s->proven == 0 && !is_expected(s))
        return;
    if (s->proven == 0) {
        status_add(s, "proof_age", "Newest proven backup", STATUS_WARNING,
                   "there is none: no restore has shown that they are good; `sfb drill` does");
        return;
    }
    age = fmax(difftime(s->now, s->proven), 0);
    c = status_add(s, "proof_age", "Newest proven backup", status_judge_value(age, limit, NAN),
                   "every row of it came back; taken %s ago", status_span(span, age));
    status_measure(c, STATUS_SECONDS, age, limit, NAN);
}

/* ---- how long a recovery takes ---------------------------------------------------------------------------------- */

static int by_length(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void collect(struct status *s, double seconds[STATUS_DRILLS])
{
    const struct history *h = &s->facts->history;

    for (size_t i = h->n; i > 0 && s->drills < STATUS_DRILLS; i--) {
        const struct run *r = &h->runs[i - 1];

        if ((r->kind == RUN_DRILL || r->kind == RUN_RESTORE) && r->exit_code == 0 && r->recovery_seconds > 0 &&
            is_subject(s, r))
            seconds[s->drills++] = r->recovery_seconds;
    }
}

static void check_recovery(struct status *s)
{
    double limit = s->facts->rto_minutes > 0 ? s->facts->rto_minutes * STATUS_MINUTE : NAN;
    char now[TEXT_SHORT], median[TEXT_SHORT], most[TEXT_SHORT];
    double seconds[STATUS_DRILLS] = { 0 };
    struct status_check *c;

    collect(s, seconds);
    if (s->drills == 0)
        return;
    s->recovery = seconds[0];
    qsort(seconds, s->drills, sizeof seconds[0], by_length);
    s->recovery_median = (seconds[(s->drills - 1) / 2] + seconds[s->drills / 2]) / 2;
    s->recovery_worst = seconds[s->drills - 1];
    c = status_add(s, "recovery_time", "Recovery time", status_judge_value(s->recovery, limit, NAN),
                   "%s; of the last %zu: median %s, worst %s", text_duration(now, s->recovery), s->drills,
                   text_duration(median, s->recovery_median), text_duration(most, s->recovery_worst));
    status_measure(c, STATUS_SECONDS, s->recovery, limit, NAN);
}

void status_check_proofs(struct status *s)
{
    check_drills(s);
    check_age(s);
    check_recovery(s);
}
