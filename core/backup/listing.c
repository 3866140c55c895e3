/* SPDX-License-Identifier: PostgreSQL */
/* listing.c - backups and their contents as people and programs read them. */
#include "core/backup/listing.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

const char *listing_age(char out[LISTING_AGE], time_t then, time_t now)
{
    long long s = now > then ? (long long)(now - then) : 0;

    if (s < 60)
        snprintf(out, LISTING_AGE, "now");
    else if (s < 90 * 60)
        snprintf(out, LISTING_AGE, "%lldm", s / 60);
    else if (s < 48 * 3600)
        snprintf(out, LISTING_AGE, "%lldh", s / 3600);
    else if (s < 730LL * 86400)
        snprintf(out, LISTING_AGE, "%lldd", s / 86400);
    else
        snprintf(out, LISTING_AGE, "%lldy", s / (365 * 86400));
    return out;
}

/* ---- backups ------------------------------------------------------------------------------------------------- */

/* What a person should know before restoring this one. */
static const char *remark(const struct catalog_item *item)
{
    if (item->closed)
        return "  (its manifest can't be read: permission denied)";
    if (!item->has_manifest)
        return "  (no manifest: not finished, or not made by sfb)";
    if (item->manifest.size != item->size)
        return "  (its size is not what its manifest says: damaged)";
    return "";
}

/* A manifest is written when every byte of the backup has been read back, or compared while it passed. */
static const char *is_good(const struct catalog_item *item)
{
    if (item->closed)
        return "-";
    return item->has_manifest && item->manifest.size == item->size ? "yes" : "no";
}

static const struct proofs_item *proof_of(const struct proofs *proofs, const struct catalog_item *item)
{
    return item->has_manifest ? proofs_of(proofs, item->manifest.environment, item->path) : NULL;
}

/* "(proven 3 days ago)" */
static void list_proof(struct buf *out, const struct proofs_item *proof, time_t now)
{
    char age[TEXT_SHORT];

    if (proof != NULL)
        buf_printf(out, "  (%s %s ago)", proof->verdict == PROOFS_PASSED ? "proven" : "drill failed",
                   text_age(age, difftime(now, proof->drilled)));
}

static void list_item(struct buf *out, const struct catalog_item *item, const struct proofs *proofs, time_t now)
{
    const struct manifest *m = item->has_manifest ? &item->manifest : NULL;
    char date[CLOCK_TEXT], expires[CLOCK_TEXT], age[LISTING_AGE], size[TEXT_SHORT], rows[TEXT_SHORT] = "-";

    if (m)
        text_count(rows, manifest_rows(m));
    buf_printf(out, "%.16s  %4s  ", clock_log(date, item->started), listing_age(age, item->started, now));
    buf_printf(out, "%-10.10s %-7s %8s %11s  %-4s %s\n    ", m ? m->environment : "-",
               m ? manifest_tier_name(m->tier) : "-", text_size(size, item->size), rows, is_good(item),
               !m                ? "-"
               : m->expires == 0 ? "never"
                                 : clock_date(expires, m->expires));
    text_visible(out, item->path);
    buf_puts(out, remark(item));
    list_proof(out, proof_of(proofs, item), now);
    buf_putc(out, '\n');
}

void listing_catalog(struct buf *out, const struct catalog *c, const struct proofs *proofs, time_t now)
{
    buf_printf(out, "%-16s  %4s  %-10s %-7s %8s %11s  %-4s %s\n", "TAKEN (UTC)", "AGE", "ENV", "TIER", "SIZE", "ROWS",
               "GOOD", "EXPIRES");
    for (size_t i = 0; i < c->n; i++)
        list_item(out, &c->items[i], proofs, now);
}

/* ---- contents ------------------------------------------------------------------------------------------------ */

static void line(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "   %s: ", name);
    text_visible(out, value);
    buf_putc(out, '\n');
}

static void list_manifest(struct buf *out, const struct contents *c, time_t now)
{
    const struct manifest *m = &c->manifest;
    char date[CLOCK_TEXT], age[LISTING_AGE];

    buf_printf(out, "   Taken: %s UTC (%s)\n", clock_log(date, m->started), listing_age(age, m->started, now));
    buf_puts(out, "   Environment: ");
    text_visible(out, m->environment);
    buf_printf(out, ", %s", manifest_tier_name(m->tier));
    if (m->expires != 0)
        buf_printf(out, ", expires %s", clock_date(date, m->expires));
    buf_putc(out, '\n');
}

static void list_row(struct buf *out, const char *rows, uint64_t bytes, const char *schema, const char *name)
{
    char size[TEXT_SHORT];

    buf_printf(out, "%16s  %10s  ", rows, text_size(size, bytes));
    if (*schema) {
        text_visible(out, schema);
        buf_putc(out, '.');
    }
    text_visible(out, name);
    buf_putc(out, '\n');
}

