/* SPDX-License-Identifier: PostgreSQL */
/* open_store.h - a store in the directory "store" of a test's own directory. */
#pragma once
#include <stdlib.h>
#include "core/store/store.h"
#include "test/unit/unit.h"

static inline struct store *open_store(int rights)
{
    const struct store_params p = { .rights = rights };
    struct err err = { 0 };
    struct store *store;
    char url[4200], *dir = getcwd(NULL, 0);

    snprintf(url, sizeof url, "file://%s/store", dir);
    free(dir);
    store = store_open(url, &p, &err);
    if (store == NULL)
        fail_msg("%s", err.message);
    return store;
}
