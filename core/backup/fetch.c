/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/fetch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/backup/catalog.h"
#include "core/backup/inventory.h"
#include "core/backup/repository.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/progress.h"
#include "core/base/text.h"
#include "core/io/digest.h"

bool fetch_is_meant(const char *what)
{
    return store_is_url(what) || strcmp(what, "latest") == 0 || text_starts(what, "latest@");
}

/* ---- which one ------------------------------------------------------------------------------------------------- */

static time_t taken_of(const struct catalog_item *item)
{
    return item->has_manifest && item->manifest.snapshot_at > 0 ? item->manifest.snapshot_at : item->started;
}

static int keep_key(struct fetched *out, const char *key, struct err *err)
{
    struct buf url;

    buf_init(&url, 8192);
    free(out->key);
    free(out->url);
    out->url = NULL;
    out->key = strdup(key);
    if (out->key == NULL)
        err_no_memory(err);
    else if (store_key_url(out->store, key, &url, err) == 0)
        out->url = buf_take(&url, err);
    buf_release(&url);
    return out->url != NULL ? 0 : -1;
}

/* The newest good backup in the catalog that is not from after the moment. */
static int choose(const struct fetch_params *p, const struct catalog *c, const char *whose, struct fetched *out,
                  struct err *err)
{
    const struct catalog_item *best = NULL;
    char when[CLOCK_TEXT];
    size_t good = 0;

    for (size_t i = 0; i < c->n; i++) {
        const struct catalog_item *item = &c->items[i];

        if (!catalog_is_complete(item))
            continue;
        good++;
        if ((p->moment == 0 || taken_of(item) <= p->moment) && (best == NULL || taken_of(item) > taken_of(best)))
            best = item;
    }
    if (best == NULL && good == 0) {
        err_set(err, ERR_NOT_FOUND, "there is no backup of %s in %s", whose, store_url(out->store));
        err_hint(err, "`sfb list %s` shows what is there", store_url(out->store));
        return -1;
    }
    if (best == NULL) {
        err_set(err, ERR_NOT_FOUND, "none of the %zu backup%s of %s is from %s UTC or before", good,
                good == 1 ? "" : "s", whose, clock_log(when, p->moment));
        err_hint(err, "a dump holds one moment: it can't be rolled back or forward to another");
        return -1;
    }
    if (p->moment != 0)
        snprintf(out->why, sizeof out->why, "the newest of %zu backup%s of %s that is not from after %s UTC", good,
                 good == 1 ? "" : "s", whose, clock_log(when, p->moment));
    else
        snprintf(out->why, sizeof out->why, "the newest of %zu good backup%s of %s", good, good == 1 ? "" : "s", whose);
    return keep_key(out, best->path, err);
}

/* The store can't be asked: whoever must have a database back now should know what is on this host. */
static void hint_at_local(const struct fetch_params *p, struct err *err)
{
    const struct catalog_item *newest = NULL;
    struct catalog here = { NULL, 0 };
    struct err ignored = { 0 };
    char hint[sizeof err->hint];

    if ((err->class == ERR_CONFIG || err->class == ERR_STORE) &&
        inventory_host(&here, p->settings, p->environment, &ignored) == 0) {
        inventory_sort(&here);
        newest = catalog_newest(&here, p->moment);
    }
    if (newest != NULL) {
        snprintf(hint, sizeof hint, "%s", err->hint);
        err_hint(err, "%s%sthe newest backup of %s%s on this host is %s: name it instead of %s", hint,
                 *hint != '\0' ? "; " : "", p->environment, p->moment != 0 ? " that is old enough" : "", newest->path,
                 p->what);
    }
    catalog_release(&here);
}

