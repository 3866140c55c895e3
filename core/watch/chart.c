/* SPDX-License-Identifier: PostgreSQL */
#include "core/watch/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/watch/html.h"

/* ---- values ----------------------------------------------------------------------------------------------------- */

static bool is_known(double value)
{
    return isfinite(value) && value >= 0;
}

static double decimal_step(double least, double most)
{
    static const double factors[] = { 1, 2, 5 };

    for (;;) {
        for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
            if (most / (least * factors[i]) <= 4)
                return least * factors[i];
        least *= 10;
    }
}

static double time_step(double most)
{
    static const double steps[] = {
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200
    };

    if (most < 4)
        return decimal_step(0.1, most);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (most / steps[i] <= 4)
            return steps[i];
    return decimal_step(86400, most);
}

double chart_step(enum chart_unit unit, double most)
{
    double power = 1;

    if (!is_known(most) || most > 1e300)
        return 1;
    if (unit == CHART_SECONDS)
        return time_step(most);
    if (unit == CHART_COUNT)
        return decimal_step(1, most);
    while (most / power > 4) /* powers of two: halves and quarters of a unit are said shortly */
        power *= 2;
    return power;
}

static void short_duration(char out[CHART_TEXT], double value)
{
    unsigned long long s;
    size_t n = 0;

    if (value < 9.95 && fabs(value - round(value)) >= 0.05) {
        snprintf(out, CHART_TEXT, "%.1fs", value);
        return;
    }
    s = value < 3.6e12 ? (unsigned long long)(value + 0.5) : 3600000000000ULL;
    if (s >= 3600)
        n += (size_t)snprintf(out + n, CHART_TEXT - n, "%lluh ", s / 3600);
    if (s / 60 % 60 > 0)
        n += (size_t)snprintf(out + n, CHART_TEXT - n, "%llum ", s / 60 % 60);
    if ((s % 60 > 0 && s < 36000) || s < 60) /* beyond ten hours nobody asks for seconds */
        n += (size_t)snprintf(out + n, CHART_TEXT - n, "%llus ", s % 60);
    out[n - 1] = '\0';
}

const char *chart_value(char out[CHART_TEXT], enum chart_unit unit, double value)
{
    char text[TEXT_SHORT], *fraction;

    if (!is_known(value)) {
        snprintf(out, CHART_TEXT, "not known");
    } else if (unit == CHART_SECONDS) {
        short_duration(out, value);
    } else if (unit == CHART_COUNT) {
        snprintf(out, CHART_TEXT, "%s", text_count(text, value < 1.8e19 ? (uint64_t)(value + 0.5) : UINT64_MAX));
    } else {
        text_size(text, value < 1.8e19 ? (uint64_t)value : UINT64_MAX);
        fraction = strstr(text, ".0 ");
        snprintf(out, CHART_TEXT, "%.*s%s", fraction != NULL ? (int)(fraction - text) : (int)strlen(text), text,
                 fraction != NULL ? fraction + 2 : "");
    }
    return out;
}

/* ---- values over time ------------------------------------------------------------------------------------------- */

#define TOP 18     /* pixels above the highest line: its label */
#define HEIGHT 120 /* between the highest line and the base */
#define BELOW 26   /* for the dates */
#define MARGIN 2.0 /* percent at either side, so that no mark is cut */
#define MOST 400   /* points; of more, each is the largest of some */
#define DOTTED 60  /* more points are a line without dots */

struct plot {
    const struct chart_series *series;
    struct chart_point *points; /* at most MOST */
    size_t n, known, bad;
    double least, most, latest, step, top;
};

/* Of `of` the one that stands for all: the largest, bad if any is. */
static struct chart_point largest(const struct chart_point *of, size_t n)
{
    struct chart_point p = of[0];

    for (size_t i = 1; i < n; i++) {
        if (is_known(of[i].value) && (!is_known(p.value) || of[i].value > p.value)) {
            p.at = of[i].at;
            p.value = of[i].value;
        }
        p.bad = p.bad || of[i].bad;
    }
    return p;
}

static void thin(struct plot *p)
{
    const struct chart_series *s = p->series;

    p->n = s->n < MOST ? s->n : MOST;
    for (size_t i = 0; i < p->n; i++) {
        size_t from = i * s->n / p->n, to = (i + 1) * s->n / p->n;

        p->points[i] = largest(s->points + from, to - from);
    }
}

static void measure(struct plot *p)
{
    const struct chart_series *s = p->series;
    double most;

    for (size_t i = 0; i < s->n; i++) {
        double value = s->points[i].value;

        p->bad += s->points[i].bad;
        if (!is_known(value))
            continue;
        if (p->known++ == 0)
            p->least = p->most = value;
        p->least = fmin(p->least, value);
        p->most = fmax(p->most, value);
        p->latest = value;
    }
    /* A limit far above would press everything to the ground: then the caption alone tells it. */
    most = s->limit > p->most && s->limit <= 2 * p->most ? s->limit : p->most;
    p->step = chart_step(s->unit, most);
    p->top = fmax(1, ceil(most / p->step - 1e-9)) * p->step;
}

