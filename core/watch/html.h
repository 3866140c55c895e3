/* SPDX-License-Identifier: PostgreSQL */
/* html.h - pages that stand alone: one file, no script, nothing fetched; for a phone, a desk, paper, and in the dark.
 *
 * Text from outside gets into a page through html_text and html_add alone, which escape it and make visible what a
 * browser would hide or obey (control characters, marks of direction, bytes that are no UTF-8).
 *
 *     html_begin(&b, "Drill passed: production");
 *     html_add(&b, "<p>%s has %s rows.</p>\n", table->name, text_count(text, table->rows));
 *     html_end(&b, "sfb 0.1.0 on db1.example.com");
 *     if (buf_check(&b, err) < 0) ...
 */
#pragma once
#include <stddef.h>
#include <time.h>
#include "core/base/buf.h"

/* Text as the content of an element or of a quoted attribute; NULL is none. */
void html_text(struct buf *out, const char *text);

/* Markup as it is; its conversions are %s, which is escaped, %d, %zu and %%. Any other makes the buffer fail. */
void html_add(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From the doctype to <main>; from </main> to the end. The title is text, and so is the footer. */
void html_begin(struct buf *out, const char *title);
void html_end(struct buf *out, const char *footer);

/* How something stands. Always a sign and a word, for those who see no colour. */
enum html_state { HTML_GOOD, HTML_WARNING, HTML_BAD, HTML_NEUTRAL };
void html_badge(struct buf *out, enum html_state state, const char *word);
const char *html_state_name(enum html_state state); /* "good": the class of its elements */

/* <time>: 2025-10-23 14:32 UTC; 0: a dash. */
void html_time(struct buf *out, time_t t);
void html_date(struct buf *out, time_t t); /* for a headline: 23 October 2025, 14:32 UTC */

/* A table that a phone shows two lines a row: its first cell, then the others under their titles. */
struct html_column {
    const char *title;
    const char *class; /* "number", "text", "mark" */
};
void html_table_begin(struct buf *out, const char *caption, const struct html_column *columns, size_t n);
void html_table_end(struct buf *out);

extern const char html_style[]; /* the style sheet of every page */
