/* SPDX-License-Identifier: PostgreSQL */
/* report_html.c - a drill's report as a page: the verdict first, in a sentence; then what it rests on. */
#include "core/watch/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/watch/chart.h"
#include "core/watch/html.h"
#include "version.h"

#define SHOWN_DRILLS 8 /* in the table; the chart shows more */

static bool said(const char *text)
{
    return text != NULL && *text != '\0';
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static enum html_state state_of(enum proofs_verdict verdict)
{
    return verdict == PROOFS_PASSED ? HTML_GOOD : verdict == PROOFS_FAILED ? HTML_BAD : HTML_WARNING;
}

/* ---- the verdict ------------------------------------------------------------------------------------------------ */

static void write_lead(struct buf *out, const struct report *r)
{
    const struct drill_result *d = r->drill;
    char rows[TEXT_SHORT], text[CHART_TEXT], age[TEXT_SHORT];

    html_add(out, "<p class=\"lead\">");
    if (d->proven)
        html_add(out,
                 "All <strong>%s rows</strong> of its %zu table%s were restored and read again: each is as it was "
                 "backed up. ",
                 text_count(rows, d->n_rows), d->n_tables, plural(d->n_tables));
    else if (r->verdict == PROOFS_PASSED)
        html_add(out, "<strong>%s rows</strong> were restored; the backup has no manifest to compare them with. ",
                 text_count(rows, d->n_rows));
    if (r->measured > 0)
        html_add(out, "%s recovery takes about <strong>%s</strong>",
                 r->verdict == PROOFS_PASSED ? "A" : "By the drills before, a",
                 chart_value(text, CHART_SECONDS, r->median));
    if (r->measured > 0 && report_loss(r) >= 0)
        html_add(out, "; it would lose what happened in the last <strong>%s</strong>", report_loss_text(age, r));
    html_add(out, "%s</p>\n", r->measured > 0 ? "." : "");
}

static void write_trouble(struct buf *out, const struct report *r)
{
    if (r->verdict == PROOFS_PASSED)
        return;
    html_add(out, "<div class=\"trouble %s\">\n<p><strong>%s</strong></p>\n", html_state_name(state_of(r->verdict)),
             said(r->drill->error) ? r->drill->error : "The drill failed.");
    if (said(r->drill->hint))
        html_add(out, "<p>What to do: %s</p>\n", r->drill->hint);
    if (r->verdict == PROOFS_UNFINISHED)
        html_add(out, "<p>This says nothing about the backup itself.</p>\n");
    html_add(out, "</div>\n");
}

static void write_figure(struct buf *out, const char *name, const char *value, const char *note)
{
    html_add(out, "<div><dt>%s</dt><dd>%s</dd><dd>%s</dd></div>\n", name, value, note);
}

static void write_recovery(struct buf *out, const struct report *r)
{
    char value[CHART_TEXT], worst[CHART_TEXT], note[160];

    if (r->measured == 0) {
        write_figure(out, "Recovery time now", "not known", "no drill has passed yet");
        return;
    }
    snprintf(note, sizeof note, "median of the last %zu drill%s that passed; the worst took %s", r->measured,
             plural(r->measured), chart_value(worst, CHART_SECONDS, r->worst));
    write_figure(out, "Recovery time now", chart_value(value, CHART_SECONDS, r->median),
                 r->measured > 1 ? note : "as the one drill that passed measured it");
}

static void write_loss(struct buf *out, const struct report *r)
{
    char age[TEXT_SHORT], when[CLOCK_TEXT], note[160];

    if (report_loss(r) < 0) {
        write_figure(out, "Data loss at worst", "everything", "no backup is proven");
        return;
    }
    snprintf(note, sizeof note, "since the newest proven backup, of %.16s UTC", clock_log(when, r->newest));
    write_figure(out, "Data loss at worst", text_age(age, report_loss(r)), note);
}

static void write_figures(struct buf *out, const struct report *r)
{
    const struct drill_result *d = r->drill;
    char value[TEXT_SHORT], size[TEXT_SHORT], note[160];

    html_add(out, "<dl class=\"figures\">\n");
    write_recovery(out, r);
    write_loss(out, r);
    if (d->n_rows > 0 || d->proven) {
        snprintf(note, sizeof note, "in %zu table%s, %s on the server%s", d->n_tables, plural(d->n_tables),
                 text_size(size, d->database_size), d->proven ? "" : "; not proven");
        write_figure(out, d->proven ? "Rows proven" : "Rows restored", text_count(value, d->n_rows), note);
    }
    if (d->has_drift) {
        snprintf(value, sizeof value, "%.1f %%", d->drift);
        write_figure(out, "Drift", value, "rows by which production differs since the backup");
    }
    html_add(out, "</dl>\n");
}

static void write_head(struct buf *out, const struct report *r)
{
    static const char *const words[] = { "Passed", "Failed", "Unfinished" };
    struct report_sentence verdict = report_sentence(r);

    html_add(out, "<header>\n<p class=\"kicker\">");
    html_badge(out, state_of(r->verdict), words[r->verdict]);
    html_add(out, " Recovery drill · %s · ", r->environment);
    html_time(out, r->drill->started);
    html_add(out, "</p>\n<h1>%s", verdict.before);
    if (verdict.taken != 0)
        html_date(out, verdict.taken);
    html_add(out, "%s</h1>\n", verdict.after);
    if (r->verdict != PROOFS_UNFINISHED)
        write_lead(out, r);
    write_trouble(out, r);
    html_add(out, "</header>\n");
    write_figures(out, r);
}

/* ---- what was restored ------------------------------------------------------------------------------------------ */

static void write_fact(struct buf *out, const char *name, const char *value, bool is_file)
{
    if (said(value))
        html_add(out, is_file ? "<dt>%s</dt><dd class=\"file\">%s</dd>\n" : "<dt>%s</dt><dd>%s</dd>\n", name, value);
}

static void write_where(struct buf *out, const struct drill_result *d)
{
    static const char *const wheres[] = { "a database of its own beside staging", "in place of the staging database",
                                          "a throwaway server on this host" };
    const char *after = d->where == DRILL_LOCAL ? "" : d->kept ? ", kept" : ", dropped afterwards";

    if (!said(d->database))
        return;
    html_add(out, "<dt>Restored as</dt><dd><span class=\"file\">%s</span>, %s%s</dd>\n", d->database, wheres[d->where],
             d->where == DRILL_REPLACE ? (d->put_back ? ", which was put back" : "") : after);
}

static void write_restored(struct buf *out, const struct report *r)
{
    const struct drill_result *d = r->drill;
    char size[TEXT_SHORT];

    if (!said(d->backup))
        return;
    html_add(out, "<section>\n<h2>What was restored</h2>\n<dl class=\"facts\">\n");
    write_fact(out, "Backup", d->backup, true);
    write_fact(out, "From", d->location, true);
    if (d->taken != 0) {
        html_add(out, "<dt>Taken</dt><dd>");
        html_time(out, d->taken);
        html_add(out, "</dd>\n");
    }
    write_fact(out, "Size", text_size(size, d->size), false);
    write_fact(out, "SHA-256", d->sha256, true);
    write_fact(out, "Backed up from", d->dumped_version, false);
    write_fact(out, "Restored to", d->server_version, false);
    write_where(out, d);
    write_fact(out, "Staging saved as", d->pre_restore, true);
    html_add(out, "</dl>\n</section>\n");
}

/* ---- checks and phases ------------------------------------------------------------------------------------------ */

static void write_checks(struct buf *out, const struct drill_result *d)
{
    static const struct html_column columns[] = { { "Check", "" }, { "Result", "mark" }, { "What was found", "text" } };
    static const enum html_state states[] = { HTML_GOOD, HTML_BAD, HTML_WARNING, HTML_NEUTRAL };
    size_t count[4] = { 0 };
    char caption[160];

    if (d->n_checks == 0)
        return;
    for (size_t i = 0; i < d->n_checks; i++)
        count[d->checks[i].outcome]++;
    snprintf(caption, sizeof caption, "%zu passed, %zu failed, %zu with a warning, %zu skipped", count[DRILL_PASSED],
             count[DRILL_FAILED], count[DRILL_WARNING], count[DRILL_SKIPPED]);
    html_add(out, "<section>\n<h2>Checks</h2>\n");
    html_table_begin(out, caption, columns, 3);
    for (size_t i = 0; i < d->n_checks; i++) {
        const struct drill_check *c = &d->checks[i];

        html_add(out, "<tr><th scope=\"row\">%s</th><td class=\"mark\">", c->name);
        html_badge(out, states[c->outcome], drill_outcome_name(c->outcome));
        html_add(out, "</td><td class=\"text\">%s</td></tr>\n", c->detail);
    }
    html_table_end(out);
    html_add(out, "</section>\n");
}

static void write_phases(struct buf *out, const struct drill_result *d)
{
    struct chart_span *spans = calloc(d->n_phases + 1, sizeof *spans);
    bool minor = false;

    if (spans == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < d->n_phases; i++) {
        const struct drill_phase *p = &d->phases[i];

        spans[i] = (struct chart_span){ .name = p->name, .seconds = p->seconds, .minor = !p->recovery };
        minor = minor || !p->recovery;
    }
    if (d->n_phases > 0) {
        char text[CHART_TEXT];

        html_add(out, "<section>\n<h2>Where the time went</h2>\n");
        chart_spans(out, "phases", "The drill's phases, one after the other", spans, d->n_phases);
        if (minor && d->recovery_seconds > 0)
            html_add(out, "<p class=\"note\">Without the drill's own phases, a recovery would have taken %s.</p>\n",
                     chart_value(text, CHART_SECONDS, d->recovery_seconds));
        html_add(out, "</section>\n");
    }
    free(spans);
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

enum table_state { TABLE_SAME, TABLE_DIFFERS, TABLE_NOT_FOUND, TABLE_NEW, TABLE_NOT_READ };

static const struct {
    const char *word;
    enum html_state state;
} table_states[] = { { "same", HTML_GOOD },
                     { "differs", HTML_BAD },
                     { "not found", HTML_BAD },
                     { "counted", HTML_NEUTRAL },
                     { "not read", HTML_NEUTRAL } };

struct table_facts { /* of all tables together */
    bool read, production;
    uint64_t expected, found, in_production;
    bool estimated;
};

static struct table_facts sum_up(const struct drill_result *d)
{
    struct table_facts f = { 0 };

    for (size_t i = 0; i < d->n_tables; i++) {
        const struct drill_table *t = &d->tables[i];

        f.read = f.read || t->found;
        f.production = f.production || t->in_production;
        f.estimated = f.estimated || t->estimated;
        f.expected += t->expected ? t->rows : 0;
        f.found += t->found ? t->rows_found : 0;
        f.in_production += t->in_production ? t->rows_production : 0;
    }
    return f;
}

static enum table_state state_of_table(const struct drill_table *t, const struct table_facts *f)
{
    if (!f->read)
        return TABLE_NOT_READ;
    if (!t->found)
        return TABLE_NOT_FOUND;
    if (!t->expected)
        return TABLE_NEW;
    return t->same ? TABLE_SAME : TABLE_DIFFERS;
}

static void write_count(struct buf *out, bool known, bool estimated, uint64_t n)
{
    char text[TEXT_SHORT];

    html_add(out, "<td class=\"number\">%s%s</td>", known && estimated ? "≈ " : "", known ? text_count(text, n) : "–");
}

static void write_drift(struct buf *out, bool known, double drift)
{
    char text[TEXT_SHORT];

    if (!(known && drift >= 0))
        snprintf(text, sizeof text, "–");
    else if (drift > 0 && drift < 0.05)
        snprintf(text, sizeof text, "< 0.1 %%");
    else
        snprintf(text, sizeof text, "%.1f %%", drift);
    html_add(out, "<td class=\"number\">%s</td>", text);
}

static void write_table(struct buf *out, const struct drill_table *t, const struct table_facts *f)
{
    enum table_state state = state_of_table(t, f);

    html_add(out, "<tr><th scope=\"row\" class=\"file\">%s.%s</th><td class=\"mark\">", t->schema, t->name);
    html_badge(out, table_states[state].state, table_states[state].word);
    html_add(out, "</td>");
    write_count(out, t->expected, false, t->rows);
    write_count(out, t->found, false, t->rows_found);
    if (f->production) {
        write_count(out, t->in_production, t->estimated, t->rows_production);
        write_drift(out, t->in_production, t->drift);
    }
    html_add(out, "</tr>\n");
}

static void write_totals(struct buf *out, const struct drill_result *d, const struct table_facts *f)
{
    html_add(out, "</tbody>\n<tfoot><tr><th scope=\"row\">%zu table%s</th><td class=\"mark\"></td>", d->n_tables,
             plural(d->n_tables));
    write_count(out, true, false, f->expected);
    write_count(out, f->read, false, f->found);
    if (f->production) {
        write_count(out, true, f->estimated, f->in_production);
        write_drift(out, d->has_drift, d->drift);
    }
    html_add(out, "</tr></tfoot>\n</table>\n");
}

/* Those that are not as they should be come first. */
static void write_tables(struct buf *out, const struct drill_result *d)
{
    static const struct html_column columns[] = {
        { "Table", "" },          { "Result", "mark" },           { "Backed up", "number" },
        { "Restored", "number" }, { "Production now", "number" }, { "Drift", "number" }
    };
    struct table_facts f = sum_up(d);

    if (d->n_tables == 0)
        return;
    html_add(out, "<section>\n<h2>Tables</h2>\n");
    html_table_begin(out,
                     f.production ? "Rows of each table: in the backup, after the restore, and in production now"
                                  : "Rows of each table: in the backup and after the restore",
                     columns, f.production ? 6 : 4);
    for (int bad = 1; bad >= 0; bad--)
        for (size_t i = 0; i < d->n_tables; i++)
            if ((table_states[state_of_table(&d->tables[i], &f)].state == HTML_BAD) == (bad == 1))
                write_table(out, &d->tables[i], &f);
    write_totals(out, d, &f);
    if (f.estimated)
        html_add(out, "<p class=\"note\">≈ Too large to be counted there: as its statistics say.</p>\n");
    html_add(out, "</section>\n");
}

/* ---- the trend -------------------------------------------------------------------------------------------------- */

static void write_drills(struct buf *out, const struct report *r)
{
    static const struct html_column columns[] = {
        { "Drill", "" }, { "Result", "mark" }, { "Recovery", "number" }, { "Backup", "text" }
    };
    size_t shown = r->n_drills < SHOWN_DRILLS ? r->n_drills : SHOWN_DRILLS;
    char text[CHART_TEXT];

    html_table_begin(out, "The last drills, the newest first", columns, 4);
    for (size_t i = 0; i < shown; i++) {
        const struct report_drill *d = &r->drills[r->n_drills - 1 - i];

        html_add(out, "<tr><th scope=\"row\">");
        html_time(out, d->started);
        html_add(out, "</th><td class=\"mark\">");
        html_badge(out, d->passed ? HTML_GOOD : HTML_BAD, d->passed ? "passed" : "not passed");
        html_add(out, "</td><td class=\"number\">%s</td><td class=\"text file\">%s</td></tr>\n",
                 d->recovery_seconds > 0 ? chart_value(text, CHART_SECONDS, d->recovery_seconds) : "–",
                 said(d->backup) ? d->backup : "–");
    }
    html_table_end(out);
}

static void write_trend(struct buf *out, const struct report *r)
{
    struct chart_point *points = calloc(r->n_drills + 1, sizeof *points);
    struct chart_series series = { .id = "trend",
                                   .title = "Recovery time",
                                   .what = "drills",
                                   .unit = CHART_SECONDS,
                                   .points = points,
                                   .n = r->n_drills };

    if (points == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < r->n_drills; i++) {
        const struct report_drill *d = &r->drills[i];

        points[i].at = d->started;
        points[i].value = d->recovery_seconds > 0 ? d->recovery_seconds : -1;
        points[i].bad = !d->passed;
    }
    html_add(out, "<section>\n<h2>The last drills</h2>\n");
    if (r->n_drills > 1)
        chart_series(out, &series);
    write_drills(out, r);
    html_add(out, "</section>\n");
    free(points);
}

void report_html(struct buf *out, const struct report *r)
{
    char title[160], footer[512], when[CLOCK_TEXT];

    snprintf(title, sizeof title, "Drill %s: %s, %s", proofs_verdict_name(r->verdict), r->environment,
             clock_date(when, r->drill->started));
    snprintf(footer, sizeof footer, "Made by sfb %s on %s, %s UTC. Times are UTC. Kept as %s.", SFB_VERSION,
             os_hostname(), clock_log(when, r->made), r->name);
    html_begin(out, title);
    write_head(out, r);
    write_restored(out, r);
    write_checks(out, r->drill);
    write_phases(out, r->drill);
    write_tables(out, r->drill);
    write_trend(out, r);
    html_end(out, footer);
}
