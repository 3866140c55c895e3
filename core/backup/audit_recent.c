/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/audit_recent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/os.h"
#include "core/base/text.h"

struct candidate {
    const char *path;
    struct timespec changed;
    size_t size;
    bool live, compressed;
};

static bool is_compressed(const char *path)
{
    static const char *const endings[] = { ".gz", ".xz", ".zst", ".bz2", ".lz4" };

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (text_ends(path, endings[i]))
            return true;
    return false;
}

static int newest_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->live != y->live)
        return x->live ? -1 : 1;
    if (x->changed.tv_sec != y->changed.tv_sec)
        return x->changed.tv_sec > y->changed.tv_sec ? -1 : 1;
    if (x->changed.tv_nsec != y->changed.tv_nsec)
        return x->changed.tv_nsec > y->changed.tv_nsec ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* One that logrotate has taken away meanwhile is passed over. */
static size_t look(char *const *paths, size_t n, struct candidate *out)
{
    struct stat st;
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        if (stat(paths[i], &st) == 0)
            out[found++] = (struct candidate){ .path = paths[i],
                                               .changed = st.st_mtim,
                                               .size = (size_t)st.st_size,
                                               .live = text_ends(paths[i], ".jsonl"),
                                               .compressed = is_compressed(paths[i]) };
    if (found > 0)
        qsort(out, found, sizeof *out, newest_first);
    return found;
}

/* Returns how many parts: the newest, as far as the bytes go. */
static size_t choose(const struct candidate *all, size_t n, size_t bytes, struct audit_part *parts)
{
    size_t chosen = 0, used = 0;

    for (size_t i = 0; i < n && used < bytes; i++) {
        if (all[i].compressed && used > 0)
            break;
        parts[chosen++] = (struct audit_part){
            .path = all[i].path,
            .bytes = all[i].compressed ? SIZE_MAX : bytes - used,
        };
        used += all[i].compressed ? bytes : all[i].size;
    }
    return chosen;
}

/* There is no file of it. A head tells that there was one. */
static int note_absence(const char *dir, const char *app, struct err *err)
{
    struct audit_head head = { .seq = 0 };
    char *path = NULL;

    if (asprintf(&path, "%s/%s-audit.head", dir, app) < 0) {
        path = NULL;
        err_no_memory(err);
    } else if (audit_head_read(path, &head, err) == 0 && head.seq > 0) {
        err_set(err, ERR_DAMAGED, "%s/%s-audit.jsonl is gone, with %llu entries", dir, app,
                (unsigned long long)head.seq);
    } else {
        err_set(err, ERR_NOT_FOUND, "there is no audit log %s/%s-audit.jsonl", dir, app);
    }
    free(path);
    return -1;
}

static int mark(struct audit_check *check, const struct catalog *cache, struct err *err)
{
    for (size_t i = 0; i < cache->n; i++) {
        const struct catalog_item *item = &cache->items[i];

        if (item->has_manifest && *item->manifest.audit_head != '\0' &&
            audit_check_mark(check, os_basename(item->path), item->manifest.audit_head, err) < 0)
            return -1;
    }
    return 0;
}

static int read_and_judge(char *const *paths, size_t n, const struct catalog *cache, size_t bytes,
                          struct audit_result *found, struct err *err)
{
    struct candidate *all = calloc(n + 1, sizeof *all);
    struct audit_part *parts = calloc(n + 1, sizeof *parts);
    struct audit_check *check = NULL;
    int rc = -1;

    if (all == NULL || parts == NULL) {
        err_no_memory(err);
        goto out;
    }
    n = look(paths, n, all);
    n = choose(all, n, bytes, parts);
    check = audit_check_open_parts(parts, n, err);
    if (check != NULL && mark(check, cache, err) == 0)
        rc = audit_check_judge(check, found, err);
out:
    audit_check_free(check);
    free(all);
    free(parts);
    return rc;
}

int audit_recent_check(const char *dir, const char *app, const struct catalog *cache, size_t bytes,
                       struct audit_result *found, struct err *err)
{
    char **paths = NULL;
    size_t n = 0;
    int rc = -1;

    memset(found, 0, sizeof *found);
    paths = audit_check_find_files(dir, app, &n, err);
    if (paths != NULL)
        rc = n > 0 ? read_and_judge(paths, n, cache, bytes, found, err) : note_absence(dir, app, err);
    audit_check_free_files(paths);
    return rc;
}
