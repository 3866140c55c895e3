/* SPDX-License-Identifier: PostgreSQL */
/* status_html.c - how an environment's backups stand, as a page: what is wrong, what that rests on, and the trend. */
#include "core/watch/status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/watch/chart.h"
#include "core/watch/html.h"
#include "version.h"

#define SHOWN_BACKUPS 12
#define SHOWN_RUNS 12

static const enum html_state states[] = { [STATUS_OK] = HTML_GOOD,
                                          [STATUS_WARNING] = HTML_WARNING,
                                          [STATUS_CRITICAL] = HTML_BAD,
                                          [STATUS_UNKNOWN] = HTML_NEUTRAL };

static const char *const words[] = {
    [STATUS_OK] = "fine", [STATUS_WARNING] = "warning", [STATUS_CRITICAL] = "critical", [STATUS_UNKNOWN] = "not known"
};

static double age_of(const struct status *s, time_t t)
{
    return s->now > t ? (double)(s->now - t) : 0;
}

/* ---- how it stands ---------------------------------------------------------------------------------------------- */

static void write_figure(struct buf *out, const char *name, const char *value, const char *note)
{
    html_add(out, "<div><dt>%s</dt><dd>%s</dd><dd>%s</dd></div>\n", name, value, note);
}

static void write_age(struct buf *out, const struct status *s, const char *name, time_t t, const char *note)
{
    char age[TEXT_SHORT], value[TEXT_SHORT + 8];

    snprintf(value, sizeof value, "%s ago", text_age(age, age_of(s, t)));
    write_figure(out, name, t != 0 ? value : "none", note);
}

static void write_recovery(struct buf *out, const struct status *s)
{
    char value[CHART_TEXT], worst[CHART_TEXT], note[160];

    if (s->drills == 0) {
        write_figure(out, "Recovery time now", "not known", "no drill has passed yet");
        return;
    }
    snprintf(note, sizeof note, "median of %zu drill%s that passed; the worst took %s", s->drills,
             s->drills == 1 ? "" : "s", chart_value(worst, CHART_SECONDS, s->recovery_worst));
    write_figure(out, "Recovery time now", chart_value(value, CHART_SECONDS, s->recovery_median), note);
}

static void write_kept(struct buf *out, const struct status_facts *f)
{
    size_t n = 0;
    uint64_t bytes = 0;
    char size[TEXT_SHORT], note[160];

    for (int t = 0; t < TIER_COUNT; t++) {
        n += f->stored[t];
        bytes += f->stored_bytes[t];
    }
    if (!f->store_listed)
        return;
    snprintf(note, sizeof note, "%zu backup%s: %zu daily, %zu weekly, %zu monthly, %zu manual", n, n == 1 ? "" : "s",
             f->stored[TIER_DAILY], f->stored[TIER_WEEKLY], f->stored[TIER_MONTHLY], f->stored[TIER_MANUAL]);
    write_figure(out, "In the store", text_size(size, bytes), note);
}

static void write_head(struct buf *out, const struct status *s)
{
    static const char *const sentences[] = { [STATUS_OK] = "The backups are fine.",
                                             [STATUS_WARNING] = "The backups need attention.",
                                             [STATUS_CRITICAL] = "The backups are in trouble.",
                                             [STATUS_UNKNOWN] = "Nothing is known of the backups." };
    char size[TEXT_SHORT], when[CLOCK_TEXT], moment[CLOCK_TEXT + 16];

    html_add(out, "<header>\n<p class=\"kicker\">");
    html_badge(out, states[s->level], words[s->level]);
    html_add(out, " Backup status · %s · ", s->facts->environment);
    html_time(out, s->now);
    html_add(out, "</p>\n<h1>%s</h1>\n<p class=\"lead\">%s</p>\n</header>\n", sentences[s->level], s->summary);
    html_add(out, "<dl class=\"figures\">\n");
    write_age(out, s, "Newest backup", s->newest != NULL ? s->newest->started : 0,
              s->newest != NULL ? text_size(size, s->newest->size) : "no good one is known");
    snprintf(moment, sizeof moment, "of %.16s UTC", clock_log(when, s->proven));
    write_age(out, s, "Newest proven backup", s->proven, s->proven != 0 ? moment : "everything would be lost");
    write_recovery(out, s);
    write_kept(out, s->facts);
    html_add(out, "</dl>\n");
}

