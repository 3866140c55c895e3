/* SPDX-License-Identifier: PostgreSQL */
/* manifest_parse.c - a manifest out of JSON that anybody may have written. */
#include "core/backup/manifest.h"

#include <stdio.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"

#define MANIFEST_VERSION 1
#define VALUES_MAX 16000000u /* each takes memory, far more than its text */

/* One object that is read. After the first failure nothing is done any more; the outermost tells. */
struct reader {
    const cJSON *object;
    char where[48]; /* "database.", "tables[17].", "" */
    struct err *err;
    bool *failed;
};

static void wrong(const struct reader *r, const char *name, const char *how)
{
    if (!*r->failed)
        err_set(r->err, ERR_DAMAGED, "the manifest is damaged: \"%s%s\" %s", r->where, name, how);
    *r->failed = true;
}

/* The only member of that name; NULL, and failed, when there is none or more than one. */
static const cJSON *member(const struct reader *r, const char *name)
{
    const cJSON *found = NULL, *item;

    if (*r->failed)
        return NULL;
    cJSON_ArrayForEach(item, r->object)
    {
        if (strcmp(item->string, name) != 0)
            continue;
        if (found) {
            wrong(r, name, "stands there twice");
            return NULL;
        }
        found = item;
    }
    if (!found)
        wrong(r, name, "is missing");
    return found;
}

static char *unhex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    char *bytes;

    if (n == 0 || strspn(hex, "0123456789abcdef") != 2 * n || hex[2 * n])
        return NULL;
    bytes = calloc(1, n + 1);
    for (size_t i = 0; bytes && i < n; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        bytes[i] = (char)strtoul(pair, NULL, 16);
        if (!bytes[i]) { /* a NUL: no name has one */
            free(bytes);
            return NULL;
        }
    }
    return bytes;
}

/* A string, or {"hex": "..."}; the caller frees. NULL, and failed, when it is neither. */
static char *text_of(const struct reader *r, const cJSON *item, const char *name)
{
    const char *plain = cJSON_GetStringValue(item);
    const char *hex = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "hex"));
    char *text = NULL;

    if (!item)
        return NULL;
    if (plain)
        text = strdup(plain);
    else if (hex)
        text = unhex(hex);
    if (!text)
        wrong(r, name, "is not text");
    return text;
}

static void get_text(const struct reader *r, const char *name, char **value)
{
    char *text = text_of(r, member(r, name), name);

    if (!text)
        return;
    free(*value);
    *value = text;
}

/* A checksum; manifest_check looks whether it is one. */
static void get_hex(const struct reader *r, const char *name, char *value, size_t digits)
{
    const cJSON *item = member(r, name);
    const char *text = cJSON_GetStringValue(item);

    if (text && strlen(text) <= digits)
        memcpy(value, text, strlen(text) + 1);
    else if (item)
        wrong(r, name, "is no checksum");
}

static uint64_t get_count(const struct reader *r, const char *name)
{
    const cJSON *item = member(r, name);
    double n = cJSON_GetNumberValue(item); /* not a number: NaN */

    if (!item)
        return 0;
    if (!(n >= 0 && n <= (double)MANIFEST_NUMBER_MAX) || n != floor(n)) {
        wrong(r, name, "is no whole number from 0 to 2^53");
        return 0;
    }
    return (uint64_t)n;
}

static int get_int(const struct reader *r, const char *name)
{
    const cJSON *item = member(r, name);
    double n = cJSON_GetNumberValue(item);

    if (!item)
        return 0;
    if (!(n >= INT_MIN && n <= INT_MAX) || n != floor(n)) {
        wrong(r, name, "is no whole number");
        return 0;
    }
    return (int)n;
}

static double get_seconds(const struct reader *r, const char *name)
{
    const cJSON *item = member(r, name);

    if (item && !cJSON_IsNumber(item))
        wrong(r, name, "is no number");
    return item ? cJSON_GetNumberValue(item) : 0;
}

static time_t get_time(const struct reader *r, const char *name, bool may_be_null)
{
    const cJSON *item = member(r, name);
    const char *text = cJSON_GetStringValue(item);
    time_t t = 0;

    if (item && !(may_be_null && cJSON_IsNull(item)) && (!text || !text_ends(text, "Z") || !clock_parse_iso(text, &t)))
        wrong(r, name, "is no time");
    return t;
}

