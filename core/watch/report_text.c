/* SPDX-License-Identifier: PostgreSQL */
/* report_text.c - a drill's report as text: what `sfb drill` prints at its end. */
#include "core/watch/report.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

static void line(struct buf *out, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    buf_printf(out, "   %s: ", name);
    text_visible(out, value);
    buf_putc(out, '\n');
}

static void write_backup(struct buf *out, const struct drill_result *d)
{
    char text[TEXT_SHORT], when[CLOCK_TEXT];

    line(out, "Backup", d->location);
    if (d->taken != 0)
        buf_printf(out, "   Backup Date: %s UTC\n", clock_log(when, d->taken));
    if (d->size != 0)
        line(out, "Backup Size", text_size(text, d->size));
    line(out, "Backed up from", d->dumped_version);
    line(out, "Restored to", d->server_version);
    if (d->database_size != 0)
        buf_printf(out, "   Database Size: %s (uncompressed)\n", text_size(text, d->database_size));
    if (d->n_tables > 0)
        line(out, "Tables", text_count(text, d->n_tables));
    if (d->n_rows > 0 || d->proven)
        buf_printf(out, "   Rows: %s (%s)\n", text_count(text, d->n_rows),
                   d->proven ? "each compared with the dump's, and equal" : "not compared");
    if (d->has_drift)
        buf_printf(out, "   Drift: %.1f %% of production's rows changed since\n", d->drift);
    if (d->kept && d->where == DRILL_BESIDE)
        line(out, "Kept as database", d->database);
    line(out, "Staging as it was", d->pre_restore);
    if (d->put_back)
        buf_puts(out, "   The staging database was put back\n");
}

static void write_phases(struct buf *out, const struct drill_result *d)
{
    char text[TEXT_SHORT];

    for (size_t i = 0; i < d->n_phases; i++) {
        buf_puts(out, i == 0 ? "   Time: " : ", ");
        text_visible(out, d->phases[i].name);
        buf_printf(out, " %s", text_duration(text, d->phases[i].seconds));
    }
    buf_puts(out, d->n_phases > 0 ? "\n" : "");
}

static void write_checks(struct buf *out, const struct drill_result *d)
{
    static const char *const signs[] = { "✅", "❌", "⚠️ ", "➖" };

    for (size_t i = 0; i < d->n_checks; i++) {
        const struct drill_check *c = &d->checks[i];

        buf_printf(out, "%s   %s ", i == 0 ? "\n" : "", signs[c->outcome]);
        text_visible(out, c->name);
        if (c->detail != NULL && *c->detail != '\0') {
            buf_puts(out, " (");
            text_visible(out, c->detail);
            buf_putc(out, ')');
        }
        buf_putc(out, '\n');
    }
}

/* Tables that are not as they were backed up; when none was read, there is nothing to say about any. */
static void write_tables(struct buf *out, const struct drill_result *d)
{
    bool read = false, first = true;
    char backed[TEXT_SHORT], found[TEXT_SHORT];

    for (size_t i = 0; i < d->n_tables; i++)
        read = read || d->tables[i].found;
    for (size_t i = 0; read && i < d->n_tables; i++) {
        const struct drill_table *t = &d->tables[i];

        if (!t->expected || (t->found && t->same))
            continue;
        buf_puts(out, first ? "\n   ❌ " : "   ❌ ");
        first = false;
        text_visible(out, t->schema);
        buf_putc(out, '.');
        text_visible(out, t->name);
        buf_printf(out, ": %s rows backed up, ", text_count(backed, t->rows));
        if (!t->found)
            buf_puts(out, "the table was not found\n");
        else
            buf_printf(out, "%s restored%s\n", text_count(found, t->rows_found),
                       t->rows == t->rows_found ? ", with another content" : "");
    }
}

static void write_figures(struct buf *out, const struct report *r)
{
    char text[TEXT_SHORT], worst[TEXT_SHORT], when[CLOCK_TEXT];
    double loss = report_loss(r);

    if (r->measured == 1)
        buf_printf(out, "⏱️  Recovery takes %s\n", text_duration(text, r->median));
    else if (r->measured > 1)
        buf_printf(out, "⏱️  Recovery takes %s (median of the last %zu drills; the worst took %s)\n",
                   text_duration(text, r->median), r->measured, text_duration(worst, r->worst));
    if (loss >= 0)
        buf_printf(out,
                   "🕳️  Lost would be what happened in the last %s: the newest proven backup is of %.16s UTC\n",
                   report_loss_text(text, r), clock_log(when, r->newest));
    else
        buf_puts(out, "🕳️  Lost would be everything: no backup is proven\n");
}

static void write_verdict(struct buf *out, const struct report *r)
{
    static const char *const signs[] = { "✅", "❌", "⚠️ " };

    buf_printf(out, "%s ", signs[r->verdict]);
    report_verdict(out, r);
    buf_putc(out, '\n');
    if (r->verdict == PROOFS_PASSED)
        return;
    line(out, "Error", r->drill->error);
    line(out, "What to do", r->drill->hint);
}

void report_text(struct buf *out, const struct report *r)
{
    buf_puts(out, "📊 Drill Report:\n");
    line(out, "Environment", r->environment);
    write_backup(out, r->drill);
    write_phases(out, r->drill);
    write_checks(out, r->drill);
    write_tables(out, r->drill);
    buf_putc(out, '\n');
    write_figures(out, r);
    write_verdict(out, r);
}
