/* SPDX-License-Identifier: PostgreSQL */
/* contents.c - what is in a backup file: its tables, largest first. */
#include "core/backup/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/os.h"
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

static int from_archive(struct contents *c, int *fd, unsigned jobs, struct err *err)
{
    struct walk_params p = { .jobs = jobs };
    struct walk_result found;
    int rc = -1;

    if (walk_file_fd(&p.file, fd, err) < 0 || walk(&p, &found, err) < 0)
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
static int check_archive(const char *path, int fd, const struct stat *st, struct err *err)
{
    char magic[5];
    ssize_t n = S_ISREG(st->st_mode) ? os_pread(fd, magic, sizeof magic, 0, path, err) : 0;

    if (n < 0)
        return -1;
    if (archive_is(magic, (size_t)n))
        return 0;
    err_set(err, ERR_DAMAGED, "%s is no custom-format archive and has no manifest: what is in it can't be told", path);
    err_hint(err, "if it is plain SQL, look into it with a pager");
    return -1;
}

int contents_read(const char *path, unsigned jobs, struct contents *out, struct err *err)
{
    struct stat st;
    int fd = -1, rc = -1;

    memset(out, 0, sizeof *out);
    if (set_text(&out->path, path, err) < 0)
        return -1;
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not hold us */
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(err, ERR_NOT_FOUND, "can't open the backup %s: %s", path, strerror(errno));
        goto out;
    }
    out->size = (uint64_t)st.st_size;
    if (load_manifest(out, err) < 0)
        goto out;
    if (out->has_manifest)
        rc = from_manifest(out, err);
    else if (check_archive(path, fd, &st, err) == 0)
        rc = from_archive(out, &fd, jobs, err);
    if (rc == 0)
        qsort(out->tables, out->n, sizeof *out->tables, largest_first);
out:
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        contents_release(out);
    return rc;
}

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