/* Bad news first. */
static void write_checks(struct buf *out, const struct status *s)
{
    static const struct html_column columns[] = { { "Check", "" }, { "Result", "mark" }, { "What was found", "text" } };
    static const enum status_level order[] = { STATUS_CRITICAL, STATUS_WARNING, STATUS_OK, STATUS_UNKNOWN };
    size_t count[4] = { 0 };
    char caption[160];

    for (size_t i = 0; i < s->n; i++)
        count[s->checks[i].level]++;
    snprintf(caption, sizeof caption, "%zu critical, %zu with a warning, %zu fine, %zu not known",
             count[STATUS_CRITICAL], count[STATUS_WARNING], count[STATUS_OK], count[STATUS_UNKNOWN]);
    html_add(out, "<section>\n<h2>Checks</h2>\n");
    html_table_begin(out, caption, columns, 3);
    for (size_t k = 0; k < 4; k++)
        for (size_t i = 0; i < s->n; i++) {
            const struct status_check *c = &s->checks[i];

            if (c->level != order[k])
                continue;
            html_add(out, "<tr><th scope=\"row\">%s</th><td class=\"mark\">", c->title);
            html_badge(out, states[c->level], words[c->level]);
            html_add(out, "</td><td class=\"text\">%s</td></tr>\n", c->text);
        }
    html_table_end(out);
    html_add(out, "</section>\n");
}

/* ---- charts ----------------------------------------------------------------------------------------------------- */

/* The value of a run; below 0: it has none. */
typedef double measure(const struct run *run);

static double seconds_of(const struct run *run)
{
    return run->seconds;
}

static double size_of(const struct run *run)
{
    return run->size > 0 ? (double)run->size : -1;
}

static double rows_of(const struct run *run)
{
    return run->exit_code == 0 || run->rows > 0 ? (double)run->rows : -1;
}

static double recovery_of(const struct run *run)
{
    return run->recovery_seconds > 0 ? run->recovery_seconds : -1;
}

/* The check's limit, for a line in the chart; 0: none. */
static double limit_of(const struct status *s, const char *check)
{
    const struct status_check *c = status_find(s, check);
    double limit;

    if (c == NULL || c->least)
        return 0;
    limit = isfinite(c->critical) ? c->critical : c->warning;
    return isfinite(limit) && limit > 0 ? limit : 0;
}

static void write_chart(struct buf *out, const struct status *s, enum run_kind kind, measure *value,
                        struct chart_series series)
{
    const struct history *h = &s->facts->history;
    struct chart_point *points = calloc(h->n + 1, sizeof *points);

    if (points == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < h->n; i++) {
        const struct run *run = &h->runs[i];
        const char *subject = run_subject(run);

        if (run->kind != kind || run->exit_code == RUN_BUSY || subject == NULL ||
            strcmp(subject, s->facts->environment) != 0)
            continue;
        points[series.n++] = (struct chart_point){ .at = run->started,
                                                   .value = run_failed(run) ? -1 : value(run),
                                                   .bad = run_failed(run) };
    }
    series.points = points;
    chart_series(out, &series);
    free(points);
}

static void write_charts(struct buf *out, const struct status *s)
{
    html_add(out, "<section>\n<h2>Over time</h2>\n<div class=\"charts\">\n");
    write_chart(
        out, s, RUN_BACKUP, size_of,
        (struct chart_series){ .id = "size", .title = "Size of backups", .what = "backups", .unit = CHART_BYTES });
    write_chart(out, s, RUN_BACKUP, seconds_of,
                (struct chart_series){ .id = "duration",
                                       .title = "Duration of backups",
                                       .what = "backups",
                                       .unit = CHART_SECONDS,
                                       .limit = limit_of(s, "backup_duration"),
                                       .rule = "limit" });
    write_chart(
        out, s, RUN_BACKUP, rows_of,
        (struct chart_series){ .id = "rows", .title = "Rows in backups", .what = "backups", .unit = CHART_COUNT });
    write_chart(out, s, RUN_DRILL, recovery_of,
                (struct chart_series){ .id = "recovery",
                                       .title = "Recovery time, as drills prove it",
                                       .what = "drills",
                                       .unit = CHART_SECONDS,
                                       .limit = s->facts->rto_minutes * 60.,
                                       .rule = "limit" });
    html_add(out, "</div>\n</section>\n");
}

