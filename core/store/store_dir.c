/* SPDX-License-Identifier: PostgreSQL */
/* store_dir.c - the directory driver: a key is a path below it; files appear whole or not at all. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/store/store_impl.h"

#define PIECE (256 * 1024)
#define ABANDONED 86400 /* seconds: a partial file that nobody has written to for so long */

struct store_dir {
    struct store store;
    char *root;
};

/* "SIZE-MTIME.NANOSECONDS": enough to notice that a file was replaced. */
static void make_etag(char out[128], const struct stat *st)
{
    snprintf(out, 128, "%llx-%llx.%lx", (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec,
             (unsigned long)st->st_mtim.tv_nsec);
}

static char *path_of(const struct store *store, const char *key, struct err *err)
{
    char *path = os_path(((const struct store_dir *)store)->root, key);

    if (!path)
        err_no_memory(err);
    return path;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static int open_file(const char *path, struct stat *st, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(err, ERR_NOT_FOUND, "there is no file://%s", path);
    if (fd < 0 || fstat(fd, st) < 0) {
        err_errno(err, "can't read %s", path);
        err_reclass(err, ERR_STORE);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (!S_ISREG(st->st_mode)) {
        close(fd);
        return err_set(err, ERR_NOT_FOUND, "%s is not a file", path);
    }
    return fd;
}

static void fill_info(const struct stat *st, struct store_info *out)
{
    memset(out, 0, sizeof *out);
    out->size = (uint64_t)st->st_size;
    out->modified = st->st_mtime;
    make_etag(out->etag, st);
}

static int do_head(struct store *store, const char *key, struct store_info *out, struct err *err)
{
    char *path = path_of(store, key, err);
    struct stat st;
    int fd = path ? open_file(path, &st, err) : -1;

    if (fd >= 0) {
        fill_info(&st, out);
        close(fd);
    }
    free(path);
    return fd >= 0 ? 0 : -1;
}

static int copy_out(int fd, const char *path, uint64_t offset, uint64_t n, const atomic_bool *cancel, store_sink *sink,
                    void *cookie, struct err *err)
{
    char *piece = malloc(PIECE);
    int rc = -1;

    if (!piece)
        return err_no_memory(err);
    while (n > 0) {
        size_t want = n < PIECE ? (size_t)n : PIECE;
        ssize_t got = os_pread(fd, piece, want, offset, path, err);

        if (got < 0 || os_check_interrupt(err) < 0 || (cancel && atomic_load(cancel)))
            goto out;
        if (got == 0)
            break;
        if (sink(cookie, piece, (size_t)got, err) < 0)
            goto out;
        offset += (uint64_t)got;
        n -= (uint64_t)got;
    }
    rc = 0;
out:
    free(piece);
    return rc;
}

static int do_read(struct store *store, const char *key, const char *etag, uint64_t offset, uint64_t n,
                   const atomic_bool *cancel, store_sink *sink, void *cookie, struct store_info *info, struct err *err)
{
    char *path = path_of(store, key, err), now[128];
    struct stat st;
    int fd = path ? open_file(path, &st, err) : -1, rc = -1;

    if (fd < 0)
        goto out;
    make_etag(now, &st);
    if (etag && *etag && strcmp(etag, now) != 0) {
        err_set(err, ERR_DAMAGED, "file://%s is another file now than the one that was looked at", path);
        goto out;
    }
    if (info)
        fill_info(&st, info);
    rc = copy_out(fd, path, offset, n, cancel, sink, cookie, err);
    if (rc < 0 && err->class == ERR_IO)
        err_reclass(err, ERR_STORE);
out:
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

struct dir_upload {
    struct upload up;
    struct os_file file;
    char *path;
    int fd; /* 0: bytes are written */
    store_progress *progress;
    void *cookie;
};

static int do_write(struct upload *up, const void *bytes, size_t n, struct err *err)
{
    struct dir_upload *u = (struct dir_upload *)up;

    if (os_write(u->file.fd, bytes, n, u->path, err) < 0)
        return -1;
    if (u->progress)
        u->progress(u->cookie, n);
    return 0;
}

static int do_patch(struct upload *up, uint64_t offset, const void *bytes, size_t n, struct err *err)
{
    struct dir_upload *u = (struct dir_upload *)up;

    return os_pwrite(u->file.fd, bytes, n, offset, u->path, err);
}

/* A file is copied when it is finished: its beginning may change until then, and a disk has no reason to hurry. */
static int do_advance(struct upload *up, uint64_t size, bool whole, struct err *err)
{
    (void)whole;
    (void)err;
    up->available = size > up->available ? size : up->available;
    return 0;
}

static int into_upload(void *cookie, const void *bytes, size_t n, struct err *err)
{
    return do_write(cookie, bytes, n, err);
}

static int do_finish(struct upload *up, struct store_result *out, struct err *err)
{
    struct dir_upload *u = (struct dir_upload *)up;
    struct stat st;

    memset(out, 0, sizeof *out);
    if (up->from_file && copy_out(u->fd, "the file to upload", 0, up->available, NULL, into_upload, up, err) < 0)
        return -1;
    if (fstat(u->file.fd, &st) < 0)
        return err_errno(err, "can't look at %s", u->path);
    out->size = (uint64_t)st.st_size;
    if (up->from_file && out->size != up->available)
        return err_set(err, ERR_IO, "the file to upload is shorter than it was");
    make_etag(out->etag, &st);
    if (os_file_commit(&u->file, err) < 0)
        return -1;
    out->proof = STORE_PROOF_DISK;
    return 0;
}

static void do_free(struct upload *up)
{
    struct dir_upload *u = (struct dir_upload *)up;

    os_file_discard(&u->file);
    free(u->path);
    free(u);
}

static const struct upload_ops upload_ops = {
    .write = do_write,
    .patch = do_patch,
    .advance = do_advance,
    .finish = do_finish,
    .free = do_free,
};

static int make_parent(const char *path, struct err *err)
{
    char *dir = os_dirname(path);
    int rc = dir ? os_make_dirs(dir, 0700, err) : err_no_memory(err);

    if (rc < 0 && err->class == ERR_IO) {
        err_reclass(err, ERR_STORE);
        err_hint(err, "is the store's disk mounted, and may this user write there? `sfb doctor` looks");
    }
    if (rc == 0)
        os_sweep_old_partials(dir, ABANDONED); /* of runs that were killed */
    free(dir);
    return rc;
}

static struct upload *do_upload(struct store *store, const char *key, const struct upload_params *p, struct err *err)
{
    struct dir_upload *u = calloc(1, sizeof *u);

    if (!u) {
        err_no_memory(err);
        return NULL;
    }
    u->up.ops = &upload_ops;
    u->up.first_size = UINT64_MAX; /* all of it can still be changed */
    u->file.fd = -1;
    u->fd = p->fd;
    u->progress = p->progress;
    u->cookie = p->progress_cookie;
    u->path = path_of(store, key, err);
    if (!u->path || make_parent(u->path, err) < 0 || os_file_create(&u->file, u->path, err) < 0) {
        do_free(&u->up);
        return NULL;
    }
    return &u->up;
}

/* Small objects replace what was there, as a put to S3 does. */
static int do_put(struct store *store, const char *key, const void *bytes, size_t n, const char *content_type,
                  struct store_result *out, struct err *err)
{
    char *path = path_of(store, key, err);
    struct stat st;
    int rc = -1;

    (void)content_type;
    memset(out, 0, sizeof *out);
    if (!path || make_parent(path, err) < 0 || os_write_file(path, bytes, n, err) < 0)
        goto out;
    out->size = n;
    out->proof = STORE_PROOF_DISK;
    if (stat(path, &st) == 0)
        make_etag(out->etag, &st);
    rc = 0;
out:
    free(path);
    return rc;
}

static int do_copy(struct store *store, const char *from, const char *to, struct store_result *out, bool *denied,
                   struct err *err)
{
    char *source = path_of(store, from, err), *target = path_of(store, to, err);
    struct stat st;
    int rc = -1;

    if (denied)
        *denied = false;
    memset(out, 0, sizeof *out);
    if (!source || !target)
        goto out;
    if (access(source, F_OK) < 0 && errno == ENOENT) {
        err_set(err, ERR_NOT_FOUND, "there is no file://%s", source);
        goto out;
    }
    if (make_parent(target, err) < 0 || os_link_or_copy(source, target, err) < 0 || stat(target, &st) < 0)
        goto out;
    out->size = (uint64_t)st.st_size;
    out->proof = STORE_PROOF_DISK;
    make_etag(out->etag, &st);
    rc = 0;
out:
    free(source);
    free(target);
    return rc;
}

static int do_remove(struct store *store, const char *key, bool regardless, struct err *err)
{
    char *path = path_of(store, key, err);
    int rc = -1;

    (void)regardless; /* it takes no time */
    if (!path)
        return -1;
    if (unlink(path) == 0) {
        rc = os_sync_dir_of(path, err);
    } else if (errno == ENOENT || errno == ENOTDIR) {
        rc = 0;
    } else {
        err_errno(err, "can't delete %s", path);
        err_reclass(err, ERR_STORE);
    }
    free(path);
    return rc;
}

/* ---- listing ------------------------------------------------------------------------------------------------- */

struct listing {
    const char *prefix;
    store_lister *lister;
    void *cookie;
};

/* "a" as a directory's name sorts as "a/": so that keys come in the order of their bytes. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    char left[260], right[260];

    snprintf(left, sizeof left, "%.255s%s", (*a)->d_name, (*a)->d_type == DT_DIR ? "/" : "");
    snprintf(right, sizeof right, "%.255s%s", (*b)->d_name, (*b)->d_type == DT_DIR ? "/" : "");
    return strcmp(left, right);
}

/* ".x" is hidden: partial files, locks. */
static int wanted(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int list_dir(const char *root, const char *below, const struct listing *l, struct err *err);

static int list_entry(const char *root, const char *below, const char *name, const struct listing *l, struct err *err)
{
    char *key = NULL, *path = NULL, etag[128];
    struct store_item item = { .etag = etag };
    struct stat st;
    size_t n;
    int rc = 0;

    if (asprintf(&key, "%s%s%s", below, *below ? "/" : "", name) < 0 || !(path = os_path(root, key))) {
        rc = err_no_memory(err);
        goto out;
    }
    if (lstat(path, &st) < 0)
        goto out; /* gone meanwhile */
    n = strlen(l->prefix);
    if (S_ISDIR(st.st_mode)) {
        size_t m = strlen(key);

        if (strncmp(key, l->prefix, m < n ? m : n) == 0)
            rc = list_dir(root, key, l, err);
    } else if (S_ISREG(st.st_mode) && strncmp(key, l->prefix, n) == 0) {
        make_etag(etag, &st);
        item.key = key;
        item.size = (uint64_t)st.st_size;
        item.modified = st.st_mtime;
        rc = l->lister(l->cookie, &item, err);
    }
out:
    free(path);
    free(key);
    return rc;
}

static int list_dir(const char *root, const char *below, const struct listing *l, struct err *err)
{
    char *path = *below ? os_path(root, below) : strdup(root);
    struct dirent **entries = NULL;
    int n, rc = 0;

    if (!path)
        return err_no_memory(err);
    n = scandir(path, &entries, wanted, compare_entries);
    if (n < 0 && errno != ENOENT) {
        rc = err_errno(err, "can't list %s", path);
        err_reclass(err, ERR_STORE);
    }
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = os_check_interrupt(err) < 0 ? -1 : list_entry(root, below, entries[i]->d_name, l, err);
        free(entries[i]);
    }
    free(entries);
    free(path);
    return rc;
}

static int do_list(struct store *store, const char *prefix, store_lister *lister, void *cookie, struct err *err)
{
    struct listing l = { .prefix = prefix, .lister = lister, .cookie = cookie };

    return list_dir(((struct store_dir *)store)->root, "", &l, err);
}

/* ---- open ---------------------------------------------------------------------------------------------------- */

static void do_close(struct store *store)
{
    free(((struct store_dir *)store)->root);
    free(store);
}

static const struct store_ops ops = {
    .close = do_close,
    .put = do_put,
    .head = do_head,
    .read = do_read,
    .copy = do_copy,
    .remove = do_remove,
    .list = do_list,
    .upload = do_upload,
};

struct store *store_dir_open(const char *url, const struct store_params *p, struct err *err)
{
    struct store_dir *s = calloc(1, sizeof *s);
    struct stat st;

    if (!s) {
        err_no_memory(err);
        return NULL;
    }
    s->store.ops = &ops;
    s->root = strdup(url + strlen("file://"));
    if (!s->root) {
        err_no_memory(err);
        goto fail;
    }
    if (stat(s->root, &st) == 0 ? !S_ISDIR(st.st_mode) : errno != ENOENT || !(p->rights & STORE_WRITE)) {
        err_set(err, ERR_CONFIG, "%s is no directory that can be used: %s", s->root,
                errno && stat(s->root, &st) < 0 ? strerror(errno) : "it is something else");
        err_hint(err, "make it, or mount what belongs there; `sfb config` shows SFB_BUCKET");
        goto fail;
    }
    return &s->store;
fail:
    do_close(&s->store);
    return NULL;
}