static int find_latest(const struct fetch_params *p, struct fetched *out, struct err *err)
{
    const char *tier = strchr(p->what, '@');
    char prefix[64], whose[64];
    struct catalog c;
    int rc;

    if (tier != NULL && strcmp(tier, "@daily") != 0 && strcmp(tier, "@weekly") != 0 && strcmp(tier, "@monthly") != 0)
        return err_set(err, ERR_USAGE, "%s: the tiers are daily, weekly and monthly", p->what);
    out->store = repository_open(p->settings, NULL, STORE_READ, err);
    if (out->store == NULL) {
        hint_at_local(p, err);
        return -1;
    }
    snprintf(prefix, sizeof prefix, "%s/%s%s", p->environment, tier != NULL ? tier + 1 : "", tier != NULL ? "/" : "");
    snprintf(whose, sizeof whose, "%s%s%s", p->environment, tier != NULL ? ", " : "", tier != NULL ? tier + 1 : "");
    if (repository_catalog(out->store, prefix, p->environment, &c, err) < 0) {
        hint_at_local(p, err);
        return -1;
    }
    rc = choose(p, &c, whose, out, err);
    catalog_release(&c);
    return rc;
}

/* The series of a named backup is its directory in the store. */
static int find_relative(const struct fetch_params *p, struct fetched *out, struct err *err)
{
    struct catalog c;
    int rc;

    if (repository_catalog(out->store, "", NULL, &c, err) < 0)
        return -1;
    rc = choose(p, &c, store_url(out->store), out, err);
    catalog_release(&c);
    return rc;
}

static int find_named(const struct fetch_params *p, struct fetched *out, struct err *err)
{
    char *base = NULL, *key = NULL;
    int rc = -1;

    if (store_split(p->what, &base, &key, err) < 0)
        goto out;
    out->store = repository_open(p->settings, base, STORE_READ, err);
    if (out->store == NULL)
        goto out;
    out->why[0] = '\0';
    rc = p->moment != 0 ? find_relative(p, out, err) : keep_key(out, key, err);
out:
    free(base);
    free(key);
    return rc;
}

int fetch_find(const struct fetch_params *p, struct fetched *out, struct err *err)
{
    struct err trouble = { 0 };

    memset(out, 0, sizeof *out);
    if ((store_is_url(p->what) ? find_named : find_latest)(p, out, err) < 0 ||
        store_head(out->store, out->key, &out->info, err) < 0)
        return -1;
    out->has_manifest = repository_manifest(out->store, out->key, &out->manifest, &trouble) == 0;
    if (!out->has_manifest && trouble.class != ERR_NOT_FOUND) {
        *err = trouble;
        return -1;
    }
    if (out->has_manifest)
        out->taken = out->manifest.snapshot_at > 0 ? out->manifest.snapshot_at : out->manifest.started;
    else if (!manifest_parse_name(out->key, &out->taken, &(enum backup_format){ FORMAT_CUSTOM }))
        out->taken = out->info.modified;
    return 0;
}

/* ---- here ------------------------------------------------------------------------------------------------------ */

/* The cache's copy, when its manifest has the same checksum. What the file holds is another matter. */
char *fetch_cached(const struct fetch_params *p, const struct fetched *f)
{
    char *path = f->has_manifest && p->places->cache != NULL ? os_path(p->places->cache, f->manifest.file) : NULL;
    char *companion = path != NULL ? manifest_path_of(path) : NULL;
    struct err ignored = { 0 };
    struct manifest m;
    bool same = false;

    if (companion != NULL && access(path, R_OK) == 0 && manifest_load(companion, &m, &ignored) == 0) {
        same = *m.sha256 != '\0' && strcmp(m.sha256, f->manifest.sha256) == 0;
        manifest_release(&m);
    }
    free(companion);
    if (same)
        return path;
    free(path);
    return NULL;
}

