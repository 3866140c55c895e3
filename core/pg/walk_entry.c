/* SPDX-License-Identifier: PostgreSQL */
/* walk_entry.c - a file to walk, its contents alone, and one entry's data alone. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include "core/base/os.h"
#include "core/pg/archive_in.h"
#include "core/pg/walk.h"
#include "core/pg/walk_stream.h"

#define CONTENTS_READ (1024 * 1024)
#define CONTENTS_FIRST ((uint64_t)16 * 1024)
#define ENTRY_READ (1024 * 1024)
#define MEMORY_MIN ((size_t)160 * 1024 * 1024)
#define MEMORY_MAX ((size_t)1024 * 1024 * 1024)

static ssize_t read_fd_at(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    if (os_check_interrupt(err) < 0)
        return -1;
    return os_pread(*(const int *)cookie, bytes, n, offset, "the archive", err);
}

int walk_file_fd(struct walk_file *file, const int *fd, struct err *err)
{
    struct stat st;

    if (fstat(*fd, &st) < 0)
        return err_errno(err, "can't read the archive");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_DAMAGED, "this is no regular file, so no archive");
    *file = (struct walk_file){ .read_at = read_fd_at, .cookie = (void *)(uintptr_t)fd, .size = (uint64_t)st.st_size };
    return 0;
}

static ssize_t read_bytes_at(void *cookie, void *bytes, size_t n, uint64_t offset, struct err *err)
{
    const struct walk_bytes *from = cookie;

    (void)err;
    if (offset >= from->n)
        return 0;
    if (n > from->n - offset)
        n = from->n - (size_t)offset;
    memcpy(bytes, (const char *)from->bytes + offset, n);
    return (ssize_t)n;
}

struct walk_file walk_file_bytes(const struct walk_bytes *bytes)
{
    return (struct walk_file){ .read_at = read_bytes_at, .cookie = (void *)(uintptr_t)bytes, .size = bytes->n };
}

/* ---- the contents -------------------------------------------------------------------------------------------- */

struct at {
    const struct walk_file *file;
    uint64_t position;
};

/* Where the contents end is known when they have been read. What is too much of the file may come over a network, so it
 * is no more than a tenth. */
static ssize_t read_on(void *cookie, void *bytes, size_t n, struct err *err)
{
    struct at *at = cookie;
    uint64_t wanted = at->position / 10 > CONTENTS_FIRST ? at->position / 10 : CONTENTS_FIRST;

    if (at->position < at->file->contents)
        wanted = at->file->contents - at->position;
    if (n > wanted)
        n = (size_t)wanted;
    if (n > at->file->size - at->position)
        n = (size_t)(at->file->size - at->position);
    ssize_t got = n == 0 ? 0 : at->file->read_at(at->file->cookie, bytes, n, at->position, err);
    if (got > 0)
        at->position += (uint64_t)got;
    return got;
}

size_t walk_memory(const struct walk_file *file)
{
    uint64_t wanted = 2 * file->size;

    return wanted > MEMORY_MAX ? MEMORY_MAX : wanted < MEMORY_MIN ? MEMORY_MIN : (size_t)wanted;
}

int walk_contents(const struct walk_file *file, struct archive *out, struct err *err)
{
    struct at at = { .file = file };
    struct archive_in in;
    int rc;

    memset(out, 0, sizeof *out);
    rc = archive_in_open(&in, (struct archive_source){ read_on, &at }, CONTENTS_READ, err);
    if (rc == 0)
        rc = archive_read(out, &in, walk_memory(file), NULL, NULL, err);
    archive_in_close(&in);
    return rc;
}

/* ---- one entry ----------------------------------------------------------------------------------------------- */

static int skip_stream(struct walk_stream *s, const struct archive_entry *e, struct err *err)
{
    int64_t n;

    while ((n = archive_in_chunk(&s->in, s->a, e, err)) > 0) {
        uint64_t next = archive_in_tell(&s->in) + (uint64_t)n;

        if (next > s->file->size)
            return err_set(err, ERR_DAMAGED,
                           "the archive ends at offset %" PRIu64 ", before offset %" PRIu64 ", which it refers to",
                           s->file->size, next);
        if ((uint64_t)n <= archive_in_ready(&s->in))
            s->in.at += (size_t)n;
        else
            walk_stream_seek(s, next, 0); /* what is not wanted is not read */
    }
    return n < 0 ? -1 : 0;
}

