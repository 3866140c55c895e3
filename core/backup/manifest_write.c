/* SPDX-License-Identifier: PostgreSQL */
/* manifest_write.c - a manifest as JSON, in the order in which a person reads it. manifest_parse.c reads it. */
#include "core/backup/manifest.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define MANIFEST_VERSION 1

/* Length of the well-formed UTF-8 character at s; 0 when there is none (RFC 3629). */
static size_t utf8_char(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xF5 ? 0 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;

    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

static bool is_utf8(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n;

    for (; *s; s += n)
        if ((n = utf8_char(s)) == 0)
            return false;
    return true;
}

/* Where members are put. After the first failure nothing is done any more; writer_failed tells. */
struct writer {
    struct err *err;
    bool failed;
};

static void no_memory(struct writer *w)
{
    w->failed = true;
    err_no_memory(w->err);
}

static cJSON *put(struct writer *w, cJSON *parent, const char *name, cJSON *value)
{
    if (value && !w->failed &&
        (name ? cJSON_AddItemToObject(parent, name, value) : cJSON_AddItemToArray(parent, value)))
        return value;
    cJSON_Delete(value);
    if (!w->failed)
        no_memory(w);
    return NULL;
}

/* name NULL: parent is an array. */
static void put_text(struct writer *w, cJSON *parent, const char *name, const char *text)
{
    cJSON *object;
    char *hex;

    if (w->failed)
        return;
    if (is_utf8(text)) {
        put(w, parent, name, cJSON_CreateString(text));
        return;
    }
    hex = malloc(2 * strlen(text) + 1);
    object = hex ? put(w, parent, name, cJSON_CreateObject()) : NULL;
    if (object)
        put(w, object, "hex", cJSON_CreateString(text_hex(hex, text, strlen(text))));
    else
        no_memory(w);
    free(hex);
}

/* Raw: cJSON prints a double with 15 digits and finds that near enough. */
static void put_count(struct writer *w, cJSON *parent, const char *name, uint64_t n)
{
    char digits[24];

    if (n > MANIFEST_NUMBER_MAX && !w->failed) {
        w->failed = true;
        err_set(w->err, ERR_INTERNAL, "the manifest can't hold \"%s\": %" PRIu64 " is beyond 2^53", name, n);
    }
    snprintf(digits, sizeof digits, "%" PRIu64, n);
    if (!w->failed)
        put(w, parent, name, cJSON_CreateRaw(digits));
}

static void put_int(struct writer *w, cJSON *parent, const char *name, int n)
{
    if (!w->failed)
        put(w, parent, name, cJSON_CreateNumber(n));
}

static void put_time(struct writer *w, cJSON *parent, const char *name, time_t t)
{
    char text[CLOCK_TEXT];

    put_text(w, parent, name, clock_iso(text, t));
}

static cJSON *put_object(struct writer *w, cJSON *parent, const char *name)
{
    return w->failed ? NULL : put(w, parent, name, cJSON_CreateObject());
}

static cJSON *put_array(struct writer *w, cJSON *parent, const char *name)
{
    return w->failed ? NULL : put(w, parent, name, cJSON_CreateArray());
}

static void put_tally(struct writer *w, cJSON *parent, const struct tally *t)
{
    char fingerprint[TALLY_TEXT];

    put_count(w, parent, "rows", t->rows);
    put_count(w, parent, "bytes", t->bytes);
    put_text(w, parent, "fingerprint", tally_fingerprint(fingerprint, t));
}

static void put_database(struct writer *w, cJSON *parent, const struct manifest_database *d)
{
    put_text(w, parent, "name", d->name);
    put_text(w, parent, "owner", d->owner);
    put_text(w, parent, "encoding", d->encoding);
    put_text(w, parent, "collate", d->collate);
    put_text(w, parent, "ctype", d->ctype);
    put_text(w, parent, "locale_provider", d->locale_provider);
    put_text(w, parent, "locale", d->locale);
    put_text(w, parent, "lc_monetary", d->lc_monetary);
    put_text(w, parent, "server_version", d->server_version);
    put_int(w, parent, "server_version_num", d->server_version_num);
    put_text(w, parent, "system_identifier", d->system_identifier);
    put_text(w, parent, "lsn", d->lsn);
    put_count(w, parent, "size", d->size);
}

static void put_tables(struct writer *w, cJSON *parent, const struct manifest *m)
{
    for (size_t i = 0; i < m->n_tables && !w->failed; i++) {
        const struct manifest_table *t = &m->tables[i];
        cJSON *table = put_object(w, parent, NULL), *columns;

        put_text(w, table, "schema", t->schema);
        put_text(w, table, "name", t->name);
        put_tally(w, table, &t->tally);
        columns = put_array(w, table, "columns");
        for (size_t j = 0; j < t->n_columns; j++)
            put_text(w, columns, NULL, t->columns[j]);
    }
}

static void put_totals(struct writer *w, cJSON *parent, const struct manifest *m)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < m->n_tables; i++)
        bytes += m->tables[i].tally.bytes;
    put_count(w, parent, "tables", m->n_tables);
    put_count(w, parent, "rows", manifest_rows(m));
    put_count(w, parent, "bytes", bytes);
}