/* A disk may have lost something since; then the store's is better. */
static int check_cached(const struct fetched *f, bool *whole, struct err *err)
{
    struct digest_sum sum = { .bytes = 0 };
    struct err trouble = { 0 };
    char hex[65];
    int fd = open(f->path, O_RDONLY | O_CLOEXEC), rc = -1;

    if (fd >= 0)
        rc = digest_file(fd, 0, UINT64_MAX, DIGEST_SHA256, f->path, &sum, &trouble);
    if (fd >= 0)
        close(fd);
    if (rc < 0 && trouble.class == ERR_SIGNAL) {
        *err = trouble;
        return -1;
    }
    *whole = rc == 0 && strcmp(text_hex(hex, sum.sha256, sizeof sum.sha256), f->manifest.sha256) == 0;
    return 0;
}

static int take_cached(const struct fetch_params *p, struct fetched *f, struct err *err)
{
    f->path = fetch_cached(p, f);
    f->cached = f->path != NULL;
    if (!f->cached)
        return 0;
    if (check_cached(f, &f->cached, err) < 0)
        return -1;
    if (f->cached)
        return 0;
    log_warn("%s is damaged: it has not the checksum of its manifest. The store's is taken", f->path);
    free(f->path);
    f->path = NULL;
    return 0;
}

static void add_progress(void *cookie, uint64_t bytes)
{
    (void)cookie;
    progress_add(bytes);
}

bool fetch_doubts(const struct fetched *f, const char *what_tells)
{
    if (!f->has_manifest || store_s3(f->store) == NULL || *f->manifest.etag == '\0' ||
        strcmp(f->manifest.etag, f->info.etag) == 0)
        return false;
    log_warn(
        "%s has the ETag %s, its manifest says %s: other tools have copied the bucket, or it was replaced; %s will tell",
        f->url, f->info.etag, f->manifest.etag, what_tells);
    return true;
}

static int download(struct fetched *f, const char *path, struct err *err)
{
    struct os_file file = OS_FILE_CLOSED;
    struct store_info info;
    int rc = -1;

    if (os_file_create(&file, path, err) < 0)
        return -1;
    fetch_doubts(f, "its checksum");
    progress_start("downloading", f->info.size);
    rc = store_download(f->store, f->key, f->info.etag, file.fd, &info, add_progress, NULL, err);
    progress_end();
    if (rc == 0)
        rc = os_file_commit(&file, err);
    os_file_discard(&file);
    return rc;
}

/* A small companion, when it is there. */
static int download_companion(struct fetched *f, char *(*companion_of)(const char *), const char *path, struct err *err)
{
    char *key = companion_of(f->key), *to = companion_of(path);
    struct err trouble = { 0 };
    struct buf text;
    int rc = -1;

    buf_init(&text, MANIFEST_MAX);
    if (key == NULL || to == NULL) {
        rc = 0; /* an object with a name of somebody else's has no companions */
    } else if (store_get(f->store, key, &text, NULL, &trouble) < 0) {
        rc = trouble.class == ERR_NOT_FOUND ? 0 : -1;
        if (rc < 0)
            *err = trouble;
    } else {
        rc = os_write_file(to, text.data, text.size, err);
    }
    buf_release(&text);
    free(key);
    free(to);
    return rc;
}

/* ---- room for it ------------------------------------------------------------------------------------------------- */

#define ROOM "-fetched-"

/* A directory of ours, whatever is done to its name meanwhile; -1: it is none. */
static int open_room(int parent, const char *path)
{
    int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 022) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Files alone: nothing of ours has a directory in it. */
static void empty_room(int room)
{
    int fd = openat(room, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL)
        unlinkat(room, e->d_name, 0);
    if (d != NULL)
        closedir(d);
    else if (fd >= 0)
        close(fd);
}

/* The work directory may be everybody's (/tmp): what is there under our name must be ours. The lock tells the living
 * from the dead, also to who does not see our processes. */
