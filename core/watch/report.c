/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"

#define DRILLS 100 /* of the past, for the trend */

/* ---- how it ended ----------------------------------------------------------------------------------------------- */

bool report_is_due(const struct err *why)
{
    switch (why->class) {
    case ERR_USAGE:
    case ERR_CONFIG:
    case ERR_BUSY:
    case ERR_CANCELLED:
    case ERR_SIGNAL:
        return false;
    default:
        return true;
    }
}

/* Is it the backup that failed, or did something else keep us from knowing? No backup at all is the worst of failures. */
static enum proofs_verdict judge(const struct drill_result *drill, const struct err *why)
{
    if (drill->passed && why->class == ERR_NONE)
        return PROOFS_PASSED;
    switch (why->class) {
    case ERR_NOT_FOUND:
    case ERR_DAMAGED:
    case ERR_RESTORE:
    case ERR_PROOF:
        return PROOFS_FAILED;
    default:
        return PROOFS_UNFINISHED;
    }
}

const char *report_environment(const struct drill_result *drill)
{
    return drill->environment != NULL && *drill->environment != '\0' ? drill->environment : "production";
}

/* ---- the past --------------------------------------------------------------------------------------------------- */

static int add_drill(struct report *r, time_t started, bool passed, double seconds, const char *backup, struct err *err)
{
    struct report_drill *d = &r->drills[r->n_drills];

    d->started = started;
    d->passed = passed;
    d->recovery_seconds = seconds;
    d->backup = strdup(backup != NULL ? backup : "");
    if (d->backup == NULL)
        return err_no_memory(err);
    r->n_drills++;
    return 0;
}

static bool is_past_drill(const struct report *r, const struct run *run)
{
    const char *subject = run_subject(run);

    return run->kind == RUN_DRILL && subject != NULL && strcmp(subject, r->environment) == 0 &&
           run->exit_code != RUN_BUSY && run->signal == 0;
}

static int add_drills(struct report *r, const struct history *history, struct err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < history->n; i++)
        n += is_past_drill(r, &history->runs[i]);
    r->drills = calloc(DRILLS + 1, sizeof *r->drills);
    if (r->drills == NULL)
        return err_no_memory(err);
    for (size_t i = 0; i < history->n; i++) {
        const struct run *run = &history->runs[i];

        if (!is_past_drill(r, run) || n-- > DRILLS)
            continue;
        if (add_drill(r, run->started, run->exit_code == 0, run->recovery_seconds, run->backup, err) < 0)
            return -1;
    }
    return add_drill(r, r->drill->started, r->verdict == PROOFS_PASSED, r->drill->recovery_seconds, r->drill->backup,
                     err);
}

static int compare_seconds(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(struct report *r)
{
    double seconds[REPORT_MEASURED];
    size_t n = 0;

    for (size_t i = r->n_drills; i-- > 0 && n < REPORT_MEASURED;)
        if (r->drills[i].passed && r->drills[i].recovery_seconds > 0)
            seconds[n++] = r->drills[i].recovery_seconds;
    r->measured = n;
    if (n == 0)
        return;
    qsort(seconds, n, sizeof *seconds, compare_seconds);
    r->median = (seconds[(n - 1) / 2] + seconds[n / 2]) / 2;
    r->worst = seconds[n - 1];
}

/* The backup of the moment `taken` is a newer proof than what is known so far. */
static int note_newest(struct report *r, time_t taken, const char *backup, struct err *err)
{
    if (taken <= r->newest)
        return 0;
    r->newest = taken;
    free(r->newest_backup);
    r->newest_backup = proofs_backup_name(backup);
    return r->newest_backup != NULL ? 0 : err_no_memory(err);
}

/* What counts is that every row came back: the drill, this one too, may have failed for another reason. */
static int find_newest(struct report *r, const struct history *history, struct proofs *proofs, struct err *err)
{
    const struct proofs_item *newest;
    const struct run *run;

    if (proofs_add(proofs, r->environment, r->name, r->drill->taken, err) < 0)
        return -1;
    newest = proofs_newest(proofs, r->environment);
    if (newest != NULL && note_newest(r, newest->taken, newest->backup, err) < 0)
        return -1;
    run = history_newest_proven(history, proofs, r->environment);
    if (run != NULL && note_newest(r, run->taken, run->backup, err) < 0)
        return -1;
    return r->drill->proven ? note_newest(r, r->drill->taken, r->drill->backup, err) : 0;
}

int report_init(struct report *r, const struct drill_result *drill, const struct err *why,
                const struct history *history, struct proofs *proofs, time_t now, struct err *err)
{
    memset(r, 0, sizeof *r);
    r->drill = drill;
    r->verdict = judge(drill, why);
    r->made = now;
    r->environment = strdup(report_environment(drill));
    r->name = proofs_name(drill->started, r->verdict, drill->backup);
    if (r->environment == NULL || r->name == NULL)
        err_no_memory(err);
    else if (add_drills(r, history, err) == 0 && find_newest(r, history, proofs, err) == 0) {
        measure(r);
        return 0;
    }
    report_release(r);
    return -1;
}

void report_release(struct report *r)
{
    for (size_t i = 0; i < r->n_drills; i++)
        free(r->drills[i].backup);
    free(r->drills);
    free(r->environment);
    free(r->name);
    free(r->newest_backup);
    memset(r, 0, sizeof *r);
}

/* ---- what follows from it --------------------------------------------------------------------------------------- */

double report_loss(const struct report *r)
{
    if (r->newest == 0)
        return -1;
    return r->made > r->newest ? (double)(r->made - r->newest) : 0;
}

const char *report_loss_text(char out[TEXT_SHORT], const struct report *r)
{
    if (report_loss(r) >= 120)
        return text_age(out, report_loss(r));
    snprintf(out, TEXT_SHORT, "minute");
    return out;
}

struct report_sentence report_sentence(const struct report *r)
{
    const struct drill_result *drill = r->drill;
    struct report_sentence s = { .taken = drill->taken };

    if (r->verdict == PROOFS_UNFINISHED)
        return (struct report_sentence){ "The drill could not be carried out.", 0, "" };
    if (drill->backup == NULL || *drill->backup == '\0')
        return (struct report_sentence){ "No backup was found to recover from.", 0, "" };
    s.before = drill->taken != 0 ? "The backup of " : "The backup";
    if (r->verdict == PROOFS_PASSED)
        s.after = " brings the database back.";
    else if (drill->proven)
        s.after = " was restored whole, but the drill failed.";
    else
        s.after = " does not bring the database back.";
    return s;
}

void report_verdict(struct buf *out, const struct report *r)
{
    struct report_sentence s = report_sentence(r);
    char when[CLOCK_TEXT];

    buf_puts(out, s.before);
    if (s.taken != 0)
        buf_printf(out, "%.16s UTC", clock_log(when, s.taken));
    buf_puts(out, s.after);
}
