/* SPDX-License-Identifier: PostgreSQL */
/* snapshot.h - takes one backup: dump, globals and manifest, as files that appear whole or not at all.
 *
 * The order is what makes it safe: the dump is written under a partial name, synced, then linked to its name; then the
 * globals; the manifest last, since a backup without a manifest does not count. Whatever fails, what this run had made
 * is removed again.
 */
#pragma once
#include <stdbool.h>
#include "core/backup/manifest.h"
#include "core/base/err.h"
#include "core/pg/dump.h"

struct snapshot_params {
    struct dump *dump;       /* open */
    const char *app, *environment, *label;
    enum backup_format format;
    enum backup_method method;
    int level;
    unsigned jobs;
    int retention_days;
    time_t started;          /* names the files */
    const char *directory;
    const char *prefix;      /* before "backup-..." in file names: "signupflow-"; "" for none */
    bool quiet;              /* no warnings about globals that can't be read: a pre-restore backup */
};

struct snapshot {
    struct manifest manifest;
    char *path, *globals_path, *manifest_path; /* globals_path NULL: the server would not let us read them */
};

/* ERR_SPACE when the directory's file system has less free than the dump is expected to need (`snapshot_expected`). */
int snapshot_check_space(const struct snapshot_params *p, struct err *err);
uint64_t snapshot_expected(uint64_t table_bytes, enum backup_method method, int level);

/* Tables with their columns, rows and fingerprints, and the large objects, into m. Also for an archive that was walked. */
int snapshot_describe_contents(const struct archive_blocks *blocks, const struct tally *objects, struct manifest *m,
                               struct err *err);

int snapshot_take(const struct snapshot_params *p, struct snapshot *out, struct err *err);
void snapshot_remove_files(const struct snapshot *s); /* manifest first */
void snapshot_release(struct snapshot *s);