/* One of n words; its number. */
static int get_word(const struct reader *r, const char *name, const char *const *words, int n)
{
    const cJSON *item = member(r, name);
    const char *text = cJSON_GetStringValue(item);

    for (int i = 0; text && i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    if (item)
        wrong(r, name, "is a word that this version does not know");
    return 0;
}

static struct reader get_object(const struct reader *r, const char *name)
{
    struct reader inner = { .object = member(r, name), .err = r->err, .failed = r->failed };

    if (inner.object && !cJSON_IsObject(inner.object))
        wrong(r, name, "is no object");
    snprintf(inner.where, sizeof inner.where, "%s.", name);
    return inner;
}

static const cJSON *get_array(const struct reader *r, const char *name)
{
    const cJSON *array = member(r, name);

    if (array && !cJSON_IsArray(array)) {
        wrong(r, name, "is no list");
        array = NULL;
    }
    return array;
}

/* The reader of one item of a list, which must be an object. */
static struct reader get_item(const struct reader *r, const char *name, size_t i, const cJSON *item)
{
    struct reader inner = { .object = item, .err = r->err, .failed = r->failed };

    snprintf(inner.where, sizeof inner.where, "%s[%zu].", name, i);
    if (!cJSON_IsObject(item))
        wrong(&inner, "", "is no object");
    return inner;
}

static void get_tally(const struct reader *r, struct tally *t)
{
    const cJSON *item;

    t->rows = get_count(r, "rows");
    t->bytes = get_count(r, "bytes");
    item = member(r, "fingerprint");
    if (item && (!cJSON_IsString(item) || !tally_parse_fingerprint(item->valuestring, t)))
        wrong(r, "fingerprint", "is no fingerprint");
}

static void get_database(const struct reader *r, struct manifest_database *d)
{
    get_text(r, "name", &d->name);
    get_text(r, "owner", &d->owner);
    get_text(r, "encoding", &d->encoding);
    get_text(r, "collate", &d->collate);
    get_text(r, "ctype", &d->ctype);
    get_text(r, "locale_provider", &d->locale_provider);
    get_text(r, "locale", &d->locale);
    get_text(r, "lc_monetary", &d->lc_monetary);
    get_text(r, "server_version", &d->server_version);
    d->server_version_num = get_int(r, "server_version_num");
    get_text(r, "system_identifier", &d->system_identifier);
    get_text(r, "lsn", &d->lsn);
    d->size = get_count(r, "size");
}

static void get_table(const struct reader *r, struct manifest *m)
{
    struct manifest_table *t = manifest_add_table(m, "", "", r->err);
    const cJSON *columns, *column;

    if (!t) {
        *r->failed = true;
        return;
    }
    get_text(r, "schema", &t->schema);
    get_text(r, "name", &t->name);
    get_tally(r, &t->tally);
    columns = get_array(r, "columns");
    cJSON_ArrayForEach(column, columns)
    {
        char *text = text_of(r, column, "columns");
        if (text && manifest_add_column(t, text, r->err) < 0)
            *r->failed = true;
        free(text);
        if (*r->failed)
            return;
    }
}

static void get_lists(const struct reader *r, struct manifest *m)
{
    const cJSON *list = get_array(r, "extensions"), *item;
    size_t i = 0;

    cJSON_ArrayForEach(item, list)
    {
        struct reader extension = get_item(r, "extensions", i++, item);
        char *name = text_of(&extension, member(&extension, "name"), "name");
        char *version = text_of(&extension, member(&extension, "version"), "version");
        if (name && version && manifest_add_extension(m, name, version, r->err) < 0)
            *r->failed = true;
        free(name);
        free(version);
        if (*r->failed)
            return;
    }
    list = get_array(r, "tables");
    i = 0;
    cJSON_ArrayForEach(item, list)
    {
        struct reader table = get_item(r, "tables", i++, item);
        if (!*r->failed)
            get_table(&table, m);
        if (*r->failed)
            return;
    }
}

static void get_manifest(const struct reader *r, struct manifest *m)
{
    static const char *const tiers[] = { "daily", "weekly", "monthly", "manual" };
    static const char *const formats[] = { "custom", "sql" };
    static const char *const methods[] = { "none", "gzip", "zstd" };
    struct reader database, objects;

    if (get_count(r, "manifest_version") != MANIFEST_VERSION && !*r->failed) {
        wrong(r, "manifest_version", "is one that this version of sfb does not know");
        err_hint(r->err, "a newer sfb has written it: use that one");
    }
    get_text(r, "app", &m->app);
    get_text(r, "environment", &m->environment);
    m->tier = (enum tier)get_word(r, "tier", tiers, TIER_COUNT);
    get_text(r, "label", &m->label);
    get_text(r, "file", &m->file);
    m->format = (enum backup_format)get_word(r, "format", formats, 2);
    m->method = (enum backup_method)get_word(r, "method", methods, 3);
    m->level = get_int(r, "level");
    m->size = get_count(r, "size");
    get_hex(r, "md5", m->md5, 32);
    get_hex(r, "sha256", m->sha256, 64);
    m->contents_size = get_count(r, "contents_size");
    get_hex(r, "contents_sha256", m->contents_sha256, 64);
    get_hex(r, "data_sha256", m->data_sha256, 64);
    get_text(r, "etag", &m->etag);
    get_text(r, "globals_file", &m->globals_file);
    get_hex(r, "globals_sha256", m->globals_sha256, 64);
    m->started = get_time(r, "started", false);
    m->snapshot_at = get_time(r, "snapshot_at", false);
    m->finished = get_time(r, "finished", false);
    m->dump_seconds = get_seconds(r, "dump_seconds");
    m->retention_days = get_int(r, "retention_days");
    m->expires = get_time(r, "expires", true);
    get_text(r, "sfb_version", &m->sfb_version);
    get_text(r, "tool_version", &m->tool_version);
    get_text(r, "host", &m->host);
    get_text(r, "user", &m->user);
    get_text(r, "audit_head", &m->audit_head);
    database = get_object(r, "database");
    get_database(&database, &m->database);
    objects = get_object(r, "large_objects");
    get_tally(&objects, &m->large_objects);
    get_lists(r, m);
}

/* ---- the text ------------------------------------------------------------------------------------------------ */

/* What cJSON would swallow: a \u0000, which cuts a string short, and more values than memory should hold. */
static int scan(const char *text, size_t n, struct err *err)
{
    bool quoted = false;
    unsigned values = 0;

    for (size_t i = 0; i < n; i++) {
        if (quoted && text[i] == '\\') {
            if (n - i > 5 && memcmp(text + i, "\\u0000", 6) == 0)
                return err_set(err, ERR_DAMAGED, "the manifest is damaged: a NUL in a string, at byte %zu", i);
            i++;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && (text[i] == ',' || text[i] == '[' || text[i] == '{')) {
            values++;
        } else if (text[i] == '\0') {
            return err_set(err, ERR_DAMAGED, "the manifest is damaged: a NUL at byte %zu", i);
        }
    }
    if (values > VALUES_MAX)
        return err_set(err, ERR_DAMAGED, "the manifest is damaged: it holds more than %u values", VALUES_MAX);
    return 0;
}

static cJSON *parse_json(const char *text, size_t n, struct err *err)
{
    const char *end = text;
    size_t at;
    cJSON *root;

    if (n > MANIFEST_MAX) {
        err_set(err, ERR_DAMAGED, "the manifest is damaged: it is larger than %zu MB", MANIFEST_MAX >> 20);
        return NULL;
    }
    if (scan(text, n, err) < 0)
        return NULL;
    root = cJSON_ParseWithLengthOpts(text, n, &end, false);
    at = end ? (size_t)(end - text) : 0;
    while (root && at < n && strchr(" \t\r\n", text[at]))
        at++;
    if (!root || at < n)
        err_set(err, ERR_DAMAGED, "the manifest is damaged: it is no JSON from byte %zu on", at);
    else if (!cJSON_IsObject(root))
        err_set(err, ERR_DAMAGED, "the manifest is damaged: it is no JSON object");
    else
        return root;
    cJSON_Delete(root);
    return NULL;
}

int manifest_parse(const char *text, size_t n, struct manifest *m, struct err *err)
{
    bool failed = false;
    struct reader r = { .err = err, .failed = &failed };
    cJSON *root = NULL;
    int rc = -1;

    manifest_init(m);
    root = parse_json(text, n, err);
    if (!root)
        goto out;
    r.object = root;
    get_manifest(&r, m);
    if (failed || manifest_check(m, ERR_DAMAGED, err) < 0)
        goto out;
    rc = 0;
out:
    cJSON_Delete(root);
    if (rc < 0)
        manifest_release(m);
    return rc;
}

int manifest_load(const char *path, struct manifest *m, struct err *err)
{
    struct buf text;
    int rc = -1;

    memset(m, 0, sizeof *m); /* also when there is nothing to parse, a release does no harm */
    buf_init(&text, MANIFEST_MAX);
    errno = 0;
    if (os_read_file(path, &text, err) < 0) {
        if (errno == ENOENT)
            err_reclass(err, ERR_NOT_FOUND);
        else if (text.size == MANIFEST_MAX)
            err_reclass(err, ERR_DAMAGED);
        goto out;
    }
    rc = manifest_parse(text.data, text.size, m, err);
    if (rc < 0)
        err_context(err, "%s", path);
out:
    buf_release(&text);
    return rc;
}
