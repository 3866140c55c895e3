/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/choice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup/catalog.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/text.h"

/* ---- one file ---------------------------------------------------------------------------------------------------- */

/* By its manifest, else by its name, else by when it was last written. */
static time_t taken_at(const char *path, const struct stat *st, const struct manifest *m, bool has_manifest)
{
    enum backup_format format;
    time_t started;

    if (has_manifest)
        return m->snapshot_at > 0 ? m->snapshot_at : m->started;
    return manifest_parse_name(path, &started, &format) ? started : st->st_mtime;
}

/* false: it has none, or none that can be read; verification will say what is wrong with it. */
static bool load_manifest(const char *path, struct manifest *m)
{
    char *companion = manifest_path_of(path);
    struct err ignored = { 0 };
    bool loaded = companion != NULL && manifest_load(companion, m, &ignored) == 0;

    free(companion);
    return loaded;
}

static int find_file(const char *path, struct choice *out, struct err *err)
{
    struct manifest m;
    struct stat st;
    bool has_manifest;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    memset(out, 0, sizeof *out);
    out->why = "";
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(err, ERR_NOT_FOUND, "can't open backup %s: %s", path, strerror(errno));
        if (errno == ENOENT)
            err_hint(err, "`sfb list` shows the backups in the local cache");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    close(fd);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_NOT_FOUND, "%s is %s, not a backup file", path,
                       S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
    has_manifest = load_manifest(path, &m);
    out->taken = taken_at(path, &st, &m, has_manifest);
    out->size = (uint64_t)st.st_size;
    out->path = strdup(path);
    if (has_manifest)
        manifest_release(&m);
    return out->path != NULL ? 0 : err_no_memory(err);
}

/* ---- a moment ---------------------------------------------------------------------------------------------------- */

/* What tells a backup of the same database: its manifest, or where there is none, the name before the time. */
struct family {
    bool has_manifest;
    struct manifest manifest;
    const char *stem;
    size_t stem_size;
};

static void stem_of(const char *path, const char **stem, size_t *size)
{
    const char *name = os_basename(path);
    size_t n = strcspn(name, ".");

    *stem = name;
    *size = n > 16 ? n - 16 : 0; /* "-YYYYMMDD-HHMMSS" */
}

static bool is_relative(const struct family *f, const struct catalog_item *item)
{
    const struct manifest *m = &item->manifest;
    const char *stem;
    size_t size;

    if (f->has_manifest != item->has_manifest)
        return false;
    if (f->has_manifest)
        return strcmp(m->app, f->manifest.app) == 0 && strcmp(m->environment, f->manifest.environment) == 0 &&
               strcmp(m->database.name, f->manifest.database.name) == 0;
    stem_of(item->path, &stem, &size);
    return size == f->stem_size && memcmp(stem, f->stem, size) == 0;
}

static time_t item_taken(const struct catalog_item *item)
{
    return item->has_manifest && item->manifest.snapshot_at > 0 ? item->manifest.snapshot_at : item->started;
}

/* A better one than *best among a directory's, if there is one. *oldest: of all relatives. */
static int search(const char *directory, const struct family *f, time_t moment, struct choice *best, time_t *oldest,
                  struct err *err)
{
    struct catalog c;
    int rc = 0;

    if (catalog_read(directory, NULL, &c, err) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < c.n; i++) {
        const struct catalog_item *item = &c.items[i];
        time_t taken = item_taken(item);

        if (!is_relative(f, item))
            continue;
        if (*oldest == 0 || taken < *oldest)
            *oldest = taken;
        if (taken > moment || (best->path != NULL && taken <= best->taken))
            continue;
        free(best->path);
        *best = (struct choice){ .path = strdup(item->path), .taken = taken, .size = item->size };
        best->why = "the newest backup that is not from after it";
        if (best->path == NULL)
            rc = err_no_memory(err);
    }
    catalog_release(&c);
    return rc;
}

static int none_serves(time_t moment, time_t oldest, struct err *err)
{
    char wanted[CLOCK_TEXT], first[CLOCK_TEXT];

    clock_log(wanted, moment);
    err_set(err, ERR_NOT_FOUND, "no backup of this database is from %s UTC or before; the oldest is from %s UTC",
            wanted, oldest > 0 ? clock_log(first, oldest) : "no time at all");
    err_hint(err, "a dump holds one moment: it can't be rolled back or forward to another");
    return -1;
}

