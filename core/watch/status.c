/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/status.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/watch/status_impl.h"

const char *status_level_name(enum status_level level)
{
    static const char *const names[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

    return names[level];
}

/* ---- checks ---------------------------------------------------------------------------------------------------- */

struct status_check *status_add(struct status *s, const char *name, const char *title, enum status_level level,
                                const char *format, ...)
{
    struct status_check *c = &s->checks[s->n < STATUS_CHECKS ? s->n++ : STATUS_CHECKS - 1];
    va_list args;

    memset(c, 0, sizeof *c);
    c->name = name;
    c->title = title;
    c->level = level;
    c->warning = c->critical = NAN;
    va_start(args, format);
    vsnprintf(c->text, sizeof c->text, format, args);
    va_end(args);
    return c;
}

void status_measure(struct status_check *c, enum status_unit unit, double value, double warning, double critical)
{
    c->known = true;
    c->unit = unit;
    c->value = value;
    c->warning = warning;
    c->critical = critical;
}

enum status_level status_judge_value(double value, double warning, double critical)
{
    if (!isnan(critical) && value > critical)
        return STATUS_CRITICAL;
    return !isnan(warning) && value > warning ? STATUS_WARNING : STATUS_OK;
}

const char *status_span(char out[TEXT_SHORT], double seconds)
{
    double s = seconds > 0 ? seconds : 0;

    if (s < 2 * STATUS_MINUTE)
        snprintf(out, TEXT_SHORT, "%.0f s", floor(s));
    else if (s < 2 * STATUS_HOUR)
        snprintf(out, TEXT_SHORT, "%.0f min", floor(s / STATUS_MINUTE));
    else if (s < 2 * STATUS_DAY)
        snprintf(out, TEXT_SHORT, "%.0f h", floor(s / STATUS_HOUR));
    else
        snprintf(out, TEXT_SHORT, "%.0f d", floor(s / STATUS_DAY));
    return out;
}

const struct status_check *status_find(const struct status *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->checks[i].name, name) == 0)
            return &s->checks[i];
    return NULL;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static size_t count(const struct status *s, enum status_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->checks[i].level == level;
    return n;
}

static enum status_level worst(const struct status *s)
{
    const struct status_check *age = status_find(s, "backup_age");

    if (count(s, STATUS_CRITICAL) > 0)
        return STATUS_CRITICAL;
    if (age != NULL && age->level == STATUS_UNKNOWN)
        return STATUS_UNKNOWN;
    return count(s, STATUS_WARNING) > 0 ? STATUS_WARNING : STATUS_OK;
}

static void add_fine(struct status *s, struct buf *out)
{
    char span[TEXT_SHORT];

    buf_printf(out, "newest backup %s ago", status_span(span, difftime(s->now, s->newest->started)));
    if (s->proven != 0)
        buf_printf(out, ", proven %s ago", status_span(span, difftime(s->now, s->proven)));
    else if (s->facts->drill_days > 0 && status_find(s, "proof_age") != NULL)
        buf_puts(out, ", none proven");
}

/* What is wrong: all of the worst level, then how much more. */
static void add_wrong(struct status *s, struct buf *out)
{
    size_t warnings = count(s, STATUS_WARNING);

    for (size_t i = 0; i < s->n; i++)
        if (s->checks[i].level == s->level)
            buf_printf(out, "%s%s: %s", out->size > 0 ? "; " : "", s->checks[i].title, s->checks[i].text);
    if (s->level != STATUS_WARNING && warnings > 0)
        buf_printf(out, "; %zu warning%s", warnings, warnings == 1 ? "" : "s");
}

static void summarise(struct status *s)
{
    struct buf text;

    buf_init(&text, STATUS_CHECKS * sizeof s->checks[0].text * 2);
    if (s->level == STATUS_OK)
        add_fine(s, &text);
    else
        add_wrong(s, &text);
    snprintf(s->summary, sizeof s->summary, "%s", text.data);
    buf_release(&text);
}

void status_judge(const struct status_facts *facts, time_t now, struct status *out)
{
    memset(out, 0, sizeof *out);
    out->facts = facts;
    out->now = now;
    status_check_backups(out);
    status_check_proofs(out);
    status_check_places(out);
    out->level = worst(out);
    summarise(out);
}

void status_release_facts(struct status_facts *facts)
{
    for (size_t i = 0; i < facts->n_backups; i++) {
        free(facts->backups[i].file);
        free(facts->backups[i].format);
    }
    free(facts->backups);
    free(facts->environment);
    free(facts->audit_damage);
    free(facts->audit_trouble);
    free(facts->store_trouble);
    free(facts->orphan);
    free(facts->disagreement);
    history_release(&facts->history);
    proofs_release(&facts->proofs);
    memset(facts, 0, sizeof *facts);
}
