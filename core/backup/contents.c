/* SPDX-License-Identifier: PostgreSQL */
#include "core/backup/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/backup/repository.h"
#include "core/base/os.h"
#include "core/base/text.h"
#include "core/pg/walk.h"

static int add_table(struct contents *c, const char *schema, const char *name, bool counted, const struct tally *tally,
                     struct err *err)
{
    struct contents_table *t = &c->tables[c->n];

    t->schema = strdup(schema ? schema : "");
    t->name = strdup(name ? name : "");
    t->counted = counted;
    t->rows = tally->rows;
    t->bytes = tally->bytes;
    c->n++;
    return t->schema && t->name ? 0 : err_no_memory(err);
}

static int reserve(struct contents *c, size_t n, struct err *err)
{
    c->tables = calloc(n + 1, sizeof *c->tables);
    return c->tables ? 0 : err_no_memory(err);
}

static int set_text(char **text, const char *value, struct err *err)
{
    *text = strdup(value ? value : "");
    return *text ? 0 : err_no_memory(err);
}

static int from_manifest(struct contents *c, struct err *err)
{
    const struct manifest *m = &c->manifest;

    if (set_text(&c->database, m->database.name, err) < 0 ||
        set_text(&c->server_version, m->database.server_version, err) < 0 ||
        set_text(&c->tool_version, m->tool_version, err) < 0 || reserve(c, m->n_tables, err) < 0)
        return -1;
    for (size_t i = 0; i < m->n_tables; i++)
        if (add_table(c, m->tables[i].schema, m->tables[i].name, true, &m->tables[i].tally, err) < 0)
            return -1;
    c->objects = m->large_objects;
    return 0;
}

static int from_archive(struct contents *c, const struct walk_file *file, unsigned jobs, struct err *err)
{
    struct walk_params p = { .file = *file, .jobs = jobs };
    struct walk_result found;
    int rc = -1;

    if (walk(&p, &found, err) < 0)
        return -1;
    if (set_text(&c->database, found.toc.database, err) < 0 ||
        set_text(&c->server_version, found.toc.server_version, err) < 0 ||
        set_text(&c->tool_version, found.toc.dump_version, err) < 0 || reserve(c, found.blocks.n, err) < 0)
        goto out;
    for (size_t i = 0; i < found.blocks.n; i++) {
        const struct archive_block *b = &found.blocks.items[i];
        if (b->type == BLOCK_DATA && add_table(c, b->entry->schema, b->entry->tag, b->counted, &b->tally, err) < 0)
            goto out;
    }
    c->objects = found.objects;
    rc = 0;
out:
    walk_result_release(&found);
    return rc;
}

static int largest_first(const void *a, const void *b)
{
    const struct contents_table *x = a, *y = b;
    int order;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    order = strcmp(x->schema, y->schema);
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* The manifest, when there is one; a damaged one is an error: it may be the only hint that something is wrong. */
static int load_manifest(struct contents *c, struct err *err)
{
    struct err trouble = { .class = ERR_NONE };
    char *path = manifest_path_of(c->path);
    int rc = 0;

    if (path && manifest_load(path, &c->manifest, &trouble) == 0)
        c->has_manifest = true;
    else if (path && trouble.class != ERR_NOT_FOUND) {
        *err = trouble;
        rc = -1;
    }
    free(path);
    return rc;
}

/* Anything but an archive has no contents that could be told. */
static int check_archive(const struct contents *c, const struct walk_file *file, struct err *err)
{
    char magic[5];
    ssize_t n = file->size > 0 ? file->read_at(file->cookie, magic, sizeof magic, 0, err) : 0;

    if (n < 0)
        return -1;
    if (archive_is(magic, (size_t)n))
        return 0;
    err_set(err, ERR_DAMAGED, "%s is no custom-format archive and has no manifest: what is in it can't be told",
            c->path);
    err_hint(err, "if it is plain SQL, look into it with a pager");
    return -1;
}

static int read_file(struct contents *c, const struct walk_file *file, unsigned jobs, struct err *err)
{
    if (c->has_manifest ? from_manifest(c, err) < 0
                        : check_archive(c, file, err) < 0 || from_archive(c, file, jobs, err) < 0)
        return -1;
    qsort(c->tables, c->n, sizeof *c->tables, largest_first);
    return 0;
}

/* A pipe must not hold us. */
static int open_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    return fd < 0 ? err_set(err, ERR_NOT_FOUND, "can't open the backup %s: %s", path, strerror(errno)) : fd;
}

