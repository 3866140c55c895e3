/* SPDX-License-Identifier: PostgreSQL */
/* chart.h - figures of a page, drawn as SVG inside it.
 *
 * Widths are percentages and heights pixels, so that a chart fills a phone and a desk alike while its letters keep their
 * size. What is drawn is also said: each chart has a title and a description, each point its own tooltip. A value that
 * is no number, infinite or negative is one that is not known: a gap. Data may be none at all, one point, or thousands.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include "core/base/buf.h"

enum chart_unit { CHART_SECONDS, CHART_BYTES, CHART_COUNT };

struct chart_point {
    time_t at;
    double value;
    bool bad; /* a run that failed: a cross, at the bottom when it has no value */
};

struct chart_series {
    const char *id;    /* of the figure; unique in the page */
    const char *title; /* "Recovery time" */
    const char *what;  /* of points, for the description, with an s at its end: "drills" */
    enum chart_unit unit;
    const struct chart_point *points; /* oldest first */
    size_t n;
    double limit;     /* a line across; 0: none */
    const char *rule; /* what the line is: "limit" */
};

/* A <figure> with values over time. */
void chart_series(struct buf *out, const struct chart_series *c);

struct chart_span {
    const char *name;
    double seconds;
    bool minor; /* only because it is a drill: drawn lightly */
};

/* A <figure> with spans of time one after the other, each from where the last one ended. */
void chart_spans(struct buf *out, const char *id, const char *title, const struct chart_span *spans, size_t n);

/* ---- pure parts, for tests -------------------------------------------------------------------------------------- */

/* The distance of grid lines for values up to `most`: round in its unit, two to five lines. */
double chart_step(enum chart_unit unit, double most);
/* "2h", "1m 30s", "1.5 GB", "1,200": as short as it can be said. */
#define CHART_TEXT 32
const char *chart_value(char out[CHART_TEXT], enum chart_unit unit, double value);
