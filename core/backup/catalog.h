/* SPDX-License-Identifier: PostgreSQL */
/* catalog.h - the backups in a directory, and the local cache.
 *
 * Backups are found by their names and described by their manifests; one without a manifest is listed with what its
 * name says. Sorted newest first.
 */
#pragma once
#include <stdbool.h>
#include "core/backup/manifest.h"
#include "core/base/err.h"

struct catalog_item {
    char *path;
    time_t started;
    uint64_t size;
    bool has_manifest;
    bool closed;              /* it has one, but we have no right to read it */
    struct manifest manifest; /* when has_manifest */
};

struct catalog {
    struct catalog_item *items;
    size_t n;
};

/* environment NULL: all. Files whose manifest can't be read count as without one. */
int catalog_read(const char *directory, const char *environment, struct catalog *out, struct err *err);
void catalog_release(struct catalog *c);
void catalog_release_item(struct catalog_item *item);

/* Has it a manifest that names this file and its size? Without reading it, that is all that can be told. */
bool catalog_is_complete(const struct catalog_item *item);

/* The newest item that is not after t (0: the newest); NULL when there is none. */
const struct catalog_item *catalog_newest(const struct catalog *c, time_t t);

/* The cache: dump, globals and manifest are linked (or copied) in, manifest last, as backup-... without the work
 * file's prefix. *cached_path (NULL: not wanted) is the dump's, the caller frees. On failure nothing stays in the cache. */
int catalog_cache_add(const char *cache, const struct manifest *m, const char *path, const char *globals_path,
                      char **cached_path, struct err *err);

/* Removes the environment's daily backups but the newest `keep` (0 counts as 1) complete ones and what is newer than
 * those, manifest first. Only files that their own manifest names; what has none, or belongs elsewhere, stays. Looks
 * afterwards whether they are gone. */
int catalog_cache_trim(const char *cache, const char *environment, size_t keep, struct err *err);