int contents_read(const char *path, unsigned jobs, struct contents *out, struct err *err)
{
    struct walk_file file = { 0 };
    int fd = -1, rc = -1;

    memset(out, 0, sizeof *out);
    if (set_text(&out->path, path, err) < 0 || (fd = open_file(path, err)) < 0 || load_manifest(out, err) < 0)
        goto out;
    if (walk_file_fd(&file, &fd, err) < 0) {
        err_context(err, "%s", path);
        goto out;
    }
    out->size = file.size;
    rc = read_file(out, &file, jobs, err);
out:
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        contents_release(out);
    return rc;
}

/* ---- in a store ---------------------------------------------------------------------------------------------- */

struct stored {
    struct store *store;
    const char *key;
    struct store_info info;
};

static ssize_t stored_read_at(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    const struct stored *s = cookie;

    return store_read_at(s->store, s->key, s->info.etag, bytes, n, offset, err);
}

static int open_stored(struct stored *s, struct store *store, const char *key, struct walk_file *file, struct err *err)
{
    *s = (struct stored){ .store = store, .key = key };
    if (store_head(store, key, &s->info, err) < 0)
        return -1;
    *file = (struct walk_file){ .read_at = stored_read_at, .cookie = s, .size = s->info.size };
    return 0;
}

static int load_stored_manifest(struct contents *c, const struct stored *s, struct err *err)
{
    struct err trouble = { 0 };

    c->has_manifest = repository_manifest(s->store, s->key, &c->manifest, &trouble) == 0;
    if (c->has_manifest || trouble.class == ERR_NOT_FOUND)
        return 0;
    *err = trouble;
    return -1;
}

int contents_read_stored(struct store *store, const char *key, unsigned jobs, struct contents *out, struct err *err)
{
    struct walk_file file;
    struct stored stored;
    struct buf url;
    int rc = -1;

    memset(out, 0, sizeof *out);
    buf_init(&url, 8192);
    if (store_key_url(store, key, &url, err) < 0 || set_text(&out->path, url.data, err) < 0 ||
        open_stored(&stored, store, key, &file, err) < 0)
        goto out;
    out->size = file.size;
    if (load_stored_manifest(out, &stored, err) == 0)
        rc = read_file(out, &file, jobs, err);
out:
    buf_release(&url);
    if (rc < 0)
        contents_release(out);
    return rc;
}

/* ---- the table of contents ----------------------------------------------------------------------------------- */

static int print_toc(const struct walk_file *file, struct buf *out, struct err *err)
{
    struct archive toc;
    int rc;

    if (walk_contents(file, &toc, err) < 0)
        return -1;
    rc = archive_list(&toc, out, err);
    archive_release(&toc);
    return rc == 0 ? buf_check(out, err) : -1;
}

static void not_listed(const char *what, struct err *err)
{
    err_context(err, "%s", what);
    if (text_ends(what, ".sql") || text_ends(what, ".sql.gz"))
        err_hint(err, "plain SQL has no table of contents; `sfb list` without --toc shows what its manifest knows");
}

int contents_toc(const char *path, struct buf *out, struct err *err)
{
    struct walk_file file;
    int fd = open_file(path, err), rc = -1;

    if (fd < 0)
        return -1;
    if (walk_file_fd(&file, &fd, err) < 0 || print_toc(&file, out, err) < 0)
        not_listed(path, err);
    else
        rc = 0;
    close(fd);
    return rc;
}

int contents_toc_stored(struct store *store, const char *key, struct buf *out, struct err *err)
{
    struct walk_file file;
    struct stored stored;

    if (open_stored(&stored, store, key, &file, err) < 0)
        return -1;
    if (print_toc(&file, out, err) == 0)
        return 0;
    if (err->class == ERR_DAMAGED)
        not_listed(key, err);
    return -1;
}

/* -------------------------------------------------------------------------------------------------------------- */

void contents_release(struct contents *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->tables[i].schema);
        free(c->tables[i].name);
    }
    free(c->tables);
    free(c->path);
    free(c->database);
    free(c->server_version);
    free(c->tool_version);
    if (c->has_manifest)
        manifest_release(&c->manifest);
    memset(c, 0, sizeof *c);
}
