/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/inventory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup/repository.h"
#include "core/base/os.h"
#include "core/base/text.h"

/* ---- directories ----------------------------------------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_listed(const struct catalog *c, const char *path)
{
    for (size_t i = 0; i < c->n; i++)
        if (same_file(c->items[i].path, path))
            return true;
    return false;
}

static bool is_of_app(const struct catalog_item *item, const char *app)
{
    return item->has_manifest ? strcmp(item->manifest.app, app) == 0 : text_starts(os_basename(item->path), app);
}

/* Moves the items, with only_app just those, into all; found keeps the rest. */
static int move(struct catalog *all, struct catalog *found, const char *only_app, struct err *err)
{
    struct catalog_item *items = reallocarray(all->items, all->n + found->n + 1, sizeof *items);
    size_t n = all->n;

    if (!items)
        return err_no_memory(err);
    all->items = items;
    for (size_t i = 0; i < found->n; i++) {
        const struct catalog_item *item = &found->items[i];

        if (only_app && (!is_of_app(item, only_app) || is_listed(all, item->path)))
            continue;
        items[n++] = *item;
        memset(&found->items[i], 0, sizeof found->items[i]);
    }
    all->n = n;
    return 0;
}

static int add_directory(struct catalog *all, const char *directory, const char *environment, const char *only_app,
                         struct err *err)
{
    struct catalog found;
    int rc;

    if (!*directory || access(directory, F_OK) < 0)
        return 0;
    if (catalog_read(directory, environment, &found, err) < 0)
        return -1;
    rc = move(all, &found, only_app, err);
    catalog_release(&found);
    return rc;
}

int inventory_directory(struct catalog *all, const char *directory, const char *environment, struct err *err)
{
    return add_directory(all, directory, environment, NULL, err);
}

int inventory_host(struct catalog *all, const struct settings *s, const char *environment, struct err *err)
{
    if (add_directory(all, settings_get(s, SETTING_CACHE_DIR), environment, NULL, err) < 0)
        return -1;
    return add_directory(all, settings_get(s, SETTING_WORK_DIR), environment, settings_get(s, SETTING_APP), err);
}

/* ---- stores ---------------------------------------------------------------------------------------------------- */

/* Keys become URLs. */
static int name_fully(struct store *store, struct catalog *c, struct err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        struct buf url;
        char *text;

        buf_init(&url, 8192);
        if (store_key_url(store, c->items[i].path, &url, err) < 0) {
            buf_release(&url);
            return -1;
        }
        text = buf_take(&url, err);
        if (!text)
            return -1;
        free(c->items[i].path);
        c->items[i].path = text;
    }
    return 0;
}

int inventory_store(struct catalog *all, struct proofs *proofs, const struct settings *s, const char *url,
                    const char *environment, int seconds, struct err *err)
{
    struct catalog found = { NULL, 0 };
    struct store *store = seconds < 0 ? repository_open(s, url, STORE_READ, err)
                                      : repository_open_briefly(s, url, STORE_READ, (unsigned)seconds, err);
    int rc = -1;

    if (store && repository_catalog(store, "", environment, &found, err) == 0 && name_fully(store, &found, err) == 0 &&
        proofs_read_store(proofs, store, environment, err) == 0)
        rc = move(all, &found, NULL, err);
    catalog_release(&found);
    store_close(store);
    return rc;
}

/* ---- order ----------------------------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const struct catalog_item *x = a, *y = b;

    return x->started == y->started ? strcmp(x->path, y->path) : x->started > y->started ? -1 : 1;
}

void inventory_sort(struct catalog *all)
{
    if (all->n > 0)
        qsort(all->items, all->n, sizeof *all->items, newest_first);
}
