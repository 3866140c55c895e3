/* SPDX-License-Identifier: PostgreSQL */
/* excerpt.h - some tables out of an archive, with all that is theirs: which entries that is, and as an archive.
 *
 * Pure: works on the contents alone. A table's own are its definition, rows, defaults, sequences it owns, keys, indexes,
 * statistics, comments and privileges; of a partitioned table, its partitions too. What reaches beyond the table (foreign
 * keys, triggers, rules, policies) comes AFTER: it may fail where the other side is missing, and the table is there all
 * the same. What the table needs and does not own (types, functions, its schema) is not in it.
 *
 * With rows alone come the positions of the sequences that the tables own, for tables that are there: each becomes a
 * statement that moves the sequence on to where the rows have brought it, never back, when there is one of that name and
 * it may be moved.
 *
 *     excerpt_choose(&toc, names, n, false, &x, err);
 *     excerpt_contents(&x, &bytes, err);      header and contents of an archive that holds only x's entries INSIDE;
 *     excerpt_block_begin, ..._chunk, ..._end what follows it: one block for each of x.tables that has rows
 */
#pragma once
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/pg/archive.h"

enum excerpt_part { EXCERPT_OUT, EXCERPT_INSIDE, EXCERPT_AFTER };

struct excerpt_table {
    const char *schema, *name;
    const struct archive_entry *definition; /* NULL: only rows are wanted, or there */
    const struct archive_entry *rows;       /* NULL: it has none of its own */
};

struct excerpt {
    const struct archive *archive;
    enum excerpt_part *parts; /* per entry of the archive */
    struct excerpt_table *tables;
    size_t n; /* in the order of the names, a partitioned table before its partitions */
    bool rows_only;
};

/* A name is a table's, or SCHEMA.TABLE; either may stand in double quotes as in SQL. Without quotes it is taken as it is
 * written, and only when there is no such table, in lower case. ERR_NOT_FOUND: there is none; ERR_USAGE: there are
 * several, or it is no table; the message lists them. rows_only: no definitions, but sequences' positions. */
int excerpt_choose(const struct archive *a, const char *const *names, size_t n, bool rows_only, struct excerpt *out,
                   struct err *err);
void excerpt_release(struct excerpt *x);

/* What the entries INSIDE refer to and do not bring along: "TYPE public.mood, FUNCTION public.f(integer)". */
void excerpt_needs(const struct excerpt *x, struct buf *out);

/* The bytes of an archive without compression. Rows stand in it in the order of x->tables. */
int excerpt_contents(const struct excerpt *x, struct buf *out, struct err *err);
void excerpt_block_begin(const struct excerpt *x, const struct archive_entry *rows, struct buf *out);
void excerpt_chunk(const struct excerpt *x, size_t n, struct buf *out); /* n bytes follow; 0 ends the block */
