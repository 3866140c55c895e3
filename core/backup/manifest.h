/* SPDX-License-Identifier: PostgreSQL */
/* manifest.h - what a backup is: the JSON that stands beside it, written last.
 *
 * A backup without a manifest is a backup that was not finished, or one that another tool made. The manifest holds
 * nothing secret. Text that is not UTF-8 (a name in a SQL_ASCII database) stands there as {"hex": "..."}. The shape is
 * fixed by packaging/manifest.schema.json; "manifest_version" grows when a reader must know more. Unknown members are
 * ignored; a missing or malformed one is ERR_DAMAGED, with its name.
 *
 * Names: a backup taken at 2025-10-23 14:32:15 UTC is backup-20251023-143215.dump (.sql, .sql.gz), and its companions
 * backup-20251023-143215.manifest.json and backup-20251023-143215.globals.sql; with a label, LABEL-20251023-143215.dump.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/pg/tally.h"

enum backup_format { FORMAT_CUSTOM, FORMAT_SQL };
enum backup_method { METHOD_NONE, METHOD_GZIP, METHOD_ZSTD };
enum tier { TIER_DAILY, TIER_WEEKLY, TIER_MONTHLY, TIER_MANUAL, TIER_COUNT };

struct manifest_table {
    char *schema, *name;
    char **columns; /* as COPY names them, in its order; n_columns 0: a table without columns */
    size_t n_columns;
    struct tally tally;
};

struct manifest_extension {
    char *name, *version;
};

struct manifest_database {
    char *name, *owner, *encoding, *collate, *ctype;
    char *locale_provider; /* "c" libc, "i" icu, "b" builtin: pg_database.datlocprovider; "c" before 15 */
    char *locale;          /* ICU or builtin locale, "" when there is none */
    char *lc_monetary;     /* of the dumping session: text of type money depends on it */
    char *server_version;  /* as the server says it, "15.18 (Debian 15.18-0+deb12u1)" */
    int server_version_num;
    char *system_identifier; /* "" when it could not be read */
    char *lsn;               /* WAL position at the snapshot, "16/B374D848"; "" when it could not be read */
    uint64_t size;           /* pg_database_size */
};

struct manifest {
    char *app, *environment, *label; /* label "": none */
    enum tier tier;
    char *file;         /* base name of the backup */
    char *globals_file; /* base name, "" when there is none */
    enum backup_format format;
    enum backup_method method;
    int level;
    time_t started, snapshot_at, finished;
    double dump_seconds;
    uint64_t size;                                /* of the file, bytes */
    char md5[33], sha256[65], globals_sha256[65]; /* lower-case hexadecimal; globals_sha256 "" without globals */
    /* Of a custom archive: header and table of contents, which take the first bytes, and the data behind them. What was
     * streamed into a store (its contents come last) has data_sha256 instead of md5 and sha256, which are "" then. */
    uint64_t contents_size;
    char contents_sha256[65], data_sha256[65];
    char *etag; /* as the store answered it for the dump; "" for a file that is in none */
    struct manifest_database database;
    struct manifest_table *tables; /* in the order of the archive */
    size_t n_tables;
    struct tally large_objects;
    struct manifest_extension *extensions;
    size_t n_extensions;
    char *sfb_version, *tool_version; /* "0.1.0", "pg_dump 15.18" */
    char *host, *user;                /* where and as whom sfb ran */
    char *audit_head;                 /* of the audit log when the backup began (audit_chain.h); "": none */
    int retention_days;               /* 0: kept forever */
    time_t expires;                   /* 0: never */
};

#define MANIFEST_MAX ((size_t)256 * 1024 * 1024)       /* bytes of JSON */
#define MANIFEST_NUMBER_MAX UINT64_C(9007199254740991) /* 2^53 - 1: beyond it JSON's readers round; refused both ways */

void manifest_init(struct manifest *m); /* all strings "" (allocated), all numbers 0 */
void manifest_release(struct manifest *m);

int manifest_write(const struct manifest *m, struct buf *out, struct err *err); /* JSON, indented, newline at the end */
int manifest_parse(const char *text, size_t n, struct manifest *m, struct err *err); /* m: initialised here */
int manifest_load(const char *path, struct manifest *m, struct err *err); /* ERR_NOT_FOUND when there is none */

/* Can it be a manifest at all? File names without directories, checksums of the right length, sane numbers. What is
 * written and what was read has passed it. `class`: of the error. */
int manifest_check(const struct manifest *m, enum err_class class, struct err *err);

/* Sets a string member: frees the old one and copies. Memory running out is ERR_INTERNAL. */
int manifest_set(char **member, const char *value, struct err *err);

struct manifest_table *manifest_add_table(struct manifest *m, const char *schema, const char *name, struct err *err);
int manifest_add_column(struct manifest_table *t, const char *column, struct err *err);
int manifest_add_extension(struct manifest *m, const char *name, const char *version, struct err *err);
const struct manifest_table *manifest_find_table(const struct manifest *m, const char *schema, const char *name);
uint64_t manifest_rows(const struct manifest *m); /* of all tables */

/* ---- names ----------------------------------------------------------------------------------------------------- */

const char *manifest_tier_name(enum tier t); /* "daily" */
const char *manifest_method_name(enum backup_method m);
const char *manifest_extension_of(enum backup_format format, enum backup_method method); /* ".dump" ".sql" ".sql.gz" */

/* "backup-20251023-143215" + extension; label NULL or "": "backup". The caller frees. */
char *manifest_file_name(const char *label, time_t started, const char *extension);

#define MANIFEST_ENDING ".manifest.json"

/* The companion of a backup by its path: same directory and stem, ".manifest.json" or ".globals.sql" for the ending.
 * NULL when the path does not end in .dump, .sql or .sql.gz, or without memory. The caller frees. */
char *manifest_path_of(const char *backup_path);
char *manifest_globals_path_of(const char *backup_path);

/* What a backup's file name says: any "PREFIX-YYYYMMDD-HHMMSS.(dump|sql|sql.gz)", also with a directory before it. */
bool manifest_parse_name(const char *path, time_t *started, enum backup_format *format);
/* The same of a manifest's own name. */
bool manifest_parse_own_name(const char *path, time_t *started);

/* May --label be this? ERR_USAGE: it is more than 64 letters, digits, dots, dashes and underscores, begins with a dot or
 * a dash, or would pose as one of sfb's own series ("backup", "shop-backup", "pre-restore"). */
int manifest_check_label(const char *label, struct err *err);
