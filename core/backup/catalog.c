/* SPDX-License-Identifier: PostgreSQL */
/* catalog.c - the backups in a directory, and the local cache. */
#include "core/backup/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/os.h"
#include "core/base/text.h"

/* ---- reading ------------------------------------------------------------------------------------------------- */

void catalog_release_item(struct catalog_item *item)
{
    free(item->path);
    if (item->has_manifest)
        manifest_release(&item->manifest);
}

/* 1: a backup is described in *item; 0: the file is none, or none of the environment; -1: err. */
static int read_item(const char *directory, const char *name, const char *environment, struct catalog_item *item,
                     struct err *err)
{
    struct err ignored = { .class = ERR_NONE };
    enum backup_format format;
    char *manifest_path = NULL;
    struct stat st;
    int rc = -1;

    memset(item, 0, sizeof *item);
    if (!manifest_parse_name(name, &item->started, &format))
        return 0;
    item->path = os_path(directory, name);
    manifest_path = item->path ? manifest_path_of(item->path) : NULL;
    if (!manifest_path) {
        err_no_memory(err);
        goto out;
    }
    rc = 0;
    if (lstat(item->path, &st) < 0 || !S_ISREG(st.st_mode))
        goto out;
    item->size = (uint64_t)st.st_size;
    item->has_manifest = manifest_load(manifest_path, &item->manifest, &ignored) == 0;
    item->closed = !item->has_manifest && access(manifest_path, R_OK) < 0 && errno == EACCES;
    if (item->has_manifest)
        item->started = item->manifest.started;
    rc = !environment || (item->has_manifest && strcmp(item->manifest.environment, environment) == 0);
out:
    free(manifest_path);
    if (rc != 1)
        catalog_release_item(item);
    return rc;
}

static int newest_first(const void *a, const void *b)
{
    const struct catalog_item *x = a, *y = b;

    if (x->started != y->started)
        return x->started > y->started ? -1 : 1;
    return strcmp(x->path, y->path);
}

int catalog_read(const char *directory, const char *environment, struct catalog *out, struct err *err)
{
    DIR *d = opendir(directory);
    struct dirent *entry;
    int rc = -1;

    memset(out, 0, sizeof *out);
    if (!d)
        return err_errno(err, "can't list %s", directory);
    for (errno = 0; (entry = readdir(d)) != NULL; errno = 0) {
        struct catalog_item item, *items;
        int found = read_item(directory, entry->d_name, environment, &item, err);

        if (found < 0)
            goto out;
        if (found == 0)
            continue;
        items = reallocarray(out->items, out->n + 1, sizeof *items);
        if (!items) {
            catalog_release_item(&item);
            err_no_memory(err);
            goto out;
        }
        out->items = items;
        items[out->n++] = item;
    }
    if (errno != 0) {
        err_errno(err, "can't list %s", directory);
        goto out;
    }
    if (out->n > 0)
        qsort(out->items, out->n, sizeof *out->items, newest_first);
    rc = 0;
out:
    closedir(d);
    if (rc < 0)
        catalog_release(out);
    return rc;
}

void catalog_release(struct catalog *c)
{
    for (size_t i = 0; i < c->n; i++)
        catalog_release_item(&c->items[i]);
    free(c->items);
    memset(c, 0, sizeof *c);
}

const struct catalog_item *catalog_newest(const struct catalog *c, time_t t)
{
    for (size_t i = 0; i < c->n; i++)
        if (t == 0 || c->items[i].started <= t)
            return &c->items[i];
    return NULL;
}

bool catalog_is_complete(const struct catalog_item *item)
{
    return item->has_manifest && item->manifest.size == item->size &&
           strcmp(item->manifest.file, os_basename(item->path)) == 0;
}

/* ---- the cache: adding --------------------------------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* *added: the file was not there before, so that it is ours to remove when the rest fails. */
static int add_file(const char *from, const char *to, bool *added, struct err *err)
{
    if (same_file(from, to))
        return 0;
    if (os_link_or_copy(from, to, err) < 0)
        return -1;
    *added = true;
    return 0;
}

/* The manifest of the cached files differs in their names only. */
static int add_manifest(const struct manifest *m, const char *dump, const char *globals, const char *path,
                        struct err *err)
{
    struct manifest cached = *m;
    struct os_file file = OS_FILE_CLOSED;
    struct buf text;
    int rc = -1;

