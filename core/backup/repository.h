/* SPDX-License-Identifier: PostgreSQL */
/* repository.h - the backups in a store: where each has its key, and what its manifest says.
 *
 *     ENV/daily/backup-20251023-020000.dump           weekly/ and monthly/ hold promoted copies
 *     ENV/daily/backup-20251023-020000.manifest.json  written last, deleted first
 *     ENV/daily/backup-20251023-020000.globals.sql
 *     manual/LABEL-20251023-020000.dump               kept until somebody deletes it
 *
 * Keys are relative to the store's URL, s3://BUCKET[/PREFIX] or file:///DIR.
 */
#pragma once
#include "core/backup/catalog.h"
#include "core/backup/settings.h"
#include "core/io/peer.h"
#include "core/store/store.h"

/* The store of the settings (SFB_BUCKET, SFB_S3_PREFIX, ...), or the one that url names (NULL: the settings'). */
struct store *repository_open(const struct settings *s, const char *url, int rights, struct err *err);
/* The same for somebody who waits at a terminal: a request that fails is given up after `seconds` (0: at once). */
struct store *repository_open_briefly(const struct settings *s, const char *url, int rights, unsigned seconds,
                                      struct err *err);

/* Can it be used at all? Finds the credentials, of a store that needs them; asks the store itself nothing. */
int repository_check(struct store *store, struct err *err);

/* What lies around a store, for those who look after it. A directory has none of it.
 * Multipart uploads that nobody has finished for a day: how many, and since when the oldest. *denied tells a missing
 * right from other trouble. */
int repository_open_uploads(struct store *store, time_t now, size_t *n, time_t *oldest, bool *denied, struct err *err);
/* How its server shows itself over TLS; false: not known. */
bool repository_peer(struct store *store, struct peer *out);

/* "production/daily/FILE", "manual/FILE"; the caller frees. NULL without memory. */
char *repository_key(const char *environment, enum tier tier, const char *file);

/* The manifest of the dump at `key`: ERR_NOT_FOUND when there is none, ERR_DAMAGED when it is not one. */
int repository_manifest(struct store *store, const char *key, struct manifest *m, struct err *err);

/* All backups under a prefix ("": everything), newest first; environment NULL: all. Manifests are fetched in parallel;
 * the items' paths are keys. */
int repository_catalog(struct store *store, const char *prefix, const char *environment, struct catalog *out,
                       struct err *err);

/* The keys of all that a backup is made of, REPOSITORY_KEYS at most (the rest is NULL), in the order in which it is
 * deleted; the caller frees. */
#define REPOSITORY_KEYS 3
int repository_keys(const struct catalog_item *item, char **keys, struct err *err);

/* Manifest first, then dump and globals: what is left of a deletion that was cut short is no backup any more. */
int repository_delete(struct store *store, const struct catalog_item *item, struct err *err);

/* Puts the manifest of the dump at `key`, with the names, tier and retention that it has there. */
int repository_put_manifest(struct store *store, const char *key, const struct manifest *m, struct err *err);
