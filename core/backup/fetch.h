/* SPDX-License-Identifier: PostgreSQL */
/* fetch.h - finds a backup in a store, and brings it to this host.
 *
 *     s3://BUCKET/production/daily/backup-….dump    that one
 *     latest, latest@weekly                         the newest good one of the environment, in any or in one tier
 *     with a moment                                 the newest that is not from after it, of the same series
 *
 * A backup of which the local cache has a copy with the same checksum is not downloaded. One that is downloaded lands in
 * the work directory, whole or not at all, with its manifest and globals beside it; the version that was found is pinned
 * by its ETag, so that one replaced meanwhile is noticed. Whether it is the one that the manifest describes its checksum
 * tells, not its ETag: that changes when a bucket is copied by other means than the server's own.
 */
#pragma once
#include <stdbool.h>
#include <time.h>
#include "core/backup/manifest.h"
#include "core/backup/places.h"
#include "core/backup/settings.h"
#include "core/store/store.h"

struct fetch_params {
    const struct settings *settings;
    const struct places *places;
    const char *what;        /* as above */
    const char *environment; /* whose backups "latest" means */
    time_t moment;           /* 0: none */
};

struct fetched {
    struct store *store; /* open for reading */
    char *key, *url;
    bool has_manifest;
    struct manifest manifest;
    struct store_info info;
    time_t taken;
    char why[160]; /* why this one: "the newest of 41 good backups of production" */
    char *path;    /* after fetch_bring */
    bool cached;   /* path is the cache's */
    int room;      /* the locked directory of path; 0: none */
};

/* Is it for this module? Else it is a file's path. */
bool fetch_is_meant(const char *what);

/* Finds it, reads its manifest. ERR_NOT_FOUND, ERR_STORE, ERR_CONFIG. On failure, too, fetched_release. */
int fetch_find(const struct fetch_params *p, struct fetched *out, struct err *err);

/* Has it another ETag than its manifest says? Then that is warned of, and what will tell instead: "its checksum". */
bool fetch_doubts(const struct fetched *f, const char *what_tells);

/* The cache's copy of it: one with the same checksum; the caller frees. NULL: there is none. */
char *fetch_cached(const struct fetch_params *p, const struct fetched *f);

/* Brings it here: f->path. f->cached tells that nothing had to be downloaded. */
int fetch_bring(const struct fetch_params *p, struct fetched *f, struct err *err);

/* Removes what downloads of killed runs left in the work directory: directories of ours whose process is gone. */
void fetch_sweep(const struct settings *s, const struct places *places);

void fetched_release(struct fetched *f); /* removes what was downloaded */
