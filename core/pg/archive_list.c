/* SPDX-License-Identifier: PostgreSQL */
/* archive_list.c - what `pg_restore --list` prints. People feed it to `pg_restore --use-list`, and scripts take it
 * apart, so it is the same to the last byte. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "core/pg/archive.h"

/* When the dump was made, as pg_restore says it: the header has the dumper's local time, and it is taken for ours. */
static void created(const struct archive *a, char *out, size_t size)
{
    struct tm at = {
        .tm_sec = a->second,
        .tm_min = a->minute,
        .tm_hour = a->hour,
        .tm_mday = a->day,
        .tm_mon = a->month,
        .tm_year = a->year,
        .tm_isdst = a->is_dst,
    };
    struct tm unknown_dst = at;
    time_t t = mktime(&at);

    if (t == (time_t)-1) {
        unknown_dst.tm_isdst = -1;
        t = mktime(&unknown_dst);
    }
    if (localtime_r(&t, &at) == NULL || strftime(out, size, "%Y-%m-%d %H:%M:%S %Z", &at) == 0)
        snprintf(out, size, "[unknown]");
}

/* One line stays one line, whatever a name holds. */
static void put_name(struct buf *out, const char *text, const char *when_absent)
{
    if (text == NULL)
        text = when_absent;
    for (; *text != '\0'; text++)
        buf_putc(out, *text == '\n' || *text == '\r' ? ' ' : *text);
}

static bool is_one_of(const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, names[i]) == 0)
            return true;
    return false;
}

/* Would a plain pg_restore do anything with the entry? Only such ones are listed. */
static bool is_listed(const struct archive_entry *e)
{
    static const char *const settings[] = { "ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES" };
    static const char *const data[] = { "SEQUENCE SET", "BLOB", "BLOB METADATA", "STATISTICS DATA" };
    static const char *const about_objects[] = { "ACL", "COMMENT", "SECURITY LABEL" };

    if (is_one_of(e->desc, settings, sizeof settings / sizeof *settings))
        return false;
    if (strcmp(e->desc, "<Init>") == 0 && strcmp(e->tag, "Max OID") == 0)
        return false;
    if (e->has_data || is_one_of(e->desc, data, sizeof data / sizeof *data))
        return true;
    if (is_one_of(e->desc, about_objects, sizeof about_objects / sizeof *about_objects) &&
        strncmp(e->tag, "LARGE OBJECT", 12) == 0)
        return true;
    return e->defn != NULL && *e->defn != '\0' && strncmp(e->defn, "-- load via partition root ", 27) != 0;
}

static void list_header(const struct archive *a, struct buf *out)
{
    char when[128];

    created(a, when, sizeof when);
    buf_printf(out, ";\n; Archive created at %s\n;     dbname: ", when);
    put_name(out, a->database, "");
    buf_printf(out, "\n;     TOC Entries: %zu\n", a->n);
    if (a->version < ARCHIVE_VERSION(1, 15))
        buf_printf(out, ";     Compression: %d\n", a->level);
    else
        buf_printf(out, ";     Compression: %s\n", archive_method_name(a->method));
    buf_printf(out, ";     Dump Version: %d.%d-%d\n;     Format: CUSTOM\n", a->version / 256, a->version % 256,
               a->revision);
    buf_printf(out, ";     Integer: %d bytes\n;     Offset: %d bytes\n", a->int_size, a->offset_size);
    if (a->server_version != NULL)
        buf_printf(out, ";     Dumped from database version: %s\n", a->server_version);
    if (a->dump_version != NULL)
        buf_printf(out, ";     Dumped by pg_dump version: %s\n", a->dump_version);
    buf_puts(out, ";\n;\n; Selected TOC Entries:\n;\n");
}

int archive_list(const struct archive *a, struct buf *out, struct err *err)
{
    list_header(a, out);
    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *e = &a->entries[i];

        if (!is_listed(e))
            continue;
        buf_printf(out, "%d; %u %u %s ", e->id, e->class_oid, e->oid, e->desc);
        put_name(out, e->schema, "-");
        buf_putc(out, ' ');
        put_name(out, e->tag, "");
        buf_putc(out, ' ');
        put_name(out, e->owner, "");
        buf_putc(out, '\n');
    }
    return buf_check(out, err);
}