static void put_manifest(struct writer *w, cJSON *root, const struct manifest *m)
{
    cJSON *extensions;

    put_int(w, root, "manifest_version", MANIFEST_VERSION);
    put_text(w, root, "app", m->app);
    put_text(w, root, "environment", m->environment);
    put_text(w, root, "tier", manifest_tier_name(m->tier));
    put_text(w, root, "label", m->label);
    put_text(w, root, "file", m->file);
    put_text(w, root, "format", m->format == FORMAT_CUSTOM ? "custom" : "sql");
    put_text(w, root, "method", manifest_method_name(m->method));
    put_int(w, root, "level", m->level);
    put_count(w, root, "size", m->size);
    put_text(w, root, "md5", m->md5);
    put_text(w, root, "sha256", m->sha256);
    put_count(w, root, "contents_size", m->contents_size);
    put_text(w, root, "contents_sha256", m->contents_sha256);
    put_text(w, root, "data_sha256", m->data_sha256);
    put_text(w, root, "etag", m->etag);
    put_text(w, root, "globals_file", m->globals_file);
    put_text(w, root, "globals_sha256", m->globals_sha256);
    put_time(w, root, "started", m->started);
    put_time(w, root, "snapshot_at", m->snapshot_at);
    put_time(w, root, "finished", m->finished);
    if (!w->failed)
        put(w, root, "dump_seconds", cJSON_CreateNumber(round(m->dump_seconds * 1000) / 1000));
    put_int(w, root, "retention_days", m->retention_days);
    if (m->expires != 0)
        put_time(w, root, "expires", m->expires);
    else if (!w->failed)
        put(w, root, "expires", cJSON_CreateNull());
    put_text(w, root, "sfb_version", m->sfb_version);
    put_text(w, root, "tool_version", m->tool_version);
    put_text(w, root, "host", m->host);
    put_text(w, root, "user", m->user);
    put_text(w, root, "audit_head", m->audit_head);
    put_database(w, put_object(w, root, "database"), &m->database);
    extensions = put_array(w, root, "extensions");
    for (size_t i = 0; i < m->n_extensions && !w->failed; i++) {
        cJSON *extension = put_object(w, extensions, NULL);
        put_text(w, extension, "name", m->extensions[i].name);
        put_text(w, extension, "version", m->extensions[i].version);
    }
    put_totals(w, put_object(w, root, "totals"), m);
    put_tally(w, put_object(w, root, "large_objects"), &m->large_objects);
    put_tables(w, put_array(w, root, "tables"), m);
}

int manifest_write(const struct manifest *m, struct buf *out, struct err *err)
{
    struct writer w = { .err = err };
    cJSON *root = NULL;
    char *text = NULL;
    int rc = -1;

    if (manifest_check(m, ERR_INTERNAL, err) < 0)
        goto out;
    root = cJSON_CreateObject();
    if (!root) {
        err_no_memory(err);
        goto out;
    }
    put_manifest(&w, root, m);
    if (w.failed)
        goto out;
    text = cJSON_Print(root);
    if (!text) {
        err_no_memory(err);
        goto out;
    }
    buf_puts(out, text);
    buf_putc(out, '\n');
    rc = buf_check(out, err);
out:
    free(text);
    cJSON_Delete(root);
    return rc;
}