static double x_of(const struct plot *p, time_t at)
{
    double first = (double)p->points[0].at, last = (double)p->points[p->n - 1].at;

    if (last <= first)
        return 50;
    return MARGIN + (100 - 2 * MARGIN) * fmin(1, fmax(0, ((double)at - first) / (last - first)));
}

static double y_of(const struct plot *p, double value)
{
    return TOP + HEIGHT * (1 - (is_known(value) ? fmin(1, value / p->top) : 0));
}

static void draw_grid(struct buf *out, const struct plot *p)
{
    int lines = (int)(p->top / p->step + 0.5);
    char text[CHART_TEXT];

    for (int i = 0; i <= lines && lines < 20; i++) {
        double y = y_of(p, i * p->step);

        buf_printf(out, "<line class=\"%s\" x1=\"0\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\"/>", i == 0 ? "base" : "grid",
                   y, y);
        buf_printf(out, "<text class=\"tick\" x=\"-8\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", y + 4,
                   chart_value(text, p->series->unit, i * p->step));
    }
}

static void draw_limit(struct buf *out, const struct plot *p)
{
    double y = y_of(p, p->series->limit);
    char text[CHART_TEXT];

    if (p->series->limit <= 0 || p->series->limit > p->top)
        return;
    buf_printf(out, "<line class=\"limit\" x1=\"0\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\"/>", y, y);
    buf_printf(out, "<text class=\"limit\" x=\"100%%\" y=\"%.1f\" text-anchor=\"end\">", y - 4);
    html_add(out, "%s %s</text>\n", p->series->rule, chart_value(text, p->series->unit, p->series->limit));
}

/* The line is stretched with the width, its thickness is not. It ends where a value is not known. */
static void draw_line(struct buf *out, const struct plot *p)
{
    buf_printf(out,
               "<svg class=\"lines\" y=\"%d\" width=\"100%%\" height=\"%d\" viewBox=\"0 0 100 %d\" "
               "preserveAspectRatio=\"none\">",
               TOP, HEIGHT, HEIGHT);
    for (size_t i = 0; i < p->n;) {
        size_t from = i;

        while (i < p->n && is_known(p->points[i].value))
            i++;
        if (i - from >= 2) {
            buf_puts(out, "<polyline points=\"");
            for (size_t k = from; k < i; k++)
                buf_printf(out, "%.2f,%.1f ", x_of(p, p->points[k].at), y_of(p, p->points[k].value) - TOP);
            buf_puts(out, "\"/>");
        }
        i += i == from;
    }
    buf_puts(out, "</svg>\n");
}

static void draw_marks(struct buf *out, const struct plot *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct chart_point *point = &p->points[i];
        double x = x_of(p, point->at), y = y_of(p, point->value);
        bool dotted = p->known <= DOTTED || i + 1 == p->n;
        char when[CLOCK_TEXT], value[CHART_TEXT];

        if (!point->bad && (!is_known(point->value) || !dotted))
            continue;
        if (point->bad)
            buf_printf(out, "<svg class=\"cross\" x=\"%.2f%%\" y=\"%.1f\"><path d=\"M-4-4 4 4M-4 4 4-4\">", x, y);
        else
            buf_printf(out, "<circle cx=\"%.2f%%\" cy=\"%.1f\" r=\"3.5\">", x, y);
        html_add(out, "<title>%s: %s%s</title>", clock_date(when, point->at),
                 chart_value(value, p->series->unit, point->value), point->bad ? ", failed" : "");
        buf_puts(out, point->bad ? "</path></svg>\n" : "</circle>\n");
    }
}

static void draw_dates(struct buf *out, const struct plot *p)
{
    char first[CLOCK_TEXT], last[CLOCK_TEXT];
    int y = TOP + HEIGHT + BELOW - 8;

    clock_date(first, p->points[0].at);
    clock_date(last, p->points[p->n - 1].at);
    if (strcmp(first, last) == 0) {
        buf_printf(out, "<text class=\"tick\" x=\"50%%\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", y, first);
        return;
    }
    buf_printf(out, "<text class=\"tick\" x=\"0\" y=\"%d\">%s</text>", y, first);
    buf_printf(out, "<text class=\"tick\" x=\"100%%\" y=\"%d\" text-anchor=\"end\">%s</text>\n", y, last);
}