static int find_for_moment(const char *path, const char *cache, time_t moment, struct choice *out, struct err *err)
{
    struct family f = { 0 };
    struct choice named;
    struct err ignored = { 0 };
    char *directory = NULL;
    time_t oldest = 0;
    int rc = -1;

    if (find_file(path, &named, err) < 0)
        return -1;
    memset(out, 0, sizeof *out);
    f.has_manifest = load_manifest(path, &f.manifest);
    stem_of(path, &f.stem, &f.stem_size);
    if (named.taken <= moment) { /* what was named goes first: of two equals it is taken */
        *out = named;
        out->why = "the one you named is the newest that serves";
    } else {
        free(named.path);
    }
    oldest = named.taken;
    directory = os_dirname(path);
    if (directory == NULL) {
        err_no_memory(err);
        goto out;
    }
    if (search(directory, &f, moment, out, &oldest, err) < 0)
        goto out;
    if (cache != NULL && search(cache, &f, moment, out, &oldest, &ignored) < 0 && ignored.class == ERR_INTERNAL) {
        *err = ignored;
        goto out;
    }
    rc = out->path != NULL ? 0 : none_serves(moment, oldest, err);
out:
    if (f.has_manifest)
        manifest_release(&f.manifest);
    free(directory);
    return rc;
}

/* ---- any of them ------------------------------------------------------------------------------------------------- */

static struct fetch_params fetch_params_of(const struct choice_params *p)
{
    return (struct fetch_params){
        .settings = p->settings, .places = p->places, .what = p->what, .environment = p->source, .moment = p->moment
    };
}

static int find_stored(const struct choice_params *p, struct choice *out, struct err *err)
{
    struct fetch_params fetch = fetch_params_of(p);

    out->stored = true;
    if (fetch_find(&fetch, &out->fetched, err) < 0)
        return -1;
    out->shown = out->fetched.url;
    out->why = out->fetched.why;
    out->taken = out->fetched.taken;
    out->size = out->fetched.info.size;
    return 0;
}

int choice_parse_moment(const char *text, time_t *moment, struct err *err)
{
    if (clock_parse_iso(text, moment))
        return 0;
    err_set(err, ERR_USAGE, "--point-in-time %s is no time", text);
    err_hint(err, "like this: --point-in-time 2025-10-23T12:00:00Z");
    return -1;
}

int choice_find(const struct choice_params *p, struct choice *out, struct err *err)
{
    int rc;

    memset(out, 0, sizeof *out);
    out->why = "";
    if (fetch_is_meant(p->what))
        return find_stored(p, out, err);
    rc = p->moment == 0 ? find_file(p->what, out, err)
                        : find_for_moment(p->what, p->places->cache, p->moment, out, err);
    out->shown = out->path;
    return rc;
}

int choice_bring(const struct choice_params *p, struct choice *c, struct err *err)
{
    struct fetch_params fetch = fetch_params_of(p);

    if (!c->stored)
        return 0;
    if (fetch_bring(&fetch, &c->fetched, err) < 0)
        return -1;
    c->path = strdup(c->fetched.path);
    return c->path != NULL ? 0 : err_no_memory(err);
}

int choice_bring_cached(const struct choice_params *p, struct choice *c, struct err *err)
{
    struct fetch_params fetch = fetch_params_of(p);

    if (!c->stored)
        return 0;
    c->fetched.path = fetch_cached(&fetch, &c->fetched);
    c->fetched.cached = c->fetched.path != NULL;
    if (!c->fetched.cached)
        return 0;
    c->path = strdup(c->fetched.path);
    return c->path != NULL ? 0 : err_no_memory(err);
}

void choice_explain(const struct choice *c, time_t moment)
{
    char when[CLOCK_TEXT], gap[TEXT_SHORT];

    if (*c->why == '\0')
        return;
    if (moment != 0)
        log_say("🕒 Point in time: %s UTC", clock_log(when, moment));
    log_say("   Chosen: %s (%s)", c->shown, c->why);
    if (moment != 0) {
        log_say("   It holds the database as it was at %s UTC. What happened in the %s from then to the point in time",
                clock_log(when, c->taken), text_duration(gap, (double)(moment - c->taken)));
        log_say("   is not in it and can't be recovered: a dump can't be rolled forward.");
    }
    log_say("%s", "");
}

void choice_release(struct choice *c)
{
    if (c->stored)
        fetched_release(&c->fetched);
    free(c->path);
    memset(c, 0, sizeof *c);
}