static int take_room(struct fetched *f, const char *path, struct err *err)
{
    f->room = open_room(AT_FDCWD, path);
    if (f->room < 0) {
        f->room = 0;
        err_set(err, ERR_IO, "%s is there already, and is not ours", path);
        err_hint(err, "remove it, or set SFB_WORK_DIR to a directory that nobody else writes to");
        return -1;
    }
    if (flock(f->room, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        err_set(err, ERR_BUSY, "another run uses %s: its process has our number, in another container", path);
        err_hint(err, "give each container an SFB_WORK_DIR of its own");
        return -1;
    }
    empty_room(f->room); /* of a run that was killed, and had our number: in a container everybody has the same */
    return 0;
}

static bool is_left(const char *name, const char *app)
{
    size_t n = strlen(app);
    int pid;

    return strncmp(name, app, n) == 0 && strncmp(name + n, ROOM, strlen(ROOM)) == 0 &&
           text_parse_int(name + n + strlen(ROOM), 1, 1 << 30, &pid) && pid != (int)getpid() && kill(pid, 0) < 0 &&
           errno == ESRCH;
}

static void remove_room(int parent, const char *name)
{
    int room = open_room(parent, name);

    if (room < 0)
        return;
    if (flock(room, LOCK_EX | LOCK_NB) == 0) {
        empty_room(room);
        unlinkat(parent, name, AT_REMOVEDIR);
    }
    close(room);
}

void fetch_sweep(const struct settings *s, const struct places *places)
{
    DIR *d = opendir(places->work);
    const struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL)
        if (is_left(e->d_name, settings_get(s, SETTING_APP)))
            remove_room(dirfd(d), e->d_name);
    if (d != NULL)
        closedir(d);
}

/* The name stays, behind something that tells whose it is and keeps two runs apart; the manifest must name the file. */
static int make_room(const struct fetch_params *p, struct fetched *f, char **directory, struct err *err)
{
    uint64_t available;
    char need[TEXT_SHORT], have[TEXT_SHORT];

    fetch_sweep(p->settings, p->places);
    if (os_free_space(p->places->work, &available, err) < 0)
        return -1;
    if (available < f->info.size) {
        err_set(err, ERR_SPACE, "%s has %s free, and the backup has %s", p->places->work, text_size(have, available),
                text_size(need, f->info.size));
        err_hint(err, "make room there, or set SFB_WORK_DIR to a larger disk");
        return -1;
    }
    if (asprintf(directory, "%s/%s" ROOM "%d", p->places->work, settings_get(p->settings, SETTING_APP), (int)getpid()) <
        0) {
        *directory = NULL;
        return err_no_memory(err);
    }
    if (os_make_dirs(*directory, 0700, err) < 0)
        return -1;
    return take_room(f, *directory, err);
}

int fetch_bring(const struct fetch_params *p, struct fetched *f, struct err *err)
{
    char *directory = NULL;
    int rc = -1;

    if (take_cached(p, f, err) < 0)
        return -1;
    if (f->cached)
        return 0;
    if (make_room(p, f, &directory, err) < 0)
        goto out;
    f->path = os_path(directory, os_basename(f->key));
    if (f->path == NULL)
        err_no_memory(err);
    else if (download_companion(f, manifest_globals_path_of, f->path, err) == 0 &&
             download_companion(f, manifest_path_of, f->path, err) == 0)
        rc = download(f, f->path, err);
out:
    free(directory);
    return rc;
}

static void remove_companion(char *(*companion_of)(const char *), const char *path)
{
    char *companion = companion_of(path);

    if (companion != NULL)
        unlink(companion);
    free(companion);
}

void fetched_release(struct fetched *f)
{
    if (f->path != NULL && !f->cached) {
        char *directory = os_dirname(f->path);

        remove_companion(manifest_path_of, f->path);
        remove_companion(manifest_globals_path_of, f->path);
        unlink(f->path);
        if (directory != NULL)
            rmdir(directory);
        free(directory);
    }
    if (f->room > 0)
        close(f->room);
    if (f->has_manifest)
        manifest_release(&f->manifest);
    store_close(f->store);
    free(f->key);
    free(f->url);
    free(f->path);
    memset(f, 0, sizeof *f);
}