void listing_contents(struct buf *out, const struct contents *c, time_t now)
{
    char size[TEXT_SHORT], count[TEXT_SHORT];
    uint64_t rows = 0, bytes = 0;

    text_visible(out, c->path);
    buf_putc(out, '\n');
    line(out, "Database", c->database);
    line(out, "Server", c->server_version);
    line(out, "Dumped by", c->tool_version);
    if (c->has_manifest)
        list_manifest(out, c, now);
    line(out, "Size", text_size(size, c->size));
    if (c->has_manifest && c->manifest.size != c->size)
        buf_puts(out, "   ⚠️  This is not the size that the manifest says: `sfb verify` tells more\n");

    buf_printf(out, "\n%16s  %10s  %s\n", "ROWS", "SIZE", "TABLE");
    for (size_t i = 0; i < c->n; i++) {
        const struct contents_table *t = &c->tables[i];
        list_row(out, t->counted ? text_count(count, t->rows) : "-", t->bytes, t->schema, t->name);
        rows += t->rows;
        bytes += t->bytes;
    }
    if (c->objects.rows > 0)
        list_row(out, text_count(count, c->objects.rows), c->objects.bytes, "", "(large objects)");
    buf_printf(out, "\n%16s  %10s  in %zu table%s, uncompressed\n", text_count(count, rows), text_size(size, bytes),
               c->n, c->n == 1 ? "" : "s");
}

/* ---- for programs -------------------------------------------------------------------------------------------- */

/* Text from outside may be no UTF-8, which JSON must be: it is made visible as on a terminal. */
static void add_text(cJSON *object, const char *name, const char *text)
{
    struct buf visible;

    buf_init(&visible, 16 * 1024 * 1024);
    text_visible(&visible, text);
    cJSON_AddStringToObject(object, name, visible.data);
    buf_release(&visible);
}

/* Raw: cJSON's own doubles are rounded to 15 digits. */
static void add_count(cJSON *object, const char *name, uint64_t n)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%" PRIu64, n);
    cJSON_AddRawToObject(object, name, digits);
}

static void add_time(cJSON *object, const char *name, time_t t)
{
    char text[CLOCK_TEXT];

    if (t == 0)
        cJSON_AddNullToObject(object, name);
    else
        cJSON_AddStringToObject(object, name, clock_iso(text, t));
}

static int print(struct buf *out, cJSON *root, struct err *err)
{
    char *text = root ? cJSON_Print(root) : NULL;
    int rc;

    if (text) {
        buf_puts(out, text);
        buf_putc(out, '\n');
        rc = buf_check(out, err);
    } else {
        rc = err_no_memory(err);
    }
    free(text);
    cJSON_Delete(root);
    return rc;
}

static void add_proof(cJSON *object, const struct proofs_item *proof)
{
    if (proof == NULL)
        cJSON_AddNullToObject(object, "drill");
    else
        cJSON_AddStringToObject(object, "drill", proofs_verdict_name(proof->verdict));
    add_time(object, "drilled", proof != NULL ? proof->drilled : 0);
}

int listing_catalog_json(struct buf *out, const struct catalog *c, const struct proofs *proofs, struct err *err)
{
    cJSON *root = cJSON_CreateArray();

    for (size_t i = 0; root && i < c->n; i++) {
        const struct catalog_item *item = &c->items[i];
        const struct manifest *m = &item->manifest;
        cJSON *one = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(root, one))
            break;
        add_text(one, "path", item->path);
        add_time(one, "started", item->started);
        add_count(one, "size", item->size);
        cJSON_AddBoolToObject(one, "complete", catalog_is_complete(item));
        if (!item->has_manifest)
            continue;
        add_text(one, "environment", m->environment);
        cJSON_AddStringToObject(one, "tier", manifest_tier_name(m->tier));
        add_text(one, "label", m->label);
        add_text(one, "database", m->database.name);
        add_count(one, "tables", m->n_tables);
        add_count(one, "rows", manifest_rows(m));
        add_time(one, "expires", m->expires);
        add_proof(one, proof_of(proofs, item));
    }
    return print(out, root, err);
}

int listing_contents_json(struct buf *out, const struct contents *c, struct err *err)
{
    cJSON *root = cJSON_CreateObject(), *tables, *objects;

    add_text(root, "path", c->path);
    add_count(root, "size", c->size);
    cJSON_AddBoolToObject(root, "has_manifest", c->has_manifest);
    add_text(root, "database", c->database);
    add_text(root, "server_version", c->server_version);
    add_text(root, "tool_version", c->tool_version);
    objects = cJSON_AddObjectToObject(root, "large_objects");
    add_count(objects, "count", c->objects.rows);
    add_count(objects, "bytes", c->objects.bytes);
    tables = cJSON_AddArrayToObject(root, "tables");
    for (size_t i = 0; tables && i < c->n; i++) {
        const struct contents_table *t = &c->tables[i];
        cJSON *one = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(tables, one))
            break;
        add_text(one, "schema", t->schema);
        add_text(one, "name", t->name);
        if (t->counted)
            add_count(one, "rows", t->rows);
        else
            cJSON_AddNullToObject(one, "rows");
        add_count(one, "bytes", t->bytes);
    }
    return print(out, root, err);
}
