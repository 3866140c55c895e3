/* SPDX-License-Identifier: PostgreSQL */
/* stored.h - a backup in a store as a file to walk: one version of it, read in ranges.
 *
 *     stored_open(&stored, store, key, NULL, &file, err);      file: for core/pg/walk.h
 *     stored_expect(&stored, from, to, err);                   what is read in order there comes in one request
 *     stored_close(&stored);
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "core/pg/walk.h"
#include "core/store/store.h"

struct stored {
    struct store *store;
    const char *key; /* the caller's */
    struct store_info info;
    struct store_reader *ahead; /* NULL: none */
    _Atomic uint64_t at;        /* where it is; UINT64_MAX: nowhere */
    uint64_t end;
    pthread_mutex_t lock; /* of ahead */
};

/* info NULL: the store is asked. ERR_NOT_FOUND, ERR_STORE; on failure nothing is open. */
int stored_open(struct stored *s, struct store *store, const char *key, const struct store_info *info,
                struct walk_file *file, struct err *err);
int stored_expect(struct stored *s, uint64_t from, uint64_t to, struct err *err);
void stored_close(struct stored *s); /* fine on zeros */
