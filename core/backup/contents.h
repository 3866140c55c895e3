/* SPDX-License-Identifier: PostgreSQL */
/* contents.h - what is in a backup file: its tables, largest first.
 *
 * The manifest beside the file tells; without one the archive is read through (core/pg/walk.h), which takes as long as a
 * verification does. Plain SQL without a manifest can't be told. A backup in a store is read where it is, in ranges of
 * one version.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "core/backup/manifest.h"
#include "core/base/err.h"
#include "core/store/store.h"

struct contents_table {
    char *schema, *name;
    bool counted;         /* rows is known: not so of data that was dumped as INSERTs */
    uint64_t rows, bytes; /* bytes: of COPY text */
};

struct contents {
    char *path;
    uint64_t size; /* of the file */
    bool has_manifest;
    struct manifest manifest;                       /* when has_manifest */
    char *database, *server_version, *tool_version; /* "" when it is not known */
    struct contents_table *tables;                  /* by bytes, the largest first; then by name */
    size_t n;
    struct tally objects; /* large objects */
};

/* ERR_NOT_FOUND: no such file, or it can't be opened. ERR_DAMAGED: it is no archive, or is broken. */
int contents_read(const char *path, unsigned jobs, struct contents *out, struct err *err);
/* The same of a backup in a store. ERR_STORE when it can't be read. */
int contents_read_stored(struct store *store, const char *key, unsigned jobs, struct contents *out, struct err *err);
void contents_release(struct contents *c);

/* The table of contents alone, as pg_restore --list prints it; added to out. Of one in a store just that is fetched. */
int contents_toc(const char *path, struct buf *out, struct err *err);
int contents_toc_stored(struct store *store, const char *key, struct buf *out, struct err *err);
