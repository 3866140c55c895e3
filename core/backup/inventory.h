/* SPDX-License-Identifier: PostgreSQL */
/* inventory.h - which backups there are, wherever they are: on this host, in a directory, in a store.
 *
 * Each call adds to the catalog, which starts from zeros and is the caller's to release; inventory_sort puts the newest
 * first at the end. Paths are such as `sfb restore` takes: of a backup in a store, its URL. environment NULL: all.
 */
#pragma once
#include "core/backup/catalog.h"
#include "core/backup/proofs.h"
#include "core/backup/settings.h"

/* A directory's. One that is not there holds none. */
int inventory_directory(struct catalog *all, const char *directory, const char *environment, struct err *err);

/* This host's: the cache, and in the work directory, where others keep files too, those that sfb made for this
 * application and that the cache does not hold as well. */
int inventory_host(struct catalog *all, const struct settings *s, const char *environment, struct err *err);

/* A store's, and the drills that it knows of; url NULL: the settings'. `seconds` >= 0: trouble is given up after so long,
 * whatever the settings say. */
int inventory_store(struct catalog *all, struct proofs *proofs, const struct settings *s, const char *url,
                    const char *environment, int seconds, struct err *err);

void inventory_sort(struct catalog *all);
