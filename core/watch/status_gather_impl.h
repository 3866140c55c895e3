/* SPDX-License-Identifier: PostgreSQL */
/* status_gather_impl.h - for the status_gather*.c files: one gathering. */
#pragma once
#include "core/watch/status_gather.h"

/* A backup in the store, as far as its keys tell. */
struct status_stored {
    char *stem; /* "production/daily/backup-20251023-020000" */
    char *file; /* of the dump, without its directory; NULL: there is a manifest alone */
    enum tier tier;
    time_t started, modified;
    uint64_t size;
    char etag[128];
    bool has_manifest;
};

struct status_gathering {
    const struct status_params *p;
    struct status_facts *facts;
    struct places places; /* state and cache, where they can be read */
    struct catalog cache; /* the environment's */
    struct status_stored *stored;
    size_t n_stored, room;
};

/* status_gather_store.c: everything that is asked of the store. -1 only as status_gather. */
int status_gather_store(struct status_gathering *g, struct err *err);

/* status_gather_merge.c: the backups of all sources as one list; what of it disagrees. */
int status_gather_merge(struct status_gathering *g, const char *store_url, struct err *err);