/* ---- backups and runs ------------------------------------------------------------------------------------------- */

static void write_proof(struct buf *out, const struct status *s, const struct status_backup *b)
{
    const struct proofs_item *proof = proofs_of(&s->facts->proofs, s->facts->environment, b->file);

    if (proof == NULL)
        html_badge(out, HTML_NEUTRAL, "not drilled");
    else
        html_badge(out, proof->verdict == PROOFS_PASSED ? HTML_GOOD : HTML_BAD,
                   proof->verdict == PROOFS_PASSED ? "proven" : "drill failed");
}

static void write_backups(struct buf *out, const struct status *s)
{
    static const struct html_column columns[] = {
        { "Taken", "" }, { "Proof", "mark" }, { "Size", "number" }, { "Where it is", "text" }
    };
    const struct status_facts *f = s->facts;
    char size[TEXT_SHORT], caption[80];

    if (f->n_backups == 0)
        return;
    snprintf(caption, sizeof caption,
             f->n_backups > SHOWN_BACKUPS ? "The newest %d of %zu" : "All of them, newest first", SHOWN_BACKUPS,
             f->n_backups);
    html_add(out, "<section>\n<h2>Backups</h2>\n");
    html_table_begin(out, caption, columns, 4);
    for (size_t i = 0; i < f->n_backups && i < SHOWN_BACKUPS; i++) {
        const struct status_backup *b = &f->backups[i];

        html_add(out, "<tr><th scope=\"row\">");
        html_time(out, b->started);
        html_add(out, "</th><td class=\"mark\">");
        write_proof(out, s, b);
        html_add(out, "</td><td class=\"number\">%s</td><td class=\"text\">%s</td></tr>\n", text_size(size, b->size),
                 b->stored && b->cached ? "store and cache"
                 : b->stored            ? "store"
                 : b->cached            ? "cache"
                                        : "not seen now");
    }
    html_table_end(out);
    html_add(out, "</section>\n");
}

static void write_run(struct buf *out, const struct run *run)
{
    bool failed = run_failed(run);
    char text[CHART_TEXT];

    html_add(out, "<tr><th scope=\"row\">");
    html_time(out, run->started);
    html_add(out, "</th><td class=\"mark\">");
    html_badge(out, failed ? HTML_BAD : HTML_GOOD, failed ? "failed" : "done");
    html_add(out, "</td><td class=\"number\">%s</td><td class=\"text\">%s%s%s</td></tr>\n",
             chart_value(text, CHART_SECONDS, run->seconds), run_kind_name(run->kind),
             failed && run->error != NULL ? ": " : "", failed ? run->error : "");
}

static void write_runs(struct buf *out, const struct status *s)
{
    static const struct html_column columns[] = {
        { "Run", "" }, { "Result", "mark" }, { "Took", "number" }, { "What it was", "text" }
    };
    const struct history *h = &s->facts->history;
    size_t shown = 0;

    if (h->n == 0)
        return;
    html_add(out, "<section>\n<h2>Runs</h2>\n");
    html_table_begin(out, "The last runs, the newest first", columns, 4);
    for (size_t i = h->n; i-- > 0 && shown < SHOWN_RUNS;)
        if (h->runs[i].exit_code != RUN_BUSY) {
            write_run(out, &h->runs[i]);
            shown++;
        }
    html_table_end(out);
    html_add(out, "</section>\n");
}

void status_html(struct buf *out, const struct status *s)
{
    char title[160], footer[256], when[CLOCK_TEXT];

    snprintf(title, sizeof title, "Backups of %s: %s", s->facts->environment, words[s->level]);
    snprintf(footer, sizeof footer, "Made by sfb %s on %s, %s UTC. Times are UTC.", SFB_VERSION, os_hostname(),
             clock_log(when, s->now));
    html_begin(out, title);
    write_head(out, s);
    write_checks(out, s);
    write_charts(out, s);
    write_backups(out, s);
    write_runs(out, s);
    html_end(out, footer);
}