    buf_init(&text, MANIFEST_MAX);
    cached.file = (char *)os_basename(dump); /* borrowed: `cached` is not released */
    cached.globals_file = (char *)(globals ? os_basename(globals) : "");
    if (!globals)
        cached.globals_sha256[0] = '\0';
    if (manifest_write(&cached, &text, err) < 0 || os_file_create(&file, path, err) < 0 ||
        os_write(file.fd, text.data, text.size, path, err) < 0)
        goto out;
    rc = os_file_commit(&file, err);
out:
    os_file_discard(&file);
    buf_release(&text);
    return rc;
}

int catalog_cache_add(const char *cache, const struct manifest *m, const char *path, const char *globals_path,
                      char **cached_path, struct err *err)
{
    char *name = manifest_file_name(m->label, m->started, manifest_extension_of(m->format, m->method));
    char *dump = name ? os_path(cache, name) : NULL;
    char *globals = dump ? manifest_globals_path_of(dump) : NULL;
    char *manifest = dump ? manifest_path_of(dump) : NULL;
    bool dump_added = false, globals_added = false;
    int rc = -1;

    if (cached_path)
        *cached_path = NULL;
    if (!globals || !manifest) {
        err_no_memory(err);
        goto out;
    }
    os_sweep_partials(cache, ""); /* of copies that were killed */
    if (add_file(path, dump, &dump_added, err) < 0)
        goto out;
    if (globals_path && add_file(globals_path, globals, &globals_added, err) < 0)
        goto out;
    /* the directory that the backup was made in is the cache: its manifest is there */
    if ((dump_added || access(manifest, F_OK) != 0) &&
        add_manifest(m, dump, globals_path ? globals : NULL, manifest, err) < 0)
        goto out;
    if (cached_path) {
        *cached_path = dump;
        dump = NULL;
    }
    rc = 0;
out:
    if (rc < 0 && globals_added)
        unlink(globals);
    if (rc < 0 && dump_added)
        unlink(dump);
    free(name);
    free(dump);
    free(globals);
    free(manifest);
    return rc;
}

/* ---- the cache: removing ------------------------------------------------------------------------------------- */

static int remove_file(const char *path, struct err *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return err_errno(err, "can't remove %s", path);
    return 0;
}

/* Manifest first: what is left when it stops half way no longer counts as a backup. */
static int remove_backup(const struct catalog_item *item, struct err *err)
{
    char *manifest = manifest_path_of(item->path);
    char *globals = manifest_globals_path_of(item->path);
    int rc = -1;

    if (!manifest || !globals) {
        err_no_memory(err);
        goto out;
    }
    if (remove_file(manifest, err) < 0 || remove_file(item->path, err) < 0)
        goto out;
    /* only what stands beside it and what its manifest names; another backup's globals are not ours to remove */
    if (strcmp(item->manifest.globals_file, os_basename(globals)) == 0 && remove_file(globals, err) < 0)
        goto out;
    rc = 0;
out:
    free(manifest);
    free(globals);
    return rc;
}

/* Is it of the series that is trimmed, and does its manifest name this very file? */
static bool is_trimmed(const struct catalog_item *item)
{
    return item->has_manifest && item->manifest.tier == TIER_DAILY &&
           strcmp(item->manifest.file, os_basename(item->path)) == 0;
}

/* The index behind the keep-th newest complete backup: what stands from there on may go. Damaged ones are not counted,
 * so that they push no good one out. */
static size_t first_to_remove(const struct catalog *c, size_t keep)
{
    size_t good = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (is_trimmed(&c->items[i]) && catalog_is_complete(&c->items[i]))
            good++;
        if (good == keep)
            return i + 1;
    }
    return c->n;
}

/* Looks again: nobody shall believe that old backups go while they fill the disk. */
static int check_removed(const struct catalog *before, size_t from, struct err *err)
{
    struct stat st;

    for (size_t i = from; i < before->n; i++)
        if (is_trimmed(&before->items[i]) && lstat(before->items[i].path, &st) == 0) {
            err_set(err, ERR_IO, "%s was removed from the cache, but is still there", before->items[i].path);
            err_hint(err, "see who else writes to the directory, and remove it by hand");
            return -1;
        }
    return 0;
}

int catalog_cache_trim(const char *cache, const char *environment, size_t keep, struct err *err)
{
    struct catalog c;
    size_t from;
    int rc = 0;

    if (keep == 0) /* never nothing */
        keep = 1;
    if (catalog_read(cache, environment, &c, err) < 0)
        return -1;
    from = first_to_remove(&c, keep);
    for (size_t i = from; i < c.n; i++)
        if (is_trimmed(&c.items[i]) && remove_backup(&c.items[i], err) < 0)
            rc = -1; /* the others may go all the same; the first failure is told */
    if (rc == 0)
        rc = check_removed(&c, from, err);
    catalog_release(&c);
    return rc;
}