/* "12 drills from 2025-08-01 to 2025-11-01, 1 failed: lowest 3m 20s, highest 6m, latest 4m 2s" */
static void describe(struct buf *out, const struct plot *p)
{
    const struct chart_series *s = p->series;
    char date[CLOCK_TEXT], value[CHART_TEXT], what[CHART_TEXT];

    snprintf(what, sizeof what, "%.*s", (int)(strlen(s->what) - (s->n == 1)), s->what); /* "1 drill" */
    html_add(out, "%zu %s from %s", s->n, what, clock_date(date, s->points[0].at));
    html_add(out, " to %s", clock_date(date, s->points[s->n - 1].at));
    if (p->bad > 0)
        html_add(out, ", %zu failed", p->bad);
    if (p->known > 0) {
        html_add(out, ": lowest %s", chart_value(value, s->unit, p->least));
        html_add(out, ", highest %s", chart_value(value, s->unit, p->most));
        html_add(out, ", latest %s", chart_value(value, s->unit, p->latest));
    }
    if (s->limit > 0)
        html_add(out, "; %s %s", s->rule, chart_value(value, s->unit, s->limit));
}

static void draw_series(struct buf *out, const struct plot *p)
{
    const char *id = p->series->id;

    html_add(
        out,
        "<svg class=\"chart series\" role=\"img\" aria-labelledby=\"%s-title %s-desc\" width=\"100%%\" height=\"%d\">",
        id, id, TOP + HEIGHT + BELOW);
    html_add(out, "<title id=\"%s-title\">%s</title><desc id=\"%s-desc\">", id, p->series->title, id);
    describe(out, p);
    buf_puts(out, "</desc>\n");
    draw_grid(out, p);
    draw_line(out, p);
    draw_limit(out, p);
    draw_marks(out, p);
    draw_dates(out, p);
    buf_puts(out, "</svg>\n");
}

void chart_series(struct buf *out, const struct chart_series *c)
{
    struct plot p = { .series = c };

    html_add(out, "<figure>\n<figcaption><strong>%s</strong>", c->title);
    p.points = calloc(MOST, sizeof *p.points);
    if (p.points == NULL) {
        out->failed = true;
        return;
    }
    if (c->n > 0) {
        thin(&p);
        measure(&p);
    }
    if (p.known == 0 && p.bad == 0) {
        html_add(out, "<span>No %s yet.</span></figcaption>\n", c->what);
    } else {
        buf_puts(out, "<span>");
        describe(out, &p);
        buf_puts(out, "</span></figcaption>\n");
        draw_series(out, &p);
    }
    buf_puts(out, "</figure>\n");
    free(p.points);
}

/* ---- spans of time ---------------------------------------------------------------------------------------------- */

#define ROW 40 /* pixels: a line of text, a bar below it */
#define BAR 12

static double length_of(const struct chart_span *span)
{
    return is_known(span->seconds) ? span->seconds : 0;
}

static void draw_span(struct buf *out, const struct chart_span *span, double from, double whole, int y)
{
    double x = whole > 0 ? 100 * from / whole : 0, width = whole > 0 ? 100 * length_of(span) / whole : 0;
    char text[CHART_TEXT];

    html_add(out, "<text x=\"0\" y=\"%d\">%s%s</text>", y + 15, span->name, span->minor ? " (drill only)" : "");
    html_add(out, "<text class=\"value\" x=\"100%%\" y=\"%d\" text-anchor=\"end\">%s</text>", y + 15,
             chart_value(text, CHART_SECONDS, span->seconds));
    buf_printf(out, "<rect class=\"track\" x=\"0\" y=\"%d\" width=\"100%%\" height=\"%d\" rx=\"2\"/>", y + 22, BAR);
    if (width > 0) /* one that is too short to be seen is a hair all the same, within the picture */
        buf_printf(out, "<rect class=\"%s\" x=\"%.2f%%\" y=\"%d\" width=\"%.2f%%\" height=\"%d\" rx=\"2\"/>",
                   span->minor ? "bar minor" : "bar", fmin(x, 99.4), y + 22, fmax(width, 0.6), BAR);
    buf_putc(out, '\n');
}

void chart_spans(struct buf *out, const char *id, const char *title, const struct chart_span *spans, size_t n)
{
    double whole = 0, from = 0;
    char text[CHART_TEXT];

    for (size_t i = 0; i < n; i++)
        whole += length_of(&spans[i]);
    html_add(out, "<figure>\n<figcaption><strong>%s</strong><span>%s in all</span></figcaption>\n", title,
             chart_value(text, CHART_SECONDS, whole));
    html_add(out,
             "<svg class=\"chart\" role=\"img\" aria-labelledby=\"%s-title %s-desc\" width=\"100%%\" height=\"%d\">",
             id, id, ROW * (int)n);
    html_add(out, "<title id=\"%s-title\">%s</title><desc id=\"%s-desc\">", id, title, id);
    for (size_t i = 0; i < n; i++)
        html_add(out, "%s%s %s", i > 0 ? ", " : "", spans[i].name, chart_value(text, CHART_SECONDS, spans[i].seconds));
    buf_puts(out, "</desc>\n");
    for (size_t i = 0; i < n; i++) {
        draw_span(out, &spans[i], from, whole, ROW * (int)i);
        from += length_of(&spans[i]);
    }
    buf_puts(out, "</svg>\n</figure>\n");
}
