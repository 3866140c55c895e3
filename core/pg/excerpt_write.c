/* SPDX-License-Identifier: PostgreSQL */
/* excerpt_write.c - the entries of an excerpt as an archive of their own (archive.h is the format). */
#include <stdio.h>
#include <string.h>

#include "core/pg/excerpt.h"
#include "core/pg/health.h"
#include "core/pg/sqltext.h"

#define MAX_STATEMENT 8192

static void put_byte(struct buf *out, int byte)
{
    buf_putc(out, (char)byte);
}

static void put_int(const struct archive *a, int64_t value, struct buf *out)
{
    uint8_t bytes[ARCHIVE_PATCH];

    buf_add(out, bytes, archive_put_int(a, value, bytes));
}

static void put_text(const struct archive *a, const char *text, struct buf *out)
{
    put_int(a, text != NULL ? (int64_t)strlen(text) : -1, out);
    if (text != NULL)
        buf_puts(out, text);
}

static void put_number(const struct archive *a, unsigned long value, struct buf *out)
{
    char text[32];

    snprintf(text, sizeof text, "%lu", value);
    put_text(a, text, out);
}

static void put_header(const struct archive *a, struct buf *out)
{
    const int times[] = { a->second, a->minute, a->hour, a->day, a->month, a->year, a->is_dst };

    buf_puts(out, "PGDMP");
    put_byte(out, a->version / 256);
    put_byte(out, a->version % 256);
    put_byte(out, a->revision);
    put_byte(out, a->int_size);
    put_byte(out, a->offset_size);
    put_byte(out, 1); /* custom */
    if (a->version >= ARCHIVE_VERSION(1, 15))
        put_byte(out, ARCHIVE_NONE);
    else
        put_int(a, 0, out);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        put_int(a, times[i], out);
    put_text(a, a->database, out);
    put_text(a, a->server_version, out);
    put_text(a, a->dump_version, out);
}

/* Of what an entry hangs on only what is in the excerpt: pg_restore need not look for the rest. */
static void put_depends(const struct excerpt *x, const struct archive_entry *e, struct buf *out)
{
    const struct archive *a = x->archive;

    for (size_t i = 0; i < e->depends_n; i++) {
        const struct archive_entry *on = archive_find(a, e->depends[i]);

        if (on != NULL && x->parts[on - a->entries] == EXCERPT_INSIDE)
            put_number(a, (unsigned long)e->depends[i], out);
    }
    put_text(a, NULL, out);
}

/* "SELECT pg_catalog.setval('public.s', 42, true);" as it suits a table that is there: its sequence may stand further on
 * already, have another name, or be somebody else's. */
static void put_advance(const struct archive *a, const struct archive_entry *e, struct buf *out)
{
    struct sql_reader r = sql_reader(e->defn, strlen(e->defn));
    struct health_position position;
    struct sql_token name;
    struct buf text;

    buf_init(&text, MAX_STATEMENT);
    health_sequence_of(e, &position); /* excerpt_choose saw to it that it can be read */
    while (sql_next(&r, &name) != SQL_STRING && name.kind != SQL_END)
        ;
    buf_printf(
        &text,
        "SELECT pg_catalog.setval(seqrelid::pg_catalog.regclass, %s) FROM pg_catalog.pg_sequence\n"
        "    WHERE seqrelid = pg_catalog.to_regclass(%.*s) AND pg_catalog.has_sequence_privilege(seqrelid, 'UPDATE')\n"
        "    AND CASE WHEN seqincrement > 0 THEN %s > COALESCE(pg_catalog.pg_sequence_last_value(seqrelid), seqstart - 1)\n"
        "             ELSE %s < COALESCE(pg_catalog.pg_sequence_last_value(seqrelid), seqstart + 1) END;\n",
        position.last, (int)name.size, name.text, position.last, position.last);
    put_text(a, text.data, out);
    out->failed = out->failed || text.failed;
    buf_release(&text);
}

static void put_entry(const struct excerpt *x, const struct archive_entry *e, struct buf *out)
{
    const struct archive *a = x->archive;

    put_int(a, e->id, out);
    put_int(a, e->has_data, out);
    put_number(a, e->class_oid, out);
    put_number(a, e->oid, out);
    put_text(a, e->tag, out);
    put_text(a, e->desc, out);
    put_int(a, e->section, out);
    if (x->rows_only && strcmp(e->desc, "SEQUENCE SET") == 0)
        put_advance(a, e, out);
    else
        put_text(a, e->defn, out);
    put_text(a, e->drop, out);
    put_text(a, e->copy, out);
    put_text(a, e->schema, out);
    put_text(a, e->tablespace, out);
    if (a->version >= ARCHIVE_VERSION(1, 14))
        put_text(a, e->tableam, out);
    if (a->version >= ARCHIVE_VERSION(1, 16))
        put_int(a, e->relkind, out);
    put_text(a, e->owner, out);
    put_text(a, e->with_oids ? "true" : "false", out);
    put_depends(x, e, out);
    put_byte(out, e->has_data ? OFFSET_UNKNOWN : OFFSET_NO_DATA);
    for (int i = 0; i < a->offset_size; i++)
        put_byte(out, 0);
}

int excerpt_contents(const struct excerpt *x, struct buf *out, struct err *err)
{
    const struct archive *a = x->archive;
    bool rows_done = false;
    int64_t n = 0;

    for (size_t i = 0; i < a->n; i++)
        n += x->parts[i] == EXCERPT_INSIDE;
    put_header(a, out);
    put_int(a, n, out);
    for (size_t i = 0; i < a->n; i++) {
        if (x->parts[i] != EXCERPT_INSIDE)
            continue;
        if (strcmp(a->entries[i].desc, "TABLE DATA") != 0) {
            put_entry(x, &a->entries[i], out);
            continue;
        }
        for (size_t t = 0; !rows_done && t < x->n; t++) /* all of them where the first one stands */
            if (x->tables[t].rows != NULL)
                put_entry(x, x->tables[t].rows, out);
        rows_done = true;
    }
    return buf_check(out, err);
}

void excerpt_block_begin(const struct excerpt *x, const struct archive_entry *rows, struct buf *out)
{
    put_byte(out, BLOCK_DATA);
    put_int(x->archive, rows->id, out);
}

void excerpt_chunk(const struct excerpt *x, size_t n, struct buf *out)
{
    put_int(x->archive, (int64_t)n, out);
}
