/* SPDX-License-Identifier: PostgreSQL */
/* manifest.c - what a backup is: its parts in memory, and the names of its files. The JSON is in manifest_json.c. */
#include "core/backup/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "core/base/clock.h"
#include "core/base/os.h"
#include "core/base/text.h"

/* ---- members ------------------------------------------------------------------------------------------------- */

int manifest_set(char **member, const char *value, struct err *err)
{
    char *copy = strdup(value);

    if (!copy)
        return err_no_memory(err);
    free(*member);
    *member = copy;
    return 0;
}

#define TEXTS(m)                                                                                                     \
    {                                                                                                                \
        &(m)->app, &(m)->environment, &(m)->label, &(m)->file, &(m)->etag, &(m)->globals_file, &(m)->sfb_version,    \
            &(m)->tool_version, &(m)->host, &(m)->user, &(m)->audit_head, &(m)->database.name, &(m)->database.owner, \
            &(m)->database.encoding, &(m)->database.collate, &(m)->database.ctype, &(m)->database.locale_provider,   \
            &(m)->database.locale, &(m)->database.lc_monetary, &(m)->database.server_version,                        \
            &(m)->database.system_identifier, &(m)->database.lsn                                                     \
    }

void manifest_init(struct manifest *m)
{
    char **texts[] = TEXTS(m);

    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = calloc(1, 1);
        if (!*texts[i])
            abort(); /* twenty bytes: the header promises strings, and nothing could be done without them */
    }
}

void manifest_release(struct manifest *m)
{
    char **texts[] = TEXTS(m);

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(*texts[i]);
    for (size_t i = 0; i < m->n_tables; i++) {
        free(m->tables[i].schema);
        free(m->tables[i].name);
        for (size_t j = 0; j < m->tables[i].n_columns; j++)
            free(m->tables[i].columns[j]);
        free(m->tables[i].columns);
    }
    free(m->tables);
    for (size_t i = 0; i < m->n_extensions; i++) {
        free(m->extensions[i].name);
        free(m->extensions[i].version);
    }
    free(m->extensions);
    memset(m, 0, sizeof *m);
}

/* Room for one more of n items: sizes grow by doubling at the powers of two, so no capacity is kept. */
static void *grow(void *items, size_t n, size_t item_size, struct err *err)
{
    void *more;

    if (n > 0 && (n & (n - 1)) != 0)
        return items;
    more = reallocarray(items, n > 0 ? 2 * n : 1, item_size);
    if (!more)
        err_no_memory(err);
    return more;
}

struct manifest_table *manifest_add_table(struct manifest *m, const char *schema, const char *name, struct err *err)
{
    struct manifest_table *t, *tables = grow(m->tables, m->n_tables, sizeof *tables, err);

    if (!tables)
        return NULL;
    m->tables = tables;
    t = &tables[m->n_tables];
    memset(t, 0, sizeof *t);
    if (manifest_set(&t->schema, schema, err) < 0 || manifest_set(&t->name, name, err) < 0) {
        free(t->schema);
        return NULL;
    }
    m->n_tables++;
    return t;
}

int manifest_add_column(struct manifest_table *t, const char *column, struct err *err)
{
    char **columns = grow(t->columns, t->n_columns, sizeof *columns, err);

    if (!columns)
        return -1;
    t->columns = columns;
    columns[t->n_columns] = NULL;
    if (manifest_set(&columns[t->n_columns], column, err) < 0)
        return -1;
    t->n_columns++;
    return 0;
}

int manifest_add_extension(struct manifest *m, const char *name, const char *version, struct err *err)
{
    struct manifest_extension *e, *extensions = grow(m->extensions, m->n_extensions, sizeof *extensions, err);

    if (!extensions)
        return -1;
    m->extensions = extensions;
    e = &extensions[m->n_extensions];
    memset(e, 0, sizeof *e);
    if (manifest_set(&e->name, name, err) < 0 || manifest_set(&e->version, version, err) < 0) {
        free(e->name);
        return -1;
    }
    m->n_extensions++;
    return 0;
}

const struct manifest_table *manifest_find_table(const struct manifest *m, const char *schema, const char *name)
{
    for (size_t i = 0; i < m->n_tables; i++)
        if (strcmp(m->tables[i].name, name) == 0 && strcmp(m->tables[i].schema, schema) == 0)
            return &m->tables[i];
    return NULL;
}

uint64_t manifest_rows(const struct manifest *m)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < m->n_tables; i++)
        rows += m->tables[i].tally.rows;
    return rows;
}

/* ---- what holds for every manifest ----------------------------------------------------------------------------- */

static bool is_hex(const char *text, size_t digits)
{
    return strlen(text) == digits && strspn(text, "0123456789abcdef") == digits;
}

/* A name in the backup's own directory: it will be opened, and one day deleted. */
static bool is_file_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* Can rows and bytes of all tables be added up and written? */
static bool sums_fit(const struct manifest *m)
{
    uint64_t rows = 0, bytes = 0;

    for (size_t i = 0; i < m->n_tables; i++) {
        const struct tally *t = &m->tables[i].tally;
        if (t->rows > MANIFEST_NUMBER_MAX - rows || t->bytes > MANIFEST_NUMBER_MAX - bytes)
            return false;
        rows += t->rows;
        bytes += t->bytes;
    }
    return true;
}