static int skip_block(struct walk_stream *s, enum archive_block_type type, const struct archive_entry *e,
                      struct err *err)
{
    int64_t oid = 1;

    while (type == BLOCK_OBJECTS && oid != 0)
        if (archive_in_int(&s->in, s->a, "the large objects", &oid, err) < 0 ||
            (oid != 0 && skip_stream(s, e, err) < 0))
            return -1;
    return type == BLOCK_OBJECTS ? 0 : skip_stream(s, e, err);
}

/* Where the entry's block ends at most: at the next one's known offset, or the file's end. */
static uint64_t end_of(const struct walk_file *file, const struct archive *a, const struct archive_entry *e)
{
    uint64_t end = file->size;

    for (size_t i = 0; i < a->n; i++) {
        const struct archive_entry *other = &a->entries[i];

        if (other->state == OFFSET_KNOWN && other->offset > e->offset && other->offset < end)
            end = other->offset;
    }
    return end;
}

uint64_t walk_extent(const struct walk_file *file, const struct archive *a, const struct archive_entry *e)
{
    return e->state == OFFSET_KNOWN && e->offset < file->size ? end_of(file, a, e) - e->offset : 0;
}

/* Goes to the entry's block and reads its header. */
static int find_block(struct walk_stream *s, const struct archive_entry *wanted, enum archive_block_type *type,
                      struct err *err)
{
    bool known = wanted->state == OFFSET_KNOWN;
    struct archive_entry *e;
    char name[160];
    int rc;

    archive_entry_name(wanted, name, sizeof name);
    if (known && wanted->offset >= s->file->size)
        return err_set(err, ERR_DAMAGED, "the archive ends at offset %" PRIu64 ", before %s", s->file->size, name);
    walk_stream_seek(s, known ? wanted->offset : s->a->data_at, known ? end_of(s->file, s->a, wanted) : 0);
    while ((rc = archive_in_block(&s->in, s->a, type, &e, err)) > 0) {
        if (e == wanted)
            return 0;
        if (known)
            return err_set(err, ERR_DAMAGED, "offset %" PRIu64 ": %s should start here, but another block does",
                           wanted->offset, name);
        if (skip_block(s, *type, e, err) < 0)
            return -1;
    }
    return rc < 0 ? -1
                  : err_set(err, ERR_DAMAGED, "the archive ends at offset %" PRIu64 ", before %s",
                            archive_in_tell(&s->in), name);
}

static int read_objects(struct walk_stream *s, const struct archive_entry *e, walk_data *data, void *cookie,
                        struct err *err)
{
    int64_t oid;

    for (;;) {
        if (archive_in_int(&s->in, s->a, "the large objects", &oid, err) < 0)
            return -1;
        if (oid == 0)
            return 0;
        if (data(cookie, (uint32_t)oid, NULL, 0, err) < 0 ||
            walk_stream_data(s, e, (uint32_t)oid, data, cookie, err) < 0)
            return -1;
    }
}

int walk_entry(const struct walk_file *file, const struct archive *a, const struct archive_entry *e, walk_data *data,
               void *cookie, struct err *err)
{
    enum archive_block_type type;
    struct walk_stream s;
    char name[160];
    int rc = -1;

    if (!e->has_data)
        return err_set(err, ERR_NOT_FOUND, "%s: the archive has none", archive_entry_name(e, name, sizeof name));
    if (walk_stream_open(&s, file, a, ENTRY_READ, NULL, err) < 0)
        goto out;
    if (find_block(&s, e, &type, err) < 0)
        goto out;
    rc = type == BLOCK_OBJECTS ? read_objects(&s, e, data, cookie, err) : walk_stream_data(&s, e, 0, data, cookie, err);
out:
    walk_stream_close(&s);
    return rc;
}