int manifest_check(const struct manifest *m, enum err_class class, struct err *err)
{
    const char *wrong = NULL;

    if (!is_file_name(m->file))
        wrong = "file";
    else if (*m->globals_file && !is_file_name(m->globals_file))
        wrong = "globals_file";
    else if (m->contents_size > m->size || (m->contents_size > 0) != is_hex(m->contents_sha256, 64))
        wrong = "contents_sha256";
    else if (*m->data_sha256 && (!is_hex(m->data_sha256, 64) || m->contents_size == 0))
        wrong = "data_sha256";
    else if (!is_hex(m->md5, 32) && (*m->md5 || !*m->data_sha256))
        wrong = "md5";
    else if (!is_hex(m->sha256, 64) && (*m->sha256 || !*m->data_sha256))
        wrong = "sha256";
    else if (*m->globals_sha256 ? !is_hex(m->globals_sha256, 64) : *m->globals_file != '\0')
        wrong = "globals_sha256";
    else if (!(m->dump_seconds >= 0) || m->dump_seconds > 1e9)
        wrong = "dump_seconds";
    else if (m->level < -100 || m->level > 100)
        wrong = "level";
    else if (m->retention_days < 0)
        wrong = "retention_days";
    else if (!sums_fit(m))
        wrong = "totals";
    if (wrong)
        return err_set(err, class, "the manifest is wrong: \"%s\" can't be what it says", wrong);
    return 0;
}

/* ---- names --------------------------------------------------------------------------------------------------- */

static const char *const endings[] = { ".dump", ".sql", ".sql.gz" };
#define STAMP_LENGTH 15 /* YYYYMMDD-HHMMSS */

const char *manifest_tier_name(enum tier t)
{
    static const char *const names[TIER_COUNT] = { "daily", "weekly", "monthly", "manual" };

    return names[t];
}

const char *manifest_method_name(enum backup_method m)
{
    return m == METHOD_ZSTD ? "zstd" : m == METHOD_GZIP ? "gzip" : "none";
}

const char *manifest_extension_of(enum backup_format format, enum backup_method method)
{
    return format == FORMAT_CUSTOM ? ".dump" : method == METHOD_NONE ? ".sql" : ".sql.gz";
}

char *manifest_file_name(const char *label, time_t started, const char *extension)
{
    char stamp[CLOCK_TEXT], *name;

    if (asprintf(&name, "%s-%s%s", label && *label ? label : "backup", clock_stamp(stamp, started), extension) < 0)
        return NULL;
    return name;
}

/* The length of a path without the ending of a backup; 0 when it has none, or nothing before it. */
static size_t stem_length(const char *path)
{
    const char *name = os_basename(path);

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (text_ends(name, endings[i]) && strlen(name) > strlen(endings[i]))
            return strlen(path) - strlen(endings[i]);
    return 0;
}

static char *companion(const char *path, const char *ending)
{
    size_t stem = stem_length(path);
    char *name;

    if (stem == 0 || asprintf(&name, "%.*s%s", (int)stem, path, ending) < 0)
        return NULL;
    return name;
}

char *manifest_path_of(const char *backup_path)
{
    return companion(backup_path, MANIFEST_ENDING);
}

char *manifest_globals_path_of(const char *backup_path)
{
    return companion(backup_path, ".globals.sql");
}

/* The stamp at the end of a name's first `stem` bytes. */
static bool parse_stamp(const char *name, size_t stem, time_t *started)
{
    if (stem < STAMP_LENGTH + 2 || name[0] == '.') /* a letter and a dash at least before it */
        return false;
    return name[stem - STAMP_LENGTH - 1] == '-' && clock_parse_stamp(name + stem - STAMP_LENGTH, started);
}

bool manifest_parse_name(const char *path, time_t *started, enum backup_format *format)
{
    const char *name = os_basename(path);

    if (!parse_stamp(name, stem_length(name), started))
        return false;
    *format = text_ends(name, ".dump") ? FORMAT_CUSTOM : FORMAT_SQL;
    return true;
}

bool manifest_parse_own_name(const char *path, time_t *started)
{
    const char *name = os_basename(path);

    return text_ends(name, MANIFEST_ENDING) && parse_stamp(name, strlen(name) - strlen(MANIFEST_ENDING), started);
}

int manifest_check_label(const char *label, struct err *err)
{
    size_t n = strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    if (n == 0 || label[n] || n > 64 || *label == '.' || *label == '-') {
        err_set(err, ERR_USAGE, "the label \"%s\" can't be a part of a file name", label);
        err_hint(err, "use at most 64 letters, digits, dots, dashes and underscores, a letter or digit first");
        return -1;
    }
    if (strcmp(label, "backup") == 0 || text_ends(label, "-backup") || text_starts(label, "pre-restore")) {
        err_set(err, ERR_USAGE, "the label \"%s\" would make this backup look like one of sfb's own series", label);
        err_hint(err, "choose another, for example \"pre-migration\"");
        return -1;
    }
    return 0;
}
